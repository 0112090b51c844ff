"""The spectra of one exposure as the night watch needs them, and how those of several belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TARGET = "P"
"""Fibre type of programme targets."""


@dataclass(frozen=True)
class Spectra:
    """Programme targets of one exposure in one arm.

    Attributes
    ----------
    seconds
        Exposure time.
    target
        What each fibre looks at, the same in every exposure of a field: fibre and name.
    magnitude : ndarray (targets,)
        Of the fibre table; NaN where it has none.
    snr : ndarray (targets,)
        Median signal to noise per Angstrom.
    flux : ndarray (targets,)
        Median flux of the whole exposure, in the product's unit; NaN where it is not known.
    """

    run: int
    seconds: float
    target: tuple[tuple[int, str], ...]
    magnitude: Floats
    snr: Floats
    flux: Floats


@dataclass(frozen=True)
class Aligned:
    """The targets of several exposures in one table. NaN where an exposure lacks a target.

    Attributes
    ----------
    seconds : ndarray (exposures,)
    magnitude : ndarray (targets,)
    snr, flux : ndarray (exposures, targets)
    """

    seconds: Floats
    magnitude: Floats
    snr: Floats
    flux: Floats


def align(exposures: Sequence[Spectra]) -> Aligned:
    """Put exposures of a field into one table, in their order."""
    places: dict[tuple[int, str], int] = {}
    for exposure in exposures:
        for target in exposure.target:
            places.setdefault(target, len(places))
    magnitude = np.full(len(places), np.nan)
    snr = np.full((len(exposures), len(places)), np.nan)
    flux = np.full_like(snr, np.nan)
    for row, exposure in enumerate(exposures):
        columns = np.array([places[target] for target in exposure.target], dtype=np.intp)
        snr[row, columns] = exposure.snr
        flux[row, columns] = exposure.flux
        known = np.isfinite(exposure.magnitude)
        magnitude[columns[known]] = exposure.magnitude[known]
    return Aligned(np.array([one.seconds for one in exposures], dtype=float), magnitude, snr, flux)
