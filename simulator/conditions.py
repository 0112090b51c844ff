"""How a night may depart from an ordinary one: what fails, drifts, saturates or is badly configured.

Everything here is off by default, and then a night is the same, byte for byte, as without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from math import isfinite
from types import MappingProxyType

from simulator.errors import InvalidPlanError

_RANGES = MappingProxyType(
    {
        "broken": (-1, 100),
        "exchanged": (0, 20),
        "sky_fibres": (0, 40),
        "mistyped": (0, 40),
        "flat_level": (0.0, 1000.0),
        "arc_level": (0.0, 1000.0),
        "target_magnitude": (-12.0, 12.0),
        "drift_x": (-20.0, 20.0),
        "drift_y": (-20.0, 20.0),
        "dead_columns": (0, 50),
        "haze": (0.0, 100.0),
        "profile_change": (0.0, 8.0),
        "wings": (0.0, 10.0),
    }
)


@dataclass(frozen=True)
class Conditions:
    """State of instrument and field of a night.

    Attributes
    ----------
    broken : int
        Broken fibres of each plate; -1 draws 3 to 8.
    exchanged : int
        Pairs of slitlets that sit in each other's place in the slit.
    sky_fibres : int
        Fibres on blank sky.
    mistyped : int
        Pairs of fibres that carry each other's TYPE in the fibre table: objects as sky, parked and broken
        fibres as objects and sky, and the other way round.
    flat_level, arc_level : float
        Brightness of the quartz lamp and of the arcs; exposure times stay.
    target_magnitude : float
        Added to the magnitude of every target; the fibre table does not know.
    drift_x, drift_y : float
        Sudden shift of the spectra after the calibrations of a field, along and across the dispersion
        [pixel].
    dead_columns : int
        Columns without any charge from some row upwards.
    haze : float
        Light scattered over the whole chip; 1 is the ordinary amount.
    profile_change : float
        How much the profile's width and lopsidedness change over the chip; 1 is ordinary.
    wings : float
        Light in the profile's wings, near and far; 1 is ordinary.
    """

    broken: int = -1
    exchanged: int = 1
    sky_fibres: int = 25
    mistyped: int = 0
    flat_level: float = 1.0
    arc_level: float = 1.0
    target_magnitude: float = 0.0
    drift_x: float = 0.0
    drift_y: float = 0.0
    dead_columns: int = 0
    haze: float = 1.0
    profile_change: float = 1.0
    wings: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises
        ------
        InvalidPlanError
            With the parameter and its range.
        """
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (isfinite(value) and low <= value <= high):
                raise InvalidPlanError(f"condition {name} must be {low:g} to {high:g}, got {value:g}")


ORDINARY = Conditions()


def read_conditions(words: Iterable[str]) -> Conditions:
    """Conditions as they are given on a command line, ``NAME=VALUE`` each.

    Raises
    ------
    InvalidPlanError
        When a word is no such pair, or its name is unknown.
    """
    kinds: dict[str, type[int] | type[float]] = {
        each.name: int if isinstance(each.default, int) else float for each in fields(Conditions)
    }
    given: dict[str, float] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name.strip() not in kinds:
            raise InvalidPlanError(
                f"{word!r} is no condition: give NAME=VALUE, where NAME is one of {', '.join(kinds)}"
            )
        kind = kinds[name.strip()]
        try:
            given[name.strip()] = kind(value)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise InvalidPlanError(
                f"condition {name.strip()} must be {wanted}, got {value.strip()!r}"
            ) from None
    return replace(ORDINARY, **given)  # type: ignore[arg-type]  # read from text, each by its own kind
