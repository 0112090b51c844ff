"""Scattered light: the smooth light between the fibres that their profiles do not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from quicklook.columns import spread_beyond
from quicklook.compiled import kernel
from quicklook.medians import middle_of
from quicklook.survey import survey_columns
from quicklook.types import Beyond, FloatArray, FloatImage

ROW_CELLS = 40
COLUMN_CELLS = 64
ROW_INTERVALS, COLUMN_INTERVALS = 8, 6
"""Intervals of the surface: scattered light in humps of 600 pixels is followed. Coarser, it left a tenth of what a fifth of all
light makes, and faint fibres kept an electron of it."""

GRID_ROWS = 65

VALLEY = 0.40
"""Pixels further from every fibre than this fraction of the fibre spacing are between fibres."""

LEAST_CELLS = 0.1
"""Fraction of the cells that must hold light between fibres for a surface to be fitted."""

PROFILE_DOUBT = 0.05
"""Relative error allowed to the profile's wings between the fibres."""


def no_background(n_rows: int, n_columns: int) -> tuple[FloatArray, FloatArray]:
    """A background of zero, as (grid, grid rows) for the column kernels."""
    return np.zeros((2, n_columns)), np.array([0.0, n_rows - 1.0])


@dataclass(frozen=True, eq=False)
class Survey:
    """A sample of columns with their fibres fitted.

    Attributes
    ----------
    columns : ndarray of int
    centre : ndarray (lit fibres, all columns)
        Tramlines.
    fluxes : ndarray (lit fibres, used columns)
    residual, light : ndarray of float32 (used columns, rows)
        Pixels minus fibres (background left in), and the fibres' light.
    wide : ndarray of float32 (used columns, rows)
        What the fibres send further, which is not part of the smooth background: `wide_light`.
    noise2 : float
        Variance without photons [electron^2].
    """

    columns: NDArray[np.int64]
    centre: FloatArray
    fluxes: FloatArray
    residual: FloatImage
    light: FloatImage
    wide: FloatImage
    noise2: float

    def between(
        self, residual: FloatImage, others: FloatImage, cells: tuple[int, int], doubt: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Means of some light between the fibres over cells of the chip; see `light_between`."""
        n_columns = self.centre.shape[1]
        spacing = float(np.median(np.diff(self.centre[:, n_columns // 2])))
        means: tuple[FloatArray, FloatArray, FloatArray] = light_between(
            residual, self.light, others, self.noise2, self.columns, np.ascontiguousarray(self.centre.T),
            VALLEY * spacing, n_columns, *cells, doubt,
        )  # fmt: skip
        return means


def scattered_light(
    frame: FloatImage,
    floor: FloatImage,
    columns: NDArray[np.int64],
    centre: FloatArray,
    bank: FloatArray,
    nodes: tuple[FloatArray, FloatArray],
    halo: Beyond,
) -> tuple[FloatArray, FloatArray, Survey]:
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
    halo : tuple of float
        Of the profile, `ProfileModel.beyond`, which is not part of the smooth background.

    Returns
    -------
    grid, rows
        As `fit_background`.
    survey : Survey
        The sample as it was fitted last.
    """
    grid, rows = no_background(frame.shape[1], frame.shape[0])
    for _ in range(2):
        survey = survey_of(frame, floor, columns, centre, bank, nodes, (grid, rows), halo)
        grid, rows = fit_background(survey)
    return grid, rows, survey


def survey_of(
    frame: FloatImage,
    floor: FloatImage,
    columns: NDArray[np.int64],
    centre: FloatArray,
    bank: FloatArray,
    nodes: tuple[FloatArray, FloatArray],
    background: tuple[FloatArray, FloatArray],
    halo: Beyond,
) -> Survey:
    """Fit the fibres of a sample of columns on a background; parameters as those of `scattered_light`."""
    columns, centre = np.ascontiguousarray(columns), np.ascontiguousarray(centre)
    scratch = [np.empty((len(centre), len(columns))) for _ in range(3)]
    residual, light = (np.empty((len(columns), frame.shape[1]), dtype=np.float32) for _ in range(2))
    survey_columns(  # type: ignore[call-arg]  # mypy does not count unpacked arrays
        frame, floor, columns, centre, bank, *nodes, *background, halo, *scratch, residual, light
    )
    noise2 = float(np.median(floor[:: max(1, len(floor) // 64)]))
    wide = wide_light(light, scratch[0], columns, centre, halo)
    return Survey(columns, centre, scratch[0], residual, light, wide, noise2)


def fit_background(survey: Survey) -> tuple[FloatArray, FloatArray]:
    """Fit a smooth surface to what is left between the fibres.

    Returns
    -------
    grid : ndarray (grid rows, columns)
    rows : ndarray
        Row of each grid line; the background is linear between them.
    """
    n_rows, n_columns = survey.residual.shape[1], survey.centre.shape[1]
    cells = (ROW_CELLS, COLUMN_CELLS)
    value, (wing,), weight = survey.between(survey.residual, survey.wide[np.newaxis], cells, PROFILE_DOUBT)
    if np.count_nonzero(weight) < LEAST_CELLS * weight.size:
        return no_background(n_rows, n_columns)
    across, along = cell_basis(cells, ROW_INTERVALS, COLUMN_INTERVALS)
    coefficients = robust_fit(surface(across, along), (value - wing).ravel(), weight.ravel())
    net = coefficients.reshape(across.shape[1], along.shape[1])
    grid_rows = np.linspace(0.0, n_rows - 1.0, GRID_ROWS)
    grid = (
        spline_basis(grid_rows / (n_rows - 1.0), ROW_INTERVALS)
        @ net
        @ spline_basis(np.linspace(0.0, 1.0, n_columns), COLUMN_INTERVALS).T
    )
    return np.ascontiguousarray(grid), grid_rows


def remaining_light(between: FloatArray, weight: FloatArray, centre: FloatArray, n_rows: int) -> FloatArray:
    """Scattered light that the first estimate left, under each fibre.

    The first estimate rests on a sample of columns, and the noise of its pixels between the fibres is larger than
    an extracted sky's. Extraction sees all columns.

    Parameters
    ----------
    between, weight : ndarray (ROW_CELLS, COLUMN_CELLS)
        From `gather_between`: sum of weighted residuals, and of weights.
    centre : ndarray (lit fibres, columns)
    n_rows : int

    Returns
    -------
    ndarray (lit fibres, columns)
        Electrons per pixel; zero when too little was seen.
    """
    n_columns = centre.shape[1]
    if np.count_nonzero(weight) < LEAST_CELLS * weight.size:
        return np.zeros(centre.shape)
    across, along = cell_basis(between.shape, ROW_INTERVALS, COLUMN_INTERVALS)
    mean = between / np.where(weight > 0, weight, 1.0)
    coefficients = robust_fit(surface(across, along), mean.ravel(), weight.ravel())
    net = coefficients.reshape(across.shape[1], along.shape[1])
    # Over the few rows by which a fibre bends the light does not change.
    height = np.clip(centre[:, n_columns // 2] / (n_rows - 1.0), 0.0, 1.0)
    return np.asarray(
        spline_basis(height, ROW_INTERVALS)
        @ net
        @ spline_basis(np.linspace(0.0, 1.0, n_columns), COLUMN_INTERVALS).T
    )


def cell_basis(cells: tuple[int, int], rows: int, columns: int) -> tuple[FloatArray, FloatArray]:
    """B-splines of some intervals at the middles of the cells, across and along."""
    across, along = ((np.arange(n) + 0.5) / n for n in cells)
    return spline_basis(across, rows), spline_basis(along, columns)


def surface(across: FloatArray, along: FloatArray) -> FloatArray:
    """Design matrix of a spline surface over all cells."""
    return np.asarray(np.einsum("ri,cj->rcij", across, along)).reshape(len(across) * len(along), -1)


def robust_fit(design: FloatArray, goal: FloatArray, weight: FloatArray) -> FloatArray:
    """Clipped least squares: coefficients."""
    used = weight
    for _ in range(3):
        normal = (design * used[:, None]).T @ design
        size = np.sqrt(np.maximum(np.diag(normal), 1e-30))
        # A faint pull to zero decides where no pixel does.
        scaled = normal / np.outer(size, size) + 1e-6 * np.eye(len(size))
        coefficients = np.linalg.solve(scaled, (design.T @ (used * goal)) / size) / size
        chi = (goal - design @ coefficients) * np.sqrt(weight)
        scale = max(1.0, 1.4826 * float(np.median(np.abs(chi[weight > 0]))))
        used = np.where(np.abs(chi) < 4 * scale, weight, 0.0)
    return np.asarray(coefficients)


def spline_basis(position: FloatArray, intervals: int) -> FloatArray:
    """Cubic B-splines of equal intervals at positions from 0 to 1; (positions, splines)."""
    knots = np.r_[[0.0] * 3, np.linspace(0.0, 1.0, intervals + 1), [1.0] * 3]
    return np.asarray(BSpline.design_matrix(position, knots, 3).toarray())


@kernel
def wide_light(light, fluxes, columns, centre, halo):  # type: ignore[no-untyped-def]  # numba finds the types
    """What fibres send beyond their profiles, (chosen columns, rows); ``halo`` is `ProfileModel.beyond`."""
    result = np.empty_like(light)
    row, sent = np.empty(light.shape[1]), np.empty(light.shape[1])
    for c in range(light.shape[0]):
        for y in range(row.shape[0]):
            row[y] = light[c, y]
        spread_beyond(row, centre[:, columns[c]].copy(), fluxes[:, c].copy(), halo, sent)
        for y in range(row.shape[0]):
            result[c, y] = sent[y]
    return result


@kernel
def light_between(residual, light, others, noise2, columns, centre, distance, n_columns, nr, nc, doubt):  # type: ignore[no-untyped-def]  # numba finds the types
    """Clipped weighted mean of the pixels between fibres in each cell of the chip, and its inverse variance.

    Beside it the means of ``others`` (kinds, columns, rows) over the same pixels.
    """
    ny, n, kinds = residual.shape[1], centre.shape[1], others.shape[0]
    value, wing, weight = np.zeros((nr, nc)), np.zeros((kinds, nr, nc)), np.zeros((nr, nc))
    most = (ny // nr + 1) * columns.shape[0]
    values, weights, work = np.empty(most), np.empty(most), np.empty(most)
    row, column = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    for i in range(nr):
        y0, y1 = ny * i // nr, ny * (i + 1) // nr
        for k in range(nc):
            m = np.int64(0)
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
                    row[m], column[m] = y, c
                    s = doubt * light[c, y]
                    weights[m] = 1.0 / (noise2 + max(light[c, y], 0.0) + s * s)
                    m += 1
            if m < 10:
                continue
            for q in range(m):
                work[q] = values[q]
            middle = middle_of(work, m)
            for q in range(m):
                work[q] = abs(values[q] - middle)
            spread = 1.4826 * middle_of(work, m) + 1e-3
            total, s0 = 0.0, 0.0
            for q in range(m):
                if abs(values[q] - middle) < 4.0 * spread:
                    total += weights[q] * values[q]
                    s0 += weights[q]
                    for p in range(kinds):
                        wing[p, i, k] += weights[q] * others[p, column[q], row[q]]
            if s0 > 0.0:
                value[i, k] = total / s0
                weight[i, k] = s0
                for p in range(kinds):
                    wing[p, i, k] /= s0
    return value, wing, weight


@kernel
def gather_between(d, noise, background, model, w, centre, distance, between, weight):  # type: ignore[no-untyped-def]  # numba finds the types
    """Add what the fit of one column leaves between its fibres to the cells of that column.

    ``between`` and ``weight`` are (row cells,); outliers beyond four standard deviations are left out.
    """
    ny, n, cells = d.shape[0], centre.shape[0], between.shape[0]
    for j in range(n + 1):
        low = int(np.ceil(centre[j - 1] + distance)) if j > 0 else 0
        high = int(np.floor(centre[j] - distance)) if j < n else ny - 1
        for y in range(max(low, 0), min(high, ny - 1) + 1):
            if w[y] == 0.0:
                continue
            v = noise[y] + max(background[y], 0.0) + max(model[y], 0.0)
            r = d[y] - model[y]
            if r * r > 16.0 * v:
                continue
            s = PROFILE_DOUBT * model[y]
            cell = y * cells // ny
            trust = 1.0 / (v + s * s)
            between[cell] += r * trust
            weight[cell] += trust
