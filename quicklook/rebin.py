"""Scrunching: from each fibre's own pixels to a common linear wavelength grid, conserving flux and variance."""

from __future__ import annotations

import numpy as np

from quicklook.compiled import kernel
from quicklook.types import AnyFloat, FloatArray, FloatImage, LinearGrid

MIN_COVER = 0.75
"""An output pixel of which less than this fraction is covered by good pixels is bad."""


def common_grid(wavelength: FloatArray, n: int | None = None) -> LinearGrid:
    """The linear grid for a wavelength solution: its median start and dispersion.

    The start is rounded to a tenth of a pixel and the step to 1e-5 Angstrom, so that arcs that differ only
    by noise give the same grid and their frames can be combined without a second rebinning.

    Parameters
    ----------
    wavelength : ndarray (fibres, columns)
        Angstrom.
    n : int, optional
        Number of pixels, that of the input when absent.
    """
    n = n or wavelength.shape[1]
    first, last = np.median(wavelength[:, 0]), np.median(wavelength[:, -1])
    step = round(float(last - first) / (wavelength.shape[1] - 1), 3)
    middle = round(float(first + last) / 2 / step) * step
    return LinearGrid(start=round(middle - step * (n // 2 - 1), 5), step=step, n=n)


def pixel_edges(wavelength: FloatArray) -> FloatArray:
    """Wavelengths at the edges of pixels whose centres are given; one more along the last axis."""
    inner = 0.5 * (wavelength[..., 1:] + wavelength[..., :-1])
    first = 2.0 * wavelength[..., :1] - inner[..., :1]
    last = 2.0 * wavelength[..., -1:] - inner[..., -1:]
    return np.concatenate((first, inner, last), axis=-1)


def scrunch(
    flux: AnyFloat, variance: AnyFloat, wavelength: FloatArray, grid: LinearGrid
) -> tuple[FloatImage, FloatImage]:
    """Rebin spectra onto a linear grid.

    The flux of an input pixel is spread evenly over its wavelength range and given to the output pixels that
    it overlaps, so the sum is conserved; the variance goes with the square of the fraction. Where a small
    part of an output pixel is bad (`MIN_COVER`), the rest is scaled up; otherwise the pixel is NaN.

    Parameters
    ----------
    flux, variance : ndarray (fibres, columns)
        Electrons per pixel and their variance; NaN = bad.
    wavelength : ndarray (fibres, columns)
        At pixel centres, increasing [Angstrom].
    grid : LinearGrid
        Output pixels.

    Returns
    -------
    flux, variance : ndarray of float32 (fibres, grid.n)
        Per output pixel.
    """
    out = np.full((2, flux.shape[0], grid.n), np.nan, dtype=np.float32)
    _scrunch(
        np.ascontiguousarray(flux, dtype=np.float32),
        np.ascontiguousarray(variance, dtype=np.float32),
        np.ascontiguousarray(pixel_edges(wavelength)),
        grid.start - 0.5 * grid.step,
        grid.step,
        MIN_COVER,
        out[0],
        out[1],
    )
    return out[0], out[1]


@kernel
def _scrunch(
    flux: FloatImage,
    variance: FloatImage,
    edges: FloatArray,
    origin: float,
    step: float,
    min_cover: float,
    out_flux: FloatImage,
    out_variance: FloatImage,
) -> None:
    n_out = out_flux.shape[1]
    total, spread, cover = np.zeros(n_out), np.zeros(n_out), np.zeros(n_out)
    for f in range(flux.shape[0]):
        total[:] = 0.0
        spread[:] = 0.0
        cover[:] = 0.0
        for x in range(flux.shape[1]):
            value, noise = flux[f, x], variance[f, x]
            if not (np.isfinite(value) and np.isfinite(noise)):
                continue
            a = (edges[f, x] - origin) / step
            b = (edges[f, x + 1] - origin) / step
            size = b - a
            if not size > 0.0 or b <= 0.0 or a >= n_out:
                continue
            first = max(0, int(np.floor(a)))
            last = min(n_out - 1, int(np.floor(b)))
            for k in range(first, last + 1):
                overlap = min(b, k + 1.0) - max(a, float(k))
                if overlap <= 0.0:
                    continue
                fraction = overlap / size
                total[k] += fraction * value
                spread[k] += fraction * fraction * noise
                cover[k] += overlap
        for k in range(n_out):
            if cover[k] >= min_cover:
                # Rounding leaves full cover a hair off one; that must not scale the flux.
                scale = 1.0 if cover[k] > 1.0 - 1e-9 else 1.0 / cover[k]
                out_flux[f, k] = total[k] * scale
                out_variance[f, k] = spread[k] * scale * scale
