"""By how much the lines of the sky are wider in a fibre than in a model that is the same for all."""

from __future__ import annotations

import numpy as np

from quicklook.spread import true_spread
from quicklook.types import FloatArray

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
