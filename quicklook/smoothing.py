"""Smooth lines through the measured positions of all fibres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

from quicklook.fibres import N_FIBRES
from quicklook.scattered import spline_basis
from quicklook.types import BoolArray, FloatArray

CHOICES = (4, 8, 14, 24, 36)
"""Numbers of spline intervals to choose from."""

POSITION_DOUBT = 0.004
"""Error added to every averaged position, so that no bright column rules alone [pixel]."""

SLIT_INTERVALS = 6
"""Intervals along the slit of the shape that fibres have in common."""

USUAL_STEP, LEAST_STEP = 0.02, 0.001
"""How far a fibre's shape differs from that of those around it, per spline interval: first guess and least [pixel]."""

STEP_ROUNDS = 6

FAR = 4.0
"""Standard deviations beyond which a fibre's shape is its own."""

UNSEEN_BEND = 1e-3
"""Weight with which lines are straight where nothing else says anything; positions weigh ten million times as much [pixel^-2]."""

SHAPE_PRIOR = 0.02
"""How far a fibre may differ from its neighbours' shape, per spline interval, where it has no data [pixel]."""


@dataclass(frozen=True, eq=False)
class SmoothLines:
    """Fitted lines.

    Attributes
    ----------
    centre : ndarray (fibres, columns)
    rms : ndarray (fibres,)
        Scatter of the averaged positions about the lines [pixel].
    intervals : int
        Spline intervals chosen.
    """

    centre: FloatArray
    rms: FloatArray
    intervals: int


def smooth_lines(
    x: FloatArray,
    position: FloatArray,
    weight: FloatArray,
    n_columns: int,
    *,
    choices: tuple[int, ...] = CHOICES,
) -> SmoothLines:
    """Fit a cubic spline to each fibre, with one number of knots for all.

    The number of intervals is the one with the lowest Bayesian information criterion over all fibres. Fibres
    are held to the shape that those around them, in the order given, have; a fibre with stretches without
    data takes its shape there from its neighbours.

    Parameters
    ----------
    x : ndarray (points,)
        Columns of the positions.
    position, weight : ndarray (fibres, points)
        Measured rows and their inverse variances [pixel^-2]; weight zero = none.
    n_columns : int
    choices : tuple of int
        Numbers of intervals to try.
    """
    own: FloatArray = np.asarray(np.clip(weight, 1e-12, None)) ** -1 + POSITION_DOUBT**2
    weight = np.where(np.isfinite(position) & (weight > 0), 1.0 / own, 0.0)
    position = np.where(weight > 0, position, 0.0)
    best: tuple[float, int, FloatArray, FloatArray] | None = None
    worse = 0
    for intervals in choices:
        if 2 * (intervals + 3) > len(x):
            continue
        coefficients, clipped, chi2 = _fit(x, position, weight, n_columns, intervals)
        points = int(np.count_nonzero(clipped))
        reduced = max(chi2 / max(points, 1), 0.2)
        score = float(points * np.log(reduced) + len(position) * (intervals + 3) * np.log(len(x)))
        if best is None or score < best[0]:
            best, worse = (score, intervals, coefficients, clipped), 0
        else:
            worse += 1
        # Lines that need fine knots gain by every step towards them.
        if worse == 2:
            break
    if best is None:
        intervals = max(1, len(x) // 2 - 3)
        coefficients, clipped, _ = _fit(x, position, weight, n_columns, intervals)
    else:
        _, intervals, coefficients, clipped = best
    basis = _basis(x, n_columns, intervals)
    coefficients = _alike(basis, position, clipped, coefficients)
    centre = coefficients @ _basis(np.arange(n_columns, dtype=np.float64), n_columns, intervals).T
    at_points = coefficients @ basis.T
    squared = np.where(clipped > 0, (position - at_points) ** 2, 0.0)
    count = np.count_nonzero(clipped, axis=1)
    rms = np.sqrt(squared.sum(axis=1) / np.maximum(count, 1))
    return SmoothLines(centre, np.where(count > 0, rms, np.nan), intervals)


def fill_unlit(centre: FloatArray, index: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    """Lines of all 400 slit positions, those between measured ones interpolated.

    Parameters
    ----------
    centre : ndarray (lit fibres, columns)
    index : ndarray of int (lit fibres,)
        Their slit positions, ascending.
    """
    full = np.empty((N_FIBRES, centre.shape[1]))
    everywhere = np.arange(N_FIBRES)
    i = np.clip(np.searchsorted(index, everywhere, side="right") - 1, 0, len(index) - 2)
    t = (everywhere - index[i]) / (index[i + 1] - index[i])
    full[:] = (1 - t)[:, None] * centre[i] + t[:, None] * centre[i + 1]
    full[index] = centre
    return full


def _basis(x: FloatArray, n_columns: int, intervals: int) -> FloatArray:
    low, high = -0.5, n_columns - 0.5
    knots = np.r_[[low] * 3, np.linspace(low, high, intervals + 1), [high] * 3]
    return np.asarray(BSpline.design_matrix(x, knots, 3).toarray())


def _fit(
    x: FloatArray, position: FloatArray, weight: FloatArray, n_columns: int, intervals: int
) -> tuple[FloatArray, FloatArray, float]:
    """Spline coefficients of all fibres, the weights after clipping, and the total chi-square."""
    basis = _basis(x, n_columns, intervals)
    clipped = weight
    for _ in range(3):
        normal, right = _equations(basis, position, clipped)
        covered = _well_covered(basis, clipped)
        coefficients = _solve(normal, right, covered)
        residual = position - coefficients @ basis.T
        chi = residual * np.sqrt(clipped)
        scale = _scatter(chi, clipped > 0)
        again = np.where(
            np.abs(residual) * np.sqrt(weight) < 5 * np.maximum(scale, 1.0)[:, None], weight, 0.0
        )
        if np.array_equal(again, clipped):
            break
        clipped = again
    residual = position - coefficients @ basis.T
    return coefficients, clipped, float((residual**2 * clipped).sum())


def _equations(basis: FloatArray, position: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Normal equations of each fibre's spline: (fibres, m, m) and (fibres, m)."""
    m = basis.shape[1]
    normal = np.zeros((len(weight), m, m))
    # Each spline overlaps with the next three only.
    for k in range(min(4, m)):
        at = np.arange(m - k)
        normal[:, at, at + k] = weight @ (basis[:, : m - k] * basis[:, k:])
        normal[:, at + k, at] = normal[:, at, at + k]
    return normal, (weight * position) @ basis


def _alike(basis: FloatArray, position: FloatArray, clipped: FloatArray, alone: FloatArray) -> FloatArray:
    """Spline coefficients of fibres that are shaped as those around them, as far as the fibres themselves say so.

    Optics bend neighbouring fibres alike. How a line changes from coefficient to coefficient is a smooth function along
    the slit, and what single fibres differ from it is seen in all of them: where their own positions are not as
    certain, as at a dark end of the chip, fibres lean on their neighbours (empirical Bayes).
    """
    n, m = alone.shape
    intervals = min(SLIT_INTERVALS, n // 4 - 3)
    if intervals < 1:
        return alone
    normal, right = _equations(basis, position, clipped)
    ridge = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] / m * np.eye(m) + 1e-6 * np.eye(m)
    covariance = np.linalg.inv(normal + ridge)
    at = np.arange(m - 1)
    own = np.diagonal(covariance, axis1=1, axis2=2)
    variance = own[:, 1:] + own[:, :-1] - 2.0 * covariance[:, at, at + 1]
    change = np.diff(alone, axis=1)
    along = spline_basis(_places(alone.mean(axis=1)), intervals)
    expected, spread2 = np.empty_like(change), np.empty_like(change)
    for k in range(m - 1):
        expected[:, k], spread2[:, k] = _shared(along, change[:, k], variance[:, k])
    hold, pull = 1.0 / spread2, expected / spread2
    held = normal + 1e-6 * np.eye(m)
    held[:, at, at] += hold
    held[:, at + 1, at + 1] += hold
    held[:, at, at + 1] -= hold
    held[:, at + 1, at] -= hold
    side = right + 1e-6 * alone
    side[:, 1:] += pull
    side[:, :-1] -= pull
    return np.asarray(np.linalg.solve(held, side[:, :, None])[:, :, 0])


def _places(height: FloatArray) -> FloatArray:
    """Where in the slit fibres sit, from 0 to 1, by their lines' heights: dark fibres between them leave gaps."""
    low, high = float(height.min()), float(height.max())
    return np.clip((height - low) / max(high - low, 1e-12), 0.0, 1.0)


def _shared(along: FloatArray, change: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A smooth function of the slit through the fibres' values, and the variance with which each may differ from it.

    A fibre that differs by far more than is usual, beside its error, is one of its own kind and is let go.
    """
    usual = USUAL_STEP
    for _ in range(STEP_ROUNDS):
        weight = 1.0 / (variance + usual**2)
        for _ in range(2):
            normal = (along * weight[:, None]).T @ along
            normal[np.diag_indices_from(normal)] += 1e-6 * np.trace(normal)
            smooth = along @ np.linalg.solve(normal, along.T @ (weight * change))
            away = (change - smooth) ** 2
            sound = away < FAR**2 * (variance + usual**2)
            weight = np.where(sound, weight, 0.0) if sound.mean() > 0.5 else weight
        # The spread that makes what is seen most probable, a step at a time.
        certain = np.sum(weight**2)
        usual = float(np.sqrt(max(np.sum(weight**2 * (away - variance)) / certain, LEAST_STEP**2)))
    far = np.maximum(away - FAR**2 * (variance + usual**2), 0.0)
    return smooth, usual**2 + far


def _scatter(chi: FloatArray, used: BoolArray) -> FloatArray:
    """Standard deviation of each row's used values, from their median distance to zero."""
    ordered = np.sort(np.where(used, np.abs(chi), np.inf), axis=1)
    count = np.count_nonzero(used, axis=1)
    middle = ordered[np.arange(len(chi)), np.maximum(count // 2, 0).clip(max=chi.shape[1] - 1)]
    return np.where(count > 0, 1.4826 * np.where(np.isfinite(middle), middle, 1.0), 1.0)


def _well_covered(basis: FloatArray, weight: FloatArray) -> BoolArray:
    """Fibres of which every coefficient is held by enough points."""
    present = (weight > 0).astype(np.float64) @ basis
    possible = basis.sum(axis=0)
    return np.asarray((present > 0.3 * possible).all(axis=1))


def _solve(normal: FloatArray, right: FloatArray, covered: BoolArray) -> FloatArray:
    n, m = right.shape
    if not covered.any():
        covered = np.ones(n, dtype=np.bool_)
    coefficients = np.empty((n, m))
    # Ends that no light shows go on straight.
    bend = np.diff(np.eye(m), 2, axis=0)
    ridge = (1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] / m + 1e-6) * np.eye(m)
    regular = normal + ridge + UNSEEN_BEND * (bend.T @ bend)
    # About each line's own height: what little holds the unseen ends must not draw them to row zero.
    height = right.sum(axis=1) / np.maximum(normal.sum(axis=(1, 2)), 1e-30)
    about = right - height[:, None] * normal.sum(axis=2)
    coefficients[covered] = np.linalg.solve(regular[covered], about[covered][:, :, None])[:, :, 0]
    coefficients[covered] += height[covered, None]
    rest = np.nonzero(~covered)[0]
    if not len(rest):
        return coefficients
    good = np.nonzero(covered)[0]
    shape = coefficients[good] - coefficients[good].mean(axis=1, keepdims=True)
    difference = np.diff(np.eye(m), axis=0) / SHAPE_PRIOR
    prior = difference.T @ difference
    for j in rest:
        expected = np.array([np.interp(j, good, shape[:, k]) for k in range(m)])
        # Differences between coefficients are held to the neighbours'; the height is free.
        matrix = normal[j] + prior + 1e-6 * np.eye(m)
        middle = float(np.interp(j, good, coefficients[good].mean(axis=1)))
        coefficients[j] = np.linalg.solve(matrix, right[j] + prior @ expected + 1e-6 * (expected + middle))
    return coefficients
