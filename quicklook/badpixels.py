"""Bad columns of the detector, found in a fibre flat.

A flat is smooth along the dispersion, so a column that differs from those around it all along a band of rows
is the detector's doing. What differs a little is left to the flat field; what differs much has lost its linearity
or carries charge of its own, and is masked in every frame that uses the flat's tramline map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import kernel
from quicklook.medians import median_of
from quicklook.types import FloatImage

BAND = 64
"""Rows judged together: some six fibres."""

LARGEST_DIFFERENCE = 0.25
"""Relative difference from the surrounding columns beyond which a column is masked."""


def find_bad_columns(flat: FloatImage, read_noise: float) -> NDArray[np.bool_]:
    """Columns, by bands of rows, that differ much from those around them.

    Parameters
    ----------
    flat : ndarray of float32 (rows, columns)
        Fibre flat [electron]; NaN = bad.
    read_noise : float
        Electrons.

    Returns
    -------
    ndarray of bool (rows, columns)
    """
    return np.asarray(_bad_columns(flat, float(max(read_noise, 0.5)), BAND, LARGEST_DIFFERENCE))


def along_fibres(bad: NDArray[np.bool_], centre: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The mask as spectra see it: bad at the fibre's centre; shape of ``centre`` (fibres, columns)."""
    rows = np.clip(np.rint(centre).astype(np.int64), 0, bad.shape[0] - 1)
    return np.asarray(bad[rows, np.arange(bad.shape[1])[None, :]])


@kernel
def _bad_columns(flat, noise, band, largest):  # type: ignore[no-untyped-def]  # numba finds the types
    ny, nx = flat.shape
    bad = np.zeros((ny, nx), dtype=np.bool_)
    bands = max(1, ny // band)
    odd = np.zeros((bands, nx), dtype=np.bool_)
    sums, around = np.empty(nx), np.empty(4)
    for b in range(bands):
        y0 = b * band
        y1 = ny if b == bands - 1 else y0 + band
        for x in range(nx):
            total, count = 0.0, 0
            for y in range(y0, y1):
                if not np.isnan(flat[y, x]):
                    total += flat[y, x]
                    count += 1
            # Where saturation has eaten into the band, columns cannot be compared.
            sums[x] = total / count if count > 0.9 * (y1 - y0) else np.nan
        for x in range(nx):
            if np.isnan(sums[x]):
                continue
            m = np.int64(0)
            for k in (-3, -2, 2, 3):
                if 0 <= x + k < nx and not np.isnan(sums[x + k]):
                    around[m] = sums[x + k]
                    m += 1
            if m < 3:
                continue
            level = median_of(around, m)
            spread = 0.0
            for i in range(m):
                spread = max(spread, abs(around[i] - level))
            # Lone outliers among the four are other bad columns; a steep lamp spreads them all.
            if m == 4:
                spread = min(around[2] - around[0], around[3] - around[1])
            error = np.sqrt((noise * noise + max(level, 0.0)) / (y1 - y0))
            difference = abs(sums[x] - level)
            odd[b, x] = difference > largest * max(level, 0.0) + 8.0 * error + 2.0 * spread
    for b in range(bands):
        y0 = b * band
        y1 = ny if b == bands - 1 else y0 + band
        for x in range(nx):
            # A particle can spoil one band; a bad column runs through several.
            beside = (b > 0 and odd[b - 1, x]) or (b < bands - 1 and odd[b + 1, x])
            if odd[b, x] and beside:
                for y in range(y0, y1):
                    bad[y, x] = True
    return bad
