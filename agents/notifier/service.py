"""What to tell people and when. Pure: a decision carries its reason, whether something is told or not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from paws.clock import from_mjd
from paws.letters import ACCOUNT_KIND, REQUEST_KIND
from schemas.vocabulary import FrameState

REJECTIONS_QUIET = timedelta(seconds=10)
"""After so long without a new rejection the digest goes out,"""
REJECTIONS_PATIENCE = timedelta(seconds=120)
"""and after so long in any case."""
REJECTIONS_MANY = 100
READOUT = timedelta(seconds=300)
"""Longest time from the end of an exposure to the start of the next of the same field."""
PLANNING = timedelta(seconds=2)
"""Time in which the planner asks for what a finished reduction made possible."""
_LOOK_AGAIN = timedelta(seconds=30)  # time alone may make a frame final, and no event tells of that
_LIVE = timedelta(minutes=30)
_REPLAY_LEAST, _REPLAY_MOST = timedelta(seconds=3), timedelta(seconds=300)


class Kind(StrEnum):
    """Kinds of message."""

    FAILURE = "failure"
    REJECTED = "rejected"
    FIELD = "field"
    ACCOUNT = ACCOUNT_KIND
    REQUEST = REQUEST_KIND


@dataclass(frozen=True)
class Decision:
    """Whether something is told, and why.

    Attributes
    ----------
    notification_id
        Derived from the occasion, so that the same occasion is told once; empty when nothing is told.
    again_after
        Time after which to decide again though nothing happened; None when only an event changes matters.
    """

    tell: bool
    reason: str
    notification_id: str = ""
    again_after: timedelta | None = None


@dataclass(frozen=True)
class Failure:
    """A reduction that failed.

    Attributes
    ----------
    wanted
        Whether its result is still wanted.
    frames
        Names of the frames whose state it decides.
    """

    job_key: str
    night: str
    kind: str
    slot: str
    wanted: bool
    frames: tuple[str, ...]
    code: str
    error: str
    attempts: int
    log_path: str


@dataclass(frozen=True)
class RejectedFile:
    """A rejected file that no message has named yet."""

    path: str
    name: str
    mtime_ns: int
    code: str
    reason: str
    last_seen: datetime


@dataclass(frozen=True)
class ScienceFrame:
    """A science frame of a field, as far as a message needs it.

    Attributes
    ----------
    exposed
        Seconds.
    utmjd
        Start of the exposure.
    signal_to_noise
        Median per Angstrom.
    """

    frame_id: str
    name: str
    run: int
    arm: str
    object_name: str
    exposed: float
    utmjd: float
    completed_at: datetime
    state: FrameState
    reason: str
    level: int | None
    provisional: bool
    signal_to_noise: float | None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class FieldProgress:
    """How far the science frames of a field in a night have come.

    Attributes
    ----------
    frames
        Its science frames.
    followed
        Whether a frame of another field, or of none, was taken after the last of them.
    open_reductions
        Reductions of the field that are queued or running.
    arrivals
        When the newest frames of the night, of any kind, were complete.
    products
        Current products with spectra, relative paths.
    """

    night: str
    field: str
    plate: int | None
    frames: tuple[ScienceFrame, ...]
    followed: bool = False
    open_reductions: int = 0
    arrivals: tuple[datetime, ...] = ()
    products: tuple[str, ...] = ()


def tell_failure(failure: Failure) -> Decision:
    """Decide whether a failed reduction is told: at once, and once, if its result is still wanted."""
    if not failure.wanted:
        return Decision(False, "its result is not wanted any more")
    return Decision(True, "a wanted reduction failed", f"failure:{failure.job_key}")


def tell_rejections(files: Sequence[RejectedFile], night: str, now: datetime) -> Decision:
    """Decide whether rejected files of a night are told: together, once no more come for a while."""
    if not files:
        return Decision(False, "no file was rejected")
    newest, oldest = max(file.last_seen for file in files), min(file.last_seen for file in files)
    quiet = now - newest >= REJECTIONS_QUIET
    if not (quiet or now - oldest >= REJECTIONS_PATIENCE or len(files) >= REJECTIONS_MANY):
        return Decision(False, "more may be rejected; they are told together", again_after=REJECTIONS_QUIET)
    occasion = _digest(f"{file.path}|{file.mtime_ns}|{file.code}" for file in files)
    return Decision(True, f"{len(files)} files were rejected", f"rejected:{night}:{occasion}")


def tell_field(field: FieldProgress, now: datetime) -> Decision:
    """Decide whether a field is done: all of its science frames are final and no more are expected."""
    frames = [frame for frame in field.frames if frame.state is not FrameState.JUNKED]
    if not frames:
        return Decision(False, "no science frame counts")
    unfinished = sum(not frame.state.is_final for frame in frames)
    if unfinished:
        return Decision(False, f"{unfinished} science frames are not final", again_after=_LOOK_AGAIN)
    if field.open_reductions:
        return Decision(
            False, f"{field.open_reductions} reductions of the field are under way", again_after=_LOOK_AGAIN
        )
    finished = max((frame.finished_at for frame in frames if frame.finished_at), default=None)
    if finished is not None and now - finished < PLANNING:
        return Decision(
            False, "combining and splicing may be planned yet", again_after=finished + PLANNING - now
        )
    last = max(frames, key=lambda frame: frame.completed_at)
    patience = _patience(last, field.arrivals)
    left = last.completed_at + patience - now
    if not field.followed and left > timedelta():
        return Decision(
            False, f"another exposure may come within {patience.total_seconds():.0f} s", again_after=left
        )
    occasion = _digest(f"{frame.frame_id}|{frame.state.value}" for frame in frames)
    reason = "another field followed" if field.followed else "no further exposure came"
    return Decision(
        True,
        f"all science frames are final and {reason}",
        f"field:{field.night}:{field.plate}:{field.field}:{occasion}",
    )


def _patience(last: ScienceFrame, arrivals: Sequence[datetime]) -> timedelta:
    """How long after the last exposure another one may come.

    At the telescope, an exposure like the last and its read-out. Frames of a night that is replayed come
    at a pace of their own, which the arrivals tell.
    """
    exposed = timedelta(seconds=last.exposed)
    if abs(last.completed_at - (from_mjd(last.utmjd) + exposed)) < _LIVE:
        return exposed + READOUT
    ordered = sorted(arrivals)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    return min(_REPLAY_MOST, max(_REPLAY_LEAST, 1.5 * max(gaps, default=timedelta())))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(parts)).encode("utf-8", "backslashreplace")).hexdigest()[:16]
