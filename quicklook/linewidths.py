"""By how much the lines of the sky are wider in a fibre than in a model that is the same for all.

First what is smooth over the chip, where the camera's focus changes along a fibre as well as from fibre to fibre; then what each
fibre still has of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.spread import true_spread
from quicklook.types import FloatArray, FloatImage

SLIT_TERMS = 4
"""The width of the lines changes along the slit as a cubic does, but for slitlets and fibres that are out of focus."""

SLITLET = 10
"""Fibres of one slitlet are in or out of focus together."""

LEAST_FIBRES = 20
"""With fewer fibres lines count as equally wide everywhere."""

LARGEST_CHANGE = 1.5
"""A change of the lines' width beyond this is none [pixel^2, half the change of the squared sigma]."""

SMALLEST_SPREAD = 1e-4
"""Fibres whose lines' widths differ by less count as equal [pixel^2]."""

FAR, LEAST_POWER = 10.0, 1e-3
"""Pieces that say so many times what may be, or that say it within thirty square pixels, say nothing."""

CLIP = 4.0
ROUNDS = 4

CHIP_TERMS = 4, 3
"""The camera's focus is a cubic along the slit times a parabola along the dispersion."""

CHIP_PRIOR = 0.3
"""Expected size of each term of it [pixel^2]."""

CHIP_DOUBT = 0.1
"""What a piece of a fibre's spectrum differs from it anyway [pixel^2]."""


def along_the_chip(
    change: FloatArray, power: FloatArray, fibres: NDArray[np.intp], piece: int, shape: tuple[int, ...]
) -> FloatImage:
    """By how much lines are wider all over the chip: a smooth surface through what pieces of some spectra show.

    Were the width of a fibre's lines one number, lines at one end would be compared with too wide ones, those at the other
    with too narrow ones, and the ratio of all would be wrong by a per cent at the ends of the slit.

    Parameters
    ----------
    change : ndarray (n, pieces)
        Half the difference of the squared widths [pixel^2].
    power : ndarray (n, pieces)
        Inverse of its variance; pieces that tell nothing have none.
    fibres : ndarray of int (n,)
        Which of the chip's fibres these are.
    piece : int
        Columns of a piece.
    shape : tuple of int
        Fibres and columns of the chip.

    Returns
    -------
    ndarray of float32
        Of that shape; zero where too few fibres tell.
    """
    known = (np.abs(change) < FAR * LARGEST_CHANGE) & np.isfinite(power) & (power > LEAST_POWER)
    if known.any(axis=1).sum() < LEAST_FIBRES:
        return np.zeros(shape, dtype=np.float32)
    slit = np.linspace(-1.0, 1.0, shape[0])[:, np.newaxis] ** np.arange(CHIP_TERMS[0])
    middles = (np.arange(change.shape[1]) + 0.5) * piece - 0.5
    powers = np.arange(CHIP_TERMS[1])
    along = (np.linspace(-1.0, 1.0, shape[1])[:, np.newaxis]) ** powers
    at = (2.0 * middles / (shape[1] - 1) - 1.0)[:, np.newaxis] ** powers
    f, p = np.nonzero(known)
    design = (slit[fibres[f], :, np.newaxis] * at[p, np.newaxis, :]).reshape(len(f), -1)
    seen, weight = change[known], 1.0 / (1.0 / power[known] + CHIP_DOUBT**2)
    keep = np.ones(len(f), dtype=np.bool_)
    for _ in range(ROUNDS):
        weighed = design * np.where(keep, weight, 0.0)[:, np.newaxis]
        normal = weighed.T @ design + np.eye(design.shape[1]) / CHIP_PRIOR**2
        solution = np.linalg.solve(normal, weighed.T @ seen)
        # Lines of objects are no lines of the sky.
        keep = (seen - design @ solution) ** 2 * weight < CLIP**2
    return np.asarray(slit @ solution.reshape(CHIP_TERMS) @ along.T, dtype=np.float32)


def widened(light: FloatImage, change: FloatImage) -> FloatImage:
    """Light whose lines are so much wider; where that is not known, at the ends, they are as they were."""
    with np.errstate(all="ignore"):
        return np.asarray(light + change * bends(light), dtype=np.float32)


def bends(light: FloatImage) -> FloatImage:
    """Second derivative along the dispersion, to fourth order; zero where neighbours are not known."""
    result = np.zeros_like(light)
    result[:, 2:-2] = (4.0 / 3.0) * (light[:, 1:-3] + light[:, 3:-1]) - 2.5 * light[:, 2:-2]
    result[:, 2:-2] -= (light[:, :-4] + light[:, 4:]) / 12.0
    return np.where(np.isfinite(result), result, np.float32(0.0))


def widths(change: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """By how much lines are wider than the model's: smooth along the slit, then by slitlets, then of each fibre's own.

    What a slitlet and a fibre have of their own is believed as far as the errors allow, against the spread that all of them
    show (empirical Bayes). A fibre that is far from the others shows an object's lines, and keeps what is its slitlet's.

    Parameters
    ----------
    change, error : ndarray (fibres,)
        Half the difference of the squared widths, as each fibre alone tells it, and its error [pixel^2].

    Returns
    -------
    change, error : ndarray (fibres,)
        Zero where too few fibres tell.
    """
    nothing = np.zeros(len(change)), np.zeros(len(change))
    known = np.isfinite(change) & (error < LARGEST_CHANGE) & (np.abs(change) < LARGEST_CHANGE)
    if known.sum() < LEAST_FIBRES:
        return nothing
    powers = np.linspace(-1.0, 1.0, len(change))[:, np.newaxis] ** np.arange(SLIT_TERMS)
    slitlet = np.arange(len(change)) // SLITLET
    seen, doubt = np.where(known, change, 0.0), np.where(known, error, 1.0)
    spread = SMALLEST_SPREAD
    for _ in range(5):
        root = np.where(known, 1.0 / np.hypot(doubt, spread), 0.0)
        solution = np.linalg.lstsq(powers * root[:, np.newaxis], seen * root, rcond=None)[0]
        away = change - powers @ solution
        spread = true_spread(away[known], error[known], SMALLEST_SPREAD)
        known &= np.abs(away) < 4.0 * np.hypot(spread, error)
        if known.sum() < LEAST_FIBRES:
            return nothing
    smooth = powers @ solution
    own = spread
    for _ in range(5):
        weight = np.where(known, 1.0 / (doubt**2 + own**2), 0.0)
        total = np.bincount(slitlet, weight)
        told = total > 0.0
        weight_of = np.where(told, total, 1.0)
        mean = np.bincount(slitlet, weight * np.where(known, away, 0.0)) / weight_of
        shared = true_spread(mean[told], weight_of[told] ** -0.5, SMALLEST_SPREAD)
        block = np.where(told, mean * shared**2 / (shared**2 + 1.0 / weight_of), 0.0)[slitlet]
        own = true_spread((away - block)[known], error[known], SMALLEST_SPREAD)
    trust = np.where(known, own**2 / (own**2 + doubt**2), 0.0)
    result = smooth + block + trust * np.where(known, away - block, 0.0)
    common = np.where(told, shared**2 / (1.0 + shared**2 * total), shared**2)[slitlet]
    return np.clip(result, -LARGEST_CHANGE, LARGEST_CHANGE), np.sqrt(
        (1.0 - trust) * own**2 + (1.0 - trust) ** 2 * common
    )
