"""What differs between two reductions of the same light, fibre by fibre. Pure, vectorised over fibres.

Noise is estimated as by DER_SNR (Stoehr et al. 2008, ADASS XVII, 505): from differences of pixels two apart,
which neither continuum nor broad lines enter, and neighbours that share noise through rebinning do not bias much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from agents.compare.spectra import Array, Mask, Spectra

MOST_SHIFT = 12
"""Largest shift that is looked for, pixels."""

_CONTINUUM = 101
"""Width (pixels) of the running mean that is taken off before lines are correlated."""

_SMOOTH = 1.2
"""Width (sigma, pixels) by which lines are smoothed before they are correlated: noise on the scale of single
pixels is not moved by resampling as lines are, and would draw every shift towards zero."""

_BROAD = 4.0
"""Width (sigma, pixels) by which spectra are smoothed before their fluxes are compared."""

_LEAST_PIXELS = 64
"""Fewer common pixels tell nothing of a fibre."""

_LEAST_CORRELATION = 0.5
"""Below it the two spectra have no lines in common, or no lines, and no shift is given."""

_LEAST_WEIGHT = 20.0
"""Signal-to-noise ratio of a whole spectrum from which on its flux ratio is given: it is known to 5 % then."""

_FINE = 0.02
"""Step (pixels) in which the peak of the correlation is looked for, before a parabola is laid through it."""

_CLIP, _CLIPPINGS = 6.0, 3


@dataclass(frozen=True)
class Differences:
    """What differs, one value a fibre, NaN where it cannot be told. B is compared with A.

    Attributes
    ----------
    flux_ratio
        B over A: slope of B against A, weighted by variance, outliers clipped.
    shift
        Wavelength of lines in B minus that in A, Angstrom; of positions, pixels, where there is no scale.
    correlation
        Of the lines at that shift, -1 to 1.
    noise_a, noise_b
        Measured noise of a pixel, in units of the product.
    noise_ratio
        B over A, after the flux ratio is taken out.
    sn_a, sn_b
        Median signal over measured noise, per Angstrom (per pixel where there is no scale). Noise that rebinned pixels
        share is not in what differences of pixels show: a figure to compare, higher than `paws.signal` has it.
    claimed
        Noise by the variances, B over A, after the flux ratio is taken out.
    alive_a, alive_b
        Whether the fibre holds data.
    """

    flux_ratio: Array
    shift: Array
    correlation: Array
    noise_a: Array
    noise_b: Array
    noise_ratio: Array
    sn_a: Array
    sn_b: Array
    claimed: Array
    alive_a: Mask
    alive_b: Mask


def compare_spectra(a: Spectra, b: Spectra) -> Differences:
    """Compare spectra of the same fibres.

    Parameters
    ----------
    a, b
        With the same number of fibres. Where their wavelength scales differ, B is put on the scale of A
        for flux ratio and shift; noise and S/N are measured as they are.

    Raises
    ------
    ValueError
        If the numbers of fibres differ.
    """
    if a.fibres != b.fibres:
        raise ValueError(f"one has {a.fibres} fibres, the other {b.fibres}")
    if a.wavelength is None and b.wavelength is None and a.flux.shape != b.flux.shape:
        raise ValueError(f"their shapes are {a.flux.shape} and {b.flux.shape}, and neither has a scale")
    flux_b, variance_b = _on_scale_of(a, b)
    pixels, correlation = line_shift(a.flux, flux_b)
    # Lines that do not lie on each other would make every ratio too small.
    ratio = flux_ratio(a.flux, _moved_back(flux_b, pixels), a.variance, variance_b)
    step = 1.0 if a.wavelength is None else float(a.wavelength[1] - a.wavelength[0])
    step_b = 1.0 if b.wavelength is None else float(b.wavelength[1] - b.wavelength[0])
    noise_a, noise_b = pixel_noise(a.flux), pixel_noise(b.flux)
    # What is too faint for a ratio of its own has that of the others.
    known = ratio[np.isfinite(ratio) & (ratio > 0)]
    scale = np.where(np.isfinite(ratio) & (ratio > 0), ratio, np.median(known) if known.size else 1.0)
    claimed = np.full(a.fibres, np.nan)
    if a.variance is not None and b.variance is not None:
        claimed = np.sqrt(_over(row_medians(b.variance), row_medians(a.variance))) / scale
    return Differences(
        flux_ratio=ratio,
        shift=pixels * step,
        correlation=correlation,
        noise_a=noise_a,
        noise_b=noise_b,
        noise_ratio=_over(noise_b, noise_a) / scale,
        sn_a=_over(row_medians(a.flux), noise_a) / np.sqrt(step),
        sn_b=_over(row_medians(b.flux), noise_b) / np.sqrt(step_b),
        claimed=claimed,
        alive_a=_alive(a.flux),
        alive_b=_alive(b.flux),
    )


def flux_ratio(a: Array, b: Array, variance_a: Array | None, variance_b: Array | None) -> Array:
    """Slope of B against A for each fibre, (fibres,).

    Both are smoothed first: noise that resampling has changed would make every slope too small.
    """
    good = np.isfinite(a) & np.isfinite(b)
    if variance_a is not None and variance_b is not None:
        total = variance_a + variance_b
        good &= np.isfinite(total) & (total > 0)
        weight = np.where(good, 1.0 / np.where(good, total, 1.0), 0.0)
    else:
        noise = np.hypot(pixel_noise(a), pixel_noise(b))[:, None]
        weight = np.where(good & (noise > 0), 1.0 / np.where(noise > 0, noise, 1.0) ** 2, 0.0)
    filled_a, filled_b = _smoothed(a, good), _smoothed(b, good)
    slope = _slope(filled_a, filled_b, weight)
    for _ in range(_CLIPPINGS):
        residual = (filled_b - slope[:, None] * filled_a) * np.sqrt(weight)
        spread = 1.4826 * row_medians(np.abs(np.where(weight > 0, residual, np.nan)))
        # Identical spectra have no spread, and nothing to clip.
        outlier = np.abs(residual) > _CLIP * np.fmax(spread, 1e-9)[:, None]
        weight = np.where(outlier, 0.0, weight)
        slope = _slope(filled_a, filled_b, weight)
    enough = (weight > 0).sum(axis=1) >= _LEAST_PIXELS
    # Both variances are in the weight, hence the 2.
    strong = 2.0 * (weight * filled_a**2).sum(axis=1) > _LEAST_WEIGHT**2
    return np.where(enough & strong, slope, np.nan)


def line_shift(a: Array, b: Array) -> tuple[Array, Array]:
    """Shift of lines between spectra on the same pixels, by cross-correlation.

    Returns
    -------
    shift : (fibres,) array
        Position in B minus position in A, pixels.
    correlation : (fibres,) array
        Normalised correlation at its peak.
    """
    good = np.isfinite(a) & np.isfinite(b)
    lines_a, lines_b = _lines(a, good), _lines(b, good)
    norm = np.sqrt((lines_a**2).sum(axis=1) * (lines_b**2).sum(axis=1))
    size = a.shape[1] + MOST_SHIFT + 1
    # Power of two and more: the ends must not meet.
    size = 1 << (size - 1).bit_length()
    cross = np.conj(np.fft.rfft(lines_a, size, axis=1)) * np.fft.rfft(lines_b, size, axis=1)
    whole = np.fft.irfft(cross, size, axis=1)
    lags = np.concatenate([whole[:, -MOST_SHIFT:], whole[:, : MOST_SHIFT + 1]], axis=1)
    coarse = np.argmax(lags, axis=1) - MOST_SHIFT
    fine, peak = _fine_peak(cross, size, coarse)
    correlation = np.where(norm > 0, peak / np.where(norm > 0, norm, 1.0), np.nan)
    told = (
        (good.sum(axis=1) >= _LEAST_PIXELS)
        & (correlation >= _LEAST_CORRELATION)
        & (np.abs(coarse) < MOST_SHIFT)
    )
    return np.where(told, coarse + fine, np.nan), correlation


def pixel_noise(flux: Array) -> Array:
    """Noise of a pixel for each fibre, (fibres,), as DER_SNR has it."""
    if flux.shape[1] < 5:
        return np.full(flux.shape[0], np.nan)
    second = 2.0 * flux[:, 2:-2] - flux[:, :-4] - flux[:, 4:]
    return np.asarray(1.482602 / np.sqrt(6.0) * row_medians(np.abs(second)))


def _smoothed(flux: Array, good: Mask) -> Array:
    """Spectrum smoothed over what is known; 0 where nothing is."""
    share = gaussian_filter1d(good.astype(np.float64), _BROAD, axis=1, mode="constant")
    mean = gaussian_filter1d(np.where(good, flux, 0.0), _BROAD, axis=1, mode="constant")
    return np.where(good, mean / np.maximum(share, 1e-9), 0.0)


def row_medians(values: Array) -> Array:
    """Median of what is known in each row; NaN for a row of which nothing is, such as a dead fibre."""
    known = np.isfinite(values).any(axis=1)
    medians = np.full(values.shape[0], np.nan)
    if known.any():
        medians[known] = np.nanmedian(values[known], axis=1)
    return medians


def _moved_back(flux: Array, shift: Array) -> Array:
    """Spectra moved by minus their shift (pixels), by cubic convolution (Keys 1981); unknown shifts are none."""
    shift = np.where(np.isfinite(shift) & (np.abs(shift) > 0.01), shift, 0.0)
    if not shift.any():
        return flux
    whole = np.floor(shift).astype(np.int64)
    part = (shift - whole)[:, None]
    last = flux.shape[1] - 1
    at = np.arange(flux.shape[1])[None, :] + whole[:, None]
    taps = [np.take_along_axis(flux, np.clip(at + step, 0, last), axis=1) for step in (-1, 0, 1, 2)]
    moved = taps[1] + 0.5 * part * (
        taps[2]
        - taps[0]
        + part
        * (
            2.0 * taps[0]
            - 5.0 * taps[1]
            + 4.0 * taps[2]
            - taps[3]
            + part * (3.0 * (taps[1] - taps[2]) + taps[3] - taps[0])
        )
    )
    outside = (at < 0) | (at > last)
    return np.where((shift == 0)[:, None], flux, np.where(outside, np.nan, moved))


def _slope(a: Array, b: Array, weight: Array) -> Array:
    below = (weight * a * a).sum(axis=1)
    return np.where(below > 0, (weight * a * b).sum(axis=1) / np.where(below > 0, below, 1.0), np.nan)


def _lines(flux: Array, good: Mask) -> Array:
    """Smoothed spectrum without its continuum; 0 where nothing is known."""
    share = uniform_filter1d(good.astype(np.float64), _CONTINUUM, axis=1, mode="nearest")
    filled = np.where(good, flux, 0.0)
    mean = uniform_filter1d(filled, _CONTINUUM, axis=1, mode="nearest") / np.maximum(share, 1e-9)
    return np.asarray(gaussian_filter1d(np.where(good, flux - mean, 0.0), _SMOOTH, axis=1, mode="constant"))


def _fine_peak(cross: NDArray[np.complex128], size: int, coarse: Array) -> tuple[Array, Array]:
    """Peak within a pixel of the coarse one: the correlation is band-limited, so it is known between lags."""
    frequency = np.arange(cross.shape[1]) / size
    turned = cross * np.exp(2j * np.pi * frequency[None, :] * coarse[:, None])
    # One side of the spectrum stands for both, but for its ends.
    turned[:, 1:-1] *= 2.0
    lags = np.arange(-1.0, 1.0 + _FINE / 2, _FINE)
    waves = np.exp(2j * np.pi * frequency[:, None] * lags[None, :])
    values = (turned.real @ waves.real - turned.imag @ waves.imag) / size
    at = np.clip(np.argmax(values, axis=1), 1, lags.size - 2)
    rows = np.arange(values.shape[0])
    left, middle, right = values[rows, at - 1], values[rows, at], values[rows, at + 1]
    curvature = left - 2.0 * middle + right
    offset = np.where(curvature < 0, 0.5 * (left - right) / np.where(curvature < 0, curvature, 1.0), 0.0)
    return lags[at] + np.clip(offset, -1, 1) * _FINE, middle


def _on_scale_of(a: Spectra, b: Spectra) -> tuple[Array, Array | None]:
    """B on the pixels of A."""
    if a.wavelength is None or b.wavelength is None:
        if a.flux.shape != b.flux.shape:
            raise ValueError(f"their shapes are {a.flux.shape} and {b.flux.shape}, and one has no scale")
        return b.flux, b.variance
    if a.wavelength.shape == b.wavelength.shape and np.allclose(
        a.wavelength, b.wavelength, rtol=0, atol=1e-4
    ):
        return b.flux, b.variance
    flux = _resample(b.flux, b.wavelength, a.wavelength)
    if b.variance is None:
        return flux, None
    variance = np.vstack(
        [np.interp(a.wavelength, b.wavelength, row, left=np.nan, right=np.nan) for row in b.variance]
    )
    return flux, variance


def _resample(flux: Array, old: Array, new: Array) -> Array:
    good = np.isfinite(flux)
    filled = flux.copy()
    for row, known in zip(filled, good, strict=True):
        if known.any() and not known.all():
            row[~known] = np.interp(old[~known], old[known], row[known])
    moved = CubicSpline(old, np.where(np.isfinite(filled), filled, 0.0), axis=1, extrapolate=False)(new)
    # A pixel is known where both neighbours on the old scale are.
    left = np.clip(np.searchsorted(old, new, side="right") - 1, 0, old.size - 2)
    known = good[:, left] & good[:, left + 1] & ((new >= old[0]) & (new <= old[-1]))[None, :]
    return np.where(known, moved, np.nan)


def _over(above: Array, below: Array) -> Array:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _alive(flux: Array) -> Mask:
    return np.asarray((np.isfinite(flux) & (flux != 0)).sum(axis=1) >= _LEAST_PIXELS)


def compare_positions(a: Spectra, b: Spectra) -> Differences:
    """Compare tramline maps: `shift` is the median distance of a fibre's tramline, pixels.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    _same_shape(a, b)
    return _nothing(a.fibres, shift=row_medians(b.flux - a.flux), pair=(a, b))


def compare_images(a: Spectra, b: Spectra) -> Differences:
    """Compare reduced detector frames, row by row: only their noise, for their level is about zero.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    _same_shape(a, b)
    return _nothing(a.fibres, noise=(pixel_noise(a.flux), pixel_noise(b.flux)), pair=(a, b))


def _same_shape(a: Spectra, b: Spectra) -> None:
    if a.flux.shape != b.flux.shape:
        raise ValueError(f"their shapes are {a.flux.shape} and {b.flux.shape}")


def _nothing(
    fibres: int,
    *,
    pair: tuple[Spectra, Spectra],
    shift: Array | None = None,
    noise: tuple[Array, Array] | None = None,
) -> Differences:
    unknown = np.full(fibres, np.nan)
    noise_a, noise_b = noise if noise is not None else (unknown, unknown)
    return Differences(
        flux_ratio=unknown,
        shift=unknown if shift is None else shift,
        correlation=unknown,
        noise_a=noise_a,
        noise_b=noise_b,
        noise_ratio=_over(noise_b, noise_a),
        sn_a=unknown,
        sn_b=unknown,
        claimed=unknown,
        alive_a=_alive(pair[0].flux),
        alive_b=_alive(pair[1].flux),
    )
