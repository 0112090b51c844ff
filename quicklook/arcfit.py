"""Which arc lines are believed, and the surface through them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.polynomial import chebyshev

from quicklook.arclines import MIN_LINES, Measured
from quicklook.arcmodel import (
    FREE,
    INTERVALS,
    SLIT_ORDER,
    USUAL_LINE,
    Shapes,
    fit_shapes,
    usual_distortion,
)
from quicklook.nanmath import median
from quicklook.types import BoolArray, FloatArray

LEAST_ORDER = 3
MAX_ORDER = 6
GAIN = 0.9
"""Factor by which each further degree along the chip has to lower the error of lines left out."""

ROUGH_ORDER = 3
"""Degree along the chip of the surface by which lines are judged."""

LINES_FOR_SPLINES = 8
"""With fewer lines there are no splines beside the polynomial."""

PRIOR = 2.0
"""Expected size of the distortion of second degree, in pixels times four; see `_lstsq2d`."""


def fit_surface(measured: Measured, order: int) -> tuple[int, Shapes]:
    """Fit all lines of all fibres; drop lines that are wrong everywhere, then single measurements.

    Parameters
    ----------
    measured : Measured
    order : int
        Degree along the chip; 0 = what the lines themselves show, and splines for what a polynomial leaves.
    """
    slit = np.broadcast_to(np.linspace(-1, 1, len(measured.x))[:, np.newaxis], measured.x.shape)
    u = np.nan_to_num(measured.x / 1023.5 - 1.0)
    usable = np.isfinite(measured.offset)
    alike = _alike(measured, u, slit, usable)
    degree, good = _trusted_lines(alike, usable, order)
    keep = usable & good
    keep &= _agreeing(alike.offset, measured.error, keep)
    intervals = INTERVALS if order == 0 and good.sum() >= LINES_FOR_SPLINES else 0
    return degree, fit_shapes(u, measured.offset, measured.noise, keep, degree, intervals)


def _agreeing(offset: FloatArray, error: FloatArray, keep: BoolArray) -> BoolArray:
    """Measurements that are not far from what is usual for their fibre and their line."""
    away = offset - _line_means(offset, keep)
    away = away - _line_means(away.T, keep.T)[:, np.newaxis]
    spread = 1.48 * float(np.median(np.abs(away[keep]))) if keep.any() else 0.0
    return np.asarray(np.abs(away) < np.maximum(0.2, 5.0 * np.hypot(spread, error)))


def _alike(measured: Measured, u: FloatArray, slit: FloatArray, usable: BoolArray) -> Measured:
    """Offsets freed from what changes along the slit, roughly.

    At the ends of the chip half of the fibres see a line that the others do not: the mean of those must not look
    like a bend along the chip.
    """
    keep = usable & _agreeing_lines(measured, usable)
    if keep.sum() < (ROUGH_ORDER + 1) * (SLIT_ORDER + 1):
        return measured
    table = _lstsq2d(u[keep], slit[keep], measured.offset[keep], measured.error[keep], ROUGH_ORDER)
    mean = table @ chebyshev.chebvander(slit[:, 0], SLIT_ORDER).mean(axis=0)
    along = chebyshev.chebval2d(u, slit, table) - chebyshev.chebval(u, mean)
    return replace(measured, offset=measured.offset - along)


def _trusted_lines(measured: Measured, usable: BoolArray, order: int) -> tuple[int, BoolArray]:
    """Degree along the chip, and the lines that agree on one curve of that degree.

    A line at the end of the range bends the curve to itself, so each is judged by the curve that the others
    make without it, and by how well they can know it there.
    """
    means = _line_means(measured.offset, usable)
    x = median(measured.x, axis=0) / 1023.5 - 1.0
    good = _agreeing_lines(measured, usable)
    degree = order or _best_order(x, means, good)
    for _ in range(len(means)):
        hat = _hat(x[good], degree)
        leverage = np.clip(np.diag(hat), 0.0, 0.98)
        residual = means[good] - hat @ means[good]
        spread = max(1.48 * float(np.median(np.abs(residual) / np.sqrt(1.0 - leverage))), 0.01)
        strange = np.abs(residual) / (spread * np.sqrt(1.0 - leverage))
        worst = int(np.argmax(strange))
        if strange[worst] < 3.5 or good.sum() <= max(MIN_LINES, degree + 2):
            break
        good[np.nonzero(good)[0][worst]] = False
        degree = order or _best_order(x, means, good)
    return degree, good


def _line_means(values: FloatArray, keep: BoolArray) -> FloatArray:
    with np.errstate(all="ignore"):
        masked = np.where(keep, values, np.nan)
        empty = ~keep.any(axis=0)
        masked[0, empty] = np.inf
        return np.asarray(median(masked, axis=0))


def _agreeing_lines(measured: Measured, usable: BoolArray) -> BoolArray:
    """Lines whose mean offset lies on one smooth curve with the others: the rest are wrongly identified."""
    means = _line_means(measured.offset, usable)
    x = median(measured.x, axis=0) / 1023.5 - 1.0
    weight = np.sqrt(usable.sum(axis=0))
    good = np.isfinite(means) & np.isfinite(x)
    for degree, limit in ((1, 1.0), (2, 0.5), (3, 0.3)):
        for _ in range(6):
            if good.sum() < degree + 3:
                break
            fit = chebyshev.chebfit(x[good], means[good], degree, w=weight[good])
            away = np.abs(means - chebyshev.chebval(x, fit))
            spread = 1.48 * float(np.median(away[good]))
            now = np.isfinite(means) & (away < max(limit, 3.0 * spread))
            if (now == good).all():
                break
            good = now
    return good


def _best_order(x: FloatArray, means: FloatArray, good: BoolArray) -> int:
    """Degree along the chip that best predicts a line left out, a cubic at least.

    Every camera distorts as a cubic. A line without it would pass for good enough while lines are still measured
    with a scale that lacks it, and confirm itself. Where lines are too few to tell, the usual size of it does.
    """
    u, y = x[good], means[good]
    best, best_score = LEAST_ORDER, np.inf
    for degree in range(LEAST_ORDER, max(LEAST_ORDER, min(MAX_ORDER, (y.size - 1) // 3)) + 1):
        hat = _hat(u, degree)
        left_out = (y - hat @ y) / np.maximum(1.0 - np.diag(hat), 0.02)
        score = float(np.sqrt(np.mean(np.minimum(np.abs(left_out), 0.5) ** 2)))
        if score < GAIN ** (degree - best) * best_score:
            best, best_score = degree, score
    return best


def _hat(u: FloatArray, degree: int) -> FloatArray:
    """The matrix that makes a curve's values of what is measured at some columns, no more bent than is usual."""
    design = chebyshev.chebvander(u, degree)
    normal = design.T @ design + np.diag((USUAL_LINE / usual_distortion(degree)) ** 2)
    return np.asarray(design @ np.linalg.solve(normal, design.T))


def _lstsq2d(u: FloatArray, s: FloatArray, y: FloatArray, error: FloatArray, order: int) -> FloatArray:
    """Weighted fit of a Chebyshev surface, by normal equations: thousands of points, few coefficients.

    High degrees along the chip carry a prior of zero, because a camera's distortion falls off with the degree:
    it decides only what no line does, such as the ends of the chip beyond the last line. An error of the line
    list repeats in every fibre, so the prior weighs as much as all fibres.
    """
    weight = 1.0 / np.hypot(error, 0.02)
    design = chebyshev.chebvander2d(u, s, [order, SLIT_ORDER]) * weight[:, np.newaxis]
    normal = design.T @ design
    degree, across = np.divmod(np.arange((order + 1) * (SLIT_ORDER + 1)), SLIT_ORDER + 1)
    expected = np.where(degree >= 2, PRIOR / np.maximum(degree, 1) ** 2, FREE)
    normal[np.diag_indices_from(normal)] += np.where(across == 0, 400.0, 4.0) / expected**2
    solution = np.linalg.solve(normal, design.T @ (y * weight)).reshape(order + 1, SLIT_ORDER + 1)
    return np.asarray(solution, dtype=np.float64)
