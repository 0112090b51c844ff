"""A night on a line: exposures of both arms, fields, and the gaps between. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.vocabulary import FrameClass

READOUT: Final = timedelta(seconds=150)
"""Longest time between two exposures that is no gap: AAOmega reads out in one to two minutes."""
_NO_FIBRES: Final = (FrameClass.BIAS, FrameClass.DARK, FrameClass.LFLAT)


@dataclass(frozen=True)
class Taken:
    """A frame that was taken: when, of what, and what became of it."""

    frame_id: str
    run: int
    arm: str
    frame_class: str
    field: str
    start: datetime
    seconds: float
    state: str

    @property
    def end(self) -> datetime:
        """End of the exposure."""
        return self.start + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Gap:
    """Time in which nothing was exposed."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds() / 60.0


@dataclass(frozen=True)
class Visit:
    """A field while it was observed: from its first to its last frame through the fibres."""

    field: str
    start: datetime
    end: datetime
    science_seconds: float


def gaps(
    frames: Iterable[Taken], begin: datetime | None, end: datetime | None, shortest: timedelta = READOUT
) -> list[Gap]:
    """Gaps within the time that counts, between exposures of either arm.

    Parameters
    ----------
    begin, end
        The dark hours; None where they are not known, and then the first and the last frame bound the time.
    """
    spans = sorted((frame.start, frame.end) for frame in frames)
    if not spans:
        return []
    last = begin if begin is not None else spans[0][0]
    limit = end if end is not None else max(stop for _start, stop in spans)
    found = []
    for start, stop in spans:
        if start >= limit:
            break
        if start - last > shortest:
            found.append(Gap(last, start))
        last = max(last, stop)
    return found


def idle(frames: Sequence[Taken], now: datetime, begin: datetime | None, end: datetime | None) -> Gap | None:
    """The gap that is open now, if it is dark and the newest exposure is long over."""
    dark = (begin is None or now > begin) and (end is None or now < end)
    last = max((frame.end for frame in frames), default=None)
    if not dark or last is None or now - last <= READOUT:
        return None
    return Gap(max(last, begin) if begin is not None else last, now)


_CLOCKS_AGREE: Final = timedelta(hours=1)
"""Longest time between the end of an exposure and its arrival with which its header is taken to tell the time."""


def present(now: datetime, end: datetime, arrived: datetime) -> datetime:
    """The present on the clock of the frames: that of the headers, where these run apart from ours.

    A night that is simulated, or observed again from a tape, has times of its own.

    Parameters
    ----------
    end, arrived
        Of the newest frame: end of its exposure by its header, and when it came.
    """
    return now if abs(arrived - end) <= _CLOCKS_AGREE else end + (now - arrived)


def visits(frames: Iterable[Taken]) -> list[Visit]:
    """Fields in the order in which they were observed; a field that is come back to is there again."""
    found: list[Visit] = []
    through_fibres = [frame for frame in frames if frame.field and frame.frame_class not in _NO_FIBRES]
    exposed: set[int] = set()
    for frame in sorted(through_fibres, key=lambda item: (item.start, item.run, item.arm)):
        # Both arms of a run are one exposure.
        science = (
            frame.seconds if FrameClass(frame.frame_class).is_science and frame.run not in exposed else 0.0
        )
        exposed.add(frame.run)
        if found and found[-1].field == frame.field:
            before = found[-1]
            found[-1] = Visit(
                frame.field, before.start, max(before.end, frame.end), before.science_seconds + science
            )
        else:
            found.append(Visit(frame.field, frame.start, frame.end, science))
    return found
