"""The smooth light under the fibres of a flat: a surface of quadratic splines, with an interval for each zone.

In a flat, wings that reach over several fibres look like light scattered from all over the chip, so one is only known beside
the other. What zones say of the smooth light is therefore solved for along with the wings (`quicklook.wingfit`), and a zone
sees nine of the surface's functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook.scattered import GRID_ROWS
from quicklook.types import FloatArray

NEAR = np.arange(3)
"""Splines along one direction that a zone sees, counted from the zone's number."""

LEAST_BEND, LARGEST_BEND = 1e-3, 0.01
"""Third difference of the coefficients from zone to zone, as a share of a fibre's light. Light scattered from all over the chip,
some per cent of it all, bends by the least, a fifth in two humps by six times as much. Where the surface is allowed to bend more
than it does, the halo is known half as well from flat to flat; where less, the halo takes what is left."""

BEND_ROUNDS = 3
"""Solutions, the first with the largest bend, and each of the others with that of the one before."""


@dataclass(frozen=True)
class SmoothLight:
    """The functions of which the surface is made.

    Attributes
    ----------
    zones : tuple of int
        Zones along rows and columns.
    pixels : tuple of int
        Rows and columns of the chip.
    """

    zones: tuple[int, int]
    pixels: tuple[int, int]

    @property
    def size(self) -> int:
        """Number of functions."""
        return (self.zones[0] + 2) * (self.zones[1] + 2)

    def seen(self, row: int, column: int) -> NDArray[np.int64]:
        """Functions that a zone sees, in the order of `quicklook.flatsums`."""
        return ((row + NEAR)[:, np.newaxis] * (self.zones[1] + 2) + column + NEAR).ravel()

    def certainty(self, bend: float) -> FloatArray:
        """Inverse covariance of the coefficients before anything is measured, if they usually bend by so much [electron]."""
        bends = self._bends()
        return np.asarray(bends.T @ bends / bend**2)

    def bend(self, coefficients: FloatArray) -> float:
        """Third difference of the coefficients, root mean square over both directions [electron]."""
        return float(np.sqrt(np.mean((self._bends() @ coefficients) ** 2)))

    def _bends(self) -> FloatArray:
        """Third differences along rows and along columns, (differences, functions)."""
        rows, columns = (np.eye(n + 2) for n in self.zones)
        return np.concatenate(
            [np.kron(np.diff(rows, 3, axis=0), columns), np.kron(rows, np.diff(columns, 3, axis=0))]
        )

    def on_grid(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The surface as the column kernels take it: (grid rows, columns), and the rows of the grid."""
        rows = np.linspace(0.0, self.pixels[0] - 1.0, GRID_ROWS)
        across, along = (
            _splines((places + 0.5) / pixels * n, n)
            for places, pixels, n in zip(
                (rows, np.arange(self.pixels[1], dtype=np.float64)), self.pixels, self.zones, strict=True
            )
        )
        net = coefficients.reshape(self.zones[0] + 2, self.zones[1] + 2)
        return np.ascontiguousarray(across @ net @ along.T), rows


def _splines(at: FloatArray, zones: int) -> FloatArray:
    """Quadratic B-splines at places counted in zones, (places, zones + 2)."""
    zone = np.minimum(at.astype(np.int64), zones - 1)
    u = at - zone - 0.5
    result = np.zeros((len(at), zones + 2))
    for i, values in enumerate((0.5 * (0.5 - u) ** 2, 0.75 - u**2, 0.5 * (0.5 + u) ** 2)):
        result[np.arange(len(at)), zone + i] = values
    return result
