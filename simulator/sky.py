"""Light that every open fibre sees: the night sky, the twilight sky and the sun's lines in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.linelists import arc_lines, sky_lines
from simulator.throughput import FIBRE_AREA_ARCSEC2, MIRROR_AREA_CM2, photons

FloatArray = NDArray[np.float64]

# The UVES atlas is brighter than a quiet sky at [O I]; this makes 5577 about 200 Rayleigh.
_LINE_SCALE = 0.09
_ERG_A_PER_PHOTON = 1.98644586e-8
_DARK_A = np.array([3500.0, 4000.0, 4500.0, 5000.0, 5500.0, 6000.0, 7000.0, 8000.0, 9500.0])
_DARK_MAG = np.array([22.4, 22.5, 22.4, 22.1, 21.7, 21.4, 21.2, 20.8, 20.3])

# Strong Fraunhofer lines: wavelength in air (Angstrom), equivalent width (Angstrom).
FRAUNHOFER = np.array(
    [
        (3820.43, 1.7), (3859.91, 1.5), (3933.66, 19.0), (3968.47, 14.5), (4045.81, 1.2), (4063.60, 0.8),
        (4071.74, 0.7), (4101.74, 3.1), (4132.06, 0.4), (4143.87, 0.5), (4226.73, 1.5), (4271.76, 0.8),
        (4304.50, 2.2), (4309.80, 2.0), (4325.77, 0.8), (4340.47, 2.9), (4383.55, 1.0), (4404.75, 0.9),
        (4415.13, 0.4), (4528.62, 0.3), (4668.00, 0.3), (4861.33, 3.7), (4891.50, 0.3), (4920.50, 0.5),
        (4957.60, 0.7), (5167.32, 0.9), (5172.68, 1.3), (5183.60, 1.6), (5227.19, 0.4), (5269.54, 0.5),
        (5328.04, 0.4), (5371.49, 0.3), (5405.77, 0.3), (5429.70, 0.3), (5455.61, 0.3), (5528.40, 0.3),
        (5889.95, 0.75), (5895.92, 0.56), (6102.72, 0.2), (6122.22, 0.3), (6162.17, 0.3), (6393.60, 0.2),
        (6439.08, 0.2), (6494.98, 0.2), (6562.79, 4.0), (8498.02, 1.5), (8542.09, 3.7), (8662.14, 2.7),
    ]
)  # fmt: skip


def night_sky_lines(brightness: float) -> tuple[FloatArray, FloatArray]:
    """Airglow lines.

    Parameters
    ----------
    brightness : float
        1 on a quiet night.

    Returns
    -------
    tuple of ndarray
        Wavelengths (Angstrom in air) and photons/s entering a fibre on the sky.
    """
    lines = sky_lines()
    flux = lines.strength * 1e-16 * _LINE_SCALE * FIBRE_AREA_ARCSEC2 * MIRROR_AREA_CM2
    return lines.wavelength, brightness * flux * lines.wavelength / _ERG_A_PER_PHOTON


def night_sky_continuum(wavelength: Any, brightness: float) -> FloatArray:
    """Dark-sky continuum, photons/s/Angstrom entering a fibre."""
    surface = photons(wavelength, np.interp(wavelength, _DARK_A, _DARK_MAG))
    return np.asarray(brightness * FIBRE_AREA_ARCSEC2 * surface)


def twilight_continuum(wavelength: Any) -> FloatArray:
    """Shape of scattered sunlight without its lines, 1 at 5500 Angstrom (photons per Angstrom)."""
    wave = np.asarray(wavelength, dtype=np.float64)

    def planck(w: Any) -> Any:
        return 1.0 / (w**4 * np.expm1(1.43877e8 / (w * 5800.0)))

    return np.asarray(planck(wave) / planck(5500.0) * (wave / 5500.0) ** -1.5)


def solar_lines(line_sigma: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Absorption lines of sunlight at the instrument's resolution.

    Parameters
    ----------
    line_sigma : float
        Gaussian sigma of an unresolved line, Angstrom.

    Returns
    -------
    tuple of ndarray
        Wavelengths, central depths and sigmas (Angstrom).
    """
    iron = [
        (wave, 0.002 * strength)
        for wave, strength, species in zip(*_columns(), strict=True)
        if species == "FeI" and np.abs(FRAUNHOFER[:, 0] - wave).min() > 0.3
    ]
    wave, width = np.vstack([FRAUNHOFER, np.array(iron)]).T
    intrinsic = 0.10 + 0.14 * width
    sigma = np.hypot(intrinsic, line_sigma)
    depth = np.minimum(width / (np.sqrt(2.0 * np.pi) * sigma), 0.92)
    return wave, depth, sigma


def _columns() -> tuple[list[float], list[float], tuple[str, ...]]:
    lines = arc_lines()
    return lines.wavelength.tolist(), lines.strength.tolist(), lines.species
