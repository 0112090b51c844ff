"""What a combined bias shows beyond its own noise.

The noise of a master bias is subtracted from every frame alike, so exposures that are added do not average it out.
Bias structure is simpler than 8 million free pixels: columns, rows, smooth slopes, pieces of columns and single hot
pixels. What is none of these is believed as far as the scatter of the pixels exceeds their noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.types import FloatArray, FloatImage

CELL = 128
"""Side of the cells whose means follow smooth structure [pixel]."""

SEGMENT = 64
"""Length of the pieces of columns that may stand out by themselves [pixel]."""

SIGNIFICANT = 4.5
"""Pixels and pieces of columns this many standard deviations off stay as they are."""

ROUNDS = 2
"""Columns, rows and cells are fitted in turn."""


@dataclass(frozen=True, eq=False)
class Structure:
    """A frame freed of most of its noise.

    Attributes
    ----------
    data, variance : ndarray of float32 (rows, columns)
        NaN where the input is.
    believed : float
        Share of what columns, rows and cells leave that was kept in ordinary pixels.
    kept : int
        Pixels kept because they stand out.
    """

    data: FloatImage
    variance: FloatImage
    believed: float
    kept: int


def significant_structure(data: FloatImage, variance: FloatImage) -> Structure:
    """Keep of a combined bias what its noise does not explain.

    Parameters
    ----------
    data, variance : ndarray of float32 (rows, columns)
        Mean of the exposures and its variance [electron, electron^2]; NaN = bad.

    Returns
    -------
    Structure
        An ordinary pixel of variance s^2 keeps t^2 / (t^2 + s^2) of what columns, rows and cells do not explain,
        t^2 being the scatter of the pixels beyond s^2 (empirical Bayes).
    """
    noise2 = float(nanmath.median(np.asarray(variance[::7, ::7], dtype=np.float64).ravel()))
    if min(data.shape) < 2 * CELL or not noise2 > 0.0:
        return Structure(data, variance, 1.0, 0)
    noise = float(np.sqrt(noise2))
    model = np.zeros(data.shape, dtype=np.float32)
    for _ in range(ROUNDS):
        for axis in (0, 1):
            model += np.expand_dims(_clipped_mean(data - model, axis, noise), axis)
        model += _cells(data - model, noise)
    model += _segments(data - model, noise)
    rest = data - model
    with np.errstate(invalid="ignore"):
        scatter = 1.4826 * float(nanmath.median(np.abs(np.asarray(rest[::3, ::3], dtype=np.float64)).ravel()))
        spread2 = max(scatter**2 - noise2, 0.0)
        believed = spread2 / (spread2 + noise2)
        outstanding = np.abs(rest) > SIGNIFICANT * np.sqrt(variance + np.float32(spread2))
    share = np.where(outstanding, np.float32(1.0), np.float32(believed))
    # Means over a column, a row and a cell know the model that well.
    known = np.float32(1.0 / data.shape[0] + 1.0 / data.shape[1] + 1.0 / CELL**2)
    kept = np.asarray(model + share * rest, dtype=np.float32)
    doubt = np.asarray(variance * (share + known), dtype=np.float32)
    return Structure(kept, doubt, believed, int(outstanding.sum()))


def _clipped_mean(values: FloatImage, axis: int, noise: float) -> FloatImage:
    """Mean along an axis of what lies near the median; zero where nothing is known."""
    middle = _medians(values, axis)
    with np.errstate(invalid="ignore"):
        near = np.abs(values - np.expand_dims(middle, axis)) < 4.0 * noise
    count = near.sum(axis=axis)
    total = np.where(near, values, np.float32(0.0)).sum(axis=axis, dtype=np.float64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), 0.0), dtype=np.float32)


def _medians(values: FloatImage, axis: int) -> FloatImage:
    """Medians of every fourth value along an axis: good enough to clip by; zero where nothing is known."""
    sample = values[::4] if axis == 0 else values[:, ::4]
    known = np.isfinite(sample).any(axis=axis)
    middle = np.zeros(known.shape, dtype=np.float32)
    chosen = sample[:, known] if axis == 0 else sample[known]
    if known.any():
        middle[known] = nanmath.median(chosen, axis=axis)
    return middle


def _cells(values: FloatImage, noise: float) -> FloatImage:
    """Smooth structure: clipped means of square cells, joined linearly."""
    rows, columns = (n // CELL for n in values.shape)
    means = np.zeros((rows, columns))
    edges = [np.linspace(0, n, m + 1).astype(int) for n, m in zip(values.shape, (rows, columns), strict=True)]
    for r in range(rows):
        for c in range(columns):
            block = values[edges[0][r] : edges[0][r + 1], edges[1][c] : edges[1][c + 1]]
            means[r, c] = _clipped_mean(block.reshape(-1, 1), 0, noise)[0]
    at = [_places(n, e) for n, e in zip(values.shape, edges, strict=True)]
    along = np.array([np.interp(at[1], np.arange(columns), row) for row in means])
    low = np.minimum(at[0].astype(int), rows - 2)
    part = (at[0] - low)[:, np.newaxis]
    return np.asarray((1.0 - part) * along[low] + part * along[low + 1], dtype=np.float32)


def _places(n: int, edges: NDArray[np.int_]) -> FloatArray:
    """Where each pixel lies among the middles of the cells."""
    middles = 0.5 * (edges[:-1] + edges[1:]) - 0.5
    return np.asarray(np.interp(np.arange(n), middles, np.arange(len(middles))))


def _segments(values: FloatImage, noise: float) -> FloatImage:
    """Pieces of columns that stand out: what a trap or a trail of charge leaves; zero elsewhere."""
    result = np.zeros(values.shape, dtype=np.float32)
    for start in range(0, values.shape[0], SEGMENT):
        piece = values[start : start + SEGMENT]
        mean = _clipped_mean(piece, 0, noise)
        error = noise / np.sqrt(len(piece))
        result[start : start + SEGMENT] = np.where(np.abs(mean) > SIGNIFICANT * error, mean, 0.0)
    return result
