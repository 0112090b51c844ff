"""Which lines of an arc can be trusted, and where they fall in every fibre."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.optimize import nnls

from quicklook.arcfaint import CLEAR, faint_lines
from quicklook.arcmatch import LEAST_SEEN
from quicklook.errors import Failure
from quicklook.linefit import LineFits, fit_lines
from quicklook.linelists import LineList
from quicklook.types import FloatArray, Spectra

MIN_LINES = 4
"""Fewer lines do not make a wavelength scale."""

CLOSE = 0.5
"""Lines nearer than this (in FWHM) cannot be told apart; a line with such a neighbour is not measured ..."""

CONTAMINATION = 0.03
"""... when the neighbour has more than this fraction of its light. Other neighbours are fitted with it."""

BLENDED = 1.0
"""A line with a *brighter* neighbour within this distance (in FWHM) is not measured either."""

WIDTH_DOUBT = 0.03
"""Error of the width of one line beside noise [pixel]: neighbours that nobody lists."""

WIDTH_CHANGE = 0.1
"""Usual relative change of the lines' width over the chip."""

SEEN = 0.9
"""Where fewer of the fibres than this are not saturated, their mean is not believed."""

DROWNED = 2.0
"""A line with a saturated one within this distance (in FWHM) is not measured."""

CLEAR_ERROR = 0.25
"""A line is measured in a fibre of its own when its place is known this well [pixel]."""

PRESENT = 2.0
"""A listed line is taken to shine when its peak in the mean of all fibres exceeds that mean's noise by this factor."""

FLANKS = 0.003
"""Light that a line may have where its Gaussian and its measured flanks have none, over its peak."""

SHAPE = np.arange(-5.0, 5.1, 0.5)
"""Places at which flanks are told, in widths of the Gaussian."""

FLANK_LINES, LEAST_LINES = 40, 5
"""Most lines that tell the flanks, and fewest that tell of one place."""

LARGEST_FLANK = 0.03
"""More of its peak is no flank of a line."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Lines of the arc, measured in every fibre: arrays (fibres, lines)."""

    lines: LineList
    x: FloatArray
    error: FloatArray
    noise: FloatArray
    """The part of the error that differs from fibre to fibre [pixel]."""
    offset: FloatArray
    """Listed minus present wavelength, in pixels of the fibre."""


def line_width(
    spectra: Spectra,
    wavelength: FloatArray,
    lines: LineList,
    fwhm: float,
    strength: FloatArray | None = None,
    chosen: NDArray[np.intp] | None = None,
) -> FloatArray:
    """Gaussian width of a line as a function of place: Chebyshev coefficients in (column, slit).

    Parameters
    ----------
    spectra : Spectra
    wavelength : ndarray (fibres, columns)
        Angstrom.
    lines : LineList
    fwhm : float
        What the optics promise [pixel].
    strength, chosen : ndarray, optional
        From `select`: which lines to measure, and how strong their neighbours are. Before that is known, lines that
        stand alone in the list are measured.
    """
    expected = _columns(wavelength, lines.wavelength)
    guess = fwhm / 2.355
    if chosen is None:
        chosen = _isolated(lines, 4.0 * fwhm * float(np.median(np.diff(wavelength, axis=1))))
    fit = fit_lines(
        spectra.flux, spectra.variance, expected, chosen, np.full((len(wavelength), chosen.size), guess),
        free_width=True, strength=strength,
    )  # fmt: skip
    good = np.isfinite(fit.sigma) & (fit.amplitude > 10 * fit.amplitude_error)
    coefficients = np.zeros((3, 3))
    coefficients[0, 0] = guess
    if good.sum() < 50:
        return coefficients
    slit = np.broadcast_to(np.linspace(-1, 1, len(wavelength))[:, np.newaxis], fit.sigma.shape)
    x, s, y = fit.centre[good] / 1023.5 - 1.0, slit[good], fit.sigma[good]
    # The width's relative error is about that of the height.
    error = np.hypot(y * fit.amplitude_error[good] / fit.amplitude[good], WIDTH_DOUBT)
    centre, spread = np.median(y), 1.48 * np.median(np.abs(y - np.median(y)))
    design = chebyshev.chebvander2d(x, s, [2, 2])
    # A few bright lines at one side of the chip say nothing of the other.
    prior = np.eye(9) / (WIDTH_CHANGE * centre) ** 2
    prior[0, 0] = 0.0
    keep = np.abs(y - centre) < max(0.15, 4 * spread)
    for _ in range(4):
        weight = np.where(keep, error**-2, 0.0)
        # All fibres share what is wrong with a line.
        weight *= fit.sigma.shape[1] / max(float(keep.sum()), 1.0)
        normal = (design * weight[:, np.newaxis]).T @ design + prior
        solution = np.linalg.solve(normal, design.T @ (weight * y))
        residual = np.abs(y - design @ solution)
        keep = residual < np.maximum(3 * error, 3 * 1.48 * float(np.median(residual[keep])))
    return np.asarray(solution.reshape(3, 3), dtype=np.float64)


def sigma_at(width: FloatArray, columns: FloatArray) -> FloatArray:
    """Gaussian width of lines at given columns (fibres, lines), from the result of `line_width` [pixel]."""
    slit = np.broadcast_to(np.linspace(-1, 1, len(columns))[:, np.newaxis], columns.shape)
    x = np.clip(np.nan_to_num(columns, nan=1023.5) / 1023.5 - 1.0, -1, 1)
    return np.clip(chebyshev.chebval2d(x, slit, width), 0.5, 6.0)


def _isolated(lines: LineList, distance: float) -> NDArray[np.intp]:
    gaps = np.diff(lines.wavelength, prepend=-np.inf, append=np.inf)
    return np.nonzero((gaps[:-1] > distance) & (gaps[1:] > distance))[0]


def _columns(wavelength: FloatArray, lines: FloatArray) -> FloatArray:
    """Columns at which each fibre has the given wavelengths, NaN outside; shape (fibres, lines)."""
    columns = np.arange(wavelength.shape[1], dtype=np.float64)
    return np.array([np.interp(lines, row, columns, np.nan, np.nan) for row in wavelength])


def select(
    spectra: Spectra, wavelength: FloatArray, lines: LineList, width: FloatArray
) -> tuple[LineList, FloatArray, NDArray[np.intp]]:
    """The lines that shine in this arc, how strongly, and which of them no close neighbour disturbs.

    All fibres see the same lamp: their mean tells lines apart that hide in the noise of one fibre.
    """
    step = float(np.median(np.diff(wavelength, axis=1)))
    grid = np.arange(np.percentile(wavelength[:, 0], 20), np.percentile(wavelength[:, -1], 80), step / 2)
    live = np.nonzero(np.isfinite(spectra.flux).mean(axis=1) > LEAST_SEEN)[0]
    if not live.size:
        raise Failure("more than two thirds of every fibre of the arc are saturated or bad; take another arc")
    stack = np.array([np.interp(grid, wavelength[f], _bridge(spectra.flux[f]), 0.0, 0.0) for f in live])
    level = np.percentile(stack, 30, axis=1, keepdims=True)
    mean = np.mean(stack - level, axis=0)
    mean -= np.percentile(mean, 25)
    whole = np.isfinite(spectra.flux[live]).astype(np.float64)
    share = np.mean(
        [np.interp(grid, wavelength[f], row, 1.0, 1.0) for f, row in zip(live, whole, strict=True)], axis=0
    )
    seen = share > SEEN
    photons = _noise_of_mean(spectra.variance[live])
    # What lines too faint to be listed leave in the mean.
    haze = 1.48 * float(np.median(np.abs(mean - np.median(mean)))) + 1e-6 * float(mean.max())
    sigma = float(np.median(sigma_at(width, np.full((len(wavelength), 1), 1023.5)))) * step
    amplitude = _amplitudes(mean, grid, seen, lines.wavelength, sigma, photons, np.zeros(SHAPE.size))
    flanks = _flanks(mean, grid, seen, lines.wavelength, sigma, amplitude)
    amplitude = _amplitudes(mean, grid, seen, lines.wavelength, sigma, photons, flanks)
    fwhm = 2.355 * sigma
    shining = amplitude > PRESENT * photons
    lines, amplitude = lines.only(shining), amplitude[shining]
    hidden = _hidden(grid, seen, lines.wavelength, sigma)
    chosen = []
    for i, w in enumerate(lines.wavelength):
        if amplitude[i] < 3.0 * haze or not grid[0] < w < grid[-1]:
            continue
        distance = np.abs(lines.wavelength - w) / fwhm
        distance[i] = np.inf
        # Of a saturated line the flanks tell too little to say what they put beneath another.
        drowned = (amplitude[hidden & (distance < DROWNED)] > CONTAMINATION * amplitude[i]).any()
        if hidden[i] or drowned:
            continue
        too_close = amplitude[distance < CLOSE].sum() > CONTAMINATION * amplitude[i]
        if not (too_close or (amplitude[distance < BLENDED] > amplitude[i]).any()):
            chosen.append(i)
    return lines, amplitude, np.array(chosen, dtype=np.intp)


def _noise_of_mean(variance: NDArray[np.floating]) -> float:
    """Typical noise of the mean of some spectra."""
    known = np.where(variance > 0, variance, np.nan)
    return float(np.sqrt(np.nanmedian(known) / len(known)))


def _hidden(
    grid: FloatArray, seen: NDArray[np.bool_], wavelength: FloatArray, sigma: float
) -> NDArray[np.bool_]:
    """Lines of whose cores a part is not seen in most fibres: saturated ones."""
    missing = np.append(0, np.cumsum(~seen))
    first, last = (np.searchsorted(grid, wavelength + side * sigma) for side in (-1.0, 1.0))
    return np.asarray(missing[last] > missing[first])


def _flanks(
    mean: FloatArray,
    grid: FloatArray,
    seen: NDArray[np.bool_],
    wavelength: FloatArray,
    sigma: float,
    amplitude: FloatArray,
) -> FloatArray:
    """What lines have beside their Gaussians, over their peaks, at the places `SHAPE`; nothing where few lines tell.

    One per cent of a line's light in its flank would otherwise be given to any faint line that is listed there,
    which would draw the line to the other side.
    """
    sigma = _spread(sigma, grid)
    bright = np.nonzero(amplitude > 0.1 * np.median(np.sort(amplitude)[-FLANK_LINES:]))[0]
    model = sum((amplitude[k] * _gaussian(grid, wavelength[k], sigma) for k in bright), np.zeros(grid.size))
    rows = []
    for k in bright[np.argsort(-amplitude[bright], kind="stable")[:FLANK_LINES]]:
        own = amplitude[k] * _gaussian(grid, wavelength[k], sigma)
        near = np.abs(grid - wavelength[k]) < (SHAPE[-1] + 1.0) * sigma
        left = np.where(seen & (model - own < 1e-3 * amplitude[k]), mean - own, np.nan)[near] / amplitude[k]
        rows.append(np.interp(SHAPE, (grid[near] - wavelength[k]) / sigma, left, np.nan, np.nan))
    told = np.array(rows).reshape(len(rows), SHAPE.size)
    enough = np.isfinite(told).sum(axis=0) >= LEAST_LINES
    result = np.zeros(SHAPE.size)
    result[enough] = np.nanmedian(told[:, enough], axis=0)
    return np.asarray(np.clip(result, -LARGEST_FLANK, LARGEST_FLANK))


def _gaussian(grid: FloatArray, wavelength: FloatArray | float, sigma: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((grid - wavelength) / sigma) ** 2))


def _spread(sigma: float, grid: FloatArray) -> float:
    """Interpolation between pixels spreads the light by a sixth of a squared pixel, two steps of the grid."""
    return float(np.hypot(sigma, 2.0 * (grid[1] - grid[0]) / np.sqrt(6.0)))


def _amplitudes(
    mean: FloatArray,
    grid: FloatArray,
    seen: NDArray[np.bool_],
    wavelength: FloatArray,
    sigma: float,
    noise: float,
    flanks: FloatArray,
) -> FloatArray:
    """Peak height of every listed line in the stacked arc, from what is seen of it; none is negative."""
    sigma = _spread(sigma, grid)
    around = maximum_filter1d(np.maximum(mean, 0.0), 2 * int(4.0 * sigma / (grid[1] - grid[0])) + 1)
    error = np.sqrt(noise**2 + (0.03 * np.maximum(mean, 0)) ** 2 + (FLANKS * around) ** 2)
    result = np.zeros(wavelength.size)
    # In pieces: the cost of the solution grows with the cube of the number of lines.
    edges = np.append(np.arange(grid[0], grid[-1], 60 * sigma), grid[-1])
    for first, last in itertools.pairwise(edges):
        near = np.nonzero((wavelength > first - 6 * sigma) & (wavelength < last + 6 * sigma))[0]
        part = seen & (grid > first - 9 * sigma) & (grid < last + 9 * sigma)
        if not near.size or part.sum() < 5:
            continue
        design = _gaussian(grid[part, np.newaxis], wavelength[near], sigma)
        design += np.interp((grid[part, np.newaxis] - wavelength[near]) / sigma, SHAPE, flanks, 0.0, 0.0)
        design = np.column_stack([design, np.ones(part.sum())])
        solution, _ = nnls(design / error[part, np.newaxis], mean[part] / error[part])
        inside = (wavelength[near] >= first) & (wavelength[near] < last)
        result[near[inside]] = solution[:-1][inside]
    return result


def _bridge(row: NDArray[np.floating]) -> FloatArray:
    good = np.isfinite(row)
    if good.all():
        return np.asarray(row, dtype=np.float64)
    columns = np.arange(row.size)
    return np.asarray(np.interp(columns, columns[good], row[good]), dtype=np.float64)


def measure(
    spectra: Spectra,
    wavelength: FloatArray,
    lines: LineList,
    strength: FloatArray,
    chosen: NDArray[np.intp],
    width: FloatArray,
    base: FloatArray,
) -> Measured:
    """Measure the chosen lines in every fibre, their neighbours as strong beside them as in all fibres together.

    Parameters
    ----------
    spectra : Spectra
    wavelength : ndarray (fibres, columns)
        The best scale so far, by which lines and neighbours are looked for [Angstrom].
    lines : LineList
    strength, chosen : ndarray
        From `select`.
    width : ndarray
        From `line_width`.
    base : ndarray (fibres, columns)
        The scale from which the offsets count [Angstrom].

    Raises
    ------
    Failure
        When too few lines are chosen or can be measured.
    """
    if chosen.size < MIN_LINES:
        raise Failure(
            f"only {chosen.size} usable arc lines were recognised where at least {MIN_LINES} are needed; "
            "check the lamp and the exposure of the arc"
        )
    expected = _columns(wavelength, lines.wavelength)
    sigma = sigma_at(width, expected[:, chosen])
    flux, variance = spectra.flux, spectra.variance
    fit: LineFits = fit_lines(flux, variance, expected, chosen, sigma, strength=strength)
    faint, faint_x, faint_noise = faint_lines(flux, variance, expected, chosen, strength, sigma, fit)
    seen = np.isfinite(fit.centre) & (fit.amplitude > CLEAR * fit.amplitude_error) & (fit.error < CLEAR_ERROR)
    x = np.where(faint, faint_x, np.where(seen, fit.centre, np.nan))
    columns = np.arange(wavelength.shape[1], dtype=np.float64)
    here = np.array([np.interp(row_x, columns, row) for row_x, row in zip(x, base, strict=True)])
    slope = np.gradient(base, axis=1)
    dispersion = np.array([np.interp(row_x, columns, row) for row_x, row in zip(x, slope, strict=True)])
    offset = (lines.wavelength[chosen] - here) / dispersion
    error = np.hypot(np.where(faint, faint_noise, np.where(seen, fit.error, np.nan)), 0.004)
    noise = np.where(faint, faint_noise, np.where(seen, fit.noise, np.nan))
    enough = np.isfinite(offset).sum(axis=0) >= 5
    if enough.sum() < MIN_LINES:
        raise Failure(
            f"only {int(enough.sum())} arc lines can be measured where at least {MIN_LINES} are needed; "
            "the arc is too weak or saturated: take another"
        )
    return Measured(
        lines.only(chosen[enough]), x[:, enough], error[:, enough], noise[:, enough], offset[:, enough]
    )
