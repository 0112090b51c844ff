"""The night sky as the sky fibres see it together: a spline in wavelength finer than any fibre's pixels.

Fibres sample the same sky line at different phases of their pixels. Modelled together on their own pixels, before
any rebinning, they determine the line's shape between the pixels, and subtracting that model leaves photon noise
rather than the ringing of a rebinned mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from quicklook.columns import At
from quicklook.compiled import kernel
from quicklook.errors import Failure
from quicklook.toldnoise import told_variance

FloatArray = NDArray[np.float64]
AnyFloat = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

KNOTS_PER_PIXEL = 1.0
"""Spacing of the spline's knots: the lines are 3.4 pixels wide, and fibres sample them at all phases."""

TERMS = 3
"""The sky may change across the slit as a parabola: the line's width and the field's gradient do."""

CHANGE = 0.02
"""Expected fractional change of the sky from the middle to the end of the slit."""

JUMP = 1.0
"""Expected third differences of the coefficients, relative to the sky around: those of lines two and a half pixels wide. At the
ends of the spectrum, where one fibre sees each spline in part, the model would be anything otherwise."""

MIN_SKY_FIBRES = 3

LEAST_BENT = 5
"""With fewer sky fibres the sky is the same all along the slit. The usual size of the change holds the parabola of five."""

CLIP = 5.0

ROUNDS = 3
"""The first fit does not know yet how noisy lines are, the second not which pixels are hit."""

IMPOSSIBLE = 1e9
"""No pixel holds so much light, whatever flat it was divided by [electron], and one with so much variance says nothing
[electron^2]. A single such value would leave its rounding in the running sums of all its row."""


@dataclass(frozen=True, eq=False)
class SkyModel:
    """A cubic B-spline in wavelength whose coefficients are polynomials in slit position.

    Attributes
    ----------
    start, spacing : float
        First knot interval's edge and knot spacing [Angstrom].
    coefficients : ndarray (n_basis, TERMS)
        Electrons per pixel of unit throughput, per ``pixel`` Angstrom.
    pixel : float
        Dispersion to which the model's flux refers [Angstrom per pixel].
    rejected : BoolArray
        Pixels of the sky fibres that the fit did not believe (cosmic rays).
    used : ndarray of int
        Fibres that made the model.
    variance : ndarray (n_basis,)
        Variance of the model near each spline [electron^2].
    covered : tuple of float
        First and last wavelength that a sky fibre saw [Angstrom].
    """

    start: float
    spacing: float
    coefficients: FloatArray
    pixel: float
    rejected: BoolArray
    used: NDArray[np.intp]
    variance: FloatArray
    covered: tuple[float, float]

    def evaluate(self, wavelength: FloatArray, slit: FloatArray) -> FloatArray:
        """Sky in each pixel, in electrons per pixel of unit throughput.

        Parameters
        ----------
        wavelength : ndarray (fibres, columns)
            Pixel centres [Angstrom].
        slit : ndarray (fibres,)
            Slit position, -1 to 1.
        """
        out = np.zeros(wavelength.shape)
        places = np.ascontiguousarray(wavelength)
        _evaluate(places, slit, self.start, self.spacing, self.coefficients, out)
        # Half a pixel beyond the last sample the spline still knows the sky; further out it does not.
        margin = 0.5 * self.pixel
        _per_pixel(places, self.pixel, self.covered[0] - margin, self.covered[1] + margin, out)
        return out

    def evaluate_variance(self, wavelength: FloatArray) -> FloatArray:
        """Variance of `evaluate` [electron^2]: what the model adds to every sky-subtracted pixel."""
        index = np.clip(
            np.round((wavelength - self.start) / self.spacing).astype(int) + 1, 0, len(self.variance) - 1
        )
        return np.asarray(self.variance[index] * _relative_pixel(wavelength, self.pixel) ** 2)


def slit_coordinate(n_fibres: int) -> FloatArray:
    """Slit position of each fibre, -1 (bottom) to 1 (top)."""
    return np.linspace(-1.0, 1.0, n_fibres)


def fit_sky(
    flux: AnyFloat,
    variance: AnyFloat,
    wavelength: FloatArray,
    fibres: NDArray[np.intp],
    throughput: FloatArray | None = None,
    *,
    constant: bool = False,
) -> SkyModel:
    """Fit the sky spectrum to the sky fibres' own pixels.

    Parameters
    ----------
    flux, variance : ndarray (400, columns)
        Flat-fielded spectra on their own pixels [electron]; NaN = bad.
    wavelength : ndarray (400, columns)
        Angstrom.
    fibres : ndarray of int
        Sky fibres to use.
    throughput : ndarray (400,), optional
        Relative throughput of each fibre; one when absent.
    constant : bool
        Let the sky be the same all along the slit, so that what changes along it is left to the throughput.

    Raises
    ------
    Failure
        When fewer than `MIN_SKY_FIBRES` sky fibres have data.
    """
    n_fibres = flux.shape[0]
    gain = np.ones(n_fibres) if throughput is None else throughput
    sound = credible(flux[fibres], variance[fibres])
    known = (sound.mean(axis=1) > 0.2) & np.isfinite(gain[fibres]) & (gain[fibres] > 0.05)
    usable = np.asarray(fibres, dtype=np.intp)[known]
    if usable.size < MIN_SKY_FIBRES:
        raise Failure(
            f"only {usable.size} sky fibres have data where {MIN_SKY_FIBRES} are needed; allocate more sky "
            "fibres, or reduce with -SKYSUB 0"
        )
    step = float(np.median(np.diff(wavelength[usable], axis=1)))
    spacing = step / KNOTS_PER_PIXEL
    start = float(wavelength[usable].min()) - spacing
    n_basis = int(np.ceil((wavelength[usable].max() + spacing - start) / spacing)) + 3
    slit = slit_coordinate(n_fibres)[usable]
    scale = gain[usable, np.newaxis] * _relative_pixel(wavelength[usable], step)
    y = np.ascontiguousarray(flux[usable] / scale, dtype=np.float64)
    v = np.asarray(variance[usable] / scale**2, dtype=np.float64)
    good = sound[known]
    y = np.where(good, y, 0.0)
    weight = np.where(good, 1.0 / told_variance(v, np.zeros_like(y), good), 0.0)
    terms = 1 if constant or usable.size < LEAST_BENT else TERMS
    waves = np.ascontiguousarray(wavelength[usable])
    coefficients = np.zeros((n_basis, TERMS))
    rejected = np.zeros(y.shape, dtype=bool)
    for turn in range(ROUNDS):
        coefficients[:, :terms], held = _solve(y, weight, waves, slit, start, spacing, n_basis, terms)
        model = np.zeros_like(y)
        _evaluate(waves, slit, start, spacing, coefficients, model)
        weight = np.where(good, 1.0 / told_variance(v, model, good), 0.0)
        # A line's flank may be off by a few per cent of the line: that is no cosmic ray.
        tolerance = CLIP * np.sqrt(np.where(weight > 0, 1.0 / np.maximum(weight, 1e-30), 0.0)) + 0.1 * np.abs(
            model
        )
        strange = (weight > 0) & (np.abs(y - model) > tolerance)
        if not strange.any() and turn > 0:
            break
        rejected |= strange
        good &= ~strange
        weight = np.where(good, weight, 0.0)
    error = _model_variance(weight, waves, start, spacing, held)
    covered = (float(np.nanmin(waves[weight > 0])), float(np.nanmax(waves[weight > 0])))
    return SkyModel(start, spacing, coefficients, step, rejected, usable, error, covered)


def credible(flux: AnyFloat, variance: AnyFloat) -> BoolArray:
    """Pixels that hold what light may be, and whose noise is known."""
    return np.asarray((np.abs(flux) < IMPOSSIBLE) & (variance > 0) & (variance < IMPOSSIBLE))


def _relative_pixel(wavelength: FloatArray, pixel: float) -> FloatArray:
    """Width of each pixel in units of a standard one: sky per pixel grows with it."""
    result = np.empty_like(wavelength)
    np.subtract(wavelength[:, 2:], wavelength[:, :-2], out=result[:, 1:-1])
    result[:, 0] = 2.0 * (wavelength[:, 1] - wavelength[:, 0])
    result[:, -1] = 2.0 * (wavelength[:, -1] - wavelength[:, -2])
    result *= 0.5 / pixel
    return result


def _solve(
    y: FloatArray,
    weight: FloatArray,
    wavelength: FloatArray,
    slit: FloatArray,
    start: float,
    spacing: float,
    n_basis: int,
    terms: int,
) -> tuple[FloatArray, FloatArray]:
    """Solve the normal equations: banded, because splines are local; also return how firmly jumps are held."""
    width = 4 * terms
    band = np.zeros((width, n_basis * terms))
    right = np.zeros(n_basis * terms)
    _accumulate(y, weight, wavelength, slit, start, spacing, terms, n_basis, band, right)
    # The prior of the terms that change across the slit: zero within CHANGE of the local sky.
    local = np.maximum(_local_level(y, weight, wavelength, start, spacing, n_basis), 1.0)
    diagonal = band[0]
    typical = float(np.median(diagonal[::terms][diagonal[::terms] > 0])) if (diagonal > 0).any() else 1.0
    diagonal[::terms] += 1e-6 * typical
    for t in range(1, terms):
        diagonal[t::terms] += 1.0 / (CHANGE * local) ** 2
    held = (JUMP * local) ** -2
    _hold_jumps(band, terms, held)
    return np.asarray(solveh_banded(band, right, lower=True).reshape(n_basis, terms)), held


def _hold_jumps(band: FloatArray, terms: int, weight: FloatArray) -> None:
    """Add to the normal equations that third differences of the sky's coefficients are zero, by each spline's weight."""
    step, count = (-1.0, 3.0, -3.0, 1.0), len(weight) - 3
    for i in range(4):
        for j in range(i + 1):
            first = terms * j
            band[terms * (i - j), first : first + terms * count : terms] += (
                step[i] * step[j] * weight[1 : 1 + count]
            )


def _model_variance(
    weight: FloatArray, wavelength: FloatArray, start: float, spacing: float, held: FloatArray
) -> FloatArray:
    """Inverse of the weight that falls on a knot interval, which has one free value, less what is smoothed of its noise.

    Waves of w radians a knot are damped to G / (G + r P): G is the spectrum of the splines' products (Unser et al. 1993, IEEE
    Trans. Signal Process. 41, 821), P = (2 sin w/2)^6 that of third differences, r how firmly these are held over the weight.
    """
    n_basis = len(held)
    index = np.clip(np.round((wavelength - start) / spacing).astype(int) + 1, 0, n_basis - 1)
    total = np.bincount(index.ravel(), weight.ravel(), n_basis)
    smooth = np.maximum(np.convolve(total, [0.25, 0.5, 0.25], mode="same"), 1e-30)
    wave = np.pi * (np.arange(64) + 0.5) / 64
    products = (2416.0 + 2382.0 * np.cos(wave) + 240.0 * np.cos(2 * wave) + 2.0 * np.cos(3 * wave)) / 5040.0
    firmness = np.logspace(-8.0, 4.0, 61)[:, np.newaxis]
    damped = products / (products + firmness * (2.0 * np.sin(0.5 * wave)) ** 6)
    left = np.interp(np.log(held / smooth), np.log(firmness[:, 0]), np.mean(damped**2, axis=1))
    return np.where(smooth > 1e-30, left / smooth, 0.0)


def _local_level(
    y: FloatArray, weight: FloatArray, wavelength: FloatArray, start: float, spacing: float, n_basis: int
) -> FloatArray:
    """Mean sky near each spline [electron], roughly."""
    index = np.clip(((wavelength - start) / spacing).astype(int) + 1, 0, n_basis - 1)
    total = np.bincount(index.ravel(), (y * (weight > 0)).ravel(), n_basis)
    count = np.bincount(index.ravel(), (weight > 0).ravel().astype(float), n_basis)
    mean = total / np.maximum(count, 1.0)
    wide = np.array([mean, np.roll(mean, 1), np.roll(mean, -1), np.roll(mean, 2), np.roll(mean, -2)])
    return np.asarray(wide.max(axis=0))


@kernel
def _basis(u: float, values: FloatArray) -> None:
    """The four cubic B-splines that are not zero at a place ``u`` (0 to 1) within a knot interval."""
    v = 1.0 - u
    values[0] = v * v * v / 6.0
    values[1] = (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0
    values[2] = (3.0 * v * v * v - 6.0 * v * v + 4.0) / 6.0
    values[3] = u * u * u / 6.0


@kernel
def _accumulate(
    y: FloatArray,
    weight: FloatArray,
    wavelength: FloatArray,
    slit: FloatArray,
    start: float,
    spacing: float,
    terms: int,
    n_basis: int,
    band: FloatArray,
    right: FloatArray,
) -> None:
    values = np.zeros(4)
    row = np.zeros(4 * terms)
    for f in range(y.shape[0]):
        powers = np.ones(terms)
        for t in range(1, terms):
            powers[t] = powers[t - 1] * slit[f]
        for x in range(y.shape[1]):
            w = weight[f, x]
            if not w > 0.0:
                continue
            place = (wavelength[f, x] - start) / spacing
            k = int(np.floor(place))
            if k < 0 or k + 3 >= n_basis:
                continue
            _basis(place - k, values)
            for i in range(4):
                for t in range(terms):
                    row[i * terms + t] = values[i] * powers[t]
            base = k * terms
            for i in range(4 * terms):
                right[base + i] += w * row[i] * y[f, x]
                for j in range(i + 1):
                    band[i - j, base + j] += w * row[i] * row[j]


@kernel
def _evaluate(
    wavelength: FloatArray,
    slit: FloatArray,
    start: float,
    spacing: float,
    coefficients: FloatArray,
    out: FloatArray,
) -> None:
    n_basis, terms = coefficients.shape
    local, per_knot = coefficients[:, 0].copy(), 1.0 / spacing
    changes = bool((coefficients[:, 1:] != 0.0).any())
    for f in range(wavelength.shape[0]):
        if changes:
            for k in range(n_basis):
                power, total = 1.0, 0.0
                for t in range(terms):
                    total += coefficients[k, t] * power
                    power *= slit[f]
                local[k] = total
        for x in range(wavelength.shape[1]):
            place = min(max((wavelength[f, x] - start) * per_knot, 0.0), n_basis - 3.0 - 1e-9)
            k = min(int(place), n_basis - 4)
            u = place - k
            v = 1.0 - u
            # As `_basis`, which would have to store the four values.
            out[f, x] = (
                v * v * v * local[At(k)]
                + (3.0 * u * u * u - 6.0 * u * u + 4.0) * local[At(k + 1)]
                + (3.0 * v * v * v - 6.0 * v * v + 4.0) * local[At(k + 2)]
                + u * u * u * local[At(k + 3)]
            ) / 6.0


@kernel
def _per_pixel(wavelength: FloatArray, pixel: float, first: float, last: float, out: FloatArray) -> None:
    """From sky per standard pixel to sky per pixel, as `_relative_pixel` tells; NaN before ``first`` and after ``last``."""
    n, half = wavelength.shape[1], 0.5 / pixel
    for f in range(wavelength.shape[0]):
        out[f, 0] *= 2.0 * (wavelength[f, 1] - wavelength[f, 0]) * half
        for x in range(1, n - 1):
            out[f, x] *= (wavelength[f, x + 1] - wavelength[f, x - 1]) * half
        out[f, n - 1] *= 2.0 * (wavelength[f, n - 1] - wavelength[f, n - 2]) * half
        for x in range(n):
            if wavelength[f, x] < first or wavelength[f, x] > last:
                out[f, x] = np.nan
