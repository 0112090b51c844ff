"""Curves for paper: as many points as print shows, no fewer than the eye needs, written as PDF operators.

A spectrum has more samples than a printed line has places. Each place shows the smallest and the largest value of
its samples, in the order in which they come, so that no spike is lost and no mean is passed off as data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

UNIT = 0.1
"""Coordinates are whole numbers of this many points: half of what a printer with 300 dots an inch can show."""

_BEYOND = 4000
"""Coordinates are kept within this of the frame, so that whatever a pixel holds is a number that readers take."""


@dataclass(frozen=True, eq=False)
class Envelope:
    """What is drawn of some spectra.

    Attributes
    ----------
    x : ndarray of int (points,)
        Places along the axis, in `UNIT`.
    y : ndarray (spectra, points)
        Values; NaN where there are none.
    """

    x: NDArray[np.int64]
    y: NDArray[np.float32]


def envelope(values: NDArray[np.float32], width: float, places: int) -> Envelope:
    """Reduce spectra on a common axis to what so many places of a line show.

    Parameters
    ----------
    values : ndarray (spectra, samples)
        On the same even axis, which fills the width.
    width : float
        Of the line on paper, points.
    places : int
        How many places the line has.
    """
    samples = values.shape[1]
    if samples <= 2 * places:
        x = np.round((np.arange(samples) + 0.5) * (width / UNIT / samples)).astype(np.int64)
        return Envelope(x, values)
    edges = np.linspace(0, samples, places + 1).astype(np.int64)
    starts = edges[:-1]
    low = np.fmin.reduceat(values, starts, axis=1)
    high = np.fmax.reduceat(values, starts, axis=1)
    with np.errstate(invalid="ignore"):
        rising = values[:, starts] <= values[:, edges[1:] - 1]
    y = np.empty((len(values), 2 * places), np.float32)
    y[:, 0::2] = np.where(rising, low, high)
    y[:, 1::2] = np.where(rising, high, low)
    # The two values of a place stand in its first and last third: the line leans as the data do.
    sixths = np.column_stack([5 * edges[:-1] + edges[1:], edges[:-1] + 5 * edges[1:]]).ravel() / 6.0
    return Envelope(np.round(sixths * (width / UNIT / samples)).astype(np.int64), y)


@lru_cache(maxsize=512)
def _template(points: int) -> bytes:
    return b"%d %d m\n" + b"%d %d l\n" * (points - 1)


def polyline(x: NDArray[np.int64], y: NDArray[np.float32], low: float, high: float, height: float) -> bytes:
    """Operators of one curve, interrupted where there are no values. Coordinates are in `UNIT`.

    Parameters
    ----------
    low, high : float
        Values at the lower and upper edge of the frame.
    height : float
        Of the frame, points.
    """
    good = np.isfinite(y)
    if not good.any():
        return b""
    tall = height / UNIT
    scaled = np.where(good, (y - np.float32(low)) * np.float32(tall / (high - low)), 0)
    whole = np.rint(np.clip(scaled, -_BEYOND, tall + _BEYOND)).astype(np.int64)
    pairs = np.column_stack([x, whole])
    turns = np.flatnonzero(np.diff(good)) + 1
    bounds = [0, *turns.tolist(), len(good)]
    parts = []
    for start, end in pairwise(bounds):
        if good[start] and end - start > 1:
            parts.append(_template(end - start) % tuple(pairs[start:end].ravel().tolist()))
        elif good[start]:
            # A value between gaps: a line as long as one place, or it would not be seen.
            at, up = int(x[start]), int(whole[start])
            parts.append(b"%d %d m\n%d %d l\n" % (at - 2, up, at + 2, up))
    return b"".join(parts)


def spread(values: NDArray[np.float32], left_out: NDArray[np.bool_], bins: int = 240) -> NDArray[np.float64]:
    """Range of values that each spectrum's frame shows: (spectra, 2).

    Emission lines belong to the picture, leftovers of sky lines and cosmic rays do not: the range is that of means
    over a few samples each, outside of what is left out, and not endlessly more than the continuum and its scatter;
    it has room for the noise of single samples.

    Parameters
    ----------
    left_out : ndarray of bool (samples,)
        Samples that do not count, such as those on bright sky lines.
    """
    count, samples = values.shape
    starts = np.unique(np.linspace(0, samples, min(bins, samples) + 1).astype(np.int64)[:-1])
    good = np.isfinite(values) & ~left_out
    number = np.add.reduceat(good, starts, axis=1, dtype=np.float32)
    total = np.add.reduceat(np.where(good, values, 0), starts, axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(number > 0, total / number, np.inf)
    means.sort(axis=1)
    filled = np.isfinite(means).sum(axis=1)
    rows = np.arange(count)

    def share(part: float) -> NDArray[np.float64]:
        place = np.clip(np.rint(part * (filled - 1)).astype(np.int64), 0, means.shape[1] - 1)
        return np.where(filled > 0, means[rows, place], 0.0)

    lowest, lower, middle, upper, highest = (share(part) for part in (0.0, 0.03, 0.5, 0.97, 1.0))
    low = np.maximum(lowest, lower - 1.5 * (middle - lower))
    high = np.minimum(highest, upper + np.maximum(10.0 * (upper - middle), 4.0 * np.abs(middle)))
    noise = 3.0 * _noise(values)
    low, high = np.minimum(low, middle - noise), np.maximum(high, middle + noise)
    # Zero is where it belongs: spectra are compared by how far they are above it.
    low = np.minimum(low, 0.0)
    empty = ~(high > low)
    low, high = np.where(empty, low - 1.0, low), np.where(empty, low + 1.0, high)
    margin = 0.07 * (high - low)
    return np.column_stack([low - margin, high + margin])


def _noise(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scatter of single samples: from differences of neighbours, robust."""
    samples = values.shape[1]
    if samples < 2:
        return np.zeros(len(values))
    first = np.arange(0, samples - 1, max(1, samples // 400))
    with np.errstate(invalid="ignore"):
        steps = np.abs(values[:, first + 1] - values[:, first])
    steps[~np.isfinite(steps)] = np.inf
    steps.sort(axis=1)
    count = np.isfinite(steps).sum(axis=1)
    median = steps[np.arange(len(steps)), np.maximum(count - 1, 0) // 2].astype(np.float64)
    return np.where(count > 0, 1.4826 / np.sqrt(2.0) * median, 0.0)


def tick_text(value: float) -> str:
    """A number beside a tick."""
    return f"{value + 0.0:.4g}" if abs(value) < 1e5 or value == 0 else f"{value:.1e}".replace("e+0", "e")
