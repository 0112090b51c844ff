"""Units of calculated values, as far as they can be told: as texts in the syntax of VOUnits."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any, Final

from adql.errors import AdqlTypeError

_ATOM: Final = re.compile(r"[A-Za-z%]+")
_SQUARE: Final = re.compile(r"\((?P<inner>[^()]*)\)\*\*2|(?P<atom>[A-Za-z%]+)\*\*2")


def product(left: str | None, right: str | None) -> str | None:
    """The unit of a product; of a value without unit nothing is known but that it is a number."""
    if not left or not right:
        return left or right or None
    if left == right:
        return power(left, 2)
    return f"{left}.{_factor(right)}"


def quotient(left: str | None, right: str | None) -> str | None:
    """The unit of a quotient."""
    if not right:
        return left or None
    if left == right:
        return None
    if not left:
        return f"{_factor(right)}**-1"
    return f"{left}/{_factor(right)}"


def power(unit: str | None, exponent: float) -> str | None:
    """The unit of a power with a constant, whole exponent; None for others."""
    if not unit or exponent == 0 or exponent != int(exponent):
        return None
    return unit if exponent == 1 else f"{_factor(unit)}**{int(exponent)}"


def root(unit: str | None) -> str | None:
    """The unit of a square root: known when the unit is a square."""
    found = _SQUARE.fullmatch(unit or "")
    return (found["inner"] or found["atom"]) if found else None


def _factor(unit: str) -> str:
    return unit if _ATOM.fullmatch(unit) else f"({unit})"


@lru_cache(maxsize=512)
def conversion(source: str, target: str) -> float:
    """By what a value in `source` is to be multiplied to be in `target`.

    Raises
    ------
    AdqlTypeError
        If one is no unit, or if they measure different things.
    """
    if source == target:
        return 1.0
    # The library takes long to load, and few queries need it.
    from astropy import units

    try:
        wanted = _parsed(target)
    except (ValueError, TypeError) as error:
        raise AdqlTypeError(
            f"{target} is no unit of VOUnits", suggestion="write one such as 'deg' or 'km/s'"
        ) from error
    try:
        found = _parsed(source)
    except (ValueError, TypeError) as error:
        raise AdqlTypeError(f"the unit of the value, {source}, cannot be converted") from error
    try:
        return float(found.to(wanted))
    except units.UnitConversionError as error:
        raise AdqlTypeError(
            f"{source} cannot be converted to {target}: they measure different things"
        ) from error


def _parsed(text: str) -> Any:
    from astropy import units

    with warnings.catch_warnings():
        # The standard advises against units that astronomers use, such as Angstrom.
        warnings.simplefilter("ignore", units.UnitsWarning)
        return units.Unit(text, format="vounit")
