"""Joining the two arms at the dichroic: blue dispersion throughout, no step at the join."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.dichroic import Summed, find_dichroic
from quicklook.errors import InvalidInput
from quicklook.rebin import scrunch
from quicklook.types import LinearGrid

FloatArray = NDArray[np.float64]
FloatImage = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

EDGE = 8
"""Pixels at the end of an arm that are not trusted in the join."""

BESIDE = 150
"""Pixels on either side of the overlap through which spectra are taken to be smooth."""

LARGEST_FACTOR = 50.0

MIN_BRIGHT = 5
"""Fibres that must be well exposed in the overlap for the arms' scale to be measured."""


@dataclass(frozen=True, eq=False)
class Spliced:
    """Both arms as one.

    Attributes
    ----------
    flux, variance : ndarray of float32 (fibres, n)
        Electrons per pixel of the blue arm's width.
    grid : LinearGrid
    scale : float
        Factor applied to the red arm.
    scale_error : float
        0 when no scale could be measured.
    overlap : tuple of float
        First and last wavelength seen by both arms [Angstrom]; equal where there is none.
    """

    flux: FloatImage
    variance: FloatImage
    grid: LinearGrid
    scale: float
    scale_error: float
    overlap: tuple[float, float]


def splice(
    blue: tuple[FloatImage, FloatImage, LinearGrid],
    red: tuple[FloatImage, FloatImage, LinearGrid],
    objects: BoolArray,
) -> Spliced:
    """Join blue and red spectra of the same fibres.

    The red arm is rebinned to the blue dispersion and multiplied by one number, so that the spectra on both
    sides of the overlap continue each other. Each arm is corrected for what the dichroic takes, as the sum of
    the well-exposed objects shows it, and within the overlap the arms are averaged with weights that pass
    smoothly from blue to red.

    Parameters
    ----------
    blue, red : tuple of (flux, variance, LinearGrid)
        Flux and variance (fibres, n) of each arm.
    objects : ndarray of bool (fibres,)
        Fibres from which the scale may be measured.

    Raises
    ------
    InvalidInput
        When the arms are exchanged, or have different numbers of fibres.
    """
    if blue[0].shape[0] != red[0].shape[0]:
        raise InvalidInput(
            f"the arms have {blue[0].shape[0]} and {red[0].shape[0]} spectra; splice files of the same field"
        )
    if blue[2].wavelengths.mean() >= red[2].wavelengths.mean():
        raise InvalidInput("the first file must be the blue arm and the second the red arm")
    step = blue[2].step
    last = red[2].edges[-1]
    grid = LinearGrid(blue[2].start, step, int(np.floor((last - blue[2].edges[0]) / step)))
    n_blue = blue[2].n
    blue_flux = _padded(blue[0], grid.n)
    blue_variance = _padded(blue[1], grid.n)
    wavelength = np.broadcast_to(red[2].wavelengths, red[0].shape)
    red_flux, red_variance = scrunch(red[0], red[1], np.asarray(wavelength), grid)
    first_red = int(np.ceil((red[2].edges[0] - grid.edges[0]) / step))
    start, stop = first_red + EDGE, n_blue - EDGE
    overlap = (float(grid.wavelengths[min(start, grid.n - 1)]), float(grid.wavelengths[max(stop - 1, 0)]))
    if stop - start < 5:
        flux = np.where(np.isfinite(blue_flux), blue_flux, red_flux)
        variance = np.where(np.isfinite(blue_flux), blue_variance, red_variance)
        return Spliced(flux, variance, grid, 1.0, 0.0, (overlap[0], overlap[0]))
    span = slice(start, stop)
    correction = _corrections((blue_flux, blue_variance), (red_flux, red_variance), span, objects)
    blue_weight = _mean_weight(blue_flux[:, span], blue_variance[:, span], objects)
    red_weight = _mean_weight(red_flux[:, span], red_variance[:, span], objects)
    share = _falling_share(blue_weight, red_weight)
    flux, variance = _joined((blue_flux, blue_variance), (red_flux, red_variance), span, share, correction)
    return Spliced(flux, variance, grid, correction.scale, correction.error, overlap)


@dataclass(frozen=True, eq=False)
class _Corrections:
    """Factors that make the arms agree: one number for red, smooth curves for both (one for each pixel)."""

    scale: float
    error: float
    blue: FloatArray
    red: FloatArray


def _padded(array: FloatImage, n: int) -> FloatImage:
    result = np.full((array.shape[0], n), np.nan, dtype=np.float32)
    width = min(n, array.shape[1])
    result[:, :width] = array[:, :width]
    return result


def _corrections(
    blue: tuple[FloatImage, FloatImage], red: tuple[FloatImage, FloatImage], span: slice, objects: BoolArray
) -> _Corrections:
    """Corrections from the sum of all well-exposed objects, which is smooth across the dichroic.

    Where the overlap shows no dichroic, the logarithm of the summed spectrum beside it is taken as one
    straight line but for the arms' relative scale.
    """
    n, n_pixels = span.stop - span.start, blue[0].shape[1]
    beside = min(2 * n, BESIDE)
    left = slice(max(0, span.start - beside), span.start)
    right = slice(span.stop, min(blue[0].shape[1], span.stop + beside))
    chosen = objects & (_exposure(*blue, left) > 1.0) & (_exposure(*red, right) > 1.0)
    even = np.ones(n_pixels)
    nothing = _Corrections(1.0, 0.0, even, even)
    if chosen.sum() < MIN_BRIGHT:
        return nothing
    # Every object counts alike: the lines of a few bright ones would pass for the dichroic's doing.
    weight = 1.0 / (
        nanmath.median(blue[0][chosen, left], axis=1) + nanmath.median(red[0][chosen, right], axis=1)
    )
    blue, red = _weighted(blue, chosen, weight), _weighted(red, chosen, weight)
    chosen = np.ones(len(weight), dtype=bool)
    x_left, y_left, w_left = _log_sum(blue, left, chosen)
    x_right, y_right, w_right = _log_sum(red, right, chosen)
    if len(x_left) < 20 or len(x_right) < 20:
        return nothing
    curves = [_log_curve(arm, span, chosen) for arm in (blue, red)]
    if curves[0] is not None and curves[1] is not None:
        summed = Summed(
            (x_left, x_right), (y_left, y_right), (w_left, w_right), span.start, span.stop, curves[0], curves[1]
        )  # fmt: skip
        dichroic = find_dichroic(summed, n_pixels)
        if dichroic is not None:
            return _Corrections(dichroic.scale, dichroic.error, dichroic.blue, dichroic.red)
    middle = 0.5 * (span.start + span.stop)
    x = (np.concatenate([x_left, x_right]) - middle) / beside
    y, w = np.concatenate([y_left, y_right]), np.concatenate([w_left, w_right])
    side = np.concatenate([np.zeros(len(x_left)), np.ones(len(x_right))])
    design = np.column_stack([np.ones(len(x)), x, -side])
    solution, error = _robust(design, y, w)
    scale = float(np.exp(np.clip(solution[2], -4, 4)))
    return _Corrections(scale, max(error, 1e-6), even, even)


def _weighted(
    arm: tuple[FloatImage, FloatImage], chosen: BoolArray, weight: FloatArray
) -> tuple[FloatImage, FloatImage]:
    """Some spectra of an arm, each times a factor."""
    factor = weight[:, np.newaxis].astype(np.float32)
    return arm[0][chosen] * factor, arm[1][chosen] * factor**2


def _exposure(flux: FloatImage, variance: FloatImage, where: slice) -> FloatArray:
    """Signal-to-noise per pixel of each fibre in a range; zero where unknown."""
    part, noise = flux[:, where], variance[:, where]
    level, spread = nanmath.median(part, axis=1), nanmath.median(noise, axis=1)
    known = np.isfinite(level) & np.isfinite(spread) & (spread > 0) & (np.isfinite(part).mean(axis=1) > 0.5)
    return np.where(known, level / np.sqrt(np.where(known, spread, 1.0)), 0.0)


def _log_sum(
    arm: tuple[FloatImage, FloatImage], where: slice, chosen: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pixel, logarithm of the mean spectrum of the chosen fibres, and its weight, where it is positive."""
    flux, noise = arm[0][chosen, where].astype(np.float64), arm[1][chosen, where].astype(np.float64)
    # A bad pixel of a bright fibre must not change the sum: it takes that fibre's median.
    level = np.broadcast_to(nanmath.median(flux, axis=1, keepdims=True), flux.shape)
    total = nanmath.mean(np.where(np.isfinite(flux), flux, level), axis=0)
    error = np.sqrt(nanmath.mean(noise, axis=0) / max(1, len(flux)))
    good = np.isfinite(total) & (total > 3 * error) & (error > 0)
    pixels = np.arange(where.start, where.stop, dtype=np.float64)
    return pixels[good], np.log(total[good]), 1.0 / np.hypot(error[good] / total[good], 0.005)


def _robust(design: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
    """Weighted least squares without outliers; also the error of the last coefficient."""
    keep = np.ones(len(y), dtype=bool)
    for _ in range(4):
        a, b = design[keep] * weight[keep, np.newaxis], y[keep] * weight[keep]
        solution = np.linalg.lstsq(a, b, rcond=None)[0]
        residual = np.abs(y - design @ solution) * weight
        keep = residual < 4 * max(1.0, 1.48 * float(np.median(residual[keep])))
    return np.asarray(solution, dtype=np.float64), float(np.sqrt(np.linalg.pinv(a.T @ a)[-1, -1]))


def _log_curve(arm: tuple[FloatImage, FloatImage], span: slice, chosen: BoolArray) -> FloatArray | None:
    """Logarithm of the mean spectrum within the overlap, smooth; None where the arm shows too little."""
    pixels, y, weight = _log_sum(arm, span, chosen)
    n = span.stop - span.start
    if len(pixels) < 20:
        return None
    u = 2.0 * (pixels - span.start) / n - 1.0
    solution, _ = _robust(np.polynomial.chebyshev.chebvander(u, 6), y, weight)
    everywhere = np.clip(2.0 * np.arange(n) / n - 1.0, u.min(), u.max())
    return np.asarray(np.polynomial.chebyshev.chebval(everywhere, solution), dtype=np.float64)


def _mean_weight(flux: FloatImage, variance: FloatImage, objects: BoolArray) -> FloatArray:
    """Typical squared signal-to-noise at each wavelength of the overlap."""
    with np.errstate(all="ignore"):
        snr2 = np.where(np.isfinite(flux) & (variance > 0), np.maximum(flux, 0) ** 2 / variance, np.nan)[
            objects
        ]
        some = np.isfinite(snr2).any(axis=0)
        result = np.zeros(flux.shape[1])
        result[some] = nanmath.mean(snr2[:, some], axis=0)
    return result


def _falling_share(blue: FloatArray, red: FloatArray) -> FloatArray:
    """Share of the blue arm: the weights' ratio where it is known, made to fall from one to zero."""
    n = blue.size
    ramp = np.linspace(1.0, 0.0, n + 2)[1:-1]
    total = blue + red
    if not (total > 0).any():
        return ramp
    share = np.where(total > 0, blue / np.maximum(total, 1e-30), ramp)
    width = max(3, n // 10)
    kernel = np.ones(width) / width
    share = np.convolve(np.pad(share, width // 2, mode="edge"), kernel, mode="valid")[:n]
    share = np.minimum.accumulate(np.clip(share, 0.0, 1.0))
    # At the ends the arms must hand over completely, or a step would remain there.
    edge = np.clip(np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) / max(3.0, n / 8), 0, 1)
    side = (np.arange(n) < n / 2).astype(float)
    return np.asarray(edge * share + (1 - edge) * side, dtype=np.float64)


def _joined(
    blue: tuple[FloatImage, FloatImage],
    red: tuple[FloatImage, FloatImage],
    span: slice,
    share: FloatArray,
    correction: _Corrections,
) -> tuple[FloatImage, FloatImage]:
    first = np.arange(blue[0].shape[1]) < span.start
    lift = np.minimum(correction.blue, LARGEST_FACTOR).astype(np.float32)
    factor = (np.minimum(correction.red, LARGEST_FACTOR) * correction.scale).astype(np.float32)
    flux = np.where(first, blue[0] * lift, red[0] * factor)
    variance = np.where(first, blue[1] * lift**2, red[1] * factor**2)
    b, bv = blue[0][:, span] * lift[span], blue[1][:, span] * lift[span] ** 2
    r, rv = red[0][:, span] * factor[span], red[1][:, span] * factor[span] ** 2
    both = np.isfinite(b) & np.isfinite(r)
    w = np.broadcast_to(share, b.shape)
    flux[:, span] = np.where(both, w * b + (1 - w) * r, np.where(np.isfinite(b), b, r))
    variance[:, span] = np.where(both, w**2 * bv + (1 - w) ** 2 * rv, np.where(np.isfinite(b), bv, rv))
    return flux, variance
