"""One smooth surface through all lines of all fibres, and what single fibres add to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

from quicklook.arclines import MIN_LINES, Measured
from quicklook.nanmath import median
from quicklook.types import BoolArray, FloatArray

SLIT_ORDER = 6
LEAST_ORDER = 3
MAX_ORDER = 6
OWN_ORDER = 2
GAIN = 0.9
"""Factor by which each further degree along the chip has to lower the error of lines left out."""

ROUGH_ORDER = 3
"""Degree along the chip of the surface by which lines are judged."""

NEIGHBOURS = 3
"""Fibres on either side that are asked what they share with a fibre."""

SURE = 4.0
"""Squared significance below which nothing is shared."""

OUTLYING = 0.1
"""A fibre further off than this beyond its error tells nothing of its neighbours [pixel]."""

PRIOR = 2.0
"""Expected size of the distortion of second degree, in pixels times four; see `_lstsq2d`."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The correction of an approximate wavelength scale, as fitted."""

    table: FloatArray
    """Chebyshev coefficients of the correction [pixel] in (column, slit)."""
    own: FloatArray
    """What each fibre adds: Chebyshev coefficients (fibres, OWN_ORDER + 1)."""
    keep: BoolArray
    """(fibres, lines) measurements that were used."""
    residual: FloatArray
    """(fibres, lines) listed minus fitted [pixel]."""


def fit_surface(measured: Measured, order: int) -> tuple[int, Surface]:
    """Fit all lines of all fibres; drop lines that are wrong everywhere, then single measurements."""
    n_fibres = len(measured.x)
    slit = np.broadcast_to(np.linspace(-1, 1, n_fibres)[:, np.newaxis], measured.x.shape)
    u = np.nan_to_num(measured.x / 1023.5 - 1.0)
    usable = np.isfinite(measured.offset)
    chosen_order, lines_good = _trusted_lines(_alike(measured, u, slit, usable), usable, order)
    keep = usable & lines_good
    for _ in range(4):
        table = _lstsq2d(u[keep], slit[keep], measured.offset[keep], measured.error[keep], chosen_order)
        residual = measured.offset - chebyshev.chebval2d(u, slit, table)
        # A line's own small error is common to all fibres: one fibre is judged against that.
        away = np.abs(residual - np.where(lines_good, _line_means(residual, keep), 0.0))
        spread = 1.48 * float(np.median(away[keep]))
        keep = usable & lines_good & (away < np.maximum(0.1, 4 * np.hypot(spread, measured.error)))
    own = _own_shapes(u, residual, measured.error, keep)
    residual = residual - np.array([chebyshev.chebval(a, b) for a, b in zip(u, own, strict=True)])
    return chosen_order, Surface(table, own, keep, residual)


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
        design = chebyshev.chebvander(x[good], degree)
        inverse = np.linalg.pinv(design)
        coefficients = inverse @ means[good]
        leverage = np.clip(np.sum(design * inverse.T, axis=1), 0.0, 0.98)
        residual = means[good] - design @ coefficients
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
    """Degree along the chip that best predicts a line left out, a cubic at least where there are the lines for it.

    Every camera distorts as a cubic. A line without it would pass for good enough while lines are still measured
    with a scale that lacks it, and confirm itself.
    """
    u, y = x[good], means[good]
    most = min(MAX_ORDER, (y.size - 1) // 3)
    best, best_score = 1, np.inf
    for degree in range(max(1, min(LEAST_ORDER, most)), most + 1):
        design = chebyshev.chebvander(u, degree)
        hat = design @ np.linalg.pinv(design)
        left_out = (y - hat @ y) / np.maximum(1.0 - np.diag(hat), 0.02)
        score = float(np.sqrt(np.mean(np.minimum(np.abs(left_out), 0.5) ** 2)))
        if score < GAIN ** (degree - best) * best_score:
            best, best_score = degree, score
    return best


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
    expected = np.where(degree >= 2, PRIOR / np.maximum(degree, 1) ** 2, 30.0)
    normal[np.diag_indices_from(normal)] += np.where(across == 0, 400.0, 4.0) / expected**2
    solution = np.linalg.solve(normal, design.T @ (y * weight)).reshape(order + 1, SLIT_ORDER + 1)
    return np.asarray(solution, dtype=np.float64)


def _own_shapes(u: FloatArray, residual: FloatArray, error: FloatArray, keep: BoolArray) -> FloatArray:
    """What each fibre shows beyond the surface, shrunk by how well its own lines prove it.

    The true spread of a coefficient among the fibres is what is seen less what measurement alone makes
    (empirical Bayes); where nothing is left, nothing is added.
    """
    # What a line does in every fibre belongs to the line, not to the fibre.
    common = _line_means(residual, keep)
    common = np.where(np.isfinite(common), common, 0.0)
    n_fibres = len(u)
    own = np.zeros((n_fibres, OWN_ORDER + 1))
    formal = np.full((n_fibres, OWN_ORDER + 1), np.inf)
    for f in range(n_fibres):
        k = keep[f]
        if k.sum() < 2 * (OWN_ORDER + 1):
            if k.sum() >= 2:
                weight = 1.0 / np.square(error[f, k])
                own[f, 0] = np.sum(weight * (residual[f, k] - common[k])) / weight.sum()
                formal[f, 0] = 1.0 / weight.sum()
            continue
        weight = 1.0 / error[f, k]
        design = chebyshev.chebvander(u[f, k], OWN_ORDER) * weight[:, np.newaxis]
        covariance = np.linalg.pinv(design.T @ design)
        target = (residual[f, k] - common[k]) * weight
        own[f] = covariance @ (design.T @ target)
        chi2 = float(np.sum((target - design @ own[f]) ** 2)) / max(1, k.sum() - OWN_ORDER - 1)
        formal[f] = np.diag(covariance) * max(1.0, chi2)
    return np.stack([_believed(own[:, c], formal[:, c]) for c in range(OWN_ORDER + 1)], axis=1)


def _believed(seen: FloatArray, variance: FloatArray) -> FloatArray:
    """What to believe of one coefficient of all fibres: what neighbours share, and a part of the rest.

    At the ends of the slit the surface bends too little, and a few fibres there are off alike, by more than the
    fibres' usual spread: their common part is judged by its own error, not by that spread.
    """
    known = np.isfinite(variance)
    if known.sum() < 8:
        return np.zeros_like(seen)
    spread = _spread2(seen[known], variance[known])
    sound = known & (np.abs(seen) < 5.0 * np.sqrt(spread + np.where(known, variance, 0.0)) + OUTLYING)
    weight = np.where(sound, 1.0 / (spread + np.where(known, variance, 1.0)), 0.0)
    window = np.ones(2 * NEIGHBOURS + 1)
    total = np.convolve(weight, window, mode="same")
    shared = np.convolve(weight * seen, window, mode="same") / np.maximum(total, 1e-30)
    with np.errstate(divide="ignore", invalid="ignore"):
        certain = np.clip(1.0 - SURE / (np.maximum(total, 1e-30) * shared**2), 0.0, 1.0)
    shared = np.where(total > 0, np.nan_to_num(certain) * shared, 0.0)
    rest = np.where(known, seen - shared, 0.0)
    true = _spread2(rest[known], variance[known])
    trust = np.where(known, true / (true + np.where(known, variance, 1.0)), 0.0) if true > 0 else 0.0
    return np.asarray(shared + trust * rest)


def _spread2(values: FloatArray, variance: FloatArray) -> float:
    """Variance of the fibres about each other beyond what their errors make."""
    seen = (1.48 * float(np.median(np.abs(values - np.median(values))))) ** 2
    return max(seen - float(np.median(variance)), 0.0)
