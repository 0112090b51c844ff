"""What the lines of all fibres say together: a surface, what each fibre adds, and what is wrong with each line.

A measurement is off by noise, which differs from fibre to fibre, and by what is wrong with its line (its listed
wavelength, a blend), which all fibres share. Thousands of measurements of thirty lines therefore know the noise well
and the chip's distortion only at thirty places. Both kinds of error, how large they are, and how large surfaces and
fibres usually are, are found together (a mixed linear model; variances by expectation and maximisation: Dempster,
Laird & Rubin 1977, J. R. Statist. Soc. B 39, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from quicklook.nanmath import median
from quicklook.scattered import spline_basis
from quicklook.types import BoolArray, FloatArray

SLIT_ORDER = 6
OWN_ORDER = 2

INTERVALS = 16
"""Intervals along the chip of what no polynomial of low degree follows: 128 pixels."""

STEPS = 4
"""Rounds in which the model and the usual sizes of its parts are found in turn."""

FLOOR = 0.002
"""Error of a line in one fibre beside noise [pixel]."""

FREE = 30.0
"""Place and dispersion may be anything [pixel]."""

USUAL_BEND, LEAST_SIZE = 4.0, 1e-4
"""A camera's distortion of second degree, in pixels times four, falling as the degree squared: cubics of 0.3 pixel were met, and
few lines must not make less of them; and the least size of what changes along the slit [pixel]."""

ALONG_SLIT = np.array([1.0, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003]) ** 2
"""How much of such a distortion changes along the slit, by degree along the slit: first guess, squared. The middle of the
slit shows lines that its ends do not, and what it tells of the bend holds there too unless their own lines say otherwise."""

USUAL_RIPPLE = 0.003
"""Size of the splines' coefficients: first guess [pixel]."""

USUAL_OWN, LEAST_OWN = (0.1, 0.01, 0.003), 1e-4
"""What fibres add to the surface, by degree along the chip: first guess and least [pixel]."""

USUAL_LINE, LEAST_LINE = 0.01, 0.001
"""What is wrong with a line in all fibres alike: first guess and least [pixel]."""

TAILS = 3.0
"""Degrees of freedom of Student's distribution of lines and fibres: some are of another kind than the rest."""

STRANGE, STRANGE_LEAST = 4.5, 0.1
"""A measurement is left out when it is off by so many errors, and by so many pixels."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """What the lines say, in pixels."""

    degree: int
    intervals: int
    table: FloatArray
    """Coefficients of the surface: (polynomials and splines along the chip, polynomials along the slit)."""
    own: FloatArray
    """What each fibre adds: Chebyshev coefficients (fibres, OWN_ORDER + 1)."""
    keep: BoolArray
    """(fibres, lines) measurements that were used."""
    residual: FloatArray
    """(fibres, lines) listed minus fitted."""

    def at(self, u: FloatArray) -> FloatArray:
        """The sum of surface and own shapes at columns from -1 to 1; (fibres, columns)."""
        place, told = np.linspace(-1, 1, len(self.own)), self.keep.any(axis=1)
        if told.any():
            # Beside the fibres that shine the surface would run away.
            place = np.clip(place, place[told].min(), place[told].max())
        slit = chebyshev.chebvander(place, SLIT_ORDER)
        surface = along_chip(u, self.degree, self.intervals) @ self.table @ slit.T
        return np.asarray(surface.T + self.own @ chebyshev.chebvander(u, OWN_ORDER).T)


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Variances of all parts of the model [pixel^2]."""

    surface: FloatArray
    """(functions along the chip, polynomials along the slit)"""
    own: FloatArray
    """(fibres, terms)"""
    line: FloatArray
    """Of what is wrong with each line in all fibres alike ..."""
    blend: FloatArray
    """... and in each fibre differently, beside noise: neighbours that change with the resolution."""


@dataclass(frozen=True, eq=False)
class _Solution:
    """Parts of the model and the variances with which they are known."""

    table: FloatArray
    table_variance: FloatArray
    line: FloatArray
    line_variance: FloatArray
    own: FloatArray
    own_variance: FloatArray


def usual_distortion(degree: int) -> FloatArray:
    """How large each degree along the chip is expected to be, before lines tell [pixel]."""
    usual = np.full(degree + 1, FREE)
    usual[2:] = USUAL_BEND / np.arange(2, degree + 1) ** 2
    return usual


def along_chip(u: FloatArray, degree: int, intervals: int) -> FloatArray:
    """Functions along the chip at columns from -1 to 1: polynomials, and splines when there are intervals."""
    polynomials = chebyshev.chebvander(u, degree)
    if intervals == 0:
        return np.asarray(polynomials)
    splines = spline_basis(np.clip(0.5 * (u.ravel() + 1.0), 0.0, 1.0), intervals)
    return np.concatenate([polynomials, splines.reshape(*u.shape, -1)], axis=-1)


def fit_shapes(
    u: FloatArray, offset: FloatArray, noise: FloatArray, keep: BoolArray, degree: int, intervals: int
) -> Shapes:
    """Fit all measurements together.

    Parameters
    ----------
    u : ndarray (fibres, lines)
        Columns from -1 to 1.
    offset, noise : ndarray (fibres, lines)
        What is to be fitted, and its error as far as it differs from fibre to fibre [pixel].
    keep : ndarray of bool (fibres, lines)
        Which of them to start with.
    degree, intervals : int
        Of polynomials and splines along the chip; no intervals means no splines.
    """
    chip = along_chip(u, degree, intervals)
    slit = np.asarray(chebyshev.chebvander(np.linspace(-1, 1, len(u)), SLIT_ORDER), dtype=np.float64)
    usable = np.isfinite(offset) & keep.any(axis=0)
    values = np.where(usable, offset, 0.0)
    noise2 = np.where(usable, noise, 1.0) ** 2 + FLOOR**2
    sizes = _first_sizes(keep, degree, chip.shape[-1])
    own_terms = sizes.own.shape[1]
    for _ in range(STEPS):
        weight = np.where(keep, 1.0 / (noise2 + sizes.blend), 0.0)
        found = _solve(chip, slit, values, weight, sizes)
        fitted = np.einsum("fja,fa->fj", chip, slit @ found.table.T)
        fitted += np.einsum("fja,fa->fj", chip[:, :, :own_terms], found.own)
        sizes = _new_sizes(found, sizes, keep, values - fitted - found.line, noise2, degree)
        away = np.abs(values - fitted - found.line)
        keep = usable & (away < np.maximum(STRANGE_LEAST, STRANGE * np.sqrt(noise2 + sizes.blend)))
    own = np.zeros((len(u), OWN_ORDER + 1))
    own[:, :own_terms] = found.own
    return Shapes(degree, intervals, found.table, own, keep, np.where(usable, offset - fitted, np.nan))


def _first_sizes(keep: BoolArray, degree: int, functions: int) -> _Sizes:
    surface = np.full((functions, SLIT_ORDER + 1), USUAL_RIPPLE**2)
    usual = usual_distortion(degree)[:, np.newaxis] ** 2
    surface[:2], surface[2 : degree + 1] = usual[:2], usual[2:] * ALONG_SLIT
    terms = min(OWN_ORDER, degree) + 1
    own = np.tile(np.square(USUAL_OWN[:terms]), (len(keep), 1))
    lines = keep.shape[1]
    return _Sizes(surface, own, np.full(lines, USUAL_LINE**2), np.zeros(lines))


def _new_sizes(
    found: _Solution, sizes: _Sizes, keep: BoolArray, away: FloatArray, noise2: FloatArray, degree: int
) -> _Sizes:
    """The sizes that make what was found most probable, a step at a time."""
    surface = sizes.surface.copy()
    squares = found.table**2 + found.table_variance
    # How degrees change along the slit is alike. What all fibres share is one number, which tells no usual size.
    bend = (squares[2 : degree + 1, 1:] / ALONG_SLIT[1:]).mean(axis=1, keepdims=True)
    surface[2 : degree + 1, 1:] = np.maximum(bend * ALONG_SLIT[1:], LEAST_SIZE**2)
    # Splines are alike, polynomials are not.
    if len(surface) > degree + 1:
        surface[degree + 1 :] = max(squares[degree + 1 :].mean(), LEAST_SIZE**2)
    lit_fibres, lit_lines = np.asarray(keep.any(axis=1)), np.asarray(keep.any(axis=0))
    own = _student(found.own**2 + found.own_variance, sizes.own, lit_fibres, LEAST_OWN)
    line = _student(
        (found.line**2 + found.line_variance)[:, None], sizes.line[:, None], lit_lines, LEAST_LINE
    )[:, 0]
    seen = np.where(keep, 1.0, np.nan)
    seen[0, ~lit_lines] = 0.0
    spread = 1.4826 * np.asarray(median(np.abs(away) * seen, axis=0))
    blend = np.maximum(spread**2 - np.asarray(median(noise2 * seen, axis=0)), 0.0)
    return _Sizes(surface, own, line, blend)


def _student(squares: FloatArray, before: FloatArray, told: BoolArray, least: float) -> FloatArray:
    """Variances of some alike quantities (rows) of Student's distribution, from their squares."""
    scale = before.min(axis=0)
    weight = (TAILS + 1.0) / (TAILS + squares / scale)
    scale = np.maximum((weight * squares)[told].mean(axis=0), least**2)
    return np.asarray(scale / np.minimum(weight, 1.0))


def _solve(
    chip: FloatArray, slit: FloatArray, values: FloatArray, weight: FloatArray, sizes: _Sizes
) -> _Solution:
    """The most probable model, by normal equations from which the fibres' own terms have been eliminated."""
    n, m, functions = chip.shape
    across, terms = slit.shape[1], sizes.own.shape[1]
    surface = functions * across
    weighted = weight[:, :, None] * chip
    along = weighted.transpose(0, 2, 1) @ chip
    right = (weighted.transpose(0, 2, 1) @ values[:, :, None])[:, :, 0]
    total = np.zeros((surface + m, surface + m))
    pairs = (slit[:, :, None] * slit[:, None, :]).reshape(n, -1)
    products = (along.reshape(n, -1).T @ pairs).reshape(functions, functions, across, across)
    total[:surface, :surface] = products.transpose(0, 2, 1, 3).reshape(surface, surface)
    shared = (weighted.reshape(n, -1).T @ slit).reshape(m, functions, across)
    total[surface:, :surface] = shared.reshape(m, surface)
    total[:surface, surface:] = total[surface:, :surface].T
    diagonal = np.concatenate([1.0 / sizes.surface.ravel(), weight.sum(axis=0) + 1.0 / sizes.line])
    total[np.diag_indices(surface + m)] += diagonal
    side = np.concatenate([(right.T @ slit).ravel(), (weight * values).sum(axis=0)])

    own_variance = np.linalg.inv(along[:, :terms, :terms] + np.eye(terms) / sizes.own[:, :, None])
    root = np.linalg.cholesky(own_variance).transpose(0, 2, 1)
    coupling = np.concatenate(
        [
            (along[:, :terms, :, None] * slit[:, None, None, :]).reshape(n, terms, surface),
            weighted[:, :, :terms].transpose(0, 2, 1),
        ],
        axis=2,
    )
    half = (root @ coupling).reshape(n * terms, surface + m)
    total -= half.T @ half
    side -= half.T @ (root @ right[:, :terms, None]).ravel()
    covariance = np.linalg.inv(total)
    solution = covariance @ side
    variance = np.diag(covariance)
    own = (own_variance @ (right[:, :terms] - coupling @ solution)[:, :, None])[:, :, 0]
    return _Solution(
        solution[:surface].reshape(functions, across), variance[:surface].reshape(functions, across),
        solution[surface:], variance[surface:], own, np.einsum("fii->fi", own_variance),
    )  # fmt: skip
