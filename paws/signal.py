"""Signal to noise of single spectra: one definition for tables, pages, files and paper. Pure.

It is the median over pixels, per Angstrom: what light over one Angstrom has over the noise of its sum. Where spectra
were rebinned, pixels share noise with their neighbours, and the noise of a sum is larger than their variances add up
to; a figure made of the single pixels' variances is then too high. The built-in reducer allows for that and says so:
in the figure ``snr`` of each fibre, and in the header's `QUOTED`, the median over the targets. Those are taken where
they are known. Products of 2dFdr tell neither, nor what their variances are after rebinning: theirs is what flux and
variance give, pixels taken for independent, and may be too high by as much.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

QUOTED: Final = "QSNR"
"""Keyword of the reducer's median over the targets."""

_USUAL: Final = math.sqrt(1.5)
"""By how much pixels taken for independent tell too much where spectra were rebinned: pixels of shares p and 1 - p of two
others keep p^2 + (1 - p)^2 of the variance, two thirds on average; the rest is shared with their neighbours."""

_LEAST, _MOST = 1.0, math.sqrt(2.0)
"""The same where no pixel was divided, and where all were halved."""

_LARGEST: Final = 1e30


def row_medians(values: NDArray[np.floating]) -> Floats:
    """Median of each row, of what is finite; NaN where nothing is.

    Notes
    -----
    By sorting, with what is no number put last: it does in one pass over the array, without Python's lock,
    what a median that skips numbers does row by row.
    """
    ordered = np.where(np.isfinite(values), values, np.inf).astype(np.float32)
    ordered.sort(axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    upper = ordered[rows, np.minimum(count // 2, ordered.shape[1] - 1)].astype(np.float64)
    lower = ordered[rows, np.maximum((count - 1) // 2, 0)].astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, (upper + lower) / 2.0, np.nan)


def of_pixels(flux: NDArray[np.floating], sigma: NDArray[np.floating], step: float) -> Floats:
    """Median signal to noise per Angstrom of each spectrum, pixels taken for independent; NaN where there is none.

    Parameters
    ----------
    flux, sigma : ndarray (fibres, pixels)
    step : float
        Angstrom per pixel, of either sign.
    """
    with np.errstate(all="ignore"):
        return np.asarray(row_medians(flux / sigma) / math.sqrt(abs(step)))


def allowing_for(quoted: object, ratios: Floats, targets: NDArray[np.bool_]) -> Floats:
    """Ratios of independent pixels, brought down to what the reducer says of the targets.

    Parameters
    ----------
    quoted
        The header's `QUOTED`, or None: the ratios are left as they are.
    ratios, targets : ndarray (fibres,)
        As `of_pixels` has them, and which of the fibres are on targets.

    Returns
    -------
    ndarray (fibres,)
        With `quoted` for their median over the targets, where that can be the same light; else over the usual factor.
    """
    if isinstance(quoted, bool) or not isinstance(quoted, int | float) or not math.isfinite(quoted):
        return ratios
    known = ratios[targets & np.isfinite(ratios)]
    factor = float(np.median(known)) / quoted if known.size and quoted != 0 else math.nan
    return ratios / (factor if _LEAST <= factor <= _MOST else _USUAL)


def recorded(figures: object, fibres: int) -> Floats | None:
    """Signal to noise of each fibre in the reducer's figure ``snr``.

    Parameters
    ----------
    figures
        What a document has there; engines write what they like.
    fibres
        Spectra of the product.

    Returns
    -------
    ndarray (fibres,) or None
        NaN where it tells of none; None if it is no list of one number for each fibre.
    """
    if not isinstance(figures, list) or len(figures) != fibres:
        return None
    return np.array([_number(one) for one in figures], dtype=np.float64)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        return math.nan
    return float(value)
