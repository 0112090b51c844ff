"""The noise of pixels as their surroundings and the light expected in them tell it, so that it may weigh them.

A variance that was told from the light itself is low where noise made the light low, in the same pixel or beside it. Weights
made of it pull every mean down: by half an electron in the dark sky.
"""

from __future__ import annotations

import numpy as np

from quicklook.compiled import kernel
from quicklook.medians import middle_of
from quicklook.types import AnyFloat, BoolArray, FloatArray

BLOCK = 64
"""The continuum's variance is a median of so many columns: a pixel is hardly seen in it [pixel]."""

LEAST_KNOWN = 8
"""A block with fewer good pixels says nothing."""

STRANGE = 2.0
"""A variance so many times what is told is believed: the pixel lost part of its profile, and that is no noise."""

LARGEST_GAIN = 3.0
"""Variance of an electron of a line [electron]: one, but for the flat's response and for the throughput."""

LEAST_NOISE = 0.2
"""Of the continuum's variance, what any pixel has at least."""


def told_variance(variance: AnyFloat, light: AnyFloat, good: BoolArray) -> FloatArray:
    """Variance told by a pixel's surroundings and by how much brighter than they it should be.

    Parameters
    ----------
    variance : ndarray (fibres, columns)
        As extraction tells it [electron^2].
    light : ndarray (fibres, columns)
        Light that is expected, in the same units as the data [electron].
    good : ndarray of bool (fibres, columns)

    Returns
    -------
    ndarray of float64 (fibres, columns)
        Variance [electron^2]; one where bad.
    """
    out = np.ones(variance.shape)
    _tell(np.asarray(variance, dtype=np.float64), np.asarray(light, dtype=np.float64), good, out)
    return out


@kernel
def _tell(variance: FloatArray, light: FloatArray, good: BoolArray, out: FloatArray) -> None:
    n, nx = variance.shape
    blocks = max(nx // BLOCK, 1)
    at, noise, level = np.empty(blocks), np.empty(blocks), np.empty(blocks)
    some, bright = np.empty(nx), np.empty(nx)
    for f in range(n):
        known = 0
        for b in range(blocks):
            first, last, m = b * nx // blocks, (b + 1) * nx // blocks, 0
            for x in range(first, last):
                if good[f, x]:
                    some[m], bright[m] = variance[f, x], light[f, x]
                    m += 1
            if m >= LEAST_KNOWN:
                at[known] = 0.5 * (first + last - 1)
                # Variance rises with light: both medians are those of the same pixels.
                noise[known], level[known] = middle_of(some, m), middle_of(bright, m)
                known += 1
        if known == 0:
            for x in range(nx):
                if good[f, x]:
                    out[f, x] = variance[f, x]
            continue
        cross, square, b = 0.0, 0.0, 0
        for x in range(nx):
            if not good[f, x]:
                continue
            while b < known and at[b] <= x:
                b += 1
            if b == 0 or b == known:
                i = min(b, known - 1)
                some[x], bright[x] = noise[i], light[f, x] - level[i]
            else:
                share = (x - at[b - 1]) / (at[b] - at[b - 1])
                some[x] = noise[b - 1] + share * (noise[b] - noise[b - 1])
                bright[x] = light[f, x] - (level[b - 1] + share * (level[b] - level[b - 1]))
            if variance[f, x] < STRANGE * (some[x] + LARGEST_GAIN * max(bright[x], 0.0)):
                cross += bright[x] * (variance[f, x] - some[x])
                square += bright[x] * bright[x]
        gain = min(max(cross / square, 0.0), LARGEST_GAIN) if square > 0.0 else 0.0
        for x in range(nx):
            if good[f, x]:
                told = max(some[x] + gain * bright[x], LEAST_NOISE * some[x])
                out[f, x] = variance[f, x] if variance[f, x] > STRANGE * told else told
