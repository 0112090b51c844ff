"""What a request for a reduction leads to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.vocabulary import ReductionState

Action = Literal["queue", "hurry", "tell_again", "set_aside"]


@dataclass(frozen=True)
class Known:
    """What is known of a reduction that was asked for before."""

    state: ReductionState


@dataclass(frozen=True)
class IntakeDecision:
    """What to do with a request, and why.

    ``queue`` makes it a job; ``hurry`` leaves the waiting or running job alone but may raise its priority;
    ``tell_again`` repeats how it ended; ``set_aside`` records it without doing it.
    """

    action: Action
    reason: str


def decide(known: Known | None, *, force: bool, wanted: bool) -> IntakeDecision:
    """Decide about a request.

    Parameters
    ----------
    known
        The reduction of this key, if it was asked for before.
    force
        A person asked: run again whatever it ended with.
    wanted
        Whether the planner still wants this reduction for its slot, or names none for it.
    """
    if known is not None and not known.state.is_final:
        return IntakeDecision("hurry", f"It is {known.state.value} already.")
    if force:
        return IntakeDecision("queue", "A person asked for it.")
    if known is not None and known.state in (ReductionState.SUCCEEDED, ReductionState.FAILED):
        return IntakeDecision(
            "tell_again", f"It {known.state.value} before; the same work ends the same way."
        )
    if not wanted:
        return IntakeDecision("set_aside", "A better reduction of the same slot is wanted by now.")
    if known is not None:
        return IntakeDecision("queue", "It was set aside and is wanted again.")
    return IntakeDecision("queue", "It is new.")
