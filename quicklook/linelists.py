"""The lines that calibrate wavelengths: of the arc lamps and of the night sky (air, Angstrom)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from quicklook.types import FloatArray

LAMP_SPECIES = {
    "CU": ("CuI",),
    "AR": ("ArI", "ArII"),
    "FE": ("FeI",),
    "HE": ("HeI",),
    "NE": ("NeI",),
    "HG": ("HgI",),
}
"""Chemical symbol in a lamp's name to the species that it shows."""

ALL_SPECIES = ("CuI", "ArI", "ArII", "CuAr", "HeI", "NeI", "FeI", "HgI")


@dataclass(frozen=True, eq=False)
class LineList:
    """Emission lines in order of wavelength.

    Attributes
    ----------
    wavelength : ndarray of float64 (n,)
        Air, Angstrom.
    intensity : ndarray of float64 (n,)
        Relative; between species only an order of magnitude.
    species : ndarray of str (n,)
        Ion, e.g. ``ArI``.
    """

    wavelength: FloatArray
    intensity: FloatArray
    species: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.wavelength)

    def only(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> LineList:
        """The lines chosen by a mask or by indices."""
        return LineList(self.wavelength[keep], self.intensity[keep], self.species[keep])

    def within(self, first: float, last: float) -> LineList:
        """The lines between two wavelengths [Angstrom]."""
        return self.only((self.wavelength >= first) & (self.wavelength <= last))


def lamp_species(lamp: str) -> tuple[str, ...]:
    """Species shown by a lamp named as in LAMPNAME.

    Names are combinations such as ``CuAr`` or ``Helium+CuAr+FeAr+CuNe``. An empty or unknown name means
    CuAr, the default lamp of 2dF.
    """
    text = re.sub(r"helium", "He", lamp, flags=re.IGNORECASE)
    text = re.sub(r"neon", "Ne", text, flags=re.IGNORECASE)
    symbols = re.findall(r"cu|ar|fe|he|ne|hg", text.lower())
    species = [s for symbol in symbols for s in LAMP_SPECIES[symbol.upper()]]
    if not species:
        species = ["CuI", "ArI", "ArII"]
    if "CuI" in species and "ArII" in species:
        species.append("CuAr")
    return tuple(dict.fromkeys(species))


def arc_lines(species: tuple[str, ...] = ALL_SPECIES) -> LineList:
    """The arc lines of some species."""
    everything = _read("arc_lines.dat")
    return everything.only(np.isin(everything.species, species))


def sky_lines() -> LineList:
    """The emission lines of the night sky."""
    return _read("sky_lines.dat")


def faint_sky_lines() -> LineList:
    """Lines too faint to measure anything by, on the scale of `sky_lines`, which pull those beside them."""
    return _read("sky_faint.dat")


def blended(lines: LineList, separation: float) -> LineList:
    """Merge lines closer than a separation [Angstrom] into one at their intensity-weighted mean."""
    if not len(lines):
        return lines
    group = np.concatenate(([0], np.cumsum(np.diff(lines.wavelength) > separation)))
    total = np.bincount(group, lines.intensity)
    mean = np.asarray(np.bincount(group, lines.intensity * lines.wavelength) / total, dtype=np.float64)
    first = np.searchsorted(group, np.arange(group[-1] + 1))
    return LineList(mean, np.asarray(total, dtype=np.float64), lines.species[first])


@cache
def _read(name: str) -> LineList:
    text = files("quicklook").joinpath("data", name).read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    rows.sort(key=lambda row: float(row[1]))
    return LineList(
        np.array([float(row[1]) for row in rows]),
        np.array([float(row[2]) for row in rows]),
        np.array([row[0] for row in rows]),
    )
