"""The kinds of which wings of the fibre profile are made, and the splines of its core.

All shapes are functions of the offset from the tramline. Beside the core there are exponentials of a few lengths; what
of them lies in the profile's table, and what beyond, is one wing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from quicklook.columns import BEYOND, HALF, PHASES, PIXELS, TAIL_LENGTHS
from quicklook.types import FloatArray

LENGTHS = TAIL_LENGTHS
"""Lengths of the exponentials of which the profile's table holds the most [pixel]."""

SOFT = 3.0
"""Offset within which the exponentials are round, not pointed: there the core decides [pixel]."""

REACH = (2.5, 8.5, 9.5)
"""Reach of the core: in widths, and at least and at most so many pixels."""

HALO_LENGTHS = (12.0, 40.0)
"""Lengths of the halos, which reach beyond the table [pixel]. With those of the table they make a ladder, whose sums follow
lengths between; of longer ones the scattered light gets a part. Halos of 15 and 60 pixels leave it less of a wing of 45
pixels, and are known half as well from field to field."""

HALO_RANGE = (-0.02, 0.05)
"""Least and largest share of light in a halo that is believed; one may make up for the other."""

USUAL = 0.01
"""Usual share of light in one exponential; it decides where no pixel does."""

USUAL_HALO = 0.005
"""The same of a halo, which reaches further than optics should."""

USUAL_CHANGE = 0.003
"""Usual change of such a share from the chip's middle to an edge."""

KINDS = len(LENGTHS) + len(HALO_LENGTHS)
"""Kinds of wings: the exponentials of the table, and the halos."""

TERMS = 6
"""A share changes over the chip as a parabola in both directions."""

MEAN = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]) / [1.0, 1.0, 1.0, 3.0, 1.0, 3.0]
"""The terms in the mean over the chip, along which either place runs from -1 to 1."""

N_SHARES = len(LENGTHS) * TERMS + len(HALO_LENGTHS)
"""The halos are the same everywhere."""

MIDDLES = [*range(0, len(LENGTHS) * TERMS, TERMS), *range(len(LENGTHS) * TERMS, N_SHARES)]
"""The shares of the kinds in the middle of the chip."""

FINE = 240
"""Steps per pixel of the tabulated splines. To sixty, errors of rounding had moved a tenth of the wings into the halo."""

N_ENTRIES = PIXELS * PHASES + 1

OFFSETS: FloatArray = -HALF - 0.5 + np.arange(N_ENTRIES) / PHASES
"""Offsets at which profiles are tabulated [pixel]."""


def shares_at(column: FloatArray, row: FloatArray) -> FloatArray:
    """How the shares of the kinds of wings follow from the parameters at places of the chip.

    Parameters
    ----------
    column, row : ndarray
        Places, from -1 to 1 over the chip.

    Returns
    -------
    ndarray (places, KINDS, N_SHARES)
    """
    terms = np.stack([np.ones_like(column), column, row, column**2, column * row, row**2], axis=-1)
    result = np.zeros((len(terms), KINDS, N_SHARES))
    for k in range(len(LENGTHS)):
        result[:, k, k * TERMS : (k + 1) * TERMS] = terms
    result[:, len(LENGTHS) :, len(LENGTHS) * TERMS :] = np.eye(len(HALO_LENGTHS))
    return result


def kinds_at(columns: FloatArray, rows: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """As `shares_at` for places in pixels on a chip of (rows, columns)."""
    return shares_at(2.0 * (columns + 0.5) / shape[1] - 1.0, 2.0 * (rows + 0.5) / shape[0] - 1.0)


def usual_certainty() -> FloatArray:
    """Inverse covariance of the shares before anything is measured."""
    usual = np.full((len(LENGTHS), TERMS), USUAL_CHANGE)
    usual[:, 0] = USUAL
    return np.diag(np.r_[usual.ravel(), np.full(len(HALO_LENGTHS), USUAL_HALO)] ** -2)


def core_splines(fwhm: float) -> tuple[FloatArray, float]:
    """B-splines of the core in the offset, (fine offsets, splines), and how far they reach [pixel].

    Knots are dense in the middle and ever wider outwards. Value and slope vanish at the ends, where wings go on alone.
    """
    reach = float(np.clip(REACH[0] * fwhm, REACH[1], REACH[2]))
    step = 0.15 * fwhm
    right = list(np.arange(0.0, min(1.6 * fwhm, 0.75 * reach), step))
    while right[-1] + 1.5 * step < reach:
        step *= 1.4
        right.append(right[-1] + step)
    right[-1] = reach
    inner = np.array([-v for v in right[:0:-1]] + right)
    fine = fine_offsets()
    knots = np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3]
    full = BSpline.design_matrix(np.clip(fine, inner[0], inner[-1]), knots, 3).toarray()
    full[np.abs(fine) > reach] = 0.0
    return np.ascontiguousarray(full[:, 2:-2]), reach


def exponentials() -> FloatArray:
    """The family of wings in the offset, (fine offsets, lengths), each of unit sum over the profile's table."""
    distance = np.hypot(fine_offsets(), SOFT) - SOFT
    family = np.exp(-distance[:, np.newaxis] / np.array(LENGTHS))
    return np.ascontiguousarray(family / (family.sum(axis=0) / FINE))


def tails(share: FloatArray) -> tuple[float, float]:
    """What of a fibre's light the exponentials send to the first pixel beyond the table, in the mean over the chip.

    Parameters
    ----------
    share : ndarray (N_SHARES,)
    """
    mean = share[: len(LENGTHS) * TERMS].reshape(len(LENGTHS), TERMS) @ MEAN
    near, far = (float(value) for value in mean * first_beyond())
    return near, far


def light_outside() -> FloatArray:
    """How the light that a fibre sends beyond the table follows from the shares, (N_SHARES,)."""
    of_tails = 2.0 * first_beyond() / -np.expm1(-1.0 / np.array(LENGTHS))
    return np.asarray(np.r_[np.outer(of_tails, MEAN).ravel(), np.exp(-(HALF + 0.5) / np.array(HALO_LENGTHS))])


def first_beyond() -> FloatArray:
    """Each exponential, of unit sum over the table, at the first pixel beyond it."""
    distance = np.hypot(fine_offsets(), SOFT) - SOFT
    lengths = np.array(LENGTHS)
    whole = np.exp(-distance[:, np.newaxis] / lengths).sum(axis=0) / FINE
    return np.asarray(np.exp(-(np.hypot(BEYOND, SOFT) - SOFT) / lengths) / whole)


def fine_offsets() -> FloatArray:
    """Offsets at which splines are tabulated [pixel]."""
    return np.linspace(-HALF - 0.5, HALF + 0.5, PIXELS * FINE + 1)


def entries(basis: FloatArray) -> FloatArray:
    """A basis at the tabulated offsets, (entries, functions)."""
    return np.stack([np.interp(OFFSETS, fine_offsets(), each) for each in basis.T], axis=1)


def packed_splines(basis: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """First spline that differs from zero at each fine offset, and the four values from there on."""
    start = np.minimum(np.argmax(basis != 0.0, axis=1), basis.shape[1] - 4)
    return start, np.take_along_axis(basis, start[:, None] + np.arange(4)[None, :], axis=1)
