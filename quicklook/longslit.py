"""The long-slit flat: how the sensitivity of neighbouring pixels differs, with the lamp taken out."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter, uniform_filter

from quicklook.errors import InvalidInput
from quicklook.types import FloatImage

WINDOW = (61, 31)
"""Rows and columns over which the lamp's own light is smoothed: wide against pixels, narrow against the lamp."""

LEAST_LIGHT = 500.0
"""Electrons in a typical pixel below which a long-slit flat adds more noise than it removes structure."""


def normalise_long_slit(data: FloatImage, variance: FloatImage) -> tuple[FloatImage, FloatImage]:
    """Divide a long-slit flat by its own smooth light.

    Parameters
    ----------
    data, variance : ndarray of float32 (rows, columns)
        Illuminated by a lamp without fibres [electron]; NaN = bad.

    Returns
    -------
    response, variance : ndarray of float32
        Relative sensitivity of each pixel, around one; NaN where it is not known.

    Raises
    ------
    InvalidInput
        When there is too little light.
    """
    if not np.isfinite(data).any() or np.nanmedian(data) < LEAST_LIGHT:
        raise InvalidInput(
            f"the long-slit flat has {np.nanmedian(data) if np.isfinite(data).any() else 0:.0f} electrons in a "
            f"typical pixel; below {LEAST_LIGHT:.0f} it would add noise: combine more exposures"
        )
    good = np.isfinite(data)
    filled = np.where(good, data, 0.0).astype(np.float32)
    # Bad columns and specks must not pull the smooth light down around them: clip against a coarse median.
    coarse = median_filter(np.where(good, data, np.nanmedian(data))[::8, ::4], size=(9, 9), mode="nearest")
    coarse = np.repeat(np.repeat(coarse, 8, axis=0), 4, axis=1)[: data.shape[0], : data.shape[1]]
    good &= np.abs(filled - coarse) < 0.3 * np.abs(coarse)
    weight = uniform_filter(good.astype(np.float32), WINDOW, mode="nearest")
    smooth = uniform_filter(np.where(good, filled, 0.0).astype(np.float32), WINDOW, mode="nearest")
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = smooth / weight
        response = data / smooth
        spread = variance / smooth**2
    # Without enough light (the ends of the slit) the response is unknown, which counts as one.
    dark = ~(smooth > 0.1 * LEAST_LIGHT) | (weight < 0.05)
    response = np.where(dark & np.isfinite(data), 1.0, response)
    spread = np.where(dark & np.isfinite(data), 0.0, spread)
    return response.astype(np.float32), spread.astype(np.float32)
