"""Scattered light: the smooth light between the fibres that their profiles do not explain."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from quicklook.columns import survey_columns
from quicklook.types import FloatArray, FloatImage

ROW_CELLS = 40
COLUMN_CELLS = 16
ROW_INTERVALS = 5
COLUMN_INTERVALS = 4
GRID_ROWS = 65

VALLEY = 0.40
"""Pixels further from every fibre than this fraction of the fibre spacing are between fibres."""

PROFILE_DOUBT = 0.05
"""Relative error allowed to the profile's wings between the fibres."""


def no_background(n_rows: int, n_columns: int) -> tuple[FloatArray, FloatArray]:
    """A background of zero, as (grid, grid rows) for the column kernels."""
    return np.zeros((2, n_columns)), np.array([0.0, n_rows - 1.0])


def scattered_light(
    frame: FloatImage,
    floor: FloatImage,
    columns: NDArray[np.int64],
    centre: FloatArray,
    bank: FloatArray,
    nodes: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Scattered light of a frame: fibres and background fitted in turn on a sample of columns.

    Parameters
    ----------
    frame : ndarray of float32 (columns, rows)
        Transposed; NaN = bad.
    floor : ndarray of float32 (columns, rows) or (1, 1)
        Variance without photon noise.
    columns : ndarray of int
        Sample of columns.
    centre : ndarray (lit fibres, columns)
    bank : ndarray
        See `quicklook.profiles.profile_bank`.
    nodes : tuple of ndarray
        Row nodes and column nodes of the profile.

    Returns
    -------
    grid, rows
        As `fit_background`.
    """
    n_columns, n_rows = frame.shape
    scratch = [np.empty((len(centre), len(columns))) for _ in range(3)]
    residual, light = (np.empty((len(columns), n_rows), dtype=np.float32) for _ in range(2))
    grid, rows = no_background(n_rows, n_columns)
    for _ in range(2):
        survey_columns(  # type: ignore[call-arg]
            frame, floor, columns, centre, bank, *nodes, grid, rows, *scratch, residual, light
        )
        grid, rows = fit_background(residual, light, float(np.median(floor)), columns, centre, n_columns)
    return grid, rows


def fit_background(
    residual: FloatImage,
    light: FloatImage,
    noise2: float,
    columns: NDArray[np.int64],
    centre: FloatArray,
    n_columns: int,
) -> tuple[FloatArray, FloatArray]:
    """Fit a smooth surface to what is left between the fibres.

    Parameters
    ----------
    residual, light : ndarray of float32 (used columns, rows)
        Pixels minus fibres (background left in), and the fibres' light.
    noise2 : float
        Variance without photons [electron^2].
    columns : ndarray of int
        Columns used.
    centre : ndarray (lit fibres, all columns)
        Tramlines.
    n_columns : int
        Columns of the chip.

    Returns
    -------
    grid : ndarray (grid rows, columns)
    rows : ndarray
        Row of each grid line; the background is linear between them.
    """
    n_rows = residual.shape[1]
    spacing = float(np.median(np.diff(centre[:, n_columns // 2])))
    value, weight = _cells(
        residual, light, noise2, columns, np.ascontiguousarray(centre.T), VALLEY * spacing,
        n_columns, ROW_CELLS, COLUMN_CELLS, PROFILE_DOUBT,
    )  # fmt: skip
    grid_rows = np.linspace(0.0, n_rows - 1.0, GRID_ROWS)
    if np.count_nonzero(weight) < 0.3 * weight.size:
        return no_background(n_rows, n_columns)
    row_middle = (np.arange(ROW_CELLS) + 0.5) / ROW_CELLS
    column_middle = (np.arange(COLUMN_CELLS) + 0.5) / COLUMN_CELLS
    across, along = _basis(row_middle, ROW_INTERVALS), _basis(column_middle, COLUMN_INTERVALS)
    design = np.einsum("ri,cj->rcij", across, along).reshape(value.size, -1)
    for _ in range(3):
        w = weight.ravel()
        normal = (design * w[:, None]).T @ design
        # A faint pull to zero decides where no pixel does.
        normal += 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
        coefficients = np.linalg.solve(normal, design.T @ (w * value.ravel()))
        chi = (value.ravel() - design @ coefficients) * np.sqrt(w)
        scale = max(1.0, 1.4826 * float(np.median(np.abs(chi[w > 0]))))
        weight = np.where(np.abs(chi) < 4 * scale, w, 0.0).reshape(weight.shape)
    surface = coefficients.reshape(across.shape[1], along.shape[1])
    grid = (
        _basis(grid_rows / (n_rows - 1.0), ROW_INTERVALS)
        @ surface
        @ _basis(np.linspace(0.0, 1.0, n_columns), COLUMN_INTERVALS).T
    )
    return np.ascontiguousarray(grid), grid_rows


def _basis(position: FloatArray, intervals: int) -> FloatArray:
    knots = np.r_[[0.0] * 3, np.linspace(0.0, 1.0, intervals + 1), [1.0] * 3]
    return np.asarray(BSpline.design_matrix(position, knots, 3).toarray())


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _cells(residual, light, noise2, columns, centre, distance, n_columns, nr, nc, doubt):  # type: ignore[no-untyped-def]
    """Clipped weighted mean of the pixels between fibres in each cell of the chip, and its inverse variance."""
    ny, n = residual.shape[1], centre.shape[1]
    value, weight = np.zeros((nr, nc)), np.zeros((nr, nc))
    most = (ny // nr + 1) * columns.shape[0]
    values, weights = np.empty(most), np.empty(most)
    for i in range(nr):
        y0, y1 = ny * i // nr, ny * (i + 1) // nr
        for k in range(nc):
            m = 0
            for c in range(columns.shape[0]):
                x = columns[c]
                if x * nc // n_columns != k:
                    continue
                j = 0
                while j < n and centre[x, j] < y0:
                    j += 1
                for y in range(y0, y1):
                    while j < n and centre[x, j] < y:
                        j += 1
                    near = 1e9
                    if j < n:
                        near = centre[x, j] - y
                    if j > 0:
                        near = min(near, y - centre[x, j - 1])
                    r = residual[c, y]
                    if near < distance or np.isnan(r):
                        continue
                    values[m] = r
                    s = doubt * light[c, y]
                    weights[m] = 1.0 / (noise2 + max(light[c, y], 0.0) + s * s)
                    m += 1
            if m < 10:
                continue
            middle = np.median(values[:m])
            spread = 1.4826 * np.median(np.abs(values[:m] - middle)) + 1e-3
            total, s0 = 0.0, 0.0
            for q in range(m):
                if abs(values[q] - middle) < 4.0 * spread:
                    total += weights[q] * values[q]
                    s0 += weights[q]
            if s0 > 0.0:
                value[i, k] = total / s0
                weight[i, k] = s0
    return value, weight
