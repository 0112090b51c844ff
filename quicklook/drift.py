"""How far a frame has moved on the chip since the flat that mapped its tramlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import adding_kernel
from quicklook.profiles import profile_bank
from quicklook.scattered import no_background
from quicklook.survey import survey_columns
from quicklook.types import FloatArray, FloatImage, ProfileModel

GROUP = 16
"""Of every group of so many columns the brightest is used: for arcs and faint frames that is where the light is."""

LARGEST = 4.0
"""A frame that has moved further than this does not belong to the flat [pixel]."""

POSITION_DOUBT = 0.05
"""Error of any one position beside photon noise [pixel]."""

USUAL_TILT = 0.1
"""Usual change of the shift from the chip's centre to its edges [pixel]: decides where a faint frame shows light in a
few columns only, and a few hits elsewhere would tilt the plane."""

BRIGHT = 20000.0
"""A particle's charge in one pixel must not make its column the bright one: no more than this counts [electron]."""

FURTHEST, NEAR = 3, 2
"""Whole shifts that are tried, either way, and pixels to either side of a fibre's centre that are its core [pixel]."""

ROUNDS = 6


@dataclass(frozen=True, eq=False)
class Drift:
    """Shift of a frame against its tramline map, linear over the chip.

    Attributes
    ----------
    offset : float
        Shift at the chip's centre, positive upwards [pixel].
    along, across : float
        Change of the shift from the centre to the right and to the upper edge [pixel].
    error : float
        Standard error of the offset [pixel].
    measured : bool
        False when there was too little light; then nothing is corrected.
    """

    offset: float
    along: float
    across: float
    error: float
    measured: bool

    def shift(
        self, centre: FloatArray, n_rows: int, columns: NDArray[np.int64] | slice = slice(None)
    ) -> FloatArray:
        """Shift at each point of tramlines (fibres, columns), or at some of their columns [pixel]."""
        x = np.linspace(-1.0, 1.0, centre.shape[1])[columns]
        y = (centre[:, columns] - 0.5 * (n_rows - 1)) / (0.5 * (n_rows - 1))
        return np.asarray(self.offset + self.along * x[None, :] + self.across * y)


NO_DRIFT = Drift(0.0, 0.0, 0.0, np.inf, measured=False)


def measure_drift(image: FloatImage, floor: FloatImage, centre: FloatArray, profile: ProfileModel) -> Drift:
    """Measure the shift of a frame against its tramlines from where its light falls on the profiles.

    Parameters
    ----------
    image : ndarray of float32 (columns, rows)
        Frame, transposed; NaN = bad.
    floor : ndarray of float32 (columns, rows) or (1, 1)
        Variance without photon noise.
    centre : ndarray (lit fibres, columns)
    profile : ProfileModel
    """
    n_columns, n_rows = image.shape
    columns = _bright_columns(image, GROUP)
    best = NO_DRIFT
    current = Drift(_coarse(image, _brightest(image, columns), centre), 0.0, 0.0, np.inf, measured=False)
    for i in range(ROUNDS):
        moved = _moved(centre, columns, current.shift(centre, n_rows, columns))
        _, shift, weight = _survey(image, floor, columns, moved, profile)
        step = _plane(columns, moved, shift, weight, current, n_columns, n_rows)
        if step is None:
            return best
        current = Drift(
            current.offset + step.offset, current.along + step.along, current.across + step.across,
            step.error, measured=True,
        )  # fmt: skip
        if i > 0 and max(abs(step.offset), abs(step.along), abs(step.across)) < 0.002:
            break
    reach = abs(current.offset) + abs(current.along) + abs(current.across)
    return current if reach < LARGEST and current.error < 0.2 else NO_DRIFT


def _coarse(image: FloatImage, columns: NDArray[np.int64], centre: FloatArray) -> float:
    """Of a few whole shifts the one under which most light lies in the cores of the fibres."""
    n_rows = image.shape[1]
    rows = np.rint(centre[:, columns]).astype(np.int64)
    light = np.empty((rows.size, 2 * (FURTHEST + NEAR) + 1), dtype=np.float64)
    for i in range(light.shape[1]):
        at = rows + (i - FURTHEST - NEAR)
        inside = (at >= 0) & (at < n_rows)
        light[:, i] = np.where(inside, image[columns, np.clip(at, 0, n_rows - 1)], 0.0).ravel()
    total = np.cumsum(np.pad(np.nan_to_num(light, nan=0.0), ((0, 0), (1, 0))), axis=1)
    core = np.clip(total[:, 2 * NEAR + 1 :] - total[:, : -2 * NEAR - 1], 0.0, None)
    # Roots: a hit counts little against many faint cores, and the lit fibres need not be the most.
    score = np.sqrt(core).sum(axis=0)
    best = int(np.argmax(score))
    return float(best - FURTHEST) if score[best] > score[FURTHEST] else 0.0


def _brightest(image: FloatImage, columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The brighter quarter of some columns: a single sky line may be all that a frame shows of most fibres."""
    seen = np.isfinite(image[columns])
    total = np.where(seen, np.minimum(image[columns], BRIGHT), 0.0).sum(axis=1)
    total[~seen.any(axis=1)] = -np.inf
    return columns[np.sort(np.argsort(-total, kind="stable")[: max(1, len(columns) // 4)])]


def _moved(centre: FloatArray, columns: NDArray[np.int64], shift: FloatArray) -> FloatArray:
    """Tramlines moved in some columns; what the others hold is not looked at."""
    moved = np.empty_like(centre)
    moved[:, columns] = centre[:, columns] + shift
    return moved


def _survey(
    image: FloatImage,
    floor: FloatImage,
    columns: NDArray[np.int64],
    centre: FloatArray,
    profile: ProfileModel,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    n_columns, n_rows = image.shape
    grid, rows = no_background(n_rows, n_columns)
    nothing = np.empty((0, 0), dtype=np.float32)
    fluxes, shift, weight = (np.empty((len(centre), len(columns))) for _ in range(3))
    survey_columns(
        image, floor, np.ascontiguousarray(columns), np.ascontiguousarray(centre), profile_bank(profile), profile.row_nodes,
        profile.column_nodes, grid, rows, profile.beyond, fluxes, shift, weight, nothing, nothing,
    )  # fmt: skip
    return fluxes, shift, weight


def _plane(
    columns: NDArray[np.int64],
    centre: FloatArray,
    shift: FloatArray,
    weight: FloatArray,
    current: Drift,
    n_columns: int,
    n_rows: int,
) -> Drift | None:
    """Robust fit of a plane to the shifts that remain after ``current``; None when too few are worth anything."""
    x = np.broadcast_to(columns / (0.5 * (n_columns - 1)) - 1.0, shift.shape)
    y = centre[:, columns] / (0.5 * (n_rows - 1)) - 1.0
    # Below a signal of five or so a shift is no longer linear in the residuals.
    good = (weight > 25.0) & (np.abs(shift) < 1.5)
    if good.sum() < 50:
        return None
    s = shift[good]
    design = np.column_stack([np.ones(len(s)), x[good], y[good]])
    whole = 1.0 / (1.0 / weight[good] + POSITION_DOUBT**2)
    prior = np.array([0.0, 1.0, 1.0]) / USUAL_TILT**2
    so_far = np.array([current.offset, current.along, current.across])
    # From the median on, so that hits do not have to be found from a plane that they tilted.
    solution = np.array([np.median(s), 0.0, 0.0])
    for _ in range(5):
        chi = (s - design @ solution) * np.sqrt(whole)
        scale = max(1.0, 1.4826 * float(np.median(np.abs(chi))))
        w = np.where(np.abs(chi) < 4 * scale, whole, 0.0)
        normal = design.T @ (design * w[:, None]) + np.diag(prior)
        solution = np.linalg.solve(normal, design.T @ (w * s) - prior * so_far)
    error = scale / np.sqrt(max(w.sum(), 1e-12))
    return Drift(float(solution[0]), float(solution[1]), float(solution[2]), float(error), measured=True)


def _bright_columns(image: FloatImage, group: int) -> NDArray[np.int64]:
    """The brightest column of each group, of those without many bad pixels."""
    total, bad = _column_sums(image)
    total = np.where(bad < 0.05 * image.shape[1], total, -np.inf)
    n = len(total) // group
    return np.asarray(np.arange(n) * group + np.argmax(total[: n * group].reshape(n, group), axis=1))


@adding_kernel
def _column_sums(image):  # type: ignore[no-untyped-def]  # numba finds the types
    """Light of each column, and its bad pixels; two loops, as each for itself becomes vector instructions."""
    nx, ny = image.shape
    total, bad = np.zeros(nx), np.zeros(nx)
    most, nothing = np.float32(BRIGHT), np.float32(0.0)
    for x in range(nx):
        pixels, light, missing = image[x], np.float64(0.0), 0
        for y in range(ny):
            value = pixels[y] if pixels[y] < most else most
            light += nothing if np.isnan(pixels[y]) else value
        for y in range(ny):
            missing += np.isnan(pixels[y])
        total[x], bad[x] = light, missing
    return total, bad
