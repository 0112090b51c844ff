"""Calibration lamps: the quartz lamp of the flaps and the arcs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.linelists import arc_lines

FloatArray = NDArray[np.float64]

QUARTZ_KELVIN = 3000.0
# Photons/s/Angstrom in a fibre's mouth at 6000 Angstrom.
QUARTZ_PHOTONS = 4.6e4
ARC_LAMP = "CuAr+FeAr+He+Ne"
# Hollow-cathode intensities span four decades; a fibre sees a narrower range, for the lamps of red lines
# are run at lower current.
_ARC_EXPONENT = 0.55
_SPECIES_LEVEL = {"ArI": 1.0, "ArII": 1.15, "CuI": 1.0, "NeI": 0.55, "HeI": 0.8, "FeI": 0.3}
_ARC_PHOTONS = 800.0


def quartz(wavelength: Any) -> FloatArray:
    """Shape of the flat-field lamp, photons per Angstrom, 1 at 6000 Angstrom."""
    wave = np.asarray(wavelength, dtype=np.float64)

    def planck(w: Any) -> Any:
        return 1.0 / (w**4 * np.expm1(1.43877e8 / (w * QUARTZ_KELVIN)))

    return np.asarray(planck(wave) / planck(6000.0))


def arc() -> tuple[FloatArray, FloatArray]:
    """Arc lines: wavelengths (Angstrom in air) and photons/s entering a fibre."""
    lines = arc_lines()
    level = np.array([_SPECIES_LEVEL[species] for species in lines.species])
    return lines.wavelength, _ARC_PHOTONS * level * lines.strength**_ARC_EXPONENT
