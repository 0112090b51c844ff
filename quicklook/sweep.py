"""Find the fibres' traces in a flat: peaks in every block of columns, linked along the dispersion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from quicklook.compiled import kernel
from quicklook.errors import Failure
from quicklook.types import FloatArray

BLOCK = 8
"""Columns averaged for one sweep: traces slope by less than a pixel over them."""

REACH = 3.0
"""A trace continues with a peak no further than this from where it is expected [pixel]."""

FAINTEST = 0.03
"""A peak lower than this fraction of the local fibres is no trace."""

MIN_TRACES = 20

ENVELOPE_ROWS = 82
"""Rows, some eight fibres, over which the local floor and height are taken."""


@dataclass(frozen=True, eq=False)
class Traces:
    """Traces as swept, bottom to top.

    Attributes
    ----------
    columns : ndarray of float64 (blocks,)
        Centres of the blocks [pixel].
    rows : ndarray of float64 (traces, blocks)
        Peak positions [pixel]; NaN where a block has no peak for a trace.
    reference : int
        Block from which the linking started.
    """

    columns: FloatArray
    rows: FloatArray
    reference: int


def sweep(flat: NDArray[np.float32], variance: NDArray[np.float32], ceiling: float) -> Traces:
    """Find all traces of a flat.

    Parameters
    ----------
    flat, variance : ndarray (rows, columns)
        Electrons; NaN where saturated or bad.
    ceiling : float
        Stands in for saturated pixels [electron], so that a trace shows through where its core is lost.

    Raises
    ------
    Failure
        When fewer than twenty traces show: then this is no fibre flat, or it has no light.
    """
    blocks, noise = _block_means(flat, variance, ceiling)
    peaks = [_peaks(blocks[:, b], noise[:, b]) for b in range(blocks.shape[1])]
    counts = np.array([len(p) for p in peaks])
    # Traces in the middle of the chip are the straightest: among the fullest blocks, start nearest to it.
    full = np.nonzero(counts >= 0.99 * counts.max())[0]
    reference = int(full[np.argmin(np.abs(full - len(counts) / 2))])
    if counts[reference] < MIN_TRACES:
        raise Failure(
            f"only {counts[reference]} fibre traces show in the flat; it has no light or is no fibre flat"
        )
    rows = _link(peaks, reference)
    rows = rows[np.isfinite(rows).mean(axis=1) > 0.3]
    return Traces(BLOCK * np.arange(rows.shape[1]) + (BLOCK - 1) / 2, rows, reference)


def _block_means(
    flat: NDArray[np.float32], variance: NDArray[np.float32], ceiling: float
) -> tuple[FloatArray, FloatArray]:
    """Averages over blocks of columns, and their noise; lightly smoothed along y."""
    n = flat.shape[1] // BLOCK
    mean, noise = _mean_kernel(flat[:, : n * BLOCK], variance[:, : n * BLOCK], BLOCK, np.float32(ceiling))
    return gaussian_filter1d(mean, 0.8, axis=0, mode="nearest"), noise


@kernel
def _mean_kernel(flat, variance, block, ceiling):  # type: ignore[no-untyped-def]  # numba finds the types
    ny, n = flat.shape[0], flat.shape[1] // block
    mean = np.zeros((ny, n))
    noise = np.zeros((ny, n))
    for y in range(ny):
        for b in range(n):
            total, spread = 0.0, 0.0
            for x in range(b * block, (b + 1) * block):
                if np.isnan(flat[y, x]):
                    total += ceiling
                    spread += ceiling
                else:
                    total += flat[y, x]
                    spread += variance[y, x]
            mean[y, b] = total / block
            noise[y, b] = np.sqrt(spread) / block
    return mean, noise


def _peaks(profile: FloatArray, noise: FloatArray) -> FloatArray:
    """Positions of fibres along one block, by parabola through the highest pixels."""
    floor, top = _envelope(profile)
    inner = profile[1:-1]
    high = (inner >= profile[:-2]) & (inner > profile[2:])
    height = inner - floor[1:-1]
    strong = (height > 5 * noise[1:-1]) & (height > FAINTEST * (top - floor)[1:-1])
    at = np.nonzero(high & strong)[0] + 1
    at = _apart(at, profile, 4)
    left, middle, right = profile[at - 1], profile[at], profile[at + 1]
    curve = left - 2 * middle + right
    offset = np.where(curve < 0, 0.5 * (left - right) / np.where(curve < 0, curve, -1.0), 0.0)
    return np.asarray(at + np.clip(offset, -0.5, 0.5))


def _envelope(profile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Local floor between fibres and local height of fibres, over some eight fibres."""
    n = max(2, len(profile) // ENVELOPE_ROWS)
    rows = len(profile) // n
    ordered = np.sort(profile[: n * rows].reshape(n, rows), axis=1)
    middle = (np.arange(n) + 0.5) * rows
    at = np.arange(len(profile))
    low, high = ordered[:, rows // 20], ordered[:, (9 * rows) // 10]
    return np.interp(at, middle, low), np.interp(at, middle, high)


def _apart(at: NDArray[np.intp], profile: FloatArray, distance: int) -> NDArray[np.intp]:
    """Of peaks closer than a distance keep the higher."""
    kept: list[int] = []
    for i in at:
        if kept and i - kept[-1] < distance:
            if profile[i] > profile[kept[-1]]:
                kept[-1] = int(i)
        else:
            kept.append(int(i))
    return np.array(kept, dtype=np.intp)


def _link(peaks: list[FloatArray], reference: int) -> FloatArray:
    """Follow each peak of the reference block to both ends of the chip."""
    rows = np.full((len(peaks[reference]), len(peaks)), np.nan)
    rows[:, reference] = peaks[reference]
    for blocks in (range(reference + 1, len(peaks)), range(reference - 1, -1, -1)):
        position = peaks[reference].copy()
        drift = np.zeros_like(position)
        for b in blocks:
            expected = position + drift
            found, distance = _nearest(expected, peaks[b])
            good = np.abs(distance) < REACH
            rows[good, b] = found[good]
            step = np.where(good, drift + distance, drift)
            # The chip's distortion moves neighbouring fibres alike: a lone jump is noise. Mirrored at the ends without the
            # outermost fibre itself, which repeated would be a majority of its own.
            drift = 0.7 * drift + 0.3 * median_filter(step, size=min(15, len(step)), mode="mirror")
            position = np.where(good, found, expected)
    return rows


def _nearest(expected: FloatArray, peaks: FloatArray) -> tuple[FloatArray, FloatArray]:
    if not len(peaks):
        return expected, np.full(len(expected), np.inf)
    i = np.clip(np.searchsorted(peaks, expected), 1, max(1, len(peaks) - 1))
    i = np.minimum(i, len(peaks) - 1)
    below = peaks[np.maximum(i - 1, 0)]
    found = np.where(np.abs(expected - below) < np.abs(expected - peaks[i]), below, peaks[i])
    return found, found - expected
