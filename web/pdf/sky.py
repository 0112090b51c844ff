"""What the night sky and the air put into spectra, as far as it is marked on paper. Wavelengths in Angstrom in air.

Emission: oxygen, sodium, lamps of towns, and the brightest lines of OH after Osterbrock et al. 1996, PASP 108, 277.
Absorption: the bands of molecular oxygen and water, as wide as a spectrum of low resolution shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mark:
    """A stretch of wavelengths, with what is written at its top."""

    low: float
    high: float
    name: str
    absorbs: bool = False

    @property
    def middle(self) -> float:
        """Its centre."""
        return (self.low + self.high) / 2


_HALF: Final = 6.0
"""Half of the width that is marked around a line, Angstrom: three times what the spectrograph makes of it."""


def _line(wavelength: float, name: str = "") -> Mark:
    return Mark(wavelength - _HALF, wavelength + _HALF, name)


MARKS: Final = (
    _line(4358.34, "Hg 4358"),
    _line(5460.73, "Hg 5461"),
    _line(5577.34, "[O I] 5577"),
    Mark(5884.0, 5902.0, "Na D"),
    _line(6300.30, "[O I] 6300"),
    _line(6363.78, "6364"),
    Mark(6860.0, 6935.0, "B", absorbs=True),
    Mark(7165.0, 7335.0, "H2O", absorbs=True),
    Mark(7590.0, 7700.0, "A", absorbs=True),
    Mark(8125.0, 8345.0, "H2O", absorbs=True),
    _line(7276.41),
    _line(7316.28),
    _line(7340.89, "OH"),
    _line(7750.64, "OH"),
    _line(7794.11),
    _line(7821.50),
    _line(7913.71),
    _line(7964.65),
    _line(7993.33),
    _line(8344.60),
    _line(8399.17, "OH"),
    _line(8430.17),
    _line(8465.36),
    _line(8505.05),
    _line(8777.70),
    _line(8827.10, "OH"),
    _line(8885.85),
    _line(8919.64),
    _line(8958.10),
)


def within(low: float, high: float) -> list[Mark]:
    """Marks that fall into a range, absorption first: it lies under the lines."""
    found = [mark for mark in MARKS if mark.high > low and mark.low < high]
    return sorted(found, key=lambda mark: (not mark.absorbs, mark.low))


def bright(waves: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which samples lie on emission lines of the sky."""
    found = np.zeros(waves.shape, bool)
    for mark in MARKS:
        if not mark.absorbs:
            found |= (waves > mark.low) & (waves < mark.high)
    return found
