"""Arc lines that the noise of most single fibres hides, and all fibres together show.

To look for such a line's peak in each fibre would find it where noise has it, and only in fibres where noise is kind.
Where it must be is known to a fraction of its width, though, and so is how bright it must be: its place then
follows from the light in linear steps, without bias at any noise, and thousands of pixels tell together what a few do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.linefit import MODEL_ERROR, LineFits
from quicklook.nanmath import median
from quicklook.types import AnyFloat, BoolArray, FloatArray

CLEAR = 5.0
"""A line is seen in a fibre when it exceeds its error by so much ..."""

SEEN_BY = 0.9
"""... and is no faint one when so many of the fibres see it."""

LEAST_LIGHT = 0.1
"""Fibres with less than this part of the usual light tell nothing."""

FEW = 16
"""With so many lines that are clear, faint ones are left alone: what nobody lists beside them pulls them more.

In 580V forty faint lines beside fifty clear ones made wavelengths worse by a fifth."""

TOGETHER = 0.1
"""A faint line is used when all fibres together know its place this well [pixel]."""

ALONE = 1.0
"""A fibre that knows less of its place says nothing [pixel]."""


def faint_lines(
    flux: AnyFloat,
    variance: AnyFloat,
    expected: FloatArray,
    targets: NDArray[np.intp],
    strength: FloatArray,
    sigma: FloatArray,
    fit: LineFits,
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Measure those of the targets that are faint in all fibres.

    Parameters
    ----------
    flux, variance : ndarray (fibres, columns)
        Electrons and electrons^2; NaN = bad.
    expected : ndarray (fibres, lines)
        Expected 0-based columns of *all* lines, right to a fraction of their width.
    targets : ndarray of int (n,)
    strength : ndarray (lines,)
        Brightness of all lines in the mean of all fibres.
    sigma : ndarray (fibres, n)
        Gaussian width of the targets [pixel].
    fit : LineFits
        What was found of the targets in single fibres.

    Returns
    -------
    faint : ndarray of bool (n,)
        Which of the targets were measured here.
    centre, noise : ndarray (fibres, n)
        0-based column and its error, NaN where unknown.
    """
    clear = np.isfinite(fit.centre) & (fit.amplitude > CLEAR * fit.amplitude_error)
    light = _light(fit.amplitude, clear, strength[targets])
    lit = light > LEAST_LIGHT * float(np.median(light[light > 0.0])) if (light > 0.0).any() else light > 0.0
    centre, noise = np.full(fit.centre.shape, np.nan), np.full(fit.centre.shape, np.nan)
    faint = np.zeros(len(targets), dtype=bool)
    there = np.isfinite(expected[:, targets]) & lit[:, np.newaxis]
    hidden = (clear & there).sum(axis=0) < SEEN_BY * there.sum(axis=0)
    if (~hidden & there.any(axis=0)).sum() >= FEW:
        return faint, centre, noise
    for t in np.nonzero(hidden)[0]:
        target, inside = targets[t], there[:, t]
        rows = np.nonzero(inside)[0]
        shift, error = _shifts(
            flux, variance, expected[rows], rows, target, strength, sigma[rows, t], light[rows]
        )
        told = np.isfinite(shift) & (error < ALONE)
        if told.any() and np.sum(error[told] ** -2.0) > TOGETHER**-2.0:
            faint[t] = True
            centre[rows[told], t] = expected[rows[told], target] + shift[told]
            noise[rows[told], t] = error[told]
    return faint, centre, noise


def _light(amplitude: FloatArray, clear: BoolArray, strength: FloatArray) -> FloatArray:
    """How bright lines are in each fibre, over their brightness in the mean of all; 0 where no line tells."""
    ratio = np.where(clear, amplitude / strength, np.nan)
    told = clear.any(axis=1)
    light = np.zeros(len(amplitude))
    light[told] = median(ratio[told], axis=1)
    return light


def _shifts(
    flux: AnyFloat,
    variance: AnyFloat,
    expected: FloatArray,
    rows: NDArray[np.intp],
    target: int,
    strength: FloatArray,
    sigma: FloatArray,
    light: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """How far a line lies from where it is expected in some fibres, and the error that noise makes of it [pixel].

    Height, level and shift are fitted; the shift is the line's slope found in the light over the slope that a line so
    bright has.
    """
    half = int(np.ceil(2.6 * float(np.median(sigma)) + 1.0))
    first = np.round(expected[:, target]).astype(np.intp) - half
    columns = first[:, np.newaxis] + np.arange(2 * half + 1)
    within = (columns >= 0) & (columns < flux.shape[1])
    place = (rows[:, np.newaxis], np.clip(columns, 0, flux.shape[1] - 1))
    value, doubt = flux[place].astype(np.float64), variance[place].astype(np.float64)
    good = within & np.isfinite(value) & (doubt > 0.0)
    near = np.abs(np.nan_to_num(expected - expected[:, [target]], nan=np.inf)).min(axis=0) < 2.0 * half
    profile, slope = np.zeros(columns.shape), np.zeros(columns.shape)
    for j in np.nonzero(near & (strength > 0.0))[0]:
        u = (columns - expected[:, [j]]) / sigma[:, np.newaxis]
        shape = np.nan_to_num(strength[j] / strength[target] * np.exp(-0.5 * u**2))
        profile += shape
        slope += shape * np.nan_to_num(u) / sigma[:, np.newaxis]
    peak = (light * strength[target])[:, np.newaxis]
    weight = np.where(good, 1.0 / (np.where(good, doubt, 1.0) + (MODEL_ERROR * peak) ** 2), 0.0)
    design = np.stack([profile, np.ones(columns.shape), slope], axis=2)
    weighted = design * weight[:, :, np.newaxis]
    normal = weighted.transpose(0, 2, 1) @ design
    whole = good.sum(axis=1) >= 2 * half
    normal[~whole] = np.eye(3)
    inverse = np.linalg.inv(normal)
    found = inverse @ (weighted.transpose(0, 2, 1) @ np.where(good, value, 0.0)[:, :, np.newaxis])
    shift = np.where(whole, found[:, 2, 0] / peak[:, 0], np.nan)
    return shift, np.sqrt(inverse[:, 2, 2]) / peak[:, 0]
