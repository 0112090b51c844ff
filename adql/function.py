"""What a function is: its parameters, the type of its value, and the feature it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from adql import metas, units
from adql.typed import Constant, Expression, Kind, Meta

Result: TypeAlias = Callable[[Sequence[Expression]], Meta]
"""From the arguments to the type of the value."""

NUMBER: Final = frozenset({Kind.INTEGER, Kind.FLOAT})
INTEGER: Final = frozenset({Kind.INTEGER})
TEXT: Final = frozenset({Kind.STRING})
TIME: Final = frozenset({Kind.TIMESTAMP})
POINT: Final = frozenset({Kind.POINT})
GEOMETRY: Final = frozenset({Kind.POINT, Kind.CIRCLE, Kind.POLYGON, Kind.REGION})
ANY: Final = frozenset(Kind)

GEO: Final = "ivo://ivoa.net/std/TAPRegExt#features-adqlgeo"
STRINGS: Final = "ivo://ivoa.net/std/TAPRegExt#features-adql-string"
CONDITIONAL: Final = "ivo://ivoa.net/std/TAPRegExt#features-adql-conditional"
UDF: Final = "ivo://ivoa.net/std/TAPRegExt#features-udf"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of ADQL or a user defined one.

    Attributes
    ----------
    name
        In upper case if it is ADQL's, in lower case if it is user defined.
    parameters
        The kinds that each argument may have. NULL may stand for any.
    result
        The type of the value.
    optional
        How many of the last parameters may be left out.
    repeated
        Whether the last parameter may be given any number of times more.
    feature
        The set of optional features (TAPRegExt) in which it is declared; None for what every service has.
    form, description
        How a user defined function is declared: ``ivo_hasword(haystack VARCHAR, needle VARCHAR) -> INTEGER``.
    aggregate
        Whether its value is of a group of rows.
    """

    name: str
    parameters: tuple[frozenset[Kind], ...]
    result: Result
    optional: int = 0
    repeated: bool = False
    feature: str | None = None
    form: str = ""
    description: str = ""
    aggregate: bool = False


def always(meta: Meta) -> Result:
    """A value of one type whatever the arguments."""
    return lambda arguments: meta


def like_first(arguments: Sequence[Expression]) -> Meta:
    """The type, unit and meaning of the first argument."""
    return replace(arguments[0].meta, utype=None)


def rounded(arguments: Sequence[Expression]) -> Meta:
    """A double in the unit of the first argument, with its meaning."""
    first = arguments[0].meta
    return replace(metas.DOUBLE, unit=first.unit, ucd=first.ucd, description=first.description)


def in_unit(unit: str) -> Result:
    """A double in a unit."""
    return always(replace(metas.DOUBLE, unit=unit))


def remainder(arguments: Sequence[Expression]) -> Meta:
    """The type of MOD."""
    first = arguments[0].meta
    return replace(metas.calculated(first, arguments[1].meta), unit=first.unit)


def raised(arguments: Sequence[Expression]) -> Meta:
    """The type of POWER: its unit is known when the exponent is a constant."""
    exponent = arguments[1]
    known = (
        exponent.value if isinstance(exponent, Constant) and isinstance(exponent.value, int | float) else 0
    )
    return replace(metas.DOUBLE, unit=units.power(arguments[0].meta.unit, known))


def square_root(arguments: Sequence[Expression]) -> Meta:
    """The type of SQRT."""
    return replace(metas.DOUBLE, unit=units.root(arguments[0].meta.unit))


def first_known(arguments: Sequence[Expression]) -> Meta:
    """The type of COALESCE: what all arguments have in common."""
    return metas.choice(arguments)


def of_region_text(arguments: Sequence[Expression]) -> Meta:
    """The type of REGION: told by the first word of its text (STC-S or DALI)."""
    text = arguments[0].value if isinstance(arguments[0], Constant) else None
    word = str(text).split(maxsplit=1)[0].upper() if text and str(text).strip() else ""
    known = {"POSITION": metas.POINT, "POINT": metas.POINT, "CIRCLE": metas.CIRCLE}
    known |= dict.fromkeys(("POLYGON", "BOX", "POSITIONINTERVAL", "RANGE"), metas.POLYGON)
    return known.get(word, metas.REGION)
