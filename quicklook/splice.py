"""Joining the two arms at the dichroic: blue dispersion throughout, no step at the join."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.errors import InvalidInput
from quicklook.rebin import scrunch
from quicklook.types import LinearGrid

FloatArray = NDArray[np.float64]
FloatImage = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

EDGE = 8
"""Pixels at the end of an arm that are not trusted in the join."""

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

    The red arm is rebinned to the blue dispersion. In the overlap, the ratio of the arms (which the dichroic
    makes a steep function of wavelength) is measured from the well-exposed fibres together; across the
    overlap the scale passes smoothly from the blue arm's to the red arm's, which is multiplied by one number
    so that the two agree where they carry equal weight.

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
    ratio, error = _arm_ratio(
        blue_flux[:, span], blue_variance[:, span], red_flux[:, span], red_variance[:, span], objects
    )
    blue_weight = _mean_weight(blue_flux[:, span], blue_variance[:, span], objects)
    red_weight = _mean_weight(red_flux[:, span], red_variance[:, span], objects)
    share = _falling_share(blue_weight, red_weight)
    join = int(np.argmin(np.abs(share - 0.5)))
    scale = float(ratio[join]) if error > 0 else 1.0
    blue_factor, red_factor = _factors(ratio / scale, share)
    flux, variance = _joined(
        (blue_flux, blue_variance), (red_flux * np.float32(scale), red_variance * np.float32(scale**2)),
        span, share, blue_factor, red_factor,
    )  # fmt: skip
    return Spliced(flux, variance, grid, scale, error, overlap)


def _padded(array: FloatImage, n: int) -> FloatImage:
    result = np.full((array.shape[0], n), np.nan, dtype=np.float32)
    width = min(n, array.shape[1])
    result[:, :width] = array[:, :width]
    return result


def _arm_ratio(
    blue: FloatImage, blue_variance: FloatImage, red: FloatImage, red_variance: FloatImage, objects: BoolArray
) -> tuple[FloatArray, float]:
    """Blue over red as a smooth positive function of wavelength, and its relative error (0: unknown).

    The sum over all usable fibres decides, so that bright ones count most and noise averages out; its
    logarithm is fitted with a parabola.
    """
    n = blue.shape[1]
    with np.errstate(all="ignore"):
        good = np.isfinite(blue) & np.isfinite(red)
        exposed = objects & (good.mean(axis=1) > 0.5)
        snr = np.array([
            nanmath.median(red[f]) / np.sqrt(nanmath.median(red_variance[f])) if exposed[f] else 0.0
            for f in range(len(blue))
        ])  # fmt: skip
    bright = exposed & (snr > 1.0)
    if bright.sum() < MIN_BRIGHT:
        return np.ones(n), 0.0
    both = good[bright]
    top = np.where(both, blue[bright], 0.0).sum(axis=0)
    bottom = np.where(both, red[bright], 0.0).sum(axis=0)
    noise = (
        np.where(both, blue_variance[bright], 0.0).sum(axis=0),
        np.where(both, red_variance[bright], 0.0).sum(axis=0),
    )
    with np.errstate(all="ignore"):
        relative = np.sqrt(noise[0] / top**2 + noise[1] / bottom**2)
        usable = (top > 0) & (bottom > 0) & np.isfinite(relative) & (relative < 0.5)
    if usable.sum() < 5:
        return np.ones(n), 0.0
    x = np.linspace(-1, 1, n)
    y = np.log(top[usable] / bottom[usable])
    weight = 1.0 / np.hypot(relative[usable], 0.005)
    degree = 3 if usable.sum() > 40 else 1
    keep = np.ones(y.size, dtype=bool)
    for _ in range(3):
        fit = np.polynomial.polynomial.polyfit(x[usable][keep], y[keep], degree, w=weight[keep])
        residual = np.abs(y - np.polynomial.polynomial.polyval(x[usable], fit)) * weight
        keep = residual < 4 * max(1.0, 1.48 * float(np.median(residual[keep])))
    curve = np.exp(np.clip(np.polynomial.polynomial.polyval(x, fit), -7, 7))
    return curve, float(1.0 / np.sqrt(np.sum(weight[keep] ** 2)))


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


def _factors(ratio: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factors for blue and red that make them agree at every wavelength and leave either end as it is."""
    return ratio ** (share - 1.0), ratio**share


def _joined(
    blue: tuple[FloatImage, FloatImage],
    red: tuple[FloatImage, FloatImage],
    span: slice,
    share: FloatArray,
    blue_factor: FloatArray,
    red_factor: FloatArray,
) -> tuple[FloatImage, FloatImage]:
    flux = np.where(np.arange(blue[0].shape[1]) < span.start, blue[0], red[0])
    variance = np.where(np.arange(blue[0].shape[1]) < span.start, blue[1], red[1])
    b, bv = blue[0][:, span] * blue_factor, blue[1][:, span] * blue_factor**2
    r, rv = red[0][:, span] * red_factor, red[1][:, span] * red_factor**2
    both = np.isfinite(b) & np.isfinite(r)
    w = np.broadcast_to(share, b.shape)
    flux[:, span] = np.where(both, w * b + (1 - w) * r, np.where(np.isfinite(b), b, r))
    variance[:, span] = np.where(both, w**2 * bv + (1 - w) ** 2 * rv, np.where(np.isfinite(b), bv, rv))
    return flux, variance
