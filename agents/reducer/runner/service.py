"""What a runner does with a job that it has taken. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.reducer.retry import RetryPolicy
from schemas.vocabulary import ReductionState

POSTPONED = 0.5
"""Seconds until a reduction whose inputs are being made is looked at again."""


@dataclass(frozen=True)
class Situation:
    """What the database says when a job is taken.

    Attributes
    ----------
    wanted
        Whether the planner wants this reduction for its slot, or names none for it.
    tries
        Tries of the present request so far.
    open_inputs
        Reductions that make what this one reads and have not ended.
    """

    state: ReductionState
    forced: bool
    wanted: bool
    tries: int
    open_inputs: int


@dataclass(frozen=True)
class StartDecision:
    """Start, postpone, cancel, fail, or only place what is done; with the reason."""

    action: Literal["start", "postpone", "cancel", "fail", "place", "nothing"]
    reason: str


def start_decision(situation: Situation, policy: RetryPolicy) -> StartDecision:
    """Decide about a job that was just taken from the queue.

    The queue gives a job again when a runner died, at whatever point; so every state may be met.
    """
    if situation.state is ReductionState.SUCCEEDED:
        return StartDecision("place", "It succeeded; its runner died before the queue knew.")
    if situation.state.is_final:
        return StartDecision("nothing", f"It is {situation.state.value}.")
    if not situation.wanted and not situation.forced:
        return StartDecision("cancel", "A better reduction of the same slot is wanted by now.")
    if situation.tries >= policy.limit(killed=True):
        # Only a try that ended with the runner is not settled by the retry decision.
        return StartDecision("fail", f"The runner died in each of {situation.tries} tries.")
    if situation.open_inputs:
        return StartDecision("postpone", f"{situation.open_inputs} of its inputs are being made.")
    return StartDecision("start", "Its inputs are there.")
