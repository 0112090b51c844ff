"""From photons above the atmosphere to electrons on the chip, as functions of wavelength."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InvalidPlanError

FloatArray = NDArray[np.float64]

MIRROR_AREA_CM2 = 1.08e5
FIBRE_AREA_ARCSEC2 = 3.46
# Photons/s/cm2/Angstrom at 1 Angstrom from AB magnitude 0: 3.631e-20 erg/s/cm2/Hz over Planck's constant.
AB_PHOTONS = 3.631e-20 / 6.62607015e-27
DICHROICS = {"X5700": 5700.0, "X6700": 6700.0}

_EXTINCTION_A = np.array([3500.0, 4000.0, 4500.0, 5000.0, 5500.0, 6000.0, 7000.0, 8000.0, 10000.0])
_EXTINCTION_MAG = np.array([0.60, 0.37, 0.25, 0.19, 0.16, 0.13, 0.08, 0.05, 0.03])
_BLUE_A = np.array([3400.0, 3700.0, 4000.0, 4400.0, 4800.0, 5300.0, 5800.0, 6400.0, 7000.0])
_BLUE_EFFICIENCY = np.array([0.008, 0.026, 0.055, 0.085, 0.105, 0.112, 0.105, 0.085, 0.06])
_RED_A = np.array([5200.0, 5700.0, 6200.0, 6800.0, 7400.0, 8000.0, 8600.0, 9200.0, 9800.0])
_RED_EFFICIENCY = np.array([0.085, 0.115, 0.138, 0.150, 0.145, 0.125, 0.098, 0.065, 0.03])

# Telluric absorption: centre, half width to 60 % of the depth (Angstrom), depth at airmass 1.
_TELLURIC = np.array(
    [
        (6869.0, 3.0, 0.45), (6875.0, 6.0, 0.30), (6889.0, 9.0, 0.22), (6905.0, 12.0, 0.16),
        (6284.0, 6.0, 0.06), (7190.0, 25.0, 0.12), (7240.0, 18.0, 0.09), (7290.0, 20.0, 0.07),
        (7594.5, 2.8, 0.60), (7599.0, 5.0, 0.52), (7606.0, 6.0, 0.45), (7622.0, 9.0, 0.50),
        (7645.0, 12.0, 0.32), (8164.0, 12.0, 0.12), (8226.0, 30.0, 0.16), (8290.0, 18.0, 0.10),
        (8972.0, 25.0, 0.18),
    ]
)  # fmt: skip


def arm_efficiency(arm: str, dichroic: str, wavelength: Any) -> FloatArray:
    """Electrons per photon that entered a fibre, one arm, shape of `wavelength` (Angstrom).

    Raises
    ------
    InvalidPlanError
        Unknown dichroic.
    """
    if dichroic not in DICHROICS:
        raise InvalidPlanError(f"unknown dichroic {dichroic!r}: choose from {', '.join(DICHROICS)}")
    wave = np.asarray(wavelength, dtype=np.float64)
    table = (_BLUE_A, _BLUE_EFFICIENCY) if arm == "blue" else (_RED_A, _RED_EFFICIENCY)
    return np.asarray(np.interp(wave, *table) * dichroic_share(arm, dichroic, wave))


def dichroic_share(arm: str, dichroic: str, wavelength: Any) -> FloatArray:
    """Fraction of the light that the dichroic hands to an arm; the other arm gets the rest."""
    step = (np.asarray(wavelength, dtype=np.float64) - DICHROICS[dichroic]) / 45.0
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(step if arm == "blue" else -step, -50, 50))))


def atmosphere(wavelength: Any, airmass: float) -> FloatArray:
    """Fraction of an object's light that the air lets through: extinction and telluric bands."""
    wave = np.asarray(wavelength, dtype=np.float64)
    clear = 10.0 ** (-0.4 * airmass * np.interp(wave, _EXTINCTION_A, _EXTINCTION_MAG))
    centre, width, depth = _TELLURIC.T
    u = (wave[..., None] - centre) / width
    absorbed = 1.0 - np.minimum(depth * airmass**0.6, 0.95) * np.exp(-0.5 * u**2)
    return np.asarray(clear * absorbed.prod(axis=-1))


def photons(wavelength: Any, magnitude: Any) -> FloatArray:
    """Photons/s/Angstrom on the mirror from a source of constant AB magnitude."""
    wave = np.asarray(wavelength, dtype=np.float64)
    return np.asarray(AB_PHOTONS * MIRROR_AREA_CM2 * 10.0 ** (-0.4 * np.asarray(magnitude)) / wave)
