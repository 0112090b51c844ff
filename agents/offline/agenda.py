"""What is left to reduce. Plans as the live system does, at a time when the nights are long over. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace

from agents.calib_matcher.service import Matcher
from paws.matching.items import Item
from paws.matching.plan import Plan
from paws.matching.policy import MatchPolicy
from paws.matching.retrospect import long_after
from paws.matching.sighting import Sighting
from paws.matching.state import Finished
from paws.matching.verdict import PLANNED
from schemas.events import ReductionFinished
from schemas.frames import Frame
from schemas.reductions import Reduction
from schemas.vocabulary import FrameState, Outcome, ReductionKind, ReductionState

_PATIENT = 3600.0


@dataclass(frozen=True)
class Ending:
    """How a reduction ended. `error` is for people, and empty after a success; `log` names its log."""

    night: str
    job_key: str
    slot: str
    kind: ReductionKind
    error: str = ""
    log: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether its products are there."""
        return not self.error


@dataclass(frozen=True)
class FrameOutcome:
    """What became of a frame, with the reason."""

    frame: Frame
    state: FrameState
    reason: str


class Agenda:
    """The reductions of some nights, in the order in which they can be carried out.

    Parameters
    ----------
    frames
        All frames: none will come.
    done
        Reductions that succeeded in earlier runs.
    policy
        Rules of matching.

    Notes
    -----
    Every frame is taken for seen at the end of its night, and the clock stands still after all waits of the
    policy, so the choice depends neither on the times of files nor on how fast reductions end.
    """

    def __init__(self, frames: Iterable[Frame], done: Iterable[Ending], policy: MatchPolicy) -> None:
        self._frames = {frame.frame_id: frame for frame in frames}
        nights = {frame.night for frame in self._frames.values()}
        # Nobody waits for a quick look here: what is in reduction is always waited for.
        policy = replace(policy, optional_wait=_PATIENT)
        self._now = long_after(nights, policy)
        self._matcher = Matcher(policy)
        self._matcher.restore(
            Item(frame.night, frame.frame_id, Sighting(frame, policy.ends_at(frame.night)))
            for frame in self._frames.values()
        )
        self._matcher.restore(self._item(ending) for ending in done if ending.night in nights)
        self._matcher.dirty.update(nights)
        self._plans: dict[str, Plan] = {}
        self._queue: list[tuple[int, int, Reduction]] = []
        self._given: set[str] = set()

    def next(self, most: int) -> list[Reduction]:
        """Reductions to start now, calibrations before what needs them.

        Nights are planned again only when too little is known to be ready: a plan takes in all that ended
        since the one before.
        """
        if len(self._queue) < most:
            self._plan()
        return [heapq.heappop(self._queue)[2] for _ in range(min(most, len(self._queue)))]

    def take(self, ending: Ending) -> None:
        """Take in how a reduction ended."""
        event = ReductionFinished(
            event_id=ending.job_key,
            night=ending.night,
            at=self._now,
            job_key=ending.job_key,
            slot=ending.slot,
            kind=ending.kind,
            state=_state(ending),
            outcome=Outcome.SUCCESS if ending.succeeded else Outcome.PERMANENT,
            error=ending.error or None,
        )
        self._matcher.take(event, self._now)

    @property
    def progress(self) -> tuple[int, int]:
        """Reductions that are done, and all that are wanted."""
        wanted = self.wanted
        return sum(self._has_ended(night, key) for night, key in wanted), len(wanted)

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Night and key of every reduction wanted."""
        return [(night, key) for night, plan in self._plans.items() for key in plan.wanted.values()]

    def outcomes(self) -> list[FrameOutcome]:
        """What became of each frame, by night and run."""
        found = [
            self._outcome(self._frames[frame_id], plan)
            for plan in self._plans.values()
            for frame_id in plan.frames
        ]
        return sorted(found, key=lambda item: (item.frame.night, item.frame.run, item.frame.arm.ccd))

    def _outcome(self, frame: Frame, plan: Plan) -> FrameOutcome:
        decision = plan.frames[frame.frame_id]
        if decision.state != PLANNED:
            return FrameOutcome(frame, FrameState(decision.state), decision.reason)
        finished = self._matcher.state(plan.night).finished.get(decision.job_key or "")
        if finished is None:
            return FrameOutcome(frame, FrameState.WAITING, "its reduction was not carried out")
        state = FrameState.REDUCED if finished.succeeded else FrameState.FAILED
        return FrameOutcome(frame, state, decision.reason)

    def _plan(self) -> None:
        for night in self._matcher.due(self._now):
            made = self._matcher.plan(night, self._now)
            self._matcher.written(made, self._now)
            self._plans[night] = made
            for reduction in made.ready:
                # A neighbour may ask for what its own night has asked for.
                if reduction.job_key not in self._given:
                    self._given.add(reduction.job_key)
                    heapq.heappush(self._queue, (-reduction.priority, len(self._given), reduction))

    def _has_ended(self, night: str, key: str) -> bool:
        return key in self._matcher.state(night).finished

    def _item(self, ending: Ending) -> Item:
        return Item(ending.night, ending.job_key, Finished(ending.slot, _state(ending), self._now))


def _state(ending: Ending) -> ReductionState:
    return ReductionState.SUCCEEDED if ending.succeeded else ReductionState.FAILED
