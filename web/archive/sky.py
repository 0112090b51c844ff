"""Places on the sky as people write them, and cones around them. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_COORDINATES: Final = re.compile(r"""[+-]?\d[\dhmsd:°'"′″+\-.,\s]*""")
_DECIMAL: Final = re.compile(r"([+-]?\d{1,3}(?:\.\d*)?)[\s,]+([+-]?\d{1,2}(?:\.\d*)?)")
_MARGIN: Final = 1e-6
"""Degrees by which boxes are larger than the cone, for rounding. The distance decides."""

Box = tuple[float, float, float, float]
"""Least right ascension and declination, greatest right ascension and declination, degrees."""


@dataclass(frozen=True)
class Place:
    """A place on the sky, ICRS, degrees."""

    ra: float
    dec: float

    def __str__(self) -> str:
        return f"{self.ra:.6f} {self.dec:+.6f}"


@dataclass(frozen=True)
class Cone:
    """All within a radius (degrees) of a place."""

    centre: Place
    radius: float

    def boxes(self) -> list[Box]:
        """Boxes in right ascension and declination that hold the cone: two where it lies across 0 h."""
        ra, dec = self.centre.ra, self.centre.dec
        radius = self.radius + _MARGIN
        low, high = max(-90.0, dec - radius), min(90.0, dec + radius)
        if low == -90.0 or high == 90.0:
            return [(0.0, low, 360.0, high)]
        # The meridians that a circle touches: sin(width) = sin(radius) / cos(dec).
        width = math.degrees(math.asin(math.sin(math.radians(radius)) / math.cos(math.radians(dec))))
        if ra - width < 0.0:
            return [(0.0, low, ra + width, high), (ra - width + 360.0, low, 360.0, high)]
        if ra + width > 360.0:
            return [(ra - width, low, 360.0, high), (0.0, low, ra + width - 360.0, high)]
        return [(ra - width, low, ra + width, high)]


def looks_like_coordinates(text: str) -> bool:
    """Whether a text is meant as coordinates and not as a name."""
    return bool(_COORDINATES.fullmatch(text.strip())) and bool(re.search(r"\d[\s,:hmd°+-]+\d", text))


@lru_cache(maxsize=1024)
def place_of(text: str) -> Place:
    """Place that coordinates name: degrees (``10.68 +41.27``), or hours and degrees (``00 42 44.3 +41 16 09``).

    Raises
    ------
    ValueError
        If they cannot be read, or name no place on the sky.
    """
    decimal = _DECIMAL.fullmatch(text.strip())
    if decimal:
        ra, dec = float(decimal[1]), float(decimal[2])
    else:
        ra, dec = _sexagesimal(text)
    if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
        raise ValueError("right ascension goes from 0 to 360 degrees, declination from -90 to +90")
    return Place(ra % 360.0, dec)


def _sexagesimal(text: str) -> tuple[float, float]:
    # Takes half a second to load, and most questions name no place.
    from astropy import units
    from astropy.coordinates import SkyCoord

    try:
        found = SkyCoord(text.replace(",", " ").strip(), unit=(units.hourangle, units.deg))
        return float(found.ra.deg), float(found.dec.deg)
    except Exception as error:  # astropy raises what its parsers raise: half a dozen unrelated classes
        raise ValueError(
            "write degrees (10.6847 +41.269) or hours and degrees (00 42 44.3 +41 16 09)"
        ) from error
