"""Which lines of an arc can be trusted, and where they fall in every fibre."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import nnls

from quicklook.errors import Failure
from quicklook.linefit import LineFits, fit_lines
from quicklook.linelists import LineList
from quicklook.types import Spectra

FloatArray = NDArray[np.float64]

MIN_LINES = 4
"""Fewer lines do not make a wavelength scale."""

CLOSE = 0.5
"""Lines nearer than this (in FWHM) cannot be told apart; a line with such a neighbour is not measured ..."""

CONTAMINATION = 0.03
"""... when the neighbour has more than this fraction of its light. Other neighbours are fitted with it."""

BLENDED = 1.0
"""A line with a *brighter* neighbour within this distance (in FWHM) is not measured either."""

PRESENT = 0.7
"""A listed line is taken to shine when its peak in the stacked arc exceeds the stack's noise by this factor."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Lines of the arc, measured in every fibre: arrays (fibres, lines)."""

    lines: LineList
    x: FloatArray
    error: FloatArray
    offset: FloatArray
    """Listed minus present wavelength, in pixels of the fibre."""


def line_width(spectra: Spectra, wavelength: FloatArray, lines: LineList, fwhm: float) -> FloatArray:
    """Gaussian width of a line as a function of place: Chebyshev coefficients in (column, slit)."""
    expected = _columns(wavelength, lines.wavelength)
    guess = fwhm / 2.355
    alone = _isolated(lines, 4.0 * fwhm * float(np.median(np.diff(wavelength, axis=1))))
    fit = fit_lines(
        spectra.flux, spectra.variance, expected, alone, np.full((len(wavelength), alone.size), guess),
        free_width=True,
    )  # fmt: skip
    good = np.isfinite(fit.sigma) & (fit.amplitude > 30 * fit.amplitude_error)
    coefficients = np.zeros((3, 3))
    coefficients[0, 0] = guess
    if good.sum() < 50:
        return coefficients
    slit = np.broadcast_to(np.linspace(-1, 1, len(wavelength))[:, np.newaxis], fit.sigma.shape)
    x, s, y = fit.centre[good] / 1023.5 - 1.0, slit[good], fit.sigma[good]
    centre, spread = np.median(y), 1.48 * np.median(np.abs(y - np.median(y)))
    design = chebyshev.chebvander2d(x, s, [2, 2])
    keep = np.abs(y - centre) < max(0.15, 4 * spread)
    for _ in range(3):
        solution = np.linalg.lstsq(design[keep], y[keep], rcond=None)[0]
        residual = np.abs(y - design @ solution)
        keep = residual < max(0.03, 3 * 1.48 * float(np.median(residual[keep])))
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
) -> tuple[LineList, NDArray[np.intp]]:
    """The lines that shine in this arc, and which of them no close neighbour disturbs."""
    step = float(np.median(np.diff(wavelength, axis=1)))
    grid = np.arange(np.percentile(wavelength[:, 0], 20), np.percentile(wavelength[:, -1], 80), step / 2)
    live = np.isfinite(spectra.flux).mean(axis=1) > 0.5
    sample = np.nonzero(live)[0][:: max(1, int(live.sum()) // 120)]
    stack = np.array([np.interp(grid, wavelength[f], _bridge(spectra.flux[f]), 0.0, 0.0) for f in sample])
    level = np.percentile(stack, 30, axis=1, keepdims=True)
    mean = np.mean(np.maximum(stack - level, -np.inf), axis=0)
    mean -= np.percentile(mean, 25)
    noise = 1.48 * float(np.median(np.abs(mean - np.median(mean)))) + 1e-6 * float(mean.max())
    sigma = float(np.median(sigma_at(width, np.full((len(wavelength), 1), 1023.5)))) * step
    amplitude = _amplitudes(mean, grid, lines.wavelength, sigma, noise)
    fwhm = 2.355 * sigma
    shining = amplitude > PRESENT * noise
    lines, amplitude = lines.only(shining), amplitude[shining]
    chosen = []
    for i, w in enumerate(lines.wavelength):
        if amplitude[i] < 3.0 * noise or not grid[0] < w < grid[-1]:
            continue
        distance = np.abs(lines.wavelength - w) / fwhm
        distance[i] = np.inf
        too_close = amplitude[distance < CLOSE].sum() > CONTAMINATION * amplitude[i]
        if not (too_close or (amplitude[distance < BLENDED] > amplitude[i]).any()):
            chosen.append(i)
    return lines, np.array(chosen, dtype=np.intp)


def _amplitudes(
    mean: FloatArray, grid: FloatArray, wavelength: FloatArray, sigma: float, noise: float
) -> FloatArray:
    """Peak height of every listed line in the stacked arc; none is negative."""
    error = np.sqrt(noise**2 + (0.03 * np.maximum(mean, 0)) ** 2)
    result = np.zeros(wavelength.size)
    # In pieces: the cost of the solution grows with the cube of the number of lines.
    edges = np.append(np.arange(grid[0], grid[-1], 60 * sigma), grid[-1])
    for first, last in itertools.pairwise(edges):
        near = np.nonzero((wavelength > first - 6 * sigma) & (wavelength < last + 6 * sigma))[0]
        part = (grid > first - 9 * sigma) & (grid < last + 9 * sigma)
        if not near.size or part.sum() < 5:
            continue
        design = np.exp(-0.5 * ((grid[part, np.newaxis] - wavelength[near]) / sigma) ** 2)
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
    spectra: Spectra, wavelength: FloatArray, lines: LineList, chosen: NDArray[np.intp], width: FloatArray
) -> Measured:
    """Measure the chosen lines in every fibre.

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
    fit: LineFits = fit_lines(
        spectra.flux, spectra.variance, expected, chosen, sigma_at(width, expected[:, chosen])
    )
    seen = np.isfinite(fit.centre) & (fit.amplitude > 5.0 * fit.amplitude_error) & (fit.error < 0.25)
    x = np.where(seen, fit.centre, np.nan)
    columns = np.arange(wavelength.shape[1], dtype=np.float64)
    here = np.array([np.interp(row_x, columns, row) for row_x, row in zip(x, wavelength, strict=True)])
    dispersion = np.median(np.diff(wavelength, axis=1), axis=1, keepdims=True)
    offset = (lines.wavelength[chosen] - here) / dispersion
    error = np.hypot(np.where(seen, fit.error, np.nan), 0.004)
    enough = np.isfinite(offset).sum(axis=0) >= 5
    if enough.sum() < MIN_LINES:
        raise Failure(
            f"only {int(enough.sum())} arc lines can be measured where at least {MIN_LINES} are needed; "
            "the arc is too weak or saturated: take another"
        )
    return Measured(lines.only(chosen[enough]), x[:, enough], error[:, enough], offset[:, enough])
