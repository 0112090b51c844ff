"""Where things stand in the pictures of a night: plain numbers for templates. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from paws.clock import from_mjd
from paws.nightwatch.growth import Goal
from paws.nightwatch.sun import Darkness
from paws.nightwatch.timeline import Gap, Taken, Visit, gaps, idle, visits
from schemas.vocabulary import FrameClass
from web.night.fields import ArmView, Row

Across = Callable[[datetime], float]

WIDTH: Final = 1200.0
"""Units across the timeline."""
_LEAST: Final = 2.0
"""Units that the shortest exposure gets, so that it is seen."""
_LANES: Final = {"blue": 58.0, "red": 84.0}
LANE: Final = 20.0
_KINDS: Final = {
    FrameClass.MFOBJECT: "science",
    FrameClass.MFFLX: "science",
    FrameClass.MFSKY: "sky",
    FrameClass.MFFFF: "flat",
    FrameClass.MFARC: "arc",
}


@dataclass(frozen=True)
class Box:
    """A rectangle with a name for its looks and words for people. `link` may be empty."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str
    link: str = ""
    state: str = ""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    words: str
    more: str = ""


@dataclass(frozen=True)
class Timeline:
    """A night as a line.

    Attributes
    ----------
    now
        Where the present is; None outside of the picture.
    lost
        Dark minutes in which nothing was exposed, so far.
    """

    sky: tuple[Box, ...]
    fields: tuple[Box, ...]
    frames: tuple[Box, ...]
    gaps: tuple[Box, ...]
    hours: tuple[datetime, ...]
    places: tuple[float, ...]
    now: float | None
    darkness: tuple[Darkness, ...]
    lost: float
    idle: Gap | None


def taken_of(rows: Iterable[Row]) -> list[Taken]:
    """Frames as the timeline wants them."""
    return [
        Taken(
            row["frame_id"],
            row["run"],
            row["arm"],
            row["frame_class"],
            row["field"],
            from_mjd(row["utmjd"]),
            float(row["exposed"]),
            row["state"],
        )
        for row in rows
    ]


def draw_timeline(rows: Sequence[Row], darkness: Sequence[Darkness], now: datetime) -> Timeline | None:
    """The timeline of a night; None when nothing was taken and nothing is known of the Sun."""
    frames = taken_of(rows)
    bounds = [
        moment for item in darkness[:1] for moment in (item.evening, item.morning) if moment is not None
    ]
    bounds += [moment for frame in frames for moment in (frame.start, frame.end)]
    if not bounds:
        return None
    first, last = min(bounds), max(bounds)
    # A header with a wrong date must not stretch the picture over years.
    middle = next((item.evening for item in darkness if item.evening is not None), first)
    first, last = max(first, middle - timedelta(hours=10)), min(last, middle + timedelta(hours=22))
    first, last = first - timedelta(minutes=8), max(last, first + timedelta(hours=1)) + timedelta(minutes=8)

    def x(moment: datetime) -> float:
        return round(min(max((moment - first) / (last - first), 0.0), 1.0) * WIDTH, 1)

    dark = next((item for item in darkness if item.name == "nautical"), None)
    begin, end = (dark.evening, dark.morning) if dark else (None, None)
    holes = gaps(frames, begin, end)
    open_now = idle(frames, now, begin, end)
    hours = _hours(first, last)
    return Timeline(
        tuple(_sky(darkness, x, first, last)),
        tuple(_visit(visit, x) for visit in visits(frames)),
        tuple(_frame(frame, x) for frame in frames if first <= frame.start <= last),
        tuple(
            Box(
                x(hole.start),
                54,
                max(x(hole.end) - x(hole.start), _LEAST),
                54,
                "gap",
                f"{hole.minutes:.0f} min without exposure",
            )
            for hole in [*holes, *([open_now] if open_now else [])]
        ),
        tuple(hours),
        tuple(x(hour) for hour in hours),
        x(now) if first <= now <= last else None,
        tuple(darkness),
        sum(hole.minutes for hole in holes) + (open_now.minutes if open_now else 0.0),
        open_now,
    )


def _hours(first: datetime, last: datetime) -> list[datetime]:
    hour = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    step = 1 if last - first <= timedelta(hours=15) else 2
    found = []
    while hour <= last:
        if hour.hour % step == 0:
            found.append(hour)
        hour += timedelta(hours=1)
    return found


def _sky(darkness: Sequence[Darkness], x: Across, first: datetime, last: datetime) -> Iterable[Box]:
    yield Box(0, 0, WIDTH, 122, "day", "the Sun is up")
    for item, kind, words in zip(
        darkness,
        ("civil", "nautical", "astronomical", "dark"),
        ("civil twilight", "nautical twilight", "astronomical twilight", "dark"),
        strict=False,
    ):
        if (
            item.evening is not None
            and item.morning is not None
            and item.evening < last
            and item.morning > first
        ):
            start, stop = x(item.evening), x(item.morning)
            yield Box(start, 0, stop - start, 122, kind, words)


def _visit(visit: Visit, x: Across) -> Box:
    start = x(visit.start)
    words = f"{visit.field}: {visit.science_seconds / 60:.0f} min of science"
    return Box(start, 26, max(x(visit.end) - start, _LEAST), 22, "field", words, visit.field)


def _frame(frame: Taken, x: Across) -> Box:
    start = x(frame.start)
    kind = _KINDS.get(FrameClass(frame.frame_class), "detector")
    words = f"{frame.run:04d} {frame.arm}, {frame.start:%H:%M:%S} UT, {frame.seconds:g} s"
    return Box(
        start,
        _LANES[frame.arm],
        max(x(frame.end) - start, _LEAST),
        LANE,
        kind,
        words,
        frame.frame_id,
        frame.state,
    )


# ---- S/N against magnitude, and as exposures add up ----

PLOT_WIDTH: Final = 440.0
PLOT_HEIGHT: Final = 250.0
_LEFT: Final = 44.0
_RIGHT: Final = 12.0
_TOP: Final = 24.0
_BOTTOM: Final = 34.0
_SNR_RANGE: Final = (0.2, 100.0)


@dataclass(frozen=True)
class Dots:
    """Points of one arm as an SVG path, and how many there are."""

    arm: str
    path: str
    count: int


@dataclass(frozen=True)
class Plot:
    """A picture with two axes. `goal` is a horizontal place, `limit` a vertical one; None where there is none."""

    dots: tuple[Dots, ...]
    lines: tuple[tuple[str, str, str], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    goal: float | None
    limit: float | None


def _y_log(value: float) -> float:
    low, high = (math.log10(one) for one in _SNR_RANGE)
    part = (math.log10(min(max(value, _SNR_RANGE[0]), _SNR_RANGE[1])) - low) / (high - low)
    return round(PLOT_HEIGHT - _BOTTOM - part * (PLOT_HEIGHT - _TOP - _BOTTOM), 1)


_UP: Final = tuple(Tick(_y_log(value), f"{value:g}") for value in (0.3, 1.0, 3.0, 10.0, 30.0, 100.0))


def draw_signal(arms: Sequence[ArmView], goal: Goal | None) -> Plot | None:
    """S/N of each target after all exposures, against its magnitude."""
    known = [arm.magnitude[np.isfinite(arm.magnitude)] for arm in arms]
    every = np.concatenate(known) if known else np.array([])
    if not len(every):
        return None
    low, high = float(np.floor(every.min() * 2) / 2), float(np.ceil(every.max() * 2) / 2)
    high = max(high, low + 1.0)

    def x(magnitude: float) -> float:
        part = (magnitude - low) / (high - low)
        return round(_LEFT + part * (PLOT_WIDTH - _LEFT - _RIGHT), 1)

    limit = next((arm.growth.magnitude for arm in arms if arm.growth.magnitude is not None), None)
    step = 1.0 if high - low > 3 else 0.5
    marks = np.arange(math.ceil(low / step) * step, high + 1e-6, step)
    return Plot(
        tuple(_dots(arm, x) for arm in arms),
        (),
        tuple(Tick(x(float(mark)), f"{mark:g}") for mark in marks),
        _UP,
        _y_log(goal.signal_to_noise) if goal is not None else None,
        x(limit) if limit is not None and low <= limit <= high else None,
    )


def _dots(arm: ArmView, x: Callable[[float], float]) -> Dots:
    good = np.isfinite(arm.magnitude) & np.isfinite(arm.snr)
    # A line of no length with round ends is a dot: far shorter than a circle for each target.
    path = "".join(
        f"M{x(float(magnitude))} {_y_log(float(snr))}h0"
        for magnitude, snr in zip(arm.magnitude[good], arm.snr[good], strict=True)
    )
    return Dots(arm.arm, path, int(good.sum()))


def draw_growth(arms: Sequence[ArmView], goal: Goal | None) -> Plot | None:
    """S/N at the goal's magnitude as exposures add up, and as it goes on at the present rate."""
    steps = {arm.arm: [step for step in arm.growth.steps if step.at_goal is not None] for arm in arms}
    if goal is None or not any(steps.values()):
        return None
    ends = [step.minutes for found in steps.values() for step in found]
    ends += [
        found[-1].minutes + arm.growth.minutes_to_goal
        for arm in arms
        if (found := steps[arm.arm]) and arm.growth.minutes_to_goal
    ]
    longest = min(max(ends) * 1.05, 3 * max(step.minutes for found in steps.values() for step in found) + 60)

    def x(minutes: float) -> float:
        return round(_LEFT + min(minutes / longest, 1.0) * (PLOT_WIDTH - _LEFT - _RIGHT), 1)

    lines: list[tuple[str, str, str]] = []
    dots = []
    for arm in arms:
        found = steps[arm.arm]
        if not found:
            continue
        points = [(x(step.minutes), _y_log(step.at_goal or 0.0)) for step in found]
        dots.append(Dots(arm.arm, "".join(f"M{a} {b}h0" for a, b in points), len(points)))
        lines.append((arm.arm, "measured", "M" + "L".join(f"{a} {b}" for a, b in points)))
        last = found[-1]
        if arm.growth.minutes_to_goal and last.rate and last.at_goal:
            ahead = np.linspace(0.0, max(longest - last.minutes, 0.0), 24)
            curve = [
                (x(last.minutes + more), _y_log(math.sqrt(last.at_goal**2 + last.rate * more)))
                for more in ahead.tolist()
            ]
            lines.append((arm.arm, "predicted", "M" + "L".join(f"{a} {b}" for a, b in curve)))
    step_minutes = next(
        one for one in (10, 20, 30, 60, 120, 240, 480, 960) if longest / one <= 6 or one == 960
    )
    marks = range(0, int(longest) + 1, step_minutes)
    return Plot(
        tuple(dots),
        tuple(lines),
        tuple(Tick(x(float(mark)), f"{mark}") for mark in marks),
        _UP,
        _y_log(goal.signal_to_noise),
        None,
    )
