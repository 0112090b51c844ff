"""How much values differ in truth, beyond what their errors make of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

USUAL = 2.0
"""How many deviations a value counts at most."""

CUT_VARIANCE = 0.9205
"""Mean of the square of a normal deviate that is cut at `USUAL`."""

ROUNDS = 20
NEAR = 0.01


def true_spread(away: FloatArray, error: FloatArray, least: float) -> float:
    """The most likely spread of a normal distribution around zero whose values have errors of their own.

    Values that are far away count as far as `USUAL` deviations: some are no part of the distribution.

    Parameters
    ----------
    away, error : ndarray (n,)
        Distance from what is expected, and its error; finite, in one unit.
    least : float
        Never less than this.

    Returns
    -------
    float
        In the unit of ``away``.
    """
    spread = max(1.48 * float(np.median(np.abs(away))), least)
    for _ in range(ROUNDS):
        total = spread**2 + error**2
        seen = np.minimum(away**2, USUAL**2 * total) / CUT_VARIANCE
        told = float(np.sum((seen - error**2) / total**2) / np.sum(1.0 / total**2))
        last, spread = spread, float(np.sqrt(max(told, least**2)))
        if abs(spread - last) < NEAR * spread:
            break
    return spread
