"""How bright the lines of the sky are in each fibre, compared with a model of the sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import adding_kernel, kernel
from quicklook.medians import median_of
from quicklook.skymodel import smooth_variance

FloatArray = NDArray[np.float64]
FloatImage = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

HIGH_PASS = 31
"""Width of the window whose mean is taken out before lines are compared [pixel]."""

KNOWN = 0.3
"""Where less than this of the window is good, its mean says nothing of the pixel."""

SHAPE_DOUBT = 0.02
"""The shape of a line is modelled to a per cent or two: its core must not outweigh all else."""

CLIP = 5.0
ROUNDS = 2

SAMPLED = 4
"""Every so manieth pixel is asked for the scatter, which it tells as well as all."""

LEAST_PIXELS = 10


class LineRatio:
    """Least-squares ratio of the high-passed spectra, and its error from the scatter seen.

    Parameters
    ----------
    flux, variance : ndarray of float32 (fibres, columns)
        Spectra on their own pixels; NaN = bad.
    """

    def __init__(self, flux: FloatImage, variance: FloatImage) -> None:
        self.flux, self.variance = np.ascontiguousarray(flux), variance
        self.sound = np.isfinite(flux) & (variance > 0)
        self.good: BoolArray | None = None

    def __call__(self, expected: FloatImage) -> tuple[FloatArray, FloatArray]:
        """Compare with the model of the sky: ratio and error of each fibre, NaN and infinite where nothing is known."""
        good = self.sound & np.isfinite(expected)
        if self.good is None or not np.array_equal(good, self.good):
            # What depends on the data alone is the same in every round.
            self.good = good
            self.share, self.data = np.empty(good.shape, dtype=np.float32), np.empty(good.shape)
            _shares(good, self.share)
            for f in range(len(good)):
                _high_pass(self.flux[f], good[f], self.share[f], self.data[f])
            self.noise = smooth_variance(np.where(good, self.variance, np.float32(0.0)), 3)
        ratio, error = np.full(len(good), np.nan), np.full(len(good), np.inf)
        _compare(np.ascontiguousarray(expected), good, self.share, self.data, self.noise, ratio, error)
        return ratio, error


@kernel
def _shares(good: BoolArray, share: FloatImage) -> None:
    """Share of the window around each pixel that is good; beyond the ends the outermost pixel goes on."""
    half = HIGH_PASS // 2
    for f in range(good.shape[0]):
        last = good.shape[1] - 1
        number = 0
        for x in range(-half, half + 1):
            number += good[f, min(max(x, 0), last)]
        for x in range(last + 1):
            share[f, x] = number / HIGH_PASS
            number += int(good[f, min(x + half + 1, last)]) - int(good[f, max(x - half, 0)])


@kernel
def _high_pass(values: FloatImage, good: BoolArray, share: FloatImage, out: FloatArray) -> None:
    """Values of one fibre less their mean over a window of good pixels; zero where bad."""
    half, last = HIGH_PASS // 2, len(values) - 1
    total = 0.0
    for x in range(-half, half + 1):
        at = min(max(x, 0), last)
        total += values[at] if good[at] else 0.0
    for x in range(last + 1):
        known = good[x] and share[x] > KNOWN
        out[x] = values[x] - total / (HIGH_PASS * share[x]) if known else 0.0
        after, before = min(x + half + 1, last), max(x - half, 0)
        total += (values[after] if good[after] else 0.0) - (values[before] if good[before] else 0.0)


@adding_kernel
def _compare(
    expected: FloatImage,
    good: BoolArray,
    share: FloatImage,
    data: FloatArray,
    noise: FloatImage,
    ratio: FloatArray,
    error: FloatArray,
) -> None:
    n, nx = expected.shape
    line, weight, sample = np.empty(nx), np.empty(nx), np.empty(nx // SAMPLED + 1)
    for f in range(n):
        _high_pass(expected[f], good[f], share[f], line)
        for x in range(nx):
            doubt = SHAPE_DOUBT * line[x]
            weight[x] = 1.0 / (noise[f, x] + doubt * doubt) if good[f, x] else 0.0
        for _ in range(ROUNDS):
            power, cross = 0.0, 0.0
            for x in range(nx):
                power += weight[x] * line[x] * line[x]
                cross += weight[x] * line[x] * data[f, x]
            if not power > 0.0:
                ratio[f], error[f] = np.nan, np.inf
                break
            ratio[f] = cross / power
            m = 0
            for x in range(0, nx, SAMPLED):
                if weight[x] > 0.0:
                    sample[m] = abs(data[f, x] - ratio[f] * line[x]) * np.sqrt(weight[x])
                    m += 1
            if m <= LEAST_PIXELS:
                error[f] = np.nan
                continue
            scatter = max(1.0, 1.48 * median_of(sample, m))
            error[f] = scatter / np.sqrt(power)
            limit = (CLIP * scatter) ** 2
            for x in range(nx):
                rest = data[f, x] - ratio[f] * line[x]
                weight[x] = 0.0 if rest * rest * weight[x] > limit else weight[x]
