"""Positions of emission lines in extracted spectra: a compiled fit, the same for arcs and for the night sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import kernel
from quicklook.types import AnyFloat, FloatArray

MODEL_ERROR = 0.02
"""A line's shape is known to this fraction of its peak: strong lines count no more than that allows."""

MAX_NEIGHBOURS = 6
MAX_TIED = 16
UNKNOWNS = MAX_TIED + 4
"""Room for amplitudes, level, shift and width."""

ITERATIONS = 8


@dataclass(frozen=True, eq=False)
class LineFits:
    """Fitted lines; all arrays are (fibres, lines), NaN where the fit was not possible.

    Attributes
    ----------
    centre : ndarray of float64
        0-based column.
    error : ndarray of float64
        One sigma of the centre, what its shape leaves open included [pixel].
    noise : ndarray of float64
        The part of that which photons and read-out make: what differs from fibre to fibre [pixel].
    amplitude : ndarray of float64
        Peak height [electron].
    amplitude_error : ndarray of float64
    sigma : ndarray of float64
        Gaussian width [pixel].
    """

    centre: FloatArray
    error: FloatArray
    noise: FloatArray
    amplitude: FloatArray
    amplitude_error: FloatArray
    sigma: FloatArray


def fit_lines(
    flux: AnyFloat,
    variance: AnyFloat,
    expected: FloatArray,
    targets: NDArray[np.intp],
    sigma: FloatArray,
    *,
    free_width: bool = False,
    strength: FloatArray | None = None,
) -> LineFits:
    """Fit Gaussian lines near where they are expected.

    Each target is fitted over its core with a level background. Other listed lines that reach into the
    window are fitted with it, at their listed distance, so that a neighbour does not pull the centre: with
    the share of the target's light that ``strength`` tells, or else with an amplitude of their own.

    Parameters
    ----------
    flux, variance : ndarray (fibres, columns)
        Electrons and electrons^2; NaN = bad.
    expected : ndarray (fibres, lines)
        Expected 0-based columns of *all* listed lines, ascending along the second axis.
    targets : ndarray of int (n,)
        Which of the lines to fit.
    sigma : ndarray (fibres, n)
        Gaussian width of the lines at the targets [pixel].
    free_width : bool
        Fit the width too.
    strength : ndarray (lines,), optional
        Relative brightness of all listed lines, where it is the same in all fibres and known better than one
        fibre tells it; lines of no brightness are no neighbours.

    Returns
    -------
    LineFits
        Arrays of shape (fibres, n).
    """
    n_fibres, n_targets = flux.shape[0], len(targets)
    out = np.full((6, n_fibres, n_targets), np.nan)
    _fit_all(
        np.ascontiguousarray(flux, dtype=np.float64),
        np.ascontiguousarray(variance, dtype=np.float64),
        np.ascontiguousarray(expected, dtype=np.float64),
        np.ascontiguousarray(targets, dtype=np.int64),
        np.ascontiguousarray(sigma, dtype=np.float64),
        np.empty(0) if strength is None else np.ascontiguousarray(strength, dtype=np.float64),
        free_width,
        out,
    )
    return LineFits(*out)


@kernel
def _solve(matrix: FloatArray, vector: FloatArray, n: int, scratch: FloatArray) -> bool:
    """Invert the first n rows and columns of a positive definite matrix in place, and solve; False when singular."""
    for i in range(n):
        scratch[i] = 1e-12 * (matrix[i, i] + 1e-300)
    for i in range(n):
        pivot = matrix[i, i]
        if not pivot > scratch[i]:
            return False
        matrix[i, i] = 1.0
        for j in range(n):
            matrix[i, j] /= pivot
        for k in range(n):
            if k != i:
                factor = matrix[k, i]
                matrix[k, i] = 0.0
                for j in range(n):
                    matrix[k, j] -= factor * matrix[i, j]
    for i in range(n):
        scratch[i] = 0.0
        for j in range(n):
            scratch[i] += matrix[i, j] * vector[j]
    for i in range(n):
        vector[i] = scratch[i]
    return True


@kernel
def _derivatives(
    x: float,
    centre: float,
    others: FloatArray,
    n_others: int,
    width: float,
    amplitude: FloatArray,
    row: FloatArray,
    n_linear: int,
) -> None:
    """Write into ``row`` how a pixel's value changes with amplitudes, level, shift and width."""
    slope, widen = 0.0, 0.0
    for j in range(1 + n_others):
        u = (x - (centre if j == 0 else others[j - 1])) / width
        g = np.exp(-0.5 * u * u)
        row[j] = g
        slope += amplitude[j] * g * u / width
        widen += amplitude[j] * g * u * u / width
    row[n_linear - 1] = 1.0
    row[n_linear] = slope
    row[n_linear + 1] = widen


@kernel
def _shape(
    first: float,
    pixels: int,
    centre: float,
    others: FloatArray,
    shares: FloatArray,
    n_others: int,
    width: float,
    shape: FloatArray,
) -> None:
    """Set ``shape`` to a line with its tied neighbours at some pixels from ``first`` on, and to its derivatives.

    Derivatives, of unit amplitude, are by shift and by width. From pixel to pixel a Gaussian changes by a factor that
    itself changes by one factor: exponentials, which would take most of the time, are needed for the first pixel only.
    """
    for k in range(pixels):
        shape[0, k], shape[1, k], shape[2, k] = 0.0, 0.0, 0.0
    per_width = 1.0 / width
    change = np.exp(-per_width * per_width)
    for j in range(1 + n_others):
        share = 1.0 if j == 0 else shares[j - 1]
        u = (first - (centre if j == 0 else others[j - 1])) * per_width
        g = share * np.exp(-0.5 * u * u)
        factor = np.exp(-per_width * (u + 0.5 * per_width))
        for k in range(pixels):
            slope = g * u * per_width
            shape[0, k] += g
            shape[1, k] += slope
            shape[2, k] += slope * u
            g *= factor
            factor *= change
            u += per_width


@kernel
def _tied_row(k: int, amplitude: float, shape: FloatArray, row: FloatArray) -> None:
    """Set ``row`` to the derivatives at pixel ``k`` of `_shape`: by amplitude, level, shift and width."""
    row[0], row[1], row[2], row[3] = shape[0, k], 1.0, amplitude * shape[1, k], amplitude * shape[2, k]


@kernel
def _fit_one(
    flux: FloatArray,
    variance: FloatArray,
    centre: float,
    others: FloatArray,
    shares: FloatArray,
    n_others: int,
    sigma: float,
    tied: bool,
    free_width: bool,
    work: FloatArray,
    shape: FloatArray,
    result: FloatArray,
) -> bool:
    """Gauss-Newton on (amplitudes, level, shift[, width]) of one line; ``tied`` neighbours have shares of it.

    ``work`` (UNKNOWNS + 4, UNKNOWNS) and ``shape`` (3, columns) are scratch.
    """
    matrix, vector, row, amplitude, scratch = work[:-4], work[-4], work[-3], work[-2], work[-1]
    half = 2.6 * sigma + 1.0
    first, last = int(np.ceil(centre - half)), int(np.floor(centre + half))
    if first < 0 or last >= flux.size:
        return False
    peak, bad = 0.0, 0
    for x in range(first, last + 1):
        value = flux[x]
        if not (np.isfinite(value) and variance[x] > 0):
            if abs(x - centre) < 2.0 * sigma:
                return False
            bad += 1
        elif value > peak:
            peak = value
    if bad > 2 or peak <= 0.0:
        return False
    n_linear = 2 if tied else 2 + n_others
    n = n_linear + (2 if free_width else 1)
    shift, width = 0.0, sigma
    for j in range(1 + n_others):
        amplitude[j] = 0.0
    for iteration in range(ITERATIONS):
        size = n_linear if iteration == 0 else n
        for i in range(n):
            vector[i] = 0.0
            for j in range(n):
                matrix[i, j] = 0.0
        if tied:
            _shape(first - shift, last - first + 1, centre, others, shares, n_others, width, shape)
        for x in range(first, last + 1):
            value = flux[x]
            if not (np.isfinite(value) and variance[x] > 0):
                continue
            weight = 1.0 / (variance[x] + (MODEL_ERROR * peak) ** 2)
            if tied:
                _tied_row(x - first, amplitude[0], shape, row)
            else:
                _derivatives(x - shift, centre, others, n_others, width, amplitude, row, n_linear)
            for i in range(size):
                # Amplitudes and level are solved afresh; shift and width are steps from where they stand.
                vector[i] += weight * row[i] * value
                for j in range(size):
                    matrix[i, j] += weight * row[i] * row[j]
        if not _solve(matrix, vector, size, scratch):
            return False
        for j in range(1 + n_others):
            amplitude[j] = vector[0] * shares[j - 1] if tied and j > 0 else vector[j]
        if not amplitude[0] > 0.0:
            return False
        if iteration == 0:
            continue
        step = min(max(vector[n_linear], -0.7), 0.7)
        shift += step
        if free_width:
            width = min(max(width + min(max(vector[n_linear + 1], -0.3), 0.3), 0.5 * sigma), 2.0 * sigma)
        if abs(shift) > 1.5 * sigma:
            return False
        if abs(step) < 1e-4 and iteration > 1:
            break
    # Weights allow for what the shape leaves open; noise makes of the centre what they let through.
    noise2 = 0.0
    if tied:
        _shape(first - shift, last - first + 1, centre, others, shares, n_others, width, shape)
    for x in range(first, last + 1):
        if np.isfinite(flux[x]) and variance[x] > 0:
            if tied:
                _tied_row(x - first, amplitude[0], shape, row)
            else:
                _derivatives(x - shift, centre, others, n_others, width, amplitude, row, n_linear)
            influence = 0.0
            for i in range(n):
                influence += matrix[n_linear, i] * row[i]
            influence /= variance[x] + (MODEL_ERROR * peak) ** 2
            noise2 += influence * influence * variance[x]
    result[0] = centre + shift
    result[1] = np.sqrt(matrix[n_linear, n_linear])
    result[2] = np.sqrt(noise2)
    result[3] = amplitude[0]
    result[4] = np.sqrt(matrix[0, 0])
    result[5] = width
    return bool(np.isfinite(result).all())


@kernel
def _fit_all(
    flux: FloatArray,
    variance: FloatArray,
    expected: FloatArray,
    targets: NDArray[np.int64],
    sigma: FloatArray,
    strength: FloatArray,
    free_width: bool,
    out: FloatArray,
) -> None:
    tied = strength.size > 0
    most = MAX_TIED if tied else MAX_NEIGHBOURS
    others, shares = np.zeros(most), np.zeros(most)
    result, work = np.zeros(6), np.zeros((UNKNOWNS + 4, UNKNOWNS))
    shape = np.empty((3, flux.shape[1]))
    n_lines = expected.shape[1]
    for f in range(flux.shape[0]):
        for t in range(targets.size):
            target = targets[t]
            width = sigma[f, t]
            centre = expected[f, target]
            if not (np.isfinite(centre) and width > 0.0):
                continue
            reach = 4.6 * width + 1.0
            n_others = np.int64(0)
            for side in (-1, 1):
                j = target + side
                room = most // 2 if side < 0 else most
                while 0 <= j < n_lines and side * (expected[f, j] - centre) < reach and n_others < room:
                    if not tied or strength[j] > 0.0:
                        others[n_others] = expected[f, j]
                        shares[n_others] = strength[j] / strength[target] if tied else 0.0
                        n_others += 1
                    j += side
            if _fit_one(
                flux[f],
                variance[f],
                centre,
                others,
                shares,
                n_others,
                width,
                tied,
                free_width,
                work,
                shape,
                result,
            ):
                for k in range(6):
                    out[k, f, t] = result[k]
