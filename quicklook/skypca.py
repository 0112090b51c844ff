"""What the residual sky lines of the fibres have in common, found as principal components and taken out."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from quicklook import nanmath
from quicklook.types import BoolArray, FloatImage

CONTINUUM = 51
"""Width of the window whose mean is the continuum [pixel]; what is narrower may be residual sky."""

CLIP = 4.0


def subtract_components(
    flux: FloatImage, variance: FloatImage, sky: FloatImage, sky_fibres: BoolArray, live: BoolArray, count: int,
    window: BoolArray | None = None,
) -> tuple[FloatImage, int]:  # fmt: skip
    """Subtract the principal components of the sky residuals.

    The components come from the sky fibres, and from the continuum-free spectra of the objects where these
    lie within `CLIP` sigma of zero, so that an emission line of an object teaches nothing. Only pixels of sky
    lines are changed.

    Parameters
    ----------
    flux, variance, sky : ndarray (400, n)
        Sky-subtracted spectra on the common grid, variance, and the sky subtracted.
    sky_fibres, live : ndarray of bool (400,)
    count : int
        Components to use; never more than a third of the sky fibres.
    window : ndarray of bool (n,), optional
        Wavelengths that may change.

    Returns
    -------
    flux : ndarray of float32
    used : int
        Components subtracted.
    """
    good = np.isfinite(flux) & (variance > 0) & live[:, np.newaxis]
    used = min(count, int((sky_fibres & live).sum()) // 3)
    with np.errstate(all="ignore"):
        mean_sky = nanmath.median(np.where(good & sky_fibres[:, np.newaxis], sky, np.nan), axis=0)
        line = mean_sky > 2.0 * nanmath.median(mean_sky)
    line &= np.isfinite(mean_sky)
    if window is not None:
        line &= window
    if used < 1 or line.sum() < 20:
        return flux, 0
    values = np.where(good, flux, 0.0).astype(np.float64)
    count_good = uniform_filter1d(good.astype(np.float64), CONTINUUM, axis=1)
    continuum = uniform_filter1d(values, CONTINUUM, axis=1) / np.maximum(count_good, 0.2)
    sigma = np.sqrt(np.where(good, variance, np.inf))
    residual = np.where(good, (values - continuum) / sigma, 0.0)[:, line]
    learn = live & (good[:, line].mean(axis=1) > 0.8)
    table = np.clip(residual[learn], -CLIP, CLIP)
    table[np.abs(residual[learn]) > CLIP] *= np.where(sky_fibres[learn], 1.0, 0.0)[:, np.newaxis].repeat(
        table.shape[1], axis=1
    )[np.abs(residual[learn]) > CLIP]
    _, _, components = np.linalg.svd(table, full_matrices=False)
    basis = components[:used]
    clipped = np.where(np.abs(residual) > CLIP, 0.0, residual)
    model = (clipped @ basis.T) @ basis
    result = flux.copy()
    change = np.where(good[:, line], model * sigma[:, line], 0.0)
    result[:, line] = np.where(good[:, line], flux[:, line] - change, flux[:, line]).astype(np.float32)
    return result, used
