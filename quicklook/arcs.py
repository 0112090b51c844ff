"""The wavelength solution: from an extracted arc to the wavelength of every spectral pixel.

The optical model gives the shape, correlation brings it to a fraction of a pixel (`quicklook.arcmatch`), and then
every line is measured in every fibre. One smooth surface over chip and slit is fitted to all of them, so that a
fibre with few lines borrows the shape from its neighbours; what a fibre shows beyond that surface is added as far
as its own lines prove it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.signal import find_peaks

from quicklook import nanmath
from quicklook.arcmatch import Alignment, align
from quicklook.errors import Failure
from quicklook.linefit import LineFits, fit_lines
from quicklook.linelists import ALL_SPECIES, LineList, arc_lines, blended, lamp_species
from quicklook.optics import optical_model
from quicklook.types import Spectra, WavelengthSolution

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

CLOSE = 0.5
"""Lines nearer than this (in FWHM) cannot be told apart; a line with such a neighbour is not measured ..."""

CONTAMINATION = 0.03
"""... when the neighbour has more than this fraction of its light. Other neighbours are fitted with it."""

BLENDED = 1.0
"""A line with a *brighter* neighbour within this distance (in FWHM) is not measured either."""

PRESENT = 0.7
"""A listed line is taken to shine when its peak in the stacked arc exceeds the stack's noise by this factor."""

SLIT_ORDER = 6
MAX_ORDER = 6
OWN_ORDER = 2
PRIOR = 2.0
"""Expected size of the distortion of second degree, in pixels times four; see `_lstsq2d`."""

MIN_LINES = 4


@dataclass(frozen=True, eq=False)
class _Measured:
    """Lines of the arc, measured in every fibre: arrays (fibres, lines)."""

    lines: LineList
    x: FloatArray
    error: FloatArray
    offset: FloatArray
    """Listed minus present wavelength, in pixels of the fibre."""


def solve_arc(
    spectra: Spectra,
    header: fits.Header,
    predicted: FloatArray,
    lamp: str,
    params: Mapping[str, object] | None = None,
) -> WavelengthSolution:
    """Find the wavelength of every spectral pixel from an arc.

    Parameters
    ----------
    spectra : Spectra
        Extracted arc; saturated pixels are NaN.
    header : fits.Header
        With the grating's angles.
    predicted : ndarray (400, 2048)
        Predicted wavelengths, best with the rows of the real tramlines [Angstrom].
    lamp : str
        As in LAMPNAME; other lamps that shine as well are recognised.
    params : mapping, optional
        ARCFITORDER (0 = found from the arc itself), ARCMAXSHIFT [pixel].

    Raises
    ------
    Failure
        When the arc does not look like the lamp, or too few lines remain.
    """
    params = params or {}
    fwhm = optical_model(header).fwhm
    lines, alignment, extra = _recognise(spectra, predicted, lamp, fwhm, params)
    width = _line_width(spectra, alignment.wavelength, lines, fwhm)
    wavelength = alignment.wavelength
    measured, fitted, order = None, None, 0
    for _ in range(2):
        present, chosen = _select(spectra, wavelength, lines, width)
        measured = _measure(spectra, wavelength, present, chosen, width)
        order, fitted = _fit_surface(measured, int(str(params.get("ARCFITORDER", 0)) or 0))
        wavelength = wavelength + _correction(wavelength, fitted, measured)
    assert measured is not None
    assert fitted is not None
    return _solution(wavelength, measured, fitted, alignment, order, width, lamp, extra)


def _recognise(
    spectra: Spectra, predicted: FloatArray, lamp: str, fwhm: float, params: Mapping[str, object]
) -> tuple[LineList, Alignment, tuple[str, ...]]:
    """Lines of the named lamp and of any other that plainly shines too, and the first wavelength scale."""
    max_shift = float(str(params.get("ARCMAXSHIFT", 100.0)))
    step = float(np.median(np.diff(predicted, axis=1)))
    named = lamp_species(lamp)
    reach = (predicted.min() - 120 * step, predicted.max() + 120 * step)
    try:
        first = align(spectra.flux, spectra.variance, predicted, arc_lines(named).within(*reach), fwhm=fwhm,
                      max_shift=max_shift)  # fmt: skip
        failure = None
    except Failure as error:
        first, failure = None, error
    everything = align(spectra.flux, spectra.variance, predicted, arc_lines().within(*reach), fwhm=fwhm,
                       max_shift=max_shift) if first is None else first  # fmt: skip
    if first is None and everything.correlation < 0.3 and failure is not None:
        raise failure
    present = list(named)
    for species in ALL_SPECIES:
        if species not in named and species != "CuAr" and _shines(everything, species, fwhm, step):
            present.append(species)
    lines = arc_lines(tuple(present)).within(everything.wavelength.min(), everything.wavelength.max())
    # Closer than a tenth of a resolution element: the same line in two tables.
    lines = blended(lines, 0.08 * fwhm * step)
    return lines, everything, tuple(s for s in present if s not in named)


def _shines(alignment: Alignment, species: str, fwhm: float, step: float) -> bool:
    """Whether the stronger lines of a species fall on peaks of the stacked arc more often than chance has it."""
    lines = arc_lines((species,)).within(alignment.grid[60], alignment.grid[-60])
    if len(lines) < 2:
        return False
    strongest = lines.only(np.sort(np.argsort(-lines.intensity, kind="stable")[:30]))
    at = np.interp(strongest.wavelength, alignment.grid, np.arange(alignment.grid.size))
    peaks, _ = find_peaks(alignment.stack, prominence=0.3)
    on_peak = np.zeros(alignment.grid.size)
    for peak in peaks:
        on_peak[max(0, int(np.ceil(peak - 0.4 * fwhm))) : int(peak + 0.4 * fwhm) + 1] = 1.0
    hits = on_peak[np.round(at).astype(int)].mean()
    elsewhere = [on_peak[np.round(at + d).astype(int)].mean() for d in range(-50, 51) if abs(d) > 2 * fwhm]
    chance, spread = float(np.mean(elsewhere)), float(np.std(elsewhere))
    return bool(hits >= 0.5 and hits > chance + max(3.0 * spread, 0.15))


def _line_width(spectra: Spectra, wavelength: FloatArray, lines: LineList, fwhm: float) -> FloatArray:
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


def _sigma_at(width: FloatArray, columns: FloatArray) -> FloatArray:
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


def _select(
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
    sigma = float(np.median(_sigma_at(width, np.full((len(wavelength), 1), 1023.5)))) * step
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


def _measure(
    spectra: Spectra, wavelength: FloatArray, lines: LineList, chosen: NDArray[np.intp], width: FloatArray
) -> _Measured:
    if chosen.size < MIN_LINES:
        raise Failure(
            f"only {chosen.size} usable arc lines were recognised where at least {MIN_LINES} are needed; "
            "check the lamp and the exposure of the arc"
        )
    expected = _columns(wavelength, lines.wavelength)
    fit: LineFits = fit_lines(
        spectra.flux, spectra.variance, expected, chosen, _sigma_at(width, expected[:, chosen])
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
    return _Measured(lines.only(chosen[enough]), x[:, enough], error[:, enough], offset[:, enough])


@dataclass(frozen=True, eq=False)
class _Surface:
    table: FloatArray
    """Chebyshev coefficients of the correction [pixel] in (column, slit)."""
    own: FloatArray
    """What each fibre adds: Chebyshev coefficients (fibres, OWN_ORDER + 1)."""
    keep: BoolArray
    """(fibres, lines) measurements that were used."""
    residual: FloatArray
    """(fibres, lines) listed minus fitted [pixel]."""


def _fit_surface(measured: _Measured, order: int) -> tuple[int, _Surface]:
    """Fit all lines of all fibres; drop lines that are wrong everywhere, then single measurements."""
    n_fibres = len(measured.x)
    slit = np.broadcast_to(np.linspace(-1, 1, n_fibres)[:, np.newaxis], measured.x.shape)
    u = np.nan_to_num(measured.x / 1023.5 - 1.0)
    usable = np.isfinite(measured.offset)
    chosen_order, lines_good = _trusted_lines(measured, usable, order)
    keep = usable & lines_good
    for _ in range(4):
        table = _lstsq2d(u[keep], slit[keep], measured.offset[keep], measured.error[keep], chosen_order)
        residual = measured.offset - chebyshev.chebval2d(u, slit, table)
        # A line's own small error is common to all fibres: one fibre is judged against that.
        away = np.abs(residual - np.where(lines_good, _line_means(residual, keep), 0.0))
        spread = 1.48 * float(np.median(away[keep]))
        keep = usable & lines_good & (away < np.maximum(0.1, 4 * np.hypot(spread, measured.error)))
    own = _own_shapes(u, residual, measured.error, keep)
    residual = residual - np.array([chebyshev.chebval(a, b) for a, b in zip(u, own, strict=True)])
    return chosen_order, _Surface(table, own, keep, residual)


def _trusted_lines(measured: _Measured, usable: BoolArray, order: int) -> tuple[int, BoolArray]:
    """Degree along the chip, and the lines that agree on one curve of that degree.

    A line at the end of the range bends the curve to itself, so each is judged by the curve that the others
    make without it, and by how well they can know it there.
    """
    means = _line_means(measured.offset, usable)
    x = nanmath.median(measured.x, axis=0) / 1023.5 - 1.0
    good = _agreeing_lines(measured, usable)
    degree = order or _best_order(x, means, good)
    for _ in range(len(means)):
        design = chebyshev.chebvander(x[good], degree)
        inverse = np.linalg.pinv(design)
        coefficients = inverse @ means[good]
        leverage = np.clip(np.sum(design * inverse.T, axis=1), 0.0, 0.98)
        residual = means[good] - design @ coefficients
        spread = max(1.48 * float(np.median(np.abs(residual) / np.sqrt(1.0 - leverage))), 0.01)
        strange = np.abs(residual) / (spread * np.sqrt(1.0 - leverage))
        worst = int(np.argmax(strange))
        if strange[worst] < 3.5 or good.sum() <= max(MIN_LINES, degree + 2):
            break
        good[np.nonzero(good)[0][worst]] = False
        degree = order or _best_order(x, means, good)
    return degree, good


def _line_means(values: FloatArray, keep: BoolArray) -> FloatArray:
    with np.errstate(all="ignore"):
        masked = np.where(keep, values, np.nan)
        empty = ~keep.any(axis=0)
        masked[0, empty] = np.inf
        return np.asarray(nanmath.median(masked, axis=0))


def _agreeing_lines(measured: _Measured, usable: BoolArray) -> BoolArray:
    """Lines whose mean offset lies on one smooth curve with the others: the rest are wrongly identified."""
    means = _line_means(measured.offset, usable)
    x = nanmath.median(measured.x, axis=0) / 1023.5 - 1.0
    weight = np.sqrt(usable.sum(axis=0))
    good = np.isfinite(means) & np.isfinite(x)
    for degree, limit in ((1, 1.0), (2, 0.5), (3, 0.3)):
        for _ in range(6):
            if good.sum() < degree + 3:
                break
            fit = chebyshev.chebfit(x[good], means[good], degree, w=weight[good])
            away = np.abs(means - chebyshev.chebval(x, fit))
            spread = 1.48 * float(np.median(away[good]))
            now = np.isfinite(means) & (away < max(limit, 3.0 * spread))
            if (now == good).all():
                break
            good = now
    return good


def _best_order(x: FloatArray, means: FloatArray, good: BoolArray) -> int:
    """Degree along the chip that best predicts a line left out."""
    u, y = x[good], means[good]
    best, best_score = 1, np.inf
    for degree in range(1, min(MAX_ORDER, (y.size - 1) // 3) + 1):
        design = chebyshev.chebvander(u, degree)
        hat = design @ np.linalg.pinv(design)
        left_out = (y - hat @ y) / np.maximum(1.0 - np.diag(hat), 0.02)
        score = float(np.sqrt(np.mean(np.minimum(np.abs(left_out), 0.5) ** 2)))
        if score < 0.93 * best_score:
            best, best_score = degree, score
    return best


def _lstsq2d(u: FloatArray, s: FloatArray, y: FloatArray, error: FloatArray, order: int) -> FloatArray:
    """Weighted fit of a Chebyshev surface, by normal equations: thousands of points, few coefficients.

    High degrees along the chip carry a prior of zero, because a camera's distortion falls off with the degree:
    it decides only what no line does, such as the ends of the chip beyond the last line. An error of the line
    list repeats in every fibre, so the prior weighs as much as all fibres.
    """
    weight = 1.0 / np.hypot(error, 0.02)
    design = chebyshev.chebvander2d(u, s, [order, SLIT_ORDER]) * weight[:, np.newaxis]
    normal = design.T @ design
    degree, across = np.divmod(np.arange((order + 1) * (SLIT_ORDER + 1)), SLIT_ORDER + 1)
    expected = np.where(degree >= 2, PRIOR / np.maximum(degree, 1) ** 2, 30.0)
    normal[np.diag_indices_from(normal)] += np.where(across == 0, 400.0, 4.0) / expected**2
    solution = np.linalg.solve(normal, design.T @ (y * weight)).reshape(order + 1, SLIT_ORDER + 1)
    return np.asarray(solution, dtype=np.float64)


def _own_shapes(u: FloatArray, residual: FloatArray, error: FloatArray, keep: BoolArray) -> FloatArray:
    """What each fibre shows beyond the surface, shrunk by how well its own lines prove it.

    The true spread of a coefficient among the fibres is what is seen less what measurement alone makes
    (empirical Bayes); where nothing is left, nothing is added.
    """
    # What a line does in every fibre belongs to the line, not to the fibre.
    common = _line_means(residual, keep)
    common = np.where(np.isfinite(common), common, 0.0)
    n_fibres = len(u)
    own = np.zeros((n_fibres, OWN_ORDER + 1))
    formal = np.full((n_fibres, OWN_ORDER + 1), np.inf)
    for f in range(n_fibres):
        k = keep[f]
        if k.sum() < 2 * (OWN_ORDER + 1):
            if k.sum() >= 2:
                weight = 1.0 / np.square(error[f, k])
                own[f, 0] = np.sum(weight * (residual[f, k] - common[k])) / weight.sum()
                formal[f, 0] = 1.0 / weight.sum()
            continue
        weight = 1.0 / error[f, k]
        design = chebyshev.chebvander(u[f, k], OWN_ORDER) * weight[:, np.newaxis]
        covariance = np.linalg.pinv(design.T @ design)
        target = (residual[f, k] - common[k]) * weight
        own[f] = covariance @ (design.T @ target)
        chi2 = float(np.sum((target - design @ own[f]) ** 2)) / max(1, k.sum() - OWN_ORDER - 1)
        formal[f] = np.diag(covariance) * max(1.0, chi2)
    for c in range(OWN_ORDER + 1):
        known = np.isfinite(formal[:, c])
        if known.sum() < 8:
            own[:, c] = 0.0
            continue
        seen = (1.48 * np.median(np.abs(own[known, c] - np.median(own[known, c])))) ** 2
        true = max(seen - float(np.median(formal[known, c])), 0.0)
        with np.errstate(all="ignore"):
            own[:, c] *= np.where(known, true / (true + formal[:, c]), 0.0) if true > 0 else 0.0
    return np.nan_to_num(own)


def _correction(wavelength: FloatArray, surface: _Surface, measured: _Measured) -> FloatArray:
    """The surface as a correction in Angstrom at every pixel."""
    n_fibres, n_columns = wavelength.shape
    x = np.arange(n_columns) / 1023.5 - 1.0
    slit = np.linspace(-1, 1, n_fibres)
    pixels = chebyshev.chebgrid2d(x, slit, surface.table).T
    pixels = pixels + np.array([chebyshev.chebval(x, c) for c in surface.own])
    dispersion = np.median(np.diff(wavelength, axis=1), axis=1, keepdims=True)
    return np.asarray(pixels * dispersion)


def _solution(
    wavelength: FloatArray,
    measured: _Measured,
    surface: _Surface,
    alignment: Alignment,
    order: int,
    width: FloatArray,
    lamp: str,
    extra: tuple[str, ...],
) -> WavelengthSolution:
    used = surface.keep.sum(axis=1)
    dispersion = np.median(np.diff(wavelength, axis=1), axis=1)
    with np.errstate(all="ignore"):
        squares = np.where(surface.keep, surface.residual**2, 0.0).sum(axis=1)
        rms = np.where(used >= 3, np.sqrt(squares / np.maximum(used, 1)) * dispersion, np.nan)
    lines = int(surface.keep.any(axis=0).sum())
    typical = float(nanmath.median(rms)) if np.isfinite(rms).any() else float("nan")
    if not (np.diff(wavelength, axis=1) > 0).all():
        raise Failure("the fitted wavelengths do not increase along the chip; the arc was misread: report it")
    history = [
        f"Wavelengths from {lines} arc lines ({lamp or 'CuAr'}), order {order} along the chip",
        f"Arc shifted by {alignment.shift:.2f} pixels from the prediction, rms {typical:.4f} Angstrom",
    ]
    if extra:
        history.append(f"Lines of lamps not in LAMPNAME used as well: {' '.join(extra)}")
    pixel = float(np.median(dispersion))
    return WavelengthSolution(
        wavelength=wavelength,
        rms=rms,
        lines_used=used.astype(np.int64),
        history=tuple(history),
        figures={
            "arc_lines": float(lines),
            "arc_rms": typical,
            "arc_rms_pixels": typical / pixel,
            "arc_order": float(order),
            "arc_shift_pixels": alignment.shift,
            "arc_correlation": alignment.correlation,
            "arc_fibres_lost": float((used < 3).sum()),
            "spectral_fwhm_pixels": float(2.355 * width[0, 0]),
        },
    )
