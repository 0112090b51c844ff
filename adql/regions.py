"""Regions written as texts: DALI's shapes, and the simple forms of STC-S that ADQL 2.0 has.

``circle 10 20 0.5`` and ``Circle ICRS GEOCENTER 10 20 0.5 unit deg`` say the same. Unions, intersections and
complements are not understood, nor are coordinates other than ICRS degrees.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from adql.errors import AdqlTypeError
from adql.typed import Kind

_FRAMES: Final = {"ICRS", "FK5", "UNKNOWNFRAME"}
"""What is taken for ICRS; FK5 differs from it by less than 0.1 arcsec."""
_OTHER_FRAMES: Final = {
    "FK4",
    "GALACTIC",
    "GALACTIC_II",
    "GALACTIC_I",
    "ECLIPTIC",
    "SUPERGALACTIC",
    "J2000",
    "B1950",
}
_REFERENCES: Final = {
    *("BARYCENTER", "GEOCENTER", "HELIOCENTER", "TOPOCENTER", "RELOCATABLE", "UNKNOWNREFPOS", "LSR", "LSRK"),
    *("SPHERICAL2", "EPOCH", "J2000.0"),
}
_COMPOUND: Final = {"UNION", "INTERSECTION", "NOT", "ALLSKY", "ELLIPSE", "CONVEX"}
_SHAPES: Final = {"POSITION": 2, "POINT": 2, "CIRCLE": 3, "BOX": 4, "POSITIONINTERVAL": 4, "RANGE": 4}
_LONGEST: Final = 20_000
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Region:
    """A region.

    Attributes
    ----------
    kind
        POINT, CIRCLE or POLYGON.
    numbers
        In DALI's order, degrees; of a box the centre, width and height.
    is_box
        Whether it is a box that is still to become a polygon.
    """

    kind: Kind
    numbers: tuple[float, ...]
    is_box: bool = False


def read_region(text: str) -> Region:
    """Read a region.

    Raises
    ------
    AdqlTypeError
        If the text is none, or none that is understood here.
    """
    if len(text) > _LONGEST:
        raise AdqlTypeError(f"the region has more than {_LONGEST} characters")
    words = text.replace(",", " ").replace("(", " ( ").split()
    if not words:
        raise AdqlTypeError("the region is empty", suggestion="write 'CIRCLE 10 20 0.5', say")
    shape, rest = words[0].upper(), words[1:]
    if shape in _COMPOUND:
        raise AdqlTypeError(
            f"regions of the kind {words[0]} are not understood",
            suggestion="use POINT, CIRCLE, BOX, RANGE or POLYGON, and AND and OR between conditions",
        )
    if shape not in _SHAPES and shape != "POLYGON":
        raise AdqlTypeError(
            f"{words[0][:40]!r} is no kind of region",
            suggestion="begin with POINT, CIRCLE, BOX, RANGE or POLYGON",
        )
    numbers = _numbers(shape, rest)
    if shape == "CIRCLE" and numbers[2] < 0:
        raise AdqlTypeError("the radius of a region is negative")
    if shape in ("POSITIONINTERVAL", "RANGE"):
        return Region(Kind.POLYGON, _range_corners(*numbers))
    kind = {"POSITION": Kind.POINT, "POINT": Kind.POINT, "CIRCLE": Kind.CIRCLE}.get(shape, Kind.POLYGON)
    return Region(kind, numbers, is_box=shape == "BOX")


def _numbers(shape: str, words: list[str]) -> tuple[float, ...]:
    """The numbers after the words of a coordinate system and before a unit."""
    while words and not _NUMBER.fullmatch(words[0]):
        word = words.pop(0).upper()
        if word in _OTHER_FRAMES:
            raise AdqlTypeError(f"a region in {word} is not understood", suggestion="give it in ICRS degrees")
        if word not in _FRAMES | _REFERENCES:
            raise AdqlTypeError(f"{word[:40]!r} in a region is not understood")
    found = []
    while words and _NUMBER.fullmatch(words[0]):
        found.append(float(words.pop(0)))
    if words and (len(words) != 2 or words[0].lower() != "unit" or words[1].lower() != "deg"):
        raise AdqlTypeError(
            f"{words[0][:40]!r} in a region is not understood", suggestion="give it in degrees"
        )
    expected = _SHAPES.get(shape)
    right = len(found) == expected if expected else len(found) >= 6 and len(found) % 2 == 0
    if not right:
        wanted = f"{expected} numbers" if expected else "an even count of six numbers or more"
        raise AdqlTypeError(f"a region {shape} has {wanted}, not {len(found)}")
    if not all(math.isfinite(one) for one in found):
        raise AdqlTypeError("a number of a region is too large")
    return tuple(found)


_STEP: Final = 1.0


def _range_corners(low_ra: float, high_ra: float, low_dec: float, high_dec: float) -> tuple[float, ...]:
    """Corners around a range of coordinates, counter-clockwise; its parallels in steps of a degree."""
    if not (low_ra < high_ra and high_ra - low_ra < 180 and -90 <= low_dec < high_dec <= 90):
        raise AdqlTypeError(
            "a range goes from a lower to a higher right ascension (less than 180 degrees apart) and declination",
            suggestion="compare the columns with BETWEEN instead",
        )
    count = max(1, math.ceil((high_ra - low_ra) / _STEP))
    along = [low_ra + (high_ra - low_ra) * step / count for step in range(count + 1)]
    upper = [(ra, high_dec) for ra in reversed(along)]
    return tuple(number for corner in [*upper, *((ra, low_dec) for ra in along)] for number in corner)
