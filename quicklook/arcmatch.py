"""From a predicted to an approximate wavelength scale: correlate the fibres with each other, then with the lamp.

Nothing here identifies a line. The prediction may be off by many pixels along the chip and by several between the
ends of the slit; what comes out is right to a fraction of a pixel, so that lines can be matched one by one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import fft

from quicklook import nanmath
from quicklook.errors import Failure
from quicklook.linelists import LineList
from quicklook.types import AnyFloat, FloatArray

LEAST_SEEN = 0.3
"""Share of a fibre's pixels that must be good for it to tell anything."""

SLIT_RANGE = 60
"""Largest shift between a fibre and the middle of the slit that is looked for [pixel]."""

STRETCHES = np.linspace(-0.008, 0.008, 33)
"""Relative errors of the predicted dispersion that are tried."""

SEGMENTS = 5
MIN_CORRELATION = 0.22
"""Below this the arc and the line list do not show the same lamp."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """An approximate wavelength scale.

    Attributes
    ----------
    wavelength : ndarray (400, 2048)
        Angstrom, good to a fraction of a pixel.
    grid : ndarray (n,)
        Wavelengths of the stacked spectrum [Angstrom].
    stack : ndarray (n,)
        Mean arc spectrum of all fibres, compressed logarithmically.
    shift : float
        Difference from the prediction at the middle of the chip [pixel].
    correlation : float
        Between stack and line list, 0 to 1.
    """

    wavelength: FloatArray
    grid: FloatArray
    stack: FloatArray
    shift: float
    correlation: float


def align(
    flux: AnyFloat,
    variance: AnyFloat,
    predicted: FloatArray,
    lines: LineList,
    *,
    fwhm: float,
    max_shift: float = 100.0,
) -> Alignment:
    """Find the approximate wavelength scale of an arc.

    Parameters
    ----------
    flux, variance : ndarray (400, 2048)
        Extracted arc [electron, electron^2]; NaN = bad.
    predicted : ndarray (400, 2048)
        `quicklook.optics.predict_wavelengths` [Angstrom].
    lines : LineList
        Lines that the lamp may show.
    fwhm : float
        Spectral resolution [pixel].
    max_shift : float
        Largest error of the prediction that is looked for [pixel].

    Raises
    ------
    Failure
        When no fibre shows lines, or no shift makes the arc look like the lamp.
    """
    compressed = compress(flux, variance)
    usable = np.nonzero((compressed > 1.0).sum(axis=1) >= 3)[0]
    if len(usable) < 5:
        raise Failure(
            f"only {len(usable)} fibres of the arc show lines; check that the arc lamp was on and that the "
            "tramline map belongs to this plate"
        )
    step = float(np.median(np.diff(predicted, axis=1)))
    grid = np.arange(predicted.min(), predicted.max(), step)
    aligned = _align_fibres(compressed, predicted, usable, grid, step)
    stack = np.mean([np.interp(grid, aligned[f], compressed[f], 0.0, 0.0) for f in usable], axis=0)
    correction, shift, correlation = _identify(stack, grid, lines, fwhm, step, max_shift)
    wavelength = aligned + correction(aligned)
    return Alignment(wavelength, grid + correction(grid), stack, shift, correlation)


def compress(flux: AnyFloat, variance: AnyFloat) -> FloatArray:
    """Logarithm of the flux above its noise, so that faint lines count beside strong ones; NaN is bridged."""
    values = np.array(flux, dtype=np.float64)
    columns = np.arange(values.shape[1])
    for row in values:
        good = np.isfinite(row)
        if good.sum() < LEAST_SEEN * row.size:
            row[:] = 0.0
        elif not good.all():
            row[~good] = np.interp(columns[~good], columns[good], row[good])
    with np.errstate(all="ignore"):
        noise = np.sqrt(
            np.nan_to_num(nanmath.median(np.where(variance > 0, variance, np.nan), axis=1), nan=1.0)
        )
    level = np.percentile(values, 40, axis=1)
    above = (values - level[:, np.newaxis]) / (5.0 * np.maximum(noise, 1.0)[:, np.newaxis])
    return np.asarray(np.log1p(np.maximum(above, 0.0)), dtype=np.float64)


def _align_fibres(
    compressed: FloatArray, predicted: FloatArray, usable: NDArray[np.intp], grid: FloatArray, step: float
) -> FloatArray:
    """Bring all fibres onto the scale of the middle of the slit."""
    aligned = predicted.copy()
    slit = np.linspace(-1.0, 1.0, len(predicted))
    # Beside the fibres that shine polynomials along the slit would run away: dark ones there are as the next that shines.
    slit = np.clip(slit, slit[usable].min(), slit[usable].max())
    middle = usable[np.argsort(np.abs(slit[usable]), kind="stable")[:15]]
    for members, reach in ((middle, SLIT_RANGE), (usable, 6)):
        spectra = np.array([np.interp(grid, aligned[f], compressed[f], 0.0, 0.0) for f in usable])
        reference = np.median(spectra[np.isin(usable, members)], axis=0)
        lag, quality = correlate(spectra, reference, reach)
        trusted = quality > 0.5 * np.median(quality)
        shape = robust_polynomial(slit[usable], lag, trusted, 4, floor=0.3)
        smooth = chebyshev.chebval(slit, shape)
        # A fibre may sit out of line with its neighbours; one whose own lag is far from all others is not believed.
        own = smooth.copy()
        close = trusted & (np.abs(lag - smooth[usable]) < 3.0)
        own[usable[close]] = lag[close]
        aligned -= own[:, np.newaxis] * step
    spectra = np.array([np.interp(grid, aligned[f], compressed[f], 0.0, 0.0) for f in usable])
    return aligned - _stretch(spectra, usable, grid, slit, aligned) * step


def _stretch(
    spectra: FloatArray, usable: NDArray[np.intp], grid: FloatArray, slit: FloatArray, aligned: FloatArray
) -> FloatArray:
    """Lag of fibres against their mean that changes along the chip [pixel], a smooth field."""
    reference = spectra.mean(axis=0)
    edges = np.linspace(0, grid.size, SEGMENTS + 1).astype(int)
    lags, weights, where = [], [], []
    for first, last in itertools.pairwise(edges):
        if reference[first:last].std() < 0.05:
            continue
        lag, quality = correlate(spectra[:, first:last], reference[first:last], 4)
        lags.append(lag)
        weights.append(quality > 0.6)
        where.append(2.0 * (first + last) / 2 / grid.size - 1.0)
    if len(lags) < 3:
        return np.zeros_like(aligned)
    x = np.repeat(where, len(usable))
    s = np.tile(slit[usable], len(where))
    lag, good = np.concatenate(lags), np.concatenate(weights)
    orders = [2, 3]
    design = chebyshev.chebvander2d(x, s, orders)
    coefficients = np.zeros(design.shape[1])
    for _ in range(4):
        if good.sum() < 4 * design.shape[1]:
            return np.zeros_like(aligned)
        coefficients = np.linalg.lstsq(design[good], lag[good], rcond=None)[0]
        residual = np.abs(lag - design @ coefficients)
        good = residual < max(0.3, 3.0 * 1.48 * float(np.median(residual[good])))
    table = coefficients.reshape(orders[0] + 1, orders[1] + 1)
    position = 2.0 * (aligned - grid[0]) / (grid[-1] - grid[0]) - 1.0
    everywhere = np.broadcast_to(slit[:, np.newaxis], aligned.shape)
    return np.asarray(chebyshev.chebval2d(np.clip(position, -1, 1), everywhere, table))


def correlate(spectra: FloatArray, reference: FloatArray, reach: int) -> tuple[FloatArray, FloatArray]:
    """Lag of each spectrum behind a reference [pixel, to a fraction] and the correlation reached."""
    n = fft.next_fast_len(spectra.shape[1] + 2 * reach, real=True)
    ours = spectra - spectra.mean(axis=1, keepdims=True)
    theirs = reference - reference.mean()
    product = fft.irfft(fft.rfft(ours, n, axis=1) * np.conj(fft.rfft(theirs, n)), n, axis=1)
    window = np.concatenate((product[:, -reach:], product[:, : reach + 1]), axis=1)
    norm = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs)
    best = np.argmax(window, axis=1)
    inside = np.clip(best, 1, 2 * reach - 1)
    rows = np.arange(len(spectra))
    left, centre, right = window[rows, inside - 1], window[rows, inside], window[rows, inside + 1]
    curvature = left - 2.0 * centre + right
    with np.errstate(all="ignore"):
        fraction = np.where(curvature < 0, 0.5 * (left - right) / curvature, 0.0)
        quality = np.where(norm > 0, window[rows, best] / norm, 0.0)
    return inside - reach + np.clip(fraction, -1.0, 1.0), quality


def robust_polynomial(
    x: FloatArray, y: FloatArray, good: NDArray[np.bool_], degree: int, *, floor: float
) -> FloatArray:
    """Chebyshev coefficients of a fit that drops outliers beyond 3 (robust) sigma, never below a floor."""
    keep = good & np.isfinite(y)
    # Start from the median of neighbours: one fibre far off must not bend the first fit.
    order = np.argsort(x, kind="stable")
    smooth = np.full(len(y), np.nan)
    for i, j in enumerate(order):
        near = order[max(0, i - 10) : i + 11]
        near = near[keep[near]]
        smooth[j] = np.median(y[near]) if near.size else np.nan
    keep &= np.abs(y - smooth) < max(4.0, floor)
    coefficients: FloatArray = np.zeros(1)
    for _ in range(5):
        if keep.sum() == 0:
            break
        fit = chebyshev.chebfit(x[keep], y[keep], min(degree, max(0, int(keep.sum()) // 4 - 1)))
        coefficients = np.asarray(fit, dtype=np.float64)
        residual = np.abs(y - chebyshev.chebval(x, coefficients))
        keep = good & (residual < max(floor, 3.0 * 1.48 * float(np.median(residual[keep]))))
    return np.atleast_1d(coefficients)


class _Correction:
    """A polynomial in wavelength to add to a scale [Angstrom]."""

    def __init__(self, coefficients: FloatArray, middle: float, half: float) -> None:
        self.coefficients, self.middle, self.half = coefficients, middle, half

    def __call__(self, wavelength: FloatArray) -> FloatArray:
        x = np.clip((wavelength - self.middle) / self.half, -1.2, 1.2)
        return np.asarray(np.polynomial.polynomial.polyval(x, self.coefficients))


def template(grid: FloatArray, lines: LineList, width: float) -> FloatArray:
    """The lamp as the list has it, compressed like the arc; ``width`` is a sigma in Angstrom."""
    step = grid[1] - grid[0]
    result = np.zeros_like(grid)
    half = int(np.ceil(4 * width / step))
    for wavelength, intensity in zip(lines.wavelength, lines.intensity, strict=True):
        middle = round((wavelength - grid[0]) / step)
        first, last = max(0, middle - half), min(grid.size, middle + half + 1)
        if first < last:
            result[first:last] += (intensity + 5.0) * np.exp(
                -0.5 * ((grid[first:last] - wavelength) / width) ** 2
            )
    return np.log1p(result / 5.0)


def _identify(
    stack: FloatArray, grid: FloatArray, lines: LineList, fwhm: float, step: float, max_shift: float
) -> tuple[_Correction, float, float]:
    """Offset, stretch and bend that make the stacked arc look like the lamp."""
    middle, half = 0.5 * (grid[0] + grid[-1]), 0.5 * (grid[-1] - grid[0])
    reach = int(np.ceil(max_shift))
    margin = (reach + 20) * step
    wide = np.arange(grid[0] - margin, grid[-1] + margin, step)
    lamp = template(wide, lines.within(wide[0], wide[-1]), fwhm / 2.355 * step)
    u = (grid - middle) / half
    trials = np.zeros((len(STRETCHES), wide.size))
    for i, stretch in enumerate(STRETCHES):
        trials[i] = np.interp(wide, grid + stretch * half * u, stack, 0.0, 0.0)
    score, lag = _windowed_scores(trials, lamp, reach)
    # Of two equally good answers the one nearer to the prediction is right.
    prior = np.exp(-0.5 * (lag / (0.8 * reach)) ** 2)
    value = score * prior
    best = np.unravel_index(int(np.argmax(value)), value.shape)
    offset, stretch = float(lag[best[1]]), float(STRETCHES[best[0]])
    correction = _Correction(np.array([offset * step, stretch * half]), middle, half)
    correction = _bend(correction, stack, grid, wide, lamp, step)
    moved = np.interp(wide, grid + correction(grid), stack, 0.0, 0.0)
    inside = (wide > grid[0] + correction(grid[:1])[0]) & (wide < grid[-1] + correction(grid[-1:])[0])
    correlation = float(np.corrcoef(moved[inside], lamp[inside])[0, 1]) if lamp[inside].any() else 0.0
    if not correlation > MIN_CORRELATION:
        raise Failure(
            f"no shift within {max_shift:.0f} pixels makes the arc look like its lamp (best correlation "
            f"{correlation:.2f}); check LAMPNAME and the grating angles of the header"
        )
    shift = float(correction(np.array([middle]))[0]) / step
    return correction, shift, correlation


def _windowed_scores(trials: FloatArray, lamp: FloatArray, reach: int) -> tuple[FloatArray, FloatArray]:
    """Correlation coefficient of lamp and shifted arcs over the arc's own range, for every integer shift."""
    lags = np.arange(-reach, reach + 1)
    scores = np.zeros((len(trials), lags.size))
    n = fft.next_fast_len(trials.shape[1] + 2 * reach, real=True)
    inside = (trials != 0).astype(np.float64)
    spectrum, squared = fft.rfft(lamp, n), fft.rfft(lamp**2, n)
    for i, (trial, mask) in enumerate(zip(trials, inside, strict=True)):
        first, last = np.nonzero(mask)[0][[0, -1]] if mask.any() else (0, 1)
        window = np.zeros_like(mask)
        window[first : last + 1] = 1.0
        count = window.sum()
        conj, conj_window = np.conj(fft.rfft(trial, n)), np.conj(fft.rfft(window, n))
        cross = _lags(fft.irfft(spectrum * conj, n), reach)
        total = _lags(fft.irfft(spectrum * conj_window, n), reach)
        power = _lags(fft.irfft(squared * conj_window, n), reach)
        mean = trial.sum() / count
        spread = np.sqrt(max((trial**2).sum() / count - mean**2, 1e-12))
        theirs = np.sqrt(np.maximum(power / count - (total / count) ** 2, 1e-12))
        scores[i] = (cross / count - mean * total / count) / (spread * theirs)
    return scores, lags.astype(np.float64)


def _lags(correlation: FloatArray, reach: int) -> FloatArray:
    return np.concatenate((correlation[-reach:], correlation[: reach + 1]))


def _bend(
    start: _Correction, stack: FloatArray, grid: FloatArray, wide: FloatArray, lamp: FloatArray, step: float
) -> _Correction:
    """Refine a correction with the lags of segments, up to a parabola."""
    correction = start
    for reach in (6, 3):
        moved = np.interp(wide, grid + correction(grid), stack, 0.0, 0.0)
        first = int(np.searchsorted(wide, grid[0]))
        edges = first + np.linspace(0, grid.size, SEGMENTS + 1).astype(int)
        x, lags, weights = [], [], []
        for a, b in itertools.pairwise(edges):
            piece = moved[a:b]
            if piece.std() < 0.05 or lamp[a:b].std() < 0.05:
                continue
            lag, quality = correlate(piece[np.newaxis], lamp[a:b], reach)
            if quality[0] > 0.3 and abs(lag[0]) < reach:
                x.append((wide[(a + b) // 2] - correction.middle) / correction.half)
                lags.append(lag[0])
                weights.append(quality[0] ** 2)
        if len(x) < 3:
            return correction
        degree = 2 if len(x) >= 5 else 1
        fit = np.polynomial.polynomial.polyfit(x, np.array(lags) * step, degree, w=np.array(weights))
        total = np.zeros(max(len(fit), len(correction.coefficients)))
        total[: len(correction.coefficients)] += correction.coefficients
        total[: len(fit)] -= fit
        correction = _Correction(total, correction.middle, correction.half)
    return correction
