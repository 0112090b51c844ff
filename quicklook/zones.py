"""Zones of the chip, and fibre profiles at their middles and between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from quicklook.types import FloatArray


@dataclass(frozen=True, eq=False)
class Zones:
    """How the chip is divided: edges along rows and columns, and the middles between them [pixel]."""

    row_edges: NDArray[np.int64]
    column_edges: NDArray[np.int64]
    row_nodes: FloatArray
    column_nodes: FloatArray

    @property
    def fine_rows(self) -> FloatArray:
        """Rows of the profile's table: the zones' middles, and the edges between and around them."""
        return _halved(self.row_nodes)

    @property
    def fine_columns(self) -> FloatArray:
        """Columns of the profile's table."""
        return _halved(self.column_nodes)

    def refined(self, table: FloatArray) -> FloatArray:
        """Profiles at the zones' middles, and curves through them at the edges: widths change as parabolas do.

        Parameters
        ----------
        table : ndarray (row nodes, column nodes, entries)

        Returns
        -------
        ndarray (fine rows, fine columns, entries)
        """
        down = _curves(self.row_nodes, table, self.fine_rows)
        along = _curves(self.column_nodes, np.swapaxes(down, 0, 1), self.fine_columns)
        fine: FloatArray = np.ascontiguousarray(np.swapaxes(along, 0, 1))
        return fine

    @classmethod
    def of(cls, n_rows: int, n_columns: int, rows: int, columns: int) -> Zones:
        """Zones of equal size, but for rounding."""
        row_edges, column_edges = np.linspace(0, n_rows, rows + 1), np.linspace(0, n_columns, columns + 1)
        return cls(
            row_edges.astype(np.int64),
            column_edges.astype(np.int64),
            0.5 * (row_edges[:-1] + row_edges[1:]) - 0.5,
            0.5 * (column_edges[:-1] + column_edges[1:]) - 0.5,
        )


def interpolated(
    table: FloatArray, row_nodes: FloatArray, column_nodes: FloatArray, rows: FloatArray, column: float
) -> FloatArray:
    """Profiles at some rows of a column, (rows, entries), linear between the nodes of a table as extraction has them."""
    i = int(np.clip(np.searchsorted(column_nodes, column) - 1, 0, len(column_nodes) - 2))
    t = (column - column_nodes[i]) / (column_nodes[i + 1] - column_nodes[i])
    here = (1.0 - t) * table[:, i] + t * table[:, i + 1]
    j = np.clip(np.searchsorted(row_nodes, rows) - 1, 0, len(row_nodes) - 2)
    u = ((rows - row_nodes[j]) / (row_nodes[j + 1] - row_nodes[j]))[:, np.newaxis]
    return np.ascontiguousarray((1.0 - u) * here[j] + u * here[j + 1])


def _halved(nodes: FloatArray) -> FloatArray:
    """Evenly spaced nodes, and places half a step before, between and behind them."""
    half = 0.5 * (nodes[1] - nodes[0])
    return np.asarray(nodes[0] + half * np.arange(-1, 2 * len(nodes)))


def _curves(nodes: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Cubic splines through values at nodes, along the first axis; beyond the outermost nodes straight lines."""
    curves: FloatArray = np.asarray(make_interp_spline(nodes, values, k=min(3, len(nodes) - 1))(at))
    curves[0] = 1.5 * values[0] - 0.5 * values[1]
    curves[-1] = 1.5 * values[-1] - 0.5 * values[-2]
    return curves
