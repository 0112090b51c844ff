"""How much light each fibre passes, relative to the others, measured on the night sky itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.lineratio import LineRatio
from quicklook.skymodel import SkyModel, credible, fit_sky, slit_coordinate
from quicklook.spread import true_spread
from quicklook.toldnoise import told_variance

FloatArray = NDArray[np.float64]
AnyFloat = NDArray[np.floating]
FloatImage = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

MAX_ERROR = 0.15
"""A line throughput less certain than this says nothing."""

POOR = 0.02
"""When lines tell the typical fibre's throughput no better than this, the sky fibres' continuum is asked."""

STRANGE = 4.0
"""A fibre with an object that differs from what those around it say by so many times what is usual shows its object."""

LEAST_FIBRES = 5

MANY_FIBRES = 40
"""From so many fibres on the smooth part is free, but for what keeps slit and plate apart."""

MANY_PRIOR = 0.2
LEAST_TERM = 1e-3
ADDITIVE_DOUBT = 0.1
"""What scattered light and wings leave in a fibre [electron a pixel]: a faint sky tells no finer."""

KINDS_OF_TERMS = ((1, 2, 3), (4, 5), (6, 7, 8))
"""Terms of the smooth part that are alike: of the slit, slopes over the plate, curvatures."""

SMOOTH_ROUNDS = 8
SLOPE_PRIOR, CURVE_PRIOR = 0.05, 0.02
"""Expected size of the smooth part's terms: with few fibres, slopes over the plate and a little curvature."""

TYPICAL_SPREAD = 0.10
"""Spread of sky over lamp throughput that is assumed when too few fibres measure it."""

LEAST_TELLING = 10
SMALLEST_SPREAD = 1e-3


@dataclass(frozen=True, eq=False)
class Throughput:
    """Relative throughput of the fibres.

    Attributes
    ----------
    value : ndarray of float64 (400,)
        Median one over the live fibres; NaN where unknown.
    error : ndarray of float64 (400,)
    method : str
        How it was found, in 2dFdr's words.
    measured : int
        Fibres whose own sky decided.
    """

    value: FloatArray
    error: FloatArray
    method: str
    measured: int


def from_sky_lines(
    flux: AnyFloat,
    variance: AnyFloat,
    wavelength: FloatArray,
    sky_fibres: NDArray[np.intp],
    live: BoolArray,
    lamp: FloatArray,
    place: FloatArray | None = None,
) -> tuple[Throughput, SkyModel]:
    """Throughput from the emission lines of the sky (SKYLINE).

    The line light of every fibre, with the continuum filtered out, is compared with the model of the sky
    fibres. The lamp's throughput is the starting point. The lamp does not light the plate as the sky does:
    that difference is smooth over slit and plate and is fitted to all fibres together. What one fibre shows
    beyond it is believed as far as its own error allows (empirical Bayes), so that a fibre on a bright star
    keeps what its neighbours say.

    Where there are no lines to speak of, all light of the sky fibres takes their place: fewer fibres, but they
    see nothing else.

    Parameters
    ----------
    flux, variance : ndarray (400, columns)
        Flat-fielded spectra on their own pixels [electron].
    wavelength : ndarray (400, columns)
        Angstrom.
    sky_fibres : ndarray of int
    live : ndarray of bool (400,)
        Fibres with light.
    lamp : ndarray (400,)
        Throughput in the flat lamp.
    place : ndarray (400, 2), optional
        Positions on the plate, any unit; NaN where unknown.

    Returns
    -------
    Throughput
    SkyModel
        The sky for unit throughput.
    """
    spectra = (variance, wavelength, sky_fibres, live, lamp, place)
    lines = _iterate(flux, *spectra, LineRatio, "SKYLINE", live, POOR)
    if lines[0].measured:
        return lines
    sky = np.zeros_like(live)
    sky[sky_fibres] = live[sky_fibres]
    alone = np.where(sky[:, np.newaxis], flux, np.nan)
    continuum = _iterate(alone, *spectra, _LightRatio, "SKYFLUX(SKY)", sky, MAX_ERROR)
    if continuum[0].measured:
        return continuum
    return _iterate(flux, *spectra, LineRatio, "SKYLINE", live, MAX_ERROR)


def from_sky_flux(
    flux: AnyFloat,
    variance: AnyFloat,
    wavelength: FloatArray,
    sky_fibres: NDArray[np.intp],
    live: BoolArray,
    lamp: FloatArray,
    place: FloatArray | None = None,
    *,
    only_sky: bool = False,
) -> tuple[Throughput, SkyModel]:
    """Throughput from all light (SKYFLUX): right for twilight and offset sky, or where objects are faint.

    Where there is ``only_sky`` pixels count by their signal-to-noise, which a faint sky needs; beside objects
    the median of all pixels is asked.
    """
    ratio: _Ratio = _LightRatio if only_sky else _FluxRatio
    return _iterate(
        flux, variance, wavelength, sky_fibres, live, lamp, place, ratio, "SKYFLUX(MED)", live, MAX_ERROR
    )


def normalised(value: FloatArray, live: BoolArray) -> FloatArray:
    """Throughput with median one over the live fibres; values that cannot be are NaN."""
    with np.errstate(all="ignore"):
        sound = np.where(np.isfinite(value) & (value > 0.01), value, np.nan)
        typical = nanmath.median(sound[live]) if np.isfinite(sound[live]).any() else 1.0
    return np.asarray(sound / typical)


_Ratio = Callable[[FloatImage, FloatImage], Callable[[FloatImage], tuple[FloatArray, FloatArray]]]
"""Takes flux and variance; what it returns takes the expected sky and gives each fibre's ratio and error."""


def _iterate(
    flux: AnyFloat,
    variance: AnyFloat,
    wavelength: FloatArray,
    sky_fibres: NDArray[np.intp],
    live: BoolArray,
    lamp: FloatArray,
    place: FloatArray | None,
    ratio: _Ratio,
    method: str,
    telling: BoolArray,
    worth: float,
) -> tuple[Throughput, SkyModel]:
    """The sky model needs the throughput of the sky fibres, and the throughput needs the model: iterate.

    Only ``telling`` fibres are measured; when their typical error is beyond ``worth``, the lamp remains.
    """
    prior = np.where(np.isfinite(lamp), lamp, np.where(live, 1.0, np.nan))
    value, error = prior.copy(), np.full(len(prior), np.inf)
    slit = slit_coordinate(len(prior))
    # Single precision is ten times finer than the noise of a ratio needs and twice as fast.
    # What a damaged frame holds beyond its range becomes infinite, and is left out as such.
    with np.errstate(over="ignore"):
        compare = ratio(np.asarray(flux, dtype=np.float32), np.asarray(variance, dtype=np.float32))
    measured = 0
    objects = np.ones(len(prior), dtype=np.bool_)
    objects[sky_fibres] = False
    for _ in range(3):
        model = fit_sky(flux, variance, wavelength, sky_fibres, value, constant=True)
        with np.errstate(all="ignore"):
            expected = (model.evaluate(wavelength, slit) * prior[:, np.newaxis]).astype(np.float32)
        correction, error = compare(expected)
        known = (
            telling & np.isfinite(correction) & (error < MAX_ERROR) & (correction > 0.05) & (correction < 20)
        )
        measured = int(known.sum())
        if measured < LEAST_FIBRES or np.median(error[known]) > worth:
            value, method, measured = prior.copy(), "LAMP", 0
            break
        correction /= np.median(correction[known])
        smooth = _smooth_part(correction, error, known, place)
        own = (correction / smooth)[known]
        spread = TYPICAL_SPREAD
        if measured >= LEAST_TELLING:
            spread = true_spread(own - np.median(own), error[known], SMALLEST_SPREAD)
        with np.errstate(all="ignore"):
            trust = np.where(known, spread**2 / (spread**2 + error**2), 0.0)
            away = np.abs(correction / smooth - 1.0) / np.hypot(spread, error)
        trust[objects & ~(away < STRANGE)] = 0.0
        value = normalised(prior * (smooth + trust * (np.where(known, correction, smooth) - smooth)), live)
    model = fit_sky(flux, variance, wavelength, sky_fibres, value)
    return Throughput(value, np.where(live, error, np.nan), method, measured), model


def _smooth_part(
    correction: FloatArray, error: FloatArray, known: BoolArray, place: FloatArray | None
) -> FloatArray:
    """The correction as a smooth function of slit and plate position, at every fibre."""
    n = len(correction)
    slit = slit_coordinate(n)
    columns, held = [np.ones(n)], [0.0]
    fit = known.copy()
    many = known.sum() >= MANY_FIBRES
    if many:
        columns += [slit, slit**2, slit**3]
        held += [MANY_PRIOR] * 3
    if place is not None:
        there: BoolArray = np.isfinite(place[:, 0]) & np.isfinite(place[:, 1])
        size = float(np.abs(place[there]).max()) if there.any() else 0.0
        if there[known].mean() > 0.8 and size > 0:
            fit &= there
            x, y = np.where(there, place.T, 0.0) / size
            columns += [x, y, x * x, x * y, y * y]
            held += [MANY_PRIOR] * 5 if many else [SLOPE_PRIOR] * 2 + [CURVE_PRIOR] * 3
    design = np.column_stack(columns)
    if fit.sum() < LEAST_FIBRES:
        return np.ones(n)
    widths = np.array(held)
    solution = np.zeros(design.shape[1])
    keep = fit.copy()
    for _ in range(SMOOTH_ROUNDS):
        weight = np.where(keep, 1.0 / np.hypot(error, 0.01), 0.0)
        normal = (design * weight[:, np.newaxis] ** 2).T @ design
        normal[np.diag_indices_from(normal)] += np.r_[0.0, widths[1:] ** -2]
        solution = np.linalg.solve(normal, design.T @ (weight**2 * np.where(keep, correction, 0.0)))
        if many:
            widths = _usual_sizes(solution, np.linalg.inv(normal), widths)
        away = np.abs(correction - design @ solution) * np.where(fit, 1.0 / np.hypot(error, 0.01), 0.0)
        keep = fit & (away < 4.0 * max(1.0, 1.48 * float(np.median(away[fit]))))
    return np.asarray(np.clip(design @ solution, 0.3, 3.0))


def _usual_sizes(solution: FloatArray, covariance: FloatArray, widths: FloatArray) -> FloatArray:
    """Size that the terms of the smooth part have, as the light itself tells: one for each kind of term.

    What makes the values seen most probable, one step of MacKay's iteration (1992, Neural Computation 4, 415): a faint
    sky cannot tell eight terms, and where there is hardly a slope its noise must not make one.
    """
    result = widths.copy()
    for kind in KINDS_OF_TERMS:
        terms = [i for i in kind if i < len(solution)]
        if terms:
            known = len(terms) - float(np.sum(np.diag(covariance)[terms] / widths[terms] ** 2))
            size = np.sqrt(float(np.sum(solution[terms] ** 2)) / max(known, 0.01))
            result[terms] = np.clip(size, LEAST_TERM, MANY_PRIOR)
    return result


class _LightRatio:
    """Least-squares ratio of all light, and its error from the scatter seen: for fibres that see only sky."""

    def __init__(self, flux: FloatImage, variance: FloatImage) -> None:
        self.fibres = len(flux)
        sound = credible(flux, variance)
        self.rows = np.nonzero(sound.any(axis=1))[0]
        self.flux, self.variance, self.sound = flux[self.rows], variance[self.rows], sound[self.rows]

    def __call__(self, expected: FloatImage) -> tuple[FloatArray, FloatArray]:
        """Compare with the model of the sky."""
        good = self.sound & np.isfinite(expected[self.rows])
        sky = np.where(good, expected[self.rows], np.float32(0.0))
        data = np.where(good, self.flux, np.float32(0.0))
        noise = told_variance(self.variance, sky, good).astype(np.float32)
        weight = np.where(good, 1.0 / (noise + (0.02 * sky) ** 2), np.float32(0.0))
        with np.errstate(all="ignore"):
            for _ in range(2):
                power = np.sum(weight * sky * sky, axis=1, dtype=np.float64)
                ratio = np.asarray(np.sum(weight * sky * data, axis=1, dtype=np.float64) / power)
                residual = np.abs(data - ratio[:, np.newaxis] * sky) * np.sqrt(weight)
                scatter = np.maximum(1.0, 1.48 * _row_median(residual, weight > 0))
                weight = np.where(residual > 5 * scatter[:, np.newaxis], np.float32(0.0), weight)
            lever = np.sum(weight * sky, axis=1, dtype=np.float64) / power
            certain = np.hypot(scatter / np.sqrt(power), ADDITIVE_DOUBT * lever)
        result, error = np.full(self.fibres, np.nan), np.full(self.fibres, np.inf)
        result[self.rows], error[self.rows] = ratio, np.where(power > 0, certain, np.inf)
        return result, error


class _FluxRatio:
    """Median ratio of all light, and its error."""

    def __init__(self, flux: FloatImage, variance: FloatImage) -> None:
        self.flux, self.variance = flux, variance
        self.sound = credible(flux, variance)

    def __call__(self, expected: FloatImage) -> tuple[FloatArray, FloatArray]:
        """Compare with the model of the sky."""
        with np.errstate(all="ignore"):
            good = self.sound & np.isfinite(expected) & (expected > 0)
            result = _row_median(self.flux / expected, good)
            snr = np.sqrt(np.where(good, expected**2 / self.variance, 0.0).sum(axis=1, dtype=np.float64))
            return result, np.where(snr > 0, 1.25 / snr, np.inf)


def _row_median(values: AnyFloat, good: BoolArray) -> FloatArray:
    result = np.full(len(values), np.nan)
    some = good.sum(axis=1) > 10
    if some.any():
        result[some] = nanmath.median(np.where(good[some], values[some], np.nan), axis=1)
    return result
