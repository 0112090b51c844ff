"""Emission-line tables that ship with the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LineList:
    """Lines by wavelength.

    Parameters
    ----------
    wavelength : ndarray, shape (n,)
        Angstrom in air, increasing.
    strength : ndarray, shape (n,)
        On the scale the table's header names.
    species : tuple of str
        What emits each line; empty strings where the table does not say.
    """

    wavelength: NDArray[np.float64]
    strength: NDArray[np.float64]
    species: tuple[str, ...]

    def between(self, low: float, high: float) -> LineList:
        """The lines of a wavelength range (Angstrom, inclusive)."""
        keep = (self.wavelength >= low) & (self.wavelength <= high)
        species = tuple(name for name, kept in zip(self.species, keep, strict=True) if kept)
        return LineList(self.wavelength[keep], self.strength[keep], species)


def arc_lines() -> LineList:
    """Lines of the calibration lamps, relative intensities on NIST's scale."""
    return _read("arc_lines.dat")


def sky_lines() -> LineList:
    """Lines of the night sky, fluxes in 1e-16 erg/s/cm2/arcsec2 as the UVES atlas gives them."""
    return _read("sky_lines.dat")


@cache
def _read(name: str) -> LineList:
    text = files("simulator").joinpath("data", name).read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    wavelength = np.array([float(row[0]) for row in rows])
    strength = np.array([float(row[1]) for row in rows])
    species = tuple(row[2] if len(row) > 2 else "" for row in rows)
    return LineList(wavelength, strength, species)
