"""Which arguments the functions of ADQL take, as far as the grammar says: counts, and what must be a literal."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final

from adql.errors import AdqlSyntaxError
from adql.tree import Call, ColumnReference, Expression, Null, Number, String, Unary

COUNTS: Final[dict[str, tuple[int, int]]] = {
    **dict.fromkeys(
        ("ABS", "CEILING", "DEGREES", "EXP", "FLOOR", "LOG", "LOG10", "RADIANS", "SQRT"),
        (1, 1),
    ),
    **dict.fromkeys(("ACOS", "ASIN", "ATAN", "COS", "COT", "SIN", "TAN", "LOWER", "UPPER"), (1, 1)),
    **dict.fromkeys(("AREA", "CENTROID", "COORD1", "COORD2", "COORDSYS", "REGION"), (1, 1)),
    **dict.fromkeys(("ATAN2", "MOD", "POWER", "CONTAINS", "INTERSECTS", "IN_UNIT"), (2, 2)),
    **dict.fromkeys(("ROUND", "TRUNCATE"), (1, 2)),
    "PI": (0, 0),
    "RAND": (0, 1),
    "COALESCE": (1, 1000),
    "POINT": (2, 3),
    "CIRCLE": (2, 4),
    "BOX": (3, 5),
    "POLYGON": (3, 2001),
    "DISTANCE": (2, 4),
}
"""Least and most arguments of each function, by its name in upper case."""

GEOMETRIES: Final = frozenset({"POINT", "CIRCLE", "BOX", "POLYGON", "REGION", "CENTROID"})
"""Functions whose value is a geometry: nothing can be calculated with it."""

FORMS: Final = {
    "POINT": "POINT(longitude, latitude)",
    "CIRCLE": "CIRCLE(longitude, latitude, radius) or CIRCLE(point, radius)",
    "BOX": "BOX(longitude, latitude, width, height) or BOX(point, width, height)",
    "POLYGON": "POLYGON(longitude, latitude, ...) or POLYGON(point, point, ...) with three corners or more",
    "DISTANCE": "DISTANCE(point, point) or DISTANCE(longitude, latitude, longitude, latitude)",
    "REGION": "REGION('...') with a text",
    "IN_UNIT": "IN_UNIT(value, 'unit') with the unit as a text",
    "ROUND": "ROUND(value) or ROUND(value, places) with a whole number of places",
    "TRUNCATE": "TRUNCATE(value) or TRUNCATE(value, places) with a whole number of places",
    "RAND": "RAND() or RAND(seed) with a whole number",
    "COALESCE": "COALESCE(value, value, ...) with a value that can be other than NULL",
}
"""How functions are written whose arguments need more words than their count."""


def check_call(call: Call) -> None:
    """Refuse a call of a standard function whose arguments the grammar does not allow.

    Raises
    ------
    AdqlSyntaxError
        With the forms that are allowed.
    """
    least, most = COUNTS[call.name]
    count = len(call.arguments)
    if not least <= count <= most:
        expected = str(least) if least == most else f"{least} to {most}" if most < 100 else f"{least} or more"
        raise _wrong(
            call, f"{call.name} takes {expected} argument{'' if expected == '1' else 's'}, not {count}"
        )
    check = _CHECKS.get(call.name)
    if check is not None and not check(call.arguments):
        raise _wrong(call, f"{call.name} cannot have these arguments")


def nearest_function(name: str, others: Sequence[str] = ()) -> str:
    """A hint to the function whose name is nearest, or an empty text."""
    near = difflib.get_close_matches(
        name.upper(), [*COUNTS, *(other.upper() for other in others)], n=1, cutoff=0.7
    )
    if not near:
        return ""
    known = near[0] if near[0] in COUNTS else next(other for other in others if other.upper() == near[0])
    return f"did you mean {known}?"


def without_coordinate_system(arguments: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """The arguments of a geometry after the coordinate system that ADQL 2.0 has in front."""
    return arguments[1:] if arguments and isinstance(arguments[0], String | Null) else arguments


def _wrong(call: Call, message: str) -> AdqlSyntaxError:
    form = FORMS.get(call.name, "")
    return AdqlSyntaxError(message, call.position, call.name, f"write {form}" if form else "")


def _may_be_point(argument: Expression) -> bool:
    return isinstance(argument, ColumnReference) or (
        isinstance(argument, Call) and (argument.name in ("POINT", "CENTROID") or argument.user_defined)
    )


def _is_geometry(argument: Expression) -> bool:
    return isinstance(argument, Call) and argument.name in GEOMETRIES


def _numbers(arguments: Sequence[Expression]) -> bool:
    return not any(_is_geometry(argument) or isinstance(argument, Null) for argument in arguments)


def _point(arguments: tuple[Expression, ...]) -> bool:
    if len(arguments) == 3:
        return isinstance(arguments[0], String | Null) and _numbers(arguments[1:])
    return _numbers(arguments)


def _centred(sizes: int, arguments: tuple[Expression, ...]) -> bool:
    rest = without_coordinate_system(arguments)
    if len(rest) == sizes + 2:
        return _numbers(rest)
    return len(rest) == sizes + 1 and _may_be_point(rest[0]) and _numbers(rest[1:])


def _polygon(arguments: tuple[Expression, ...]) -> bool:
    rest = without_coordinate_system(arguments)
    if len(rest) >= 3 and all(map(_may_be_point, rest)):
        return True
    return len(rest) >= 6 and len(rest) % 2 == 0 and _numbers(rest)


def _distance(arguments: tuple[Expression, ...]) -> bool:
    if len(arguments) == 2:
        return all(map(_may_be_point, arguments))
    return len(arguments) == 4 and _numbers(arguments)


def _is_whole(argument: Expression) -> bool:
    literal = argument.operand if isinstance(argument, Unary) else argument
    return isinstance(literal, Number) and literal.text.isdecimal()


_CHECKS: Final[dict[str, Callable[[tuple[Expression, ...]], bool]]] = {
    "POINT": _point,
    "CIRCLE": lambda arguments: _centred(1, arguments),
    "BOX": lambda arguments: _centred(2, arguments),
    "POLYGON": _polygon,
    "DISTANCE": _distance,
    "COORD1": lambda arguments: _may_be_point(arguments[0]),
    "COORD2": lambda arguments: _may_be_point(arguments[0]),
    "REGION": lambda arguments: isinstance(arguments[0], String),
    "IN_UNIT": lambda arguments: isinstance(arguments[1], String),
    "ROUND": lambda arguments: len(arguments) == 1 or _is_whole(arguments[1]),
    "TRUNCATE": lambda arguments: len(arguments) == 1 or _is_whole(arguments[1]),
    "RAND": lambda arguments: not arguments or (isinstance(arguments[0], Number) and _is_whole(arguments[0])),
    "COALESCE": lambda arguments: not all(isinstance(argument, Null) for argument in arguments),
}
