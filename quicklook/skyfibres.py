"""Which fibres see the sky and nothing else, judged by their light and not by the fibre table alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quicklook import nanmath
from quicklook.types import BoolArray, FloatArray

CHUNK, STEP = 128, 4
"""Levels are medians over so many columns, of which every fourth is enough."""

DARK = 0.3
"""A fibre with less than this of the sky, the lamp's throughput allowed for, is not open to it."""

EXCESS = 0.12
"""A sky fibre brighter than the others by more than this has something else in it."""

SIGNIFICANT = 5.0

MOST_DISMISSED = 0.4
"""When more of the sky fibres differ than this fraction, none is typical and all are kept."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the light says of the fibre table.

    Attributes
    ----------
    dark : ndarray of bool (fibres,)
        Fibres without the light that the table promises.
    bright : ndarray of bool (fibres,)
        Sky fibres with an object, or another strange light, in them.
    """

    dark: BoolArray
    bright: BoolArray


def judge_fibres(
    flux: FloatArray, variance: FloatArray, lamp: FloatArray, live: BoolArray, sky: BoolArray
) -> Verdict:
    """Compare the light of the fibres with that of the typical sky fibre.

    Parameters
    ----------
    flux, variance : ndarray (fibres, columns)
        Spectra on their own pixels [electron]; NaN = bad.
    lamp : ndarray (fibres,)
        Relative throughput in the flat lamp; NaN counts as one.
    live : ndarray of bool (fibres,)
        Fibres that ought to have light.
    sky : ndarray of bool (fibres,)
        Fibres that ought to see the sky only.

    Returns
    -------
    Verdict
        Nothing is dark or bright that noise could make so, nor where fewer than three fibres can be
        compared.
    """
    nothing = np.zeros(len(flux), dtype=bool)
    if sky.sum() < 3:
        return Verdict(nothing, nothing)
    gain = np.where(np.isfinite(lamp) & (lamp > 0), lamp, 1.0)[:, np.newaxis]
    with np.errstate(all="ignore"):
        level = _levels(flux) / gain
        noise = 1.25 * np.sqrt(_levels(variance) / (CHUNK // STEP)) / gain
        typical = nanmath.median(level[sky], axis=0)
        use = np.isfinite(typical) & (typical > 0)
        ratio = nanmath.median(level[:, use] / typical[use], axis=1)
        # Of medians over chunks, as of any median, the error is 1.25 times that of a mean.
        error = 1.25 * nanmath.median(noise[:, use] / typical[use], axis=1) / np.sqrt(max(use.sum(), 1))
        known = np.isfinite(ratio) & np.isfinite(error)
        dark = live & known & (ratio < DARK) & (ratio + SIGNIFICANT * error < 2.0 * DARK)
        among = sky & known & ~dark
        if among.sum() < 3:
            return Verdict(nothing, nothing)
        middle = float(np.median(ratio[among]))
        scatter = 1.48 * float(np.median(np.abs(ratio[among] - middle)))
        limit = np.maximum(EXCESS, SIGNIFICANT * np.hypot(error, scatter))
        bright = among & (ratio - middle > limit * middle)
    if (sky & (dark | bright)).sum() > MOST_DISMISSED * sky.sum():
        return Verdict(nothing, nothing)
    return Verdict(dark, bright)


def _levels(values: FloatArray) -> FloatArray:
    """Medians over chunks of columns, (fibres, chunks)."""
    n = values.shape[1] // CHUNK
    parts = values[:, : n * CHUNK : STEP].reshape(len(values), n, CHUNK // STEP)
    return np.asarray(nanmath.median(parts, axis=2), dtype=np.float64)
