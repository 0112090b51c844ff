"""The core of the fibre profile as it changes over the chip: a smooth surface for each spline of which it is made.

Each zone of the chip tells its own core, well where the flat is bright and hardly where it is faint, and not evenly:
the light of a zone may lie at one of its sides. Optics change slowly over a chip, so all zones tell together how each
spline's coefficient changes, each as its light allows, and what they say holds at the chip's corners too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import cho_factor, cho_solve

from quicklook.scattered import spline_basis
from quicklook.types import FloatArray

INTERVALS = 4
"""Intervals of the surfaces' splines, along and across."""

USUAL_CHANGES = (0.05, 0.02, 0.002)
"""Usual first, second and third difference of a coefficient from interval to interval, as shares of light. They decide where
there is hardly any light; elsewhere parabolas are nearly free."""


@dataclass(frozen=True, eq=False)
class ZoneCore:
    """What the pixels of one zone say of the core there: normal equations, other unknowns of the zone eliminated.

    Attributes
    ----------
    row, column : float
        The zone's middle, from 0 to 1 over the chip.
    normal : ndarray (splines, splines)
    right : ndarray (splines, right sides)
    """

    row: float
    column: float
    normal: FloatArray
    right: FloatArray


def fit_surfaces(zones: Sequence[ZoneCore]) -> FloatArray | None:
    """Coefficients of the surfaces that suit all zones best, (surface functions, splines, right sides).

    None where there is no zone, or where what zones say has no solution.
    """
    if not zones:
        return None
    functions = surface_basis(np.array([z.row for z in zones]), np.array([z.column for z in zones]))
    pairs = np.einsum("zi,zj->zij", functions, functions).reshape(len(zones), -1)
    normals = np.array([z.normal for z in zones])
    n, m, k = functions.shape[1], normals.shape[1], zones[0].right.shape[1]
    whole = (pairs.T @ normals.reshape(len(zones), -1)).reshape(n, n, m, m).swapaxes(1, 2)
    right = functions.T @ np.array([z.right for z in zones]).reshape(len(zones), -1)
    whole += np.einsum("ij,ab->iajb", _smoothness(), np.eye(m))
    try:
        factor = cho_factor(whole.reshape(n * m, n * m), overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    found = np.asarray(cho_solve(factor, right.reshape(n * m, k), check_finite=False)).reshape(n, m, k)
    return found if np.isfinite(found).all() else None


def surface_basis(row: FloatArray, column: FloatArray) -> FloatArray:
    """Functions of which the surfaces are made, (places, functions), at places from 0 to 1 over the chip."""
    across, along = spline_basis(row, INTERVALS), spline_basis(column, INTERVALS)
    return np.asarray(np.einsum("zi,zj->zij", across, along)).reshape(len(row), -1)


def _smoothness() -> FloatArray:
    """Inverse covariance of the surfaces' coefficients before anything is measured."""
    size = INTERVALS + 3
    knots = np.r_[[0.0] * 3, np.linspace(0.0, 1.0, INTERVALS + 1), [1.0] * 3]
    basis, middles = BSpline(knots, np.eye(size), 3), (np.arange(INTERVALS) + 0.5) / INTERVALS
    one = np.zeros((size, size))
    for order, usual in enumerate(USUAL_CHANGES, start=1):
        change = basis.derivative(order)(middles) / INTERVALS**order / usual
        one += change.T @ change
    both = np.kron(one, np.eye(size)) + np.kron(np.eye(size), one)
    # What no light and no smoothness decides is nothing.
    return np.asarray(both + np.eye(size * size))
