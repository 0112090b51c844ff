"""The samples of a spectrum as they are served: which medium, which part. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paws.errors import InvalidInputError
from paws.vo.wavelengths import vacuum_of
from web.spectra import FibreSpectrum, SpectraLayout

_COUNTS: Final = re.compile(r"(?i)(electrons?|e-|adu|counts?|ct)?\s*$")
METRE: Final = 1e10
"""Angstrom."""


class Medium(StrEnum):
    """What wavelengths are measured in."""

    VACUUM = "vacuum"
    AIR = "air"


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one spectrum, in the order of their wavelengths.

    Attributes
    ----------
    wavelength : ndarray (samples,)
        Angstrom, in `medium`.
    flux, error, sky : ndarray (samples,)
        In `unit`; NaN where there is none.
    part
        Whether the spectrum has more.
    """

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64] | None
    sky: NDArray[np.float64] | None
    medium: Medium
    unit: str
    part: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest wavelength, Angstrom."""
        return float(self.wavelength[0]), float(self.wavelength[-1])

    @property
    def counts(self) -> bool:
        """Whether fluxes are counted, not calibrated."""
        return _COUNTS.match(self.unit.strip()) is not None

    @property
    def flux_calibration(self) -> str:
        """How far fluxes are calibrated, in the words of the data model."""
        return "UNCALIBRATED" if self.counts else "ABSOLUTE"


def samples_of(layout: SpectraLayout, found: FibreSpectrum, medium: Medium = Medium.VACUUM) -> Samples:
    """Samples of a spectrum in the order of its wavelengths.

    Raises
    ------
    InvalidInputError
        If the product has no wavelength scale.
    """
    if layout.axis != "wavelength":
        raise InvalidInputError("This product has no wavelength scale: its samples are pixels, no spectrum.")
    if found.x is None:
        assert layout.start is not None, "an axis of wavelengths is linear, or told sample by sample"
        assert layout.step is not None
        air = layout.start + layout.step * np.arange(len(found.flux), dtype=np.float64)
    else:
        air = found.x
    wavelength = vacuum_of(air) if medium is Medium.VACUUM else air
    good = np.isfinite(wavelength)
    order = np.flatnonzero(good)
    if not order.size:
        raise InvalidInputError("This spectrum has no wavelengths.")
    if not bool((np.diff(wavelength[order]) >= 0).all()):
        order = order[np.argsort(wavelength[order], kind="stable")]

    def taken(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if values is None else values[order]

    return Samples(
        wavelength[order],
        found.flux[order],
        taken(found.sigma),
        taken(found.sky),
        medium,
        layout.unit,
    )


def between(samples: Samples, lowest: float, highest: float) -> Samples | None:
    """Samples within a range of wavelengths, its ends included; None when there are none.

    Parameters
    ----------
    lowest, highest
        Metres in vacuum; infinite for an open end.
    """
    if samples.medium is not Medium.VACUUM:
        raise ValueError("expected samples in vacuum")
    first = int(np.searchsorted(samples.wavelength, lowest * METRE, "left"))
    last = int(np.searchsorted(samples.wavelength, highest * METRE, "right"))
    if first >= last:
        return None

    def cut(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if values is None else values[first:last]

    return Samples(
        samples.wavelength[first:last],
        samples.flux[first:last],
        cut(samples.error),
        cut(samples.sky),
        samples.medium,
        samples.unit,
        part=last - first < len(samples.wavelength),
    )
