"""What is done after a try of a reduction went wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.vocabulary import Outcome

LONGEST_WAIT = 300.0
"""Most seconds between two tries, however many went before."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how fast a reduction is tried again.

    Attributes
    ----------
    tries
        Most tries, the first included.
    backoff
        Seconds before the second try; doubles with each.
    """

    tries: int
    backoff: float


@dataclass(frozen=True)
class RetryDecision:
    """Try again after `wait` seconds, or give up; with the reason, for people."""

    action: Literal["retry", "fail"]
    wait: float
    reason: str


def decide(outcome: Outcome, tries: int, policy: RetryPolicy) -> RetryDecision:
    """Decide after try number `tries` (from 1) ended with `outcome`.

    Only what may pass by itself is tried again: an engine that fails on good input fails again, and so
    does bad input.
    """
    if outcome is not Outcome.RETRIABLE:
        return RetryDecision("fail", 0.0, "Another try would end the same way.")
    if tries >= policy.tries:
        return RetryDecision("fail", 0.0, f"Given up after {tries} tries.")
    wait = min(policy.backoff * 2.0 ** (tries - 1), LONGEST_WAIT)
    return RetryDecision("retry", wait, f"Try {tries + 1} of {policy.tries} follows in {wait:g} s.")
