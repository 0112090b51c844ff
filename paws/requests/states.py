"""How far a request is, from how far its reductions are. Pure: a state with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.vocabulary import ReductionState, RequestState

OPEN = (RequestState.INITIALISED, RequestState.QUEUED, RequestState.RUNNING)
"""States in which something is still to happen."""


@dataclass(frozen=True)
class PartState:
    """A reduction that a request needs, and how far it is.

    Attributes
    ----------
    state
        None while it was not asked for.
    result
        Whether it is what was asked for.
    reused
        Whether it was done before the request came.
    """

    state: ReductionState | None
    result: bool
    reused: bool = False
    error: str = ""

    @property
    def done(self) -> bool:
        """Whether its products are there."""
        return self.state is ReductionState.SUCCEEDED

    @property
    def failed(self) -> bool:
        """Whether it failed for good."""
        return self.state is ReductionState.FAILED


@dataclass(frozen=True)
class Situation:
    """What a request's state follows from.

    Attributes
    ----------
    planned
        Whether it was planned.
    cancelled
        Whether somebody cancelled it.
    parts
        Reductions that its newest plan needs.
    missing
        Results and frames that cannot be made, with the reason, by what they are.
    """

    planned: bool
    cancelled: bool
    parts: tuple[PartState, ...] = ()
    missing: Mapping[str, str] | None = None


@dataclass(frozen=True)
class StateDecision:
    """State of a request, with the reason and the counts that are shown with it."""

    state: RequestState
    reason: str
    parts: int = 0
    done: int = 0
    failed: int = 0
    reused: int = 0

    @property
    def partly(self) -> bool:
        """Whether it finished without all that was asked for."""
        return self.state is RequestState.FINISHED and self.failed > 0


def derive(situation: Situation) -> StateDecision:
    """State of a request."""
    parts, missing = situation.parts, situation.missing or {}
    done, failed = sum(part.done for part in parts), sum(part.failed for part in parts)
    reused = sum(part.reused and part.done for part in parts)
    counts = (len(parts) + len(missing), done, failed + len(missing), reused)
    if situation.cancelled:
        return StateDecision(RequestState.CANCELLED, "it was cancelled", *counts)
    if not situation.planned:
        return StateDecision(RequestState.INITIALISED, "its reductions are being planned")
    open_parts = len(parts) - done - failed
    if open_parts:
        return StateDecision(*_under_way(parts, done, open_parts), *counts)
    first = next((part.error for part in parts if part.failed and part.error), "") or next(
        iter(missing.values()), ""
    )
    if not any(part.result and part.done for part in parts):
        return StateDecision(RequestState.FAILED, first or "nothing could be reduced", *counts)
    if counts[2]:
        return StateDecision(
            RequestState.FINISHED, f"{counts[2]} of {counts[0]} parts failed: {first}".rstrip(": "), *counts
        )
    if reused == len(parts):
        return StateDecision(RequestState.FINISHED, "everything was done before", *counts)
    return StateDecision(RequestState.FINISHED, "everything is done", *counts)


def _under_way(parts: tuple[PartState, ...], done: int, open_parts: int) -> tuple[RequestState, str]:
    busy = sum(part.state in (ReductionState.RUNNING, ReductionState.RETRYING) for part in parts)
    if busy or any((part.done and not part.reused) or part.failed for part in parts):
        at_work = f", {busy} at work" if busy else ""
        return RequestState.RUNNING, f"{done} of {len(parts)} reductions done{at_work}"
    if open_parts == 1:
        return RequestState.QUEUED, "1 reduction waits for a free runner"
    return RequestState.QUEUED, f"{open_parts} reductions wait for a free runner"
