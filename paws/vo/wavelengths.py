"""Wavelengths in air and in vacuum.

2dFdr's wavelengths are in air, because its arc lists are; services of the Virtual Observatory speak of vacuum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SHORTEST, _LONGEST = 2300.0, 30_000.0
"""Angstrom. The formula is made for these; outside, nothing is changed. As in ``vo.vacuum`` of ``0010_obscore.sql``."""


def refractive_index(vacuum: ArrayLike) -> NDArray[np.float64]:
    """Refractive index of standard air.

    Parameters
    ----------
    vacuum : array_like
        Wavelength in vacuum, Angstrom.

    Notes
    -----
    Ciddor 1996 (Appl. Opt. 35, 1566), equation 1: 15 C, 101325 Pa, 450 ppm of carbon dioxide; within 1e-8 from 2300 to 17000 Angstrom.
    """
    squared = (1e4 / np.asarray(vacuum, dtype=np.float64)) ** 2
    return np.asarray(1.0 + 5.792105e-2 / (238.0185 - squared) + 1.67917e-3 / (57.362 - squared))


def vacuum_of(air: ArrayLike) -> NDArray[np.float64]:
    """Wavelength in vacuum of a wavelength in air, Angstrom; the same where the formula does not hold.

    Notes
    -----
    The index depends on the wavelength in vacuum, so it is found by going round: each turn gains four digits, and
    after three the error is that of a double.
    """
    value = np.asarray(air, dtype=np.float64)
    result = value
    with np.errstate(divide="ignore", invalid="ignore"):
        for _turn in range(3):
            result = value * refractive_index(result)
        return np.where((value >= _SHORTEST) & (value <= _LONGEST), result, value)
