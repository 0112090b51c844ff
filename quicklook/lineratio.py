"""How bright the lines of the sky are in each fibre, compared with a model of the sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import adding_kernel, kernel
from quicklook.medians import middle_of
from quicklook.skymodel import credible, smooth_variance
from quicklook.spread import true_spread

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

FEATURE = 5.0
"""What scatters beyond the noise of the photons are an object's own features, no narrower than the sky lines: so many
pixels are wrong together [pixel]."""

PIECE = 32
"""Pieces of the spectrum that are as good as independent of each other: wider than most features of objects [pixel]."""

LEVER = 0.5
"""A piece that decides more than this of the ratio drags it along: its residual tells no more of its error."""

SLIT_TERMS = 4
"""The width of the lines changes along the slit as a cubic does, but for slitlets and fibres that are out of focus."""

LEAST_FIBRES = 20
"""With fewer fibres lines count as equally wide everywhere."""

LARGEST_CHANGE = 1.5
"""A change of the lines' width beyond this is none [pixel^2, half the change of the squared sigma]."""

SMALLEST_SPREAD = 1e-4
"""Fibres whose lines' widths differ by less count as equal [pixel^2]."""


class LineRatio:
    """Least-squares ratio of the high-passed spectra, and its error from the scatter seen.

    Parameters
    ----------
    flux, variance : ndarray of float32 (fibres, columns)
        Spectra on their own pixels; NaN = bad.
    """

    def __init__(self, flux: FloatImage, variance: FloatImage) -> None:
        self.flux, self.variance = np.ascontiguousarray(flux), variance
        self.sound = credible(flux, variance)
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
        told = np.empty((4, len(good)))
        expected = np.ascontiguousarray(expected)
        curved = np.zeros_like(expected)
        curved[:, 1:-1] = expected[:, 2:] - 2 * expected[:, 1:-1] + expected[:, :-2]
        # Beside a pixel that the model does not cover its second difference is not known either.
        curved[~(good & np.isfinite(curved))] = 0.0
        _compare(expected, curved, good, self.share, self.data, self.noise, told)
        change = widths(told[2], told[3])
        if change.any():
            wider = expected + change[:, np.newaxis].astype(np.float32) * curved
            _compare(wider, curved, good, self.share, self.data, self.noise, told)
        return told[0], told[1]


def widths(change: FloatArray, error: FloatArray) -> FloatArray:
    """By how much lines are wider than the model's: smooth along the slit, and what each fibre has of its own.

    A fibre's own width is believed as far as its error allows, against the spread that all show together (empirical
    Bayes). One that is far from the others shows an object's lines, and keeps what is smooth.

    Parameters
    ----------
    change, error : ndarray (fibres,)
        Half the difference of the squared widths, as each fibre alone tells it, and its error [pixel^2].

    Returns
    -------
    ndarray (fibres,)
        Zero where too few fibres tell.
    """
    known = np.isfinite(change) & (error < LARGEST_CHANGE) & (np.abs(change) < LARGEST_CHANGE)
    if known.sum() < LEAST_FIBRES:
        return np.zeros(len(change))
    powers = np.linspace(-1.0, 1.0, len(change))[:, np.newaxis] ** np.arange(SLIT_TERMS)
    spread = SMALLEST_SPREAD
    for _ in range(5):
        root = np.where(known, 1.0 / np.hypot(np.where(known, error, 1.0), spread), 0.0)
        solution = np.linalg.lstsq(
            powers * root[:, np.newaxis], np.where(known, change, 0.0) * root, rcond=None
        )[0]
        away = change - powers @ solution
        spread = true_spread(away[known], error[known], SMALLEST_SPREAD)
        known &= np.abs(away) < 4.0 * np.hypot(spread, error)
        if known.sum() < LEAST_FIBRES:
            return np.zeros(len(change))
    result = powers @ solution
    result[known] += away[known] * spread**2 / (spread**2 + error[known] ** 2)
    return np.asarray(np.clip(result, -LARGEST_CHANGE, LARGEST_CHANGE))


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
def _error_of_pieces(
    weight: FloatArray, line: FloatArray, data: FloatArray, ratio: float, power: float
) -> float:
    """Error of a ratio from what it would be without each piece of the spectrum (jackknife).

    An object's lines lie together and are many times what the typical pixel scatters, which its median does not see.
    """
    total = 0.0
    for start in range(0, len(line), PIECE):
        rest, lever = 0.0, 0.0
        for x in range(start, min(start + PIECE, len(line))):
            pull = weight[x] * line[x]
            rest += pull * (data[x] - ratio * line[x])
            lever += pull * line[x]
        change = rest / max(power - lever, LEVER * power)
        total += change * change
    return float(np.sqrt(total))


@adding_kernel
def _compare(
    expected: FloatImage,
    curved: FloatImage,
    good: BoolArray,
    share: FloatImage,
    data: FloatArray,
    noise: FloatImage,
    told: FloatArray,
) -> None:
    """Set ``told`` to ratio, error, and to how much wider the lines are, with the error of that, of each fibre.

    Lines that are a little wider than expected are the expected ones plus a share of their second difference, which
    holds no light: half the difference of the squared widths.
    """
    n, nx = expected.shape
    line, bend, weight, sample = np.empty(nx), np.empty(nx), np.empty(nx), np.empty(nx // SAMPLED + 1)
    for f in range(n):
        told[0, f], told[1, f], told[2, f], told[3, f] = np.nan, np.inf, np.nan, np.inf
        _high_pass(expected[f], good[f], share[f], line)
        _high_pass(curved[f], good[f], share[f], bend)
        for x in range(nx):
            doubt = SHAPE_DOUBT * line[x]
            weight[x] = 1.0 / (noise[f, x] + doubt * doubt) if good[f, x] else 0.0
        for _ in range(ROUNDS):
            power, cross, mixed, square, side = 0.0, 0.0, 0.0, 0.0, 0.0
            for x in range(nx):
                power += weight[x] * line[x] * line[x]
                cross += weight[x] * line[x] * data[f, x]
                mixed += weight[x] * line[x] * bend[x]
                square += weight[x] * bend[x] * bend[x]
                side += weight[x] * bend[x] * data[f, x]
            if not power > 0.0:
                told[0, f], told[1, f] = np.nan, np.inf
                break
            ratio = cross / power
            told[0, f] = ratio
            m = 0
            for x in range(0, nx, SAMPLED):
                if weight[x] > 0.0:
                    sample[m] = abs(data[f, x] - ratio * line[x]) * np.sqrt(weight[x])
                    m += 1
            if m <= LEAST_PIXELS:
                told[1, f] = np.nan
                continue
            scatter = max(1.0, 1.48 * middle_of(sample, m))
            excess = 1.0 + FEATURE * (scatter * scatter - 1.0)
            pieces = _error_of_pieces(weight, line, data[f], ratio, power)
            excess = max(excess, pieces * pieces * power)
            told[1, f] = np.sqrt(excess / power)
            determinant = power * square - mixed * mixed
            light = cross * square - side * mixed
            if determinant > 1e-6 * power * square and light > 0.0:
                told[2, f] = (side * power - cross * mixed) / light
                told[3, f] = np.sqrt(excess * power * determinant) / light
            limit = (CLIP * scatter) ** 2
            for x in range(nx):
                rest = data[f, x] - ratio * line[x]
                weight[x] = 0.0 if rest * rest * weight[x] > limit else weight[x]
