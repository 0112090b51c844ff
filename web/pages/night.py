"""What the live page shows of a night, as plain values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.vocabulary import FrameState
from web.api.models import Frame
from web.pages.words import CLASSES, LEVELS, SATURATED, STATES, word

_NO_FIBRES: Final = ("BIAS", "DARK", "LFLAT")
DETECTOR_GROUP: Final = "detector"
_SETTLED: Final = (FrameState.REDUCED, FrameState.SET_ASIDE, FrameState.JUNKED)


@dataclass(frozen=True)
class FrameView:
    """One arm's frame as a cell of the table. Mirrored by ``viewOf`` in ``static/view.js``."""

    frame_id: str
    state: str
    word: str
    meaning: str
    why: str
    reason: str
    level: str
    level_meaning: str
    signal: str
    exposure: str
    exposure_words: str
    saturated: bool
    progress: float | None
    provisional: bool
    product: str | None


@dataclass(frozen=True)
class RunRow:
    """One exposure: what both arms share, and the frame of each arm."""

    run: int
    first: Frame
    object: str
    class_word: str
    arms: dict[str, FrameView | None]


@dataclass(frozen=True)
class Group:
    """The runs of one field, or the calibrations of the detectors."""

    key: str
    title: str
    subtitle: str
    done: int
    total: int
    rows: tuple[RunRow, ...]


def view_of(frame: Frame) -> FrameView:
    """Cell of a frame."""
    state_word, meaning = STATES[frame.state]
    label, level_meaning = LEVELS.get(-1 if frame.level is None else frame.level, ("", ""))
    exposure, exposure_words, saturated = _exposure(frame)
    reduced = frame.state is FrameState.REDUCED
    return FrameView(
        frame_id=frame.frame_id,
        state=frame.state,
        word=state_word,
        meaning=meaning,
        why=_why(frame),
        reason=frame.reason or "",
        level=label,
        level_meaning=level_meaning,
        signal="" if frame.signal_to_noise is None else f"{frame.signal_to_noise:.1f}",
        exposure=exposure,
        exposure_words=exposure_words,
        saturated=saturated,
        progress=frame.progress if frame.state is FrameState.RUNNING else None,
        provisional=bool(frame.provisional) and frame.state is not FrameState.JUNKED,
        product=frame.job_key if reduced else None,
    )


def _why(frame: Frame) -> str:
    if frame.state is FrameState.RUNNING:
        return (frame.stage or "at work").replace("_", " ")
    if frame.state is FrameState.REDUCED:
        return (frame.reason or "") if frame.provisional else ""
    if frame.state is FrameState.QUEUED and frame.attempt:
        return f"try {frame.attempt + 1} follows: {frame.reason or 'the last one failed'}"
    return "" if frame.state is FrameState.QUEUED else frame.reason or ""


def _exposure(frame: Frame) -> tuple[str, str, bool]:
    if frame.exposure is None:
        return "", "", False
    bright = frame.exposure.bright
    level = f"{bright:.0f}" if bright < 1000 else f"{bright / 1000:.1f}k"
    part = 100 * frame.exposure.saturated_fraction
    saturated = frame.exposure.saturated_fraction >= SATURATED
    words = f"Brightest 2 % of pixels above {level} ADU, {part:.1f} % saturated"
    return f"{level}, {part:.0f} % saturated" if saturated else level, words, saturated


def subject(frame: Frame) -> tuple[str, str]:
    """What was exposed: the object's name and the frame's class, said once when both are the same."""
    kind = word(CLASSES, frame.frame_class)
    name = frame.object_name.strip()
    return (kind, "") if name.lower() in ("", kind, frame.frame_class.lower()) else (name, kind)


def group_key(frame: Frame) -> str:
    """Which group of the table a frame belongs to."""
    if frame.frame_class in _NO_FIBRES or not frame.field:
        return DETECTOR_GROUP
    return f"{frame.field}|{'' if frame.plate is None else frame.plate}"


def group_frames(frames: Iterable[Frame]) -> list[Group]:
    """Groups of a night: the newest field first, the detectors' calibrations last, runs in order."""
    members: dict[str, list[Frame]] = {}
    for frame in frames:
        members.setdefault(group_key(frame), []).append(frame)
    groups = [_group(key, found) for key, found in members.items()]
    newest = {key: max(frame.run for frame in found) for key, found in members.items()}
    return sorted(groups, key=lambda group: (group.key == DETECTOR_GROUP, -newest[group.key], group.key))


def _group(key: str, frames: Sequence[Frame]) -> Group:
    gratings = " + ".join(
        dict.fromkeys(frame.grating for frame in sorted(frames, key=lambda one: one.arm) if frame.grating)
    )
    first = frames[0]
    plate = "" if first.plate is None else f"plate {first.plate}"
    detector = key == DETECTOR_GROUP
    return Group(
        key=key,
        title="Detector calibrations" if detector else first.field,
        subtitle="" if detector else " · ".join(part for part in (plate, gratings) if part),
        done=sum(frame.state in _SETTLED for frame in frames),
        total=len(frames),
        rows=_rows(frames),
    )


def _rows(frames: Sequence[Frame]) -> tuple[RunRow, ...]:
    """Rows in the order of runs. A second frame of the same run and arm gets a row of its own."""
    rows: list[RunRow] = []
    for frame in sorted(frames, key=lambda one: (one.run, one.arm, one.frame_id)):
        for row in reversed(rows):
            if row.run == frame.run and row.arms[frame.arm] is None:
                row.arms[frame.arm] = view_of(frame)
                break
        else:
            arms: dict[str, FrameView | None] = {"blue": None, "red": None}
            rows.append(RunRow(frame.run, frame, *subject(frame), arms | {frame.arm: view_of(frame)}))
    return tuple(rows)


def count_states(frames: Iterable[Frame]) -> dict[str, int]:
    """Number of frames in each state, states without any included."""
    counts = dict.fromkeys((state.value for state in STATES_IN_ORDER), 0)
    for frame in frames:
        counts[frame.state.value] += 1
    return counts


STATES_IN_ORDER: Final = (
    FrameState.ARRIVED,
    FrameState.WAITING,
    FrameState.QUEUED,
    FrameState.RUNNING,
    FrameState.REDUCED,
    FrameState.SET_ASIDE,
    FrameState.FAILED,
    FrameState.JUNKED,
)
