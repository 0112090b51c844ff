"""Scattered light: the smooth light between the fibres that their profiles do not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from quicklook.between import PROFILE_DOUBT, known_light, light_between
from quicklook.columns import spread_beyond
from quicklook.compiled import kernel
from quicklook.survey import survey_columns
from quicklook.types import Beyond, FloatArray, FloatImage

ROW_CELLS = 40
COLUMN_CELLS = 64
ROW_INTERVALS, COLUMN_INTERVALS = 8, 6
"""Intervals of the surface: scattered light in humps of 600 pixels is followed. Coarser, it left a tenth of what a fifth of all
light makes, and faint fibres kept an electron of it."""

GRID_ROWS = 65

FIRST = 4
"""Every so manieth column of the sample tells the first estimate."""

VALLEY = 0.40
"""Pixels further from every fibre than this fraction of the fibre spacing are between fibres."""

LEAST_CELLS = 0.1
"""Fraction of the cells that must hold light between fibres for a surface to be fitted."""

LEAST_LEFT = 0.2
"""Fits of fibres leave at least so much of the scattered light between them."""


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


@dataclass(frozen=True, eq=False)
class Gaps:
    """How the cells of the chip see scattered light between the fibres; arrays (ROW_CELLS, COLUMN_CELLS).

    Attributes
    ----------
    left : ndarray
        What the fibres' fits leave there of an electron of scattered light that is not yet known.
    row : ndarray
        Mean row of the pixels that count, from 0 to 1 over the chip: at the ends of the slit it is far from the cell's middle.
    """

    left: FloatArray
    row: FloatArray

    @classmethod
    def even(cls) -> Gaps:
        """Cells in which fibres take nothing."""
        middles = np.repeat((np.arange(ROW_CELLS) + 0.5) / ROW_CELLS, COLUMN_CELLS)
        return cls(np.ones((ROW_CELLS, COLUMN_CELLS)), middles.reshape(ROW_CELLS, COLUMN_CELLS))


def scattered_light(
    frame: FloatImage,
    floor: FloatImage,
    columns: NDArray[np.int64],
    centre: FloatArray,
    bank: FloatArray,
    nodes: tuple[FloatArray, FloatArray],
    halo: Beyond,
) -> tuple[FloatArray, FloatArray, Gaps, Survey]:
    """Scattered light of a frame, beside the fibres of a sample of columns.

    Fibres that are fitted beside too little scattered light take some of the rest, with their wings also from the places
    between them: a fifth to a third. Fitted in turn, fibres and scattered light would come near the truth by that factor a round.
    How much the fibres take follows from their fits, so that one round from a first estimate is enough.

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
    grid : ndarray (grid rows, columns)
    rows : ndarray
        Row of each grid line; the background is linear between them.
    gaps : Gaps
    survey : Survey
        The sample as it was fitted last.
    """
    dark = no_background(frame.shape[1], frame.shape[0])
    # What this estimate lacks the next one finds in full, so few columns are enough.
    survey = survey_of(frame, floor, columns[::FIRST], centre, bank, nodes, dark, halo)
    taken = np.zeros_like(survey.light)
    grid, _ = fit_background(survey, taken, taken)
    taken = np.zeros((len(columns), frame.shape[1]), dtype=np.float32)
    rows = np.linspace(0.0, frame.shape[1] - 1.0, GRID_ROWS)
    survey = survey_of(frame, floor, columns, centre, bank, nodes, (grid, rows), halo)
    known = known_light(
        survey.columns, survey.centre, survey.residual, survey.light, survey.noise2, bank, *nodes, grid, rows, taken
    )  # fmt: skip
    more, gaps = fit_background(survey, known, taken)
    return grid + more, rows, gaps, survey


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
    survey_columns(frame, floor, columns, centre, bank, *nodes, *background, halo, *scratch, residual, light)
    noise2 = float(np.median(floor[:: max(1, len(floor) // 64)]))
    wide = wide_light(light, scratch[0], columns, centre, halo)
    return Survey(columns, centre, scratch[0], residual, light, wide, noise2)


def fit_background(survey: Survey, known: FloatImage, taken: FloatImage) -> tuple[FloatArray, Gaps]:
    """Fit a smooth surface to what is left between the fibres.

    Parameters
    ----------
    survey : Survey
    known, taken : ndarray of float32 (used columns, rows)
        Scattered light beside which the fibres were fitted, and what they take of an electron more of it.

    Returns
    -------
    grid : ndarray (GRID_ROWS, columns)
        What has to be added to the known light; zero when too little was seen.
    gaps : Gaps
    """
    n_rows, n_columns = survey.residual.shape[1], survey.centre.shape[1]
    cells = (ROW_CELLS, COLUMN_CELLS)
    rows = np.broadcast_to(np.arange(n_rows, dtype=np.float32), taken.shape)
    value, (lost, row), weight = survey.between(
        survey.residual - survey.wide - known, np.stack([taken, rows]), cells, PROFILE_DOUBT
    )
    gaps = Gaps(
        np.maximum(1.0 - lost, LEAST_LEFT), np.where(weight > 0.0, row / (n_rows - 1.0), Gaps.even().row)
    )
    net = _net(value, weight, gaps)
    if net is None:
        return np.zeros((GRID_ROWS, n_columns)), gaps
    grid = (
        spline_basis(np.linspace(0.0, 1.0, GRID_ROWS), ROW_INTERVALS)
        @ net
        @ spline_basis(np.linspace(0.0, 1.0, n_columns), COLUMN_INTERVALS).T
    )
    return np.ascontiguousarray(grid), gaps


def _net(value: FloatArray, weight: FloatArray, gaps: Gaps) -> FloatArray | None:
    """Coefficients of the surface through the cells, (splines across, splines along); None when too few saw light."""
    if np.count_nonzero(weight) < LEAST_CELLS * weight.size:
        return None
    across = spline_basis(gaps.row.ravel(), ROW_INTERVALS).reshape(*value.shape, -1)
    along = spline_basis((np.arange(value.shape[1]) + 0.5) / value.shape[1], COLUMN_INTERVALS)
    design = np.einsum("rci,cj->rcij", across, along).reshape(value.size, -1)
    coefficients = robust_fit(design, (value / gaps.left).ravel(), (weight * gaps.left**2).ravel())
    return coefficients.reshape(across.shape[2], along.shape[1])


def remaining_light(
    between: FloatArray, weight: FloatArray, gaps: Gaps, centre: FloatArray, n_rows: int
) -> FloatArray:
    """Scattered light that the first estimate left, under each fibre.

    The first estimate rests on a sample of columns, and the noise of its pixels between the fibres is larger than
    an extracted sky's. Extraction sees all columns.

    Parameters
    ----------
    between, weight : ndarray (ROW_CELLS, COLUMN_CELLS)
        From `gather_between`: sum of weighted residuals, and of weights.
    gaps : Gaps
        From `scattered_light`.
    centre : ndarray (lit fibres, columns)
    n_rows : int

    Returns
    -------
    ndarray (lit fibres, columns)
        Electrons per pixel; zero when too little was seen.
    """
    n_columns = centre.shape[1]
    net = _net(between / np.where(weight > 0, weight, 1.0), weight, gaps)
    if net is None:
        return np.zeros(centre.shape)
    # Over the few rows by which a fibre bends the light does not change.
    height = np.clip(centre[:, n_columns // 2] / (n_rows - 1.0), 0.0, 1.0)
    return np.asarray(
        spline_basis(height, ROW_INTERVALS)
        @ net
        @ spline_basis(np.linspace(0.0, 1.0, n_columns), COLUMN_INTERVALS).T
    )


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
