"""Spectra of stars, galaxies and quasars: a continuum, the lines it absorbs, the lines it emits.

Every spectrum is one function of wavelength, the same for both arms, so the arms agree where they meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.targets import STAR_KELVIN, FieldTargets, SourceClass
from simulator.throughput import photons

FloatArray = NDArray[np.float64]

LIGHT_SPEED_KMS = 299792.458
PIVOT_A = 6200.0

# Rest wavelengths in air (Angstrom), equivalent widths (Angstrom), intrinsic sigma (km/s).
_BALMER = (3970.07, 4101.74, 4340.47, 4861.33, 6562.79)
_CALCIUM_TRIPLET = ((8498.02, 1.4, 90.0), (8542.09, 3.3, 110.0), (8662.14, 2.7, 110.0))
_STELLAR_LINES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "A": (*((wave, 11.0, 600.0) for wave in _BALMER), (3933.66, 1.5, 60.0)),
    "F": (*((wave, 5.0, 250.0) for wave in _BALMER), (3933.66, 6.0, 200.0), (3968.47, 5.0, 200.0)),
    "G": (
        *((wave, 2.5, 120.0) for wave in _BALMER), *_CALCIUM_TRIPLET,
        (3933.66, 10.0, 400.0), (3968.47, 8.0, 400.0), (4304.5, 4.0, 350.0), (5175.0, 3.5, 500.0),
        (5269.54, 1.2, 150.0), (5891.5, 1.3, 160.0),
    ),
    "K": (
        *_CALCIUM_TRIPLET,
        (3933.66, 14.0, 500.0), (3968.47, 11.0, 500.0), (4226.73, 3.0, 180.0), (4304.5, 6.0, 400.0),
        (5175.0, 7.0, 700.0), (5269.54, 2.2, 160.0), (5891.5, 4.0, 200.0), (6162.2, 0.9, 90.0),
        (6562.79, 1.3, 60.0),
    ),
    "M": (
        *_CALCIUM_TRIPLET,
        (4226.73, 8.0, 300.0), (5175.0, 12.0, 900.0), (5891.5, 8.0, 300.0), (4955.0, 18.0, 1500.0),
        (5450.0, 22.0, 1800.0), (6170.0, 26.0, 2000.0), (6680.0, 20.0, 1700.0), (7090.0, 45.0, 1900.0),
        (7620.0, 30.0, 1800.0),
    ),
}  # fmt: skip
_GALAXY_ABSORPTION = [
    (3933.66, 7.0, 350.0), (3968.47, 6.5, 350.0), (4304.5, 5.0, 450.0), (4383.6, 2.5, 300.0),
    (5175.0, 6.0, 700.0), (5269.54, 2.0, 300.0), (5891.5, 3.0, 350.0), (6495.0, 0.8, 250.0),
    (8498.02, 1.3, 250.0), (8542.09, 3.3, 260.0), (8662.14, 2.7, 260.0),
]  # fmt: skip
_GALAXY_EMISSION = [
    (3726.03, 14.0), (3728.82, 17.0), (3868.75, 2.0), (4101.74, 2.0), (4340.47, 4.0), (4861.33, 9.0),
    (4958.91, 6.0), (5006.84, 18.0), (5875.62, 1.2), (6548.05, 3.5), (6562.79, 34.0), (6583.45, 10.5),
    (6716.44, 6.5), (6730.82, 4.8),
]  # fmt: skip
_QUASAR_EMISSION = [
    (1215.67, 90.0, 2600.0), (1240.1, 20.0, 2600.0), (1399.8, 10.0, 2600.0), (1549.06, 32.0, 2500.0),
    (1908.73, 24.0, 2800.0), (2797.9, 34.0, 2000.0), (4340.47, 14.0, 1700.0), (4861.33, 45.0, 1900.0),
    (4958.91, 5.0, 250.0), (5006.84, 15.0, 250.0), (6562.79, 180.0, 1700.0),
]  # fmt: skip


@dataclass(frozen=True)
class SpectralLines:
    """Lines of many fibres in one list.

    Parameters
    ----------
    fibre : ndarray of int64, shape (n,)
        Slit row of each.
    wavelength : ndarray, shape (n,)
        Observed wavelength in air, Angstrom.
    strength : ndarray, shape (n,)
        Observed equivalent width (Angstrom) of absorption, photons/s on the mirror of emission.
    sigma : ndarray, shape (n,)
        Intrinsic sigma, Angstrom.
    """

    fibre: NDArray[np.int64]
    wavelength: FloatArray
    strength: FloatArray
    sigma: FloatArray


def continuum(targets: FieldTargets, wavelength: FloatArray, fibres: NDArray[np.int64]) -> FloatArray:
    """Continuum without lines, photons/s/Angstrom on the mirror.

    Parameters
    ----------
    targets : FieldTargets
        The field.
    wavelength : ndarray, shape (n, columns)
        Angstrom, one row for each of `fibres`.
    fibres : ndarray of int64, shape (n,)
        Slit rows.
    """
    result = np.empty_like(wavelength)
    for line, fibre in enumerate(fibres):
        wave = wavelength[line]
        result[line] = _shape(targets, int(fibre), wave) * photons(wave, targets.magnitude[fibre])
    return result


def absorption(targets: FieldTargets) -> SpectralLines:
    """Absorption lines of all stars and galaxies of a field."""
    rows: list[tuple[float, float, float, float]] = []
    for fibre, source in enumerate(targets.source):
        stretch = 1.0 + targets.redshift[fibre]
        lines: list[tuple[float, float, float]] = []
        if source is SourceClass.STAR:
            lines = list(_STELLAR_LINES[targets.subtype[fibre]])
        elif source is SourceClass.PASSIVE_GALAXY:
            lines = _GALAXY_ABSORPTION
        elif source is SourceClass.EMISSION_GALAXY:
            lines = [(wave, 0.4 * width, kms) for wave, width, kms in _GALAXY_ABSORPTION]
        for wave, width, kms in lines:
            observed = wave * stretch
            rows.append((fibre, observed, width * stretch, observed * kms / LIGHT_SPEED_KMS))
    return _pack(rows)


def emission(targets: FieldTargets) -> SpectralLines:
    """Emission lines of all galaxies and quasars of a field."""
    rows: list[tuple[float, float, float, float]] = []
    for fibre, source in enumerate(targets.source):
        stretch = 1.0 + targets.redshift[fibre]
        strength = targets.strength[fibre]
        lines: list[tuple[float, float, float]] = []
        if source is SourceClass.EMISSION_GALAXY:
            lines = [(wave, width * strength, 90.0) for wave, width in _GALAXY_EMISSION]
        elif source is SourceClass.PASSIVE_GALAXY:
            lines = [(wave, 0.03 * width * strength, 150.0) for wave, width in _GALAXY_EMISSION[:2]]
        elif source is SourceClass.QUASAR:
            lines = [(wave, width * strength, kms) for wave, width, kms in _QUASAR_EMISSION]
        for wave, width, kms in lines:
            observed = wave * stretch
            here = np.array([observed])
            level = float((_shape(targets, fibre, here) * photons(here, targets.magnitude[fibre]))[0])
            rows.append((fibre, observed, width * stretch * level, observed * kms / LIGHT_SPEED_KMS))
    return _pack(rows)


def _shape(targets: FieldTargets, fibre: int, wave: FloatArray) -> FloatArray:
    """Continuum in f_nu relative to its value at `PIVOT_A`."""
    source = targets.source[fibre]
    rest = wave / (1.0 + targets.redshift[fibre])
    if source is SourceClass.STAR:
        kelvin = STAR_KELVIN[targets.subtype[fibre]]
        return np.asarray(_planck(wave, kelvin) / _planck(np.array([PIVOT_A]), kelvin))
    if source is SourceClass.QUASAR:
        forest = np.where(rest < 1215.67, 0.65, 1.0)
        return np.asarray((wave / PIVOT_A) ** 0.45 * forest)
    # Galaxies: an old population with a break at 4000 A, to which star formation adds blue light.
    young = 0.75 if source is SourceClass.EMISSION_GALAXY else 0.05
    pivot = np.array([PIVOT_A]) / (1.0 + targets.redshift[fibre])

    def population(w: FloatArray) -> FloatArray:
        step = 1.0 / (1.0 + np.exp(-(w - 4000.0) / 25.0))
        old = (0.50 + 0.50 * step) * (w / 5500.0) ** 1.9
        return np.asarray((1.0 - young) * old + young * 0.6 * (w / 5500.0) ** 0.2)

    return np.asarray(population(rest) / population(pivot))


def _planck(wave: FloatArray, kelvin: float) -> FloatArray:
    """Blackbody f_nu up to a constant."""
    return np.asarray(1.0 / (wave**3 * np.expm1(1.43877e8 / (wave * kelvin))))


def _pack(rows: list[tuple[float, float, float, float]]) -> SpectralLines:
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    fibre, wavelength, strength, sigma = (np.ascontiguousarray(column) for column in table.T)
    return SpectralLines(fibre.astype(np.int64), wavelength, strength, sigma)
