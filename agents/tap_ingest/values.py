"""Values of a product's tables as the database takes them: what cannot be right is none."""

from __future__ import annotations

import math
from typing import Any

_SMALLEST_INT, _LARGEST_INT = -(2**31), 2**31 - 1
_LARGEST_SMALL = 2**15 - 1
_LARGEST_REAL = 1e30
"""No magnitude or ratio is beyond it, and single precision holds it."""


def number(value: Any) -> float | None:
    """A finite number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def real(value: Any) -> float | None:
    """A number that single precision holds."""
    found = number(value)
    return found if found is not None and abs(found) <= _LARGEST_REAL else None


def small(value: Any) -> int | None:
    """An integer of two bytes."""
    found = number(value)
    return int(found) if found is not None and abs(found) <= _LARGEST_SMALL else None


def whole(value: Any) -> int | None:
    """An integer of four bytes."""
    found = number(value)
    return int(found) if found is not None and _SMALLEST_INT <= found <= _LARGEST_INT else None


def right_ascension(radians: Any) -> float | None:
    """Degrees, from 0 to below 360."""
    found = number(radians)
    # A little less than nothing is rounded to 360 itself.
    return None if found is None else math.degrees(found) % 360.0 % 360.0


def declination(radians: Any) -> float | None:
    """Degrees, if it is between the poles."""
    found = number(radians)
    return None if found is None or abs(found) > math.pi / 2 else math.degrees(found)
