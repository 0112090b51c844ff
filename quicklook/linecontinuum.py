"""What lies beneath lines, in the fit of lines: a curve that bends no more than the light beside them shows.

The curve's second differences are noise of one size (Whittaker 1923, Proc. Edinburgh Math. Soc. 41, 63), and how large they are
each fibre's light tells (its most likely value). Products of data and lines are formed of what no such curve follows: least
squares with a noise that is correlated as an object's features are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import adding_kernel, kernel
from quicklook.types import FloatArray

TELLS, REACH = 0.02, 60
"""Columns that tell more than this share of what the best one tells are compared, and so many to either side."""

DD, DL, LL, DB, LB, BB = range(6)
"""Products of data, line, and its second difference (bend), weighed by all that is not known of a pixel."""


@kernel
def windows_of(line: FloatArray, level: FloatArray, weight: FloatArray, windows: NDArray[np.intp]) -> int:
    """Set ``windows`` to the first and last column around those that tell the ratio; return how many there are.

    What an object does elsewhere says little of how sharply it bends here.
    """
    nx, most, n, last = len(line), 0.0, 0, -1
    for x in range(nx):
        most = max(most, weight[x] * (line[x] - level[x]) ** 2)
    for x in range(nx):
        if weight[x] * (line[x] - level[x]) ** 2 > TELLS * most:
            if last < 0 or x - REACH > last:
                windows[n, 0] = max(x - REACH, 0)
                n += 1
            last = min(x + REACH, nx - 1)
            windows[n - 1, 1] = last
    return n


@adding_kernel
def _eliminate(
    weight: FloatArray,
    data: FloatArray,
    line: FloatArray,
    bend: FloatArray,
    stiffness: float,
    factor: FloatArray,
    right: FloatArray,
    form: FloatArray,
) -> float:
    """Add to ``form`` the products of what no curve of some stiffness follows; return the logarithm of the determinant.

    The normal matrix of a curve whose squared second differences cost ``stiffness`` has five diagonals: it becomes L D L'
    while its right sides, the weighed data, line and bend, are eliminated. ``factor`` receives the inverse of D and the two
    diagonals of L, ``right`` (3, columns) what is left of the right sides.
    """
    nx = len(weight)
    logarithm, product = 0.0, 1.0
    dd, dl, ll, db, lb, bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    d2, side1, p1, q1, q2 = 1.0, 0.0, 0.0, 0.0, 0.0
    d1 = 1.0
    a1, a2, b1, b2, c1, c2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for x in range(nx):
        end = min(x, nx - 1 - x)
        diagonal = 6.0 if end > 1 else 5.0 if end == 1 else 1.0
        beside = 0.0 if x == nx - 1 else -2.0 if x in (0, nx - 2) else -4.0
        w = weight[x]
        # Each column waits for the one before it: products are written so that they wait as little as may be.
        d = (w + stiffness * diagonal - q2 * q2 * d2) - side1 * p1
        inverse = 1.0 / d
        side = stiffness * beside - side1 * q1
        p = side * inverse
        q = stiffness * inverse if x < nx - 2 else 0.0
        va, vb, vc = w * data[x], w * line[x], w * bend[x]
        a, b, c = va - p1 * a1 - q2 * a2, vb - p1 * b1 - q2 * b2, vc - p1 * c1 - q2 * c2
        ad, bd = a * inverse, b * inverse
        dd += va * data[x] - a * ad
        dl += va * line[x] - b * ad
        ll += vb * line[x] - b * bd
        db += va * bend[x] - c * ad
        lb += vb * bend[x] - c * bd
        bb += vc * bend[x] - c * c * inverse
        factor[0, x], factor[1, x], factor[2, x] = inverse, p, q
        right[0, x], right[1, x], right[2, x] = a, b, c
        # Logarithms are dear: one for each eight columns.
        product *= d
        if x % 8 == 7:
            logarithm += np.log(product)
            product = 1.0
        a2, b2, c2, a1, b1, c1 = a1, b1, c1, a, b, c
        d2, d1, q2, q1, p1, side1 = d1, d, q1, q, p, side
    form[DD] += dd
    form[DL] += dl
    form[LL] += ll
    form[DB] += db
    form[LB] += lb
    form[BB] += bb
    return logarithm + float(np.log(product))


@adding_kernel
def _follow(factor: FloatArray, right: FloatArray) -> None:
    """Turn what is left of the right sides into the curves that follow data, line and bend."""
    nx = factor.shape[1]
    for k in range(right.shape[0]):
        near, far = 0.0, 0.0
        for x in range(nx - 1, -1, -1):
            value = right[k, x] * factor[0, x] - factor[1, x] * near - factor[2, x] * far
            right[k, x] = value
            near, far = value, near


@kernel
def best_fit(form: FloatArray) -> tuple[float, float, float]:
    """Shares of line and bend in the data, and what they explain; no bend where it is not told from the line."""
    determinant = form[LL] * form[BB] - form[LB] * form[LB]
    if determinant > 1e-6 * form[LL] * form[BB]:
        line = (form[DL] * form[BB] - form[DB] * form[LB]) / determinant
        bend = (form[DB] * form[LL] - form[DL] * form[LB]) / determinant
        return line, bend, line * form[DL] + bend * form[DB]
    line = form[DL] / form[LL] if form[LL] > 0.0 else 0.0
    return line, 0.0, line * form[DL]


@kernel
def _solve(
    spectrum: FloatArray,
    windows: NDArray[np.intp],
    stiffness: float,
    factor: FloatArray,
    right: FloatArray,
    form: FloatArray,
) -> float:
    """Eliminate the continuum of every window; return the logarithm of the likelihood."""
    form[:] = 0.0
    result = 0.0
    for first, last in windows:
        part = spectrum[:, first : last + 1]
        logarithm = _eliminate(
            part[0], part[1], part[2], part[3], stiffness,
            factor[:, first : last + 1], right[:, first : last + 1], form,
        )  # fmt: skip
        result += (last - first - 1) * np.log(stiffness) - logarithm
    likelihood: float = 0.5 * (result - form[DD] + best_fit(form)[2])
    return likelihood


@kernel
def most_likely(
    spectrum: FloatArray,
    windows: NDArray[np.intp],
    stiffnesses: FloatArray,
    factor: FloatArray,
    right: FloatArray,
    form: FloatArray,
) -> None:
    """Follow a fibre's continuum with its most likely stiffness; the stiffest comes first, the likelihood has one peak."""
    best, last = -np.inf, -1
    # What the stiffness before has left is kept beside, as it will be wanted where this one is less likely.
    beside, rest, others = np.empty(factor.shape), np.empty(right.shape), np.empty(form.shape)
    for i in range(len(stiffnesses)):
        if i % 2 == 0:
            likelihood = _solve(spectrum, windows, stiffnesses[i], factor, right, form)
        else:
            likelihood = _solve(spectrum, windows, stiffnesses[i], beside, rest, others)
        if i > 0 and not likelihood > best:
            break
        best, last = likelihood, i
    if last % 2 == 1:
        # By hand: slices that are given arrays bring numba's checks and their messages with them, two seconds of compilation.
        for k in range(form.shape[0]):
            form[k] = others[k]
        for first, end in windows:
            for k in range(3):
                for x in range(first, end + 1):
                    factor[k, x], right[k, x] = beside[k, x], rest[k, x]
    for first, last in windows:
        _follow(factor[:, first : last + 1], right[:, first : last + 1])
