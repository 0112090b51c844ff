"""What is done after a try of a reduction went wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.vocabulary import Outcome

LONGEST_WAIT = 300.0
"""Most seconds between two tries, however many went before."""


LONGEST_OUTAGE_WAIT = 30.0
"""Most seconds between two tries that do not count."""

MOST_ATTEMPTS = 100
"""Attempts after which every try counts, so that nothing goes on for ever."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how fast a reduction is tried again.

    Attributes
    ----------
    tries
        Most tries, the first included.
    backoff
        Seconds before the second try; doubles with each.
    deaths
        Most tries when engine or runner were killed in them. More than otherwise, since whoever kills them
        seldom means the reduction; not without end, since a reduction can exhaust a machine's memory.
    """

    tries: int
    backoff: float
    deaths: int = 10

    def limit(self, killed: bool) -> int:
        """Most tries, by whether the last one was killed."""
        return max(self.tries, self.deaths) if killed else self.tries


@dataclass(frozen=True)
class RetryDecision:
    """Try again after `wait` seconds, or give up; with the reason, for people."""

    action: Literal["retry", "fail"]
    wait: float
    reason: str


@dataclass(frozen=True)
class Trouble:
    """What is known of a reduction whose try went wrong.

    Attributes
    ----------
    outcome
        What the error says about another try.
    tries
        Tries of the present request that count, this one included.
    attempts
        All attempts ever, those included that do not count.
    counts
        Whether the reduction itself may be the reason: not when the Docker daemon or the disk's room was away.
    same_end
        Whether the engine ended in the very same way as in the try before.
    killed
        Whether the engine was ended from outside.
    """

    outcome: Outcome
    tries: int
    attempts: int = 1
    counts: bool = True
    same_end: bool = False
    killed: bool = False


def decide(trouble: Trouble, policy: RetryPolicy) -> RetryDecision:
    """Decide about another try.

    Bad input is not tried again. What failed may pass, since 2dFdr stumbles over locks and scratch; but who
    stumbles twice at the very same place will do so for ever.
    """
    if trouble.outcome is not Outcome.RETRIABLE:
        return RetryDecision("fail", 0.0, "Another try would end the same way.")
    if not trouble.counts and trouble.attempts < MOST_ATTEMPTS:
        wait = min(policy.backoff * 2.0 ** min(trouble.attempts - 1, 30), LONGEST_OUTAGE_WAIT)
        return RetryDecision("retry", wait, f"This try does not count; the next follows in {wait:g} s.")
    if trouble.same_end:
        return RetryDecision("fail", 0.0, "It ended the same way twice, so another try would as well.")
    limit = policy.limit(trouble.killed)
    if trouble.tries >= limit:
        return RetryDecision("fail", 0.0, f"Given up after {trouble.tries} tries.")
    wait = min(
        policy.backoff * 2.0 ** min(trouble.tries - 1, 30),
        LONGEST_OUTAGE_WAIT if trouble.killed else LONGEST_WAIT,
    )
    return RetryDecision(
        "retry", wait, f"Try {trouble.tries + 1} of {limit} follows in {wait:g} s, in a clean folder."
    )
