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

MARGIN = 2
"""Pixels beyond the end of a bad column that are masked as well: between fibres its end cannot be seen."""

SPOILT = 4
"""A fibre with a bad pixel this near to its centre is bad there [pixel]."""

DOUBT = 0.02
"""Relative difference of good columns, where the end of a bad one is looked for."""

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
    """The mask as spectra see it: bad within a fibre's core; shape of ``centre`` (fibres, columns)."""
    rows = np.rint(centre).astype(np.int64)
    result = np.zeros(centre.shape, dtype=np.bool_)
    columns = np.flatnonzero(bad.any(axis=0))
    for step in range(-SPOILT, SPOILT + 1):
        inside = np.clip(rows[:, columns] + step, 0, bad.shape[0] - 1)
        result[:, columns] |= bad[inside, columns]
    return result


def without_bad(frame: FloatImage, bad: NDArray[np.bool_], centre: NDArray[np.float64], reach: float) -> None:
    """Make the pixels of bad columns NaN, as far as they are nearer to their fibre than ``reach``; in place.

    Parameters
    ----------
    frame : ndarray of float32 (columns, rows)
    bad : ndarray of bool (fibres, columns)
        From `along_fibres`.
    centre : ndarray (fibres, columns)
    reach : float
        Pixels.
    """
    fibres, columns = np.nonzero(bad)
    middle = np.rint(centre[fibres, columns]).astype(np.int64)
    half = int(np.ceil(reach))
    for step in range(-half, half + 1):
        rows = middle + step
        inside = (rows >= 0) & (rows < frame.shape[1])
        frame[columns[inside], rows[inside]] = np.nan


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
            if not (odd[b, x] and beside):
                continue
            low, high = y0, y1
            # Where the run of bad bands ends, the column is bad up to some row of this band or of the next.
            if b == 0 or not odd[b - 1, x]:
                ratio = _ratio(flat, x, y1, min(y1 + band, ny))
                low = _end(flat, noise, x, max(y0 - band, 0), y1, ratio, True)
            if b == bands - 1 or not odd[b + 1, x]:
                ratio = _ratio(flat, x, max(y0 - band, 0), y0)
                high = _end(flat, noise, x, y0, min(y1 + band, ny), ratio, False)
            for y in range(max(low - MARGIN, 0), min(high + MARGIN, ny)):
                bad[y, x] = True
    return bad


@kernel
def _expected(flat, x, y, around):  # type: ignore[no-untyped-def]  # numba finds the types
    """What the columns around lead to expect of a pixel; NaN where they are missing."""
    m = np.int64(0)
    for k in (-3, -2, 2, 3):
        if 0 <= x + k < flat.shape[1] and not np.isnan(flat[y, x + k]):
            around[m] = flat[y, x + k]
            m += 1
    return median_of(around, m) if m >= 3 else np.nan


@kernel
def _ratio(flat, x, low, high):  # type: ignore[no-untyped-def]  # numba finds the types
    """Light of a column between two rows over that of the columns around."""
    around, own, others = np.empty(4), 0.0, 0.0
    for y in range(low, high):
        expected = _expected(flat, x, y, around)
        if not (np.isnan(expected) or np.isnan(flat[y, x])):
            own += flat[y, x]
            others += expected
    return own / others if others > 0.0 else 0.0


@kernel
def _end(flat, noise, x, low, high, ratio, upwards):  # type: ignore[no-untyped-def]  # numba finds the types
    """Row at which a bad column begins (``upwards``) or ends: where it ceases to look like those around.

    The most probable row, when each pixel is either as the columns around or differs by the factor ``ratio``.
    """
    around = np.empty(4)
    best, most, total = high if upwards else low, 0.0, 0.0
    for i in range(high - low):
        y = high - 1 - i if upwards else low + i
        expected = _expected(flat, x, y, around)
        if not (np.isnan(expected) or np.isnan(flat[y, x])):
            good, bad = flat[y, x] - expected, flat[y, x] - ratio * expected
            light = max(expected, 0.0)
            total += (good * good - bad * bad) / (noise * noise + light + (DOUBT * light) ** 2)
        if total > most:
            best, most = y if upwards else y + 1, total
    return best
