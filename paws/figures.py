"""Figures of a night: how long frames took, and how much of that the system itself added. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

Interval = tuple[float, float]
"""Start and end, s."""


@dataclass(frozen=True)
class ReductionTimes:
    """When the engine worked on a reduction, and which reductions it was made of (by key)."""

    job_key: str
    engine: Interval | None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrameTimes:
    """When a science frame was complete, and when its product was announced (both s)."""

    job_key: str
    completed: float
    announced: float


@dataclass(frozen=True)
class Latency:
    """Latency of a frame and the part of it that the system added, s."""

    total: float
    overhead: float


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Disjoint, ordered intervals that cover the same times."""
    merged: list[Interval] = []
    for start, end in sorted(item for item in intervals if item[1] > item[0]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def crowded(intervals: Sequence[Interval], slots: int) -> list[Interval]:
    """Times during which at least `slots` of the intervals overlap: nobody was free to start more."""
    edges = sorted([(start, 1) for start, _ in intervals] + [(end, -1) for _, end in intervals])
    busy: list[Interval] = []
    depth, since = 0, 0.0
    for time, step in edges:
        if depth >= slots and depth + step < slots:
            busy.append((since, time))
        elif depth < slots <= depth + step:
            since = time
        depth += step
    return union(busy)


def overlap(intervals: Iterable[Interval], start: float, end: float) -> float:
    """Length of the part of disjoint intervals that lies between start and end."""
    return sum(max(0.0, min(end, stop) - max(start, begin)) for begin, stop in intervals)


def latency(frame: FrameTimes, reductions: Mapping[str, ReductionTimes], slots: int) -> Latency:
    """Latency of a frame, and its overhead.

    The overhead is the latency without the times in which the engine worked for the frame or for a
    calibration of it, and without those in which all slots of the runner were taken.
    """
    wanted, seen = [frame.job_key], set()
    engine: list[Interval] = []
    while wanted:
        key = wanted.pop()
        if key in seen or key not in reductions:
            continue
        seen.add(key)
        times = reductions[key]
        if times.engine is not None:
            engine.append(times.engine)
        wanted.extend(times.needs)
    everything = [item.engine for item in reductions.values() if item.engine is not None]
    worked = union([*engine, *crowded(everything, slots)])
    total = frame.announced - frame.completed
    return Latency(total, total - overlap(worked, frame.completed, frame.announced))


def percentile(values: Sequence[float], part: float) -> float | None:
    """Value below which `part` (0 to 1) of the values lie, by the nearest-rank rule; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def seconds(moment: datetime) -> float:
    """Time as seconds, for intervals."""
    return moment.timestamp()
