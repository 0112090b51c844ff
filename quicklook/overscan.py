"""The bias level of each row, from the overscan columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.optimize import least_squares

from quicklook.errors import InvalidInput

SKIPPED_COLUMNS = 2
"""The first overscan columns can hold charge left behind by bright pixels of the row."""

SPLINE_INTERVALS = 20
STIFFNESS = np.logspace(-2, 8, 21)
"""Weights of the spline's second differences that are tried [ADU^-2]."""

METHODS = ("SPLINE", "FIT", "POLYEXP")


@dataclass(frozen=True, eq=False)
class OverscanLevel:
    """Bias level along the rows.

    Attributes
    ----------
    rows : ndarray of float64 (rows,)
        Level [ADU].
    noise : float
        Scatter of single overscan pixels [ADU]: the read noise as measured.
    reason : str
        How the level was found.
    """

    rows: NDArray[np.float64]
    noise: float
    reason: str


def overscan_level(
    overscan: NDArray[np.uint16], *, method: str = "SPLINE", order: object = None
) -> OverscanLevel:
    """Fit the bias level along the rows of the overscan.

    Parameters
    ----------
    overscan : ndarray of uint16 (rows, columns)
    method : {'SPLINE', 'FIT', 'POLYEXP'}
        2dFdr's FITOVERSCAN: a polynomial, or a polynomial and an exponential decay from the first row. The
        default here is a cubic spline of 20 intervals, as stiff as the overscan itself asks for: what it follows
        beyond a straight line is noise that all pixels of a row share, and a faint fibre has them all.
    order : int-like, optional
        2dFdr's OVERSCANORDER (polynomial order, 0 to 20); default 9 for FIT, 2 for POLYEXP.

    Raises
    ------
    InvalidInput
        On an unknown method or impossible order, or when the overscan is not one (saturated).
    """
    method = method.upper()
    if method not in METHODS:
        raise InvalidInput(f"FITOVERSCAN = {method} is not one of {', '.join(METHODS)}")
    values = overscan[:, SKIPPED_COLUMNS:].astype(np.float64)
    middle = np.median(values, axis=1)
    noise = max(1.4826 * float(np.median(np.abs(values - middle[:, None]))), 0.5)
    if np.median(middle) > 60000:
        raise InvalidInput("the overscan is saturated; the read-out failed, take the frame again")
    keep = np.abs(values - middle[:, None]) < 5 * noise
    count = keep.sum(axis=1)
    mean = np.where(keep, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    weight = np.sqrt(count) / noise
    for _ in range(3):
        fitted = _fit(mean, weight, method, _order(order, method))
        scatter = noise / np.sqrt(np.maximum(count, 1))
        weight = np.where(np.abs(mean - fitted) < 5 * scatter + 0.02, np.sqrt(count) / noise, 0.0)
        if np.count_nonzero(weight) < len(mean) // 2:
            # The level jumps about from row to row: then only the row's own mean is right.
            return OverscanLevel(mean, noise, "row by row")
    clean = values[keep] - np.repeat(fitted, count)
    reason = "spline along rows" if method == "SPLINE" else f"{method} of order {_order(order, method)}"
    return OverscanLevel(fitted, float(np.std(clean)), reason)


def _order(order: object, method: str) -> int:
    if order is None or order == "":
        return 2 if method == "POLYEXP" else 9
    try:
        value = int(str(order))
    except ValueError:
        raise InvalidInput(f"OVERSCANORDER = {order} is not a whole number") from None
    if not 0 <= value <= 20:
        raise InvalidInput(f"OVERSCANORDER = {value} is not between 0 and 20")
    return value


def _fit(
    mean: NDArray[np.float64], weight: NDArray[np.float64], method: str, order: int
) -> NDArray[np.float64]:
    n = len(mean)
    position = np.linspace(-1.0, 1.0, n)
    if method == "SPLINE":
        # Knots at equal distances throughout: coefficients without second differences are a straight line.
        knots = -1.0 + np.arange(-3, SPLINE_INTERVALS + 4) * (2.0 / SPLINE_INTERVALS)
        inside = np.clip(position, knots[3], knots[-4])
        return _smooth(mean, weight, BSpline.design_matrix(inside, knots, 3).toarray())
    basis = np.asarray(np.polynomial.chebyshev.chebvander(position, order), dtype=np.float64)
    if method == "POLYEXP":
        decay = _decay_rows(mean, weight, basis)
        basis = np.column_stack([basis, np.exp(-np.arange(n) / decay)])
    solution, *_ = np.linalg.lstsq(basis * weight[:, None], mean * weight, rcond=None)
    return np.asarray(basis @ solution)


def _smooth(
    mean: NDArray[np.float64], weight: NDArray[np.float64], basis: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A spline whose second differences are held as much as makes the means most probable (Eilers & Marx 1996).

    ``weight`` is the inverse standard error of each mean, zero for those left out.
    """
    normal = (basis * (weight**2)[:, None]).T @ basis
    normal += 1e-9 * np.trace(normal) / len(normal) * np.eye(len(normal))
    right = basis.T @ (weight**2 * mean)
    bend = np.diff(np.eye(len(normal)), 2, axis=0)
    penalty = bend.T @ bend
    best, result = -np.inf, np.zeros(len(normal))
    for strength in STIFFNESS:
        held = normal + strength * penalty
        solution = np.linalg.solve(held, right)
        evidence = float(len(bend) * np.log(strength) - np.linalg.slogdet(held)[1] + right @ solution)
        if evidence > best:
            best, result = evidence, solution
    return np.asarray(basis @ result)


def _decay_rows(mean: NDArray[np.float64], weight: NDArray[np.float64], basis: NDArray[np.float64]) -> float:
    """Rows over which the exponential part decays, by a one-parameter search."""
    rows = np.arange(len(mean))

    def residual(log_decay: NDArray[np.float64]) -> NDArray[np.float64]:
        full = np.column_stack([basis, np.exp(-rows / np.exp(log_decay[0]))]) * weight[:, None]
        solution, *_ = np.linalg.lstsq(full, mean * weight, rcond=None)
        return np.asarray(full @ solution - mean * weight)

    found = least_squares(residual, [np.log(len(mean) / 20)], bounds=([np.log(5)], [np.log(len(mean))]))
    return float(np.exp(found.x[0]))
