"""What the matcher knows of a night, item by item. Folding an item in twice, or late, changes nothing.

Every merge is commutative and idempotent, so the state after a set of events does not depend on the order
in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from paws.matching.night_index import NightIndex
from paws.matching.sighting import JunkMark, ParameterMark, Sighting, in_order
from schemas.events import FrameJunked, FrameParametersSet, ReductionFinished
from schemas.vocabulary import ReductionState


@dataclass(frozen=True, slots=True)
class Finished:
    """A reduction that reached its end."""

    slot: str
    state: ReductionState
    at: datetime
    error: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether its products exist."""
        return self.state is ReductionState.SUCCEEDED

    @classmethod
    def of(cls, event: ReductionFinished) -> Finished:
        """Item of an event."""
        return cls(event.slot, event.state, event.at, (event.error or "")[:500])


@dataclass
class NightState:
    """Everything known of a night.

    Attributes
    ----------
    frames, junk, parameters, finished
        By frame identifier, and by job key. They are changed by the fold methods only.
    requested
        When reductions that have not finished were asked for. A memory that saves asking again; what is
        lost of it is harmless.
    standing
        The newest successful reduction of each slot.
    """

    night: str
    frames: dict[str, Sighting] = field(default_factory=dict)
    junk: dict[str, JunkMark] = field(default_factory=dict)
    parameters: dict[str, ParameterMark] = field(default_factory=dict)
    finished: dict[str, Finished] = field(default_factory=dict)
    requested: dict[str, datetime] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    _index: NightIndex | None = field(default=None, repr=False)

    def fold_frame(self, sighting: Sighting) -> bool:
        """Take in a frame. Whether that changed anything."""
        frame_id = sighting.frame.frame_id
        known = self.frames.get(frame_id)
        if known is not None:
            merged = replace(
                known,
                seen_at=min(known.seen_at, sighting.seen_at),
                subject=known.subject or sighting.subject,
            )
            if merged == known:
                return False
            sighting = merged
        self.frames[frame_id] = sighting
        self._index = None
        return True

    def fold_junk(self, frame_id: str, mark: JunkMark) -> bool:
        """Take in that a frame was junked, or that this was taken back. The newest word counts."""
        known = self.junk.get(frame_id)
        if known is not None and (known.at, known.junked, known.reason) >= (
            mark.at,
            mark.junked,
            mark.reason,
        ):
            return False
        self.junk[frame_id] = mark
        self._index = None
        return True

    def fold_parameters(self, frame_id: str, mark: ParameterMark) -> bool:
        """Take in the parameters that somebody set for a frame. The newest word counts."""
        known = self.parameters.get(frame_id)
        if known is not None and _rank(known) >= _rank(mark):
            return False
        self.parameters[frame_id] = mark
        return True

    def fold_finished(self, job_key: str, item: Finished) -> bool:
        """Take in the end of a reduction. A success stays one: products are never overwritten."""
        if item.state is ReductionState.CANCELLED:
            # Nothing was made, so it may be asked for again.
            return self.requested.pop(job_key, None) is not None
        known = self.finished.get(job_key)
        if known is not None and (known.succeeded, known.at, known.error) >= (
            item.succeeded,
            item.at,
            item.error,
        ):
            return False
        self.finished[job_key] = item
        self.requested.pop(job_key, None)
        if item.succeeded:
            other = self.finished.get(self.standing.get(item.slot, ""))
            if other is None or (other.at, self.standing[item.slot]) <= (item.at, job_key):
                self.standing[item.slot] = job_key
        return True

    @property
    def index(self) -> NightIndex:
        """The night's frames in their groups."""
        if self._index is None:
            self._index = NightIndex.build(self.night, self.frames.values(), self.junk)
        return self._index

    @property
    def last_arrival(self) -> datetime | None:
        """When the newest frame was seen."""
        return self.index.last_arrival


def junk_mark(event: FrameJunked) -> JunkMark:
    """Item of an event."""
    return JunkMark(event.junked, event.reason, event.who, event.at)


def parameter_mark(event: FrameParametersSet) -> ParameterMark:
    """Item of an event."""
    return ParameterMark(in_order(event.parameters), event.reason, event.who, event.at)


def _rank(mark: ParameterMark) -> tuple[datetime, str, str]:
    # Values are of several kinds, which do not compare.
    return mark.at, repr(mark.parameters), mark.reason
