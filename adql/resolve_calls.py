"""Calls of functions: geometries brought into one form, arguments checked, the type of the value found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adql import metas, units
from adql.coercion import constant_as
from adql.errors import AdqlNameError, AdqlTypeError
from adql.function import Function
from adql.functions import FUNCTIONS
from adql.signatures import FORMS, nearest_function
from adql.tree import Call as CallNode
from adql.tree import Expression as Node
from adql.tree import Null, String
from adql.typed import Arithmetic, Call, Constant, Expression, Kind

_WITH_SYSTEM: Final = frozenset({"POINT", "CIRCLE", "BOX", "POLYGON"})
_ICRS: Final = frozenset({"", "ICRS", "BARYCENTER", "GEOCENTER", "UNKNOWNFRAME", "UNKNOWN"})
_NEARLY_ICRS: Final = frozenset({"FK5", "J2000"})


def without_system(call: CallNode, warnings: list[str]) -> tuple[Node, ...]:
    """The arguments of a geometry without the coordinate system of ADQL 2.0; what is lost is added to `warnings`.

    Raises
    ------
    AdqlTypeError
        If the system is another than ICRS: coordinates are not converted.
    """
    first = call.arguments[0] if call.name in _WITH_SYSTEM else None
    if not isinstance(first, String | Null):
        return call.arguments
    name = first.value if isinstance(first, String) else ""
    frame = name.strip().upper().split(" ")[0]
    if frame in _NEARLY_ICRS:
        warnings.append(
            f"the coordinate system {name} is taken as ICRS, which agrees with it to 0.1 arcsecond"
        )
    elif frame not in _ICRS:
        raise AdqlTypeError(
            f"coordinates in the system {name} are not known here",
            first.position,
            name,
            "convert them to ICRS, in degrees",
        )
    return call.arguments[1:]


def points_for_numbers(name: str, arguments: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """The arguments of a geometry or DISTANCE, each pair of numbers made a POINT."""
    if name in ("CIRCLE", "BOX") and len(arguments) == (3 if name == "CIRCLE" else 4):
        return (_point(*arguments[:2]), *arguments[2:])
    if name == "DISTANCE" and len(arguments) == 4:
        return (_point(*arguments[:2]), _point(*arguments[2:]))
    numbers = all(argument.meta.kind.numeric for argument in arguments)
    if name == "POLYGON" and numbers and len(arguments) % 2 == 0:
        pairs = zip(arguments[::2], arguments[1::2], strict=True)
        return tuple(_point(longitude, latitude) for longitude, latitude in pairs)
    return arguments


def _point(longitude: Expression, latitude: Expression) -> Call:
    check_arguments(FUNCTIONS["POINT"], (longitude, latitude), -1)
    return Call("POINT", (longitude, latitude), metas.POINT)


def function_of(call: CallNode) -> Function:
    """The function that is called.

    Raises
    ------
    AdqlNameError
        If this service has none of that name.
    """
    function = FUNCTIONS.get(call.name)
    if function is None:
        near = nearest_function(call.name, [name for name in FUNCTIONS if name.islower()])
        raise AdqlNameError(
            f"there is no function {call.name}",
            call.position,
            call.name,
            near or "user defined functions are listed in the capabilities",
        )
    return function


def check_arguments(
    function: Function, arguments: tuple[Expression, ...], position: int
) -> tuple[Expression, ...]:
    """The arguments, texts made times where times are meant.

    Raises
    ------
    AdqlTypeError
        If their number or a kind is wrong.
    """
    most = len(function.parameters)
    count = len(arguments)
    if count < most - function.optional or (count > most and not function.repeated):
        form = function.form or FORMS.get(function.name, function.name)
        raise AdqlTypeError(
            f"{function.name} cannot have {count} argument{'' if count == 1 else 's'}",
            _at(position),
            function.name,
            f"write {form}",
        )
    return tuple(_argument(function, number, argument, position) for number, argument in enumerate(arguments))


def _argument(function: Function, number: int, argument: Expression, position: int) -> Expression:
    allowed = function.parameters[min(number, len(function.parameters) - 1)]
    if isinstance(argument, Constant) and Kind.TIMESTAMP in allowed and Kind.STRING not in allowed:
        argument = constant_as(argument, Kind.TIMESTAMP, _at(position) or 0)
    kind = argument.meta.kind
    if (
        kind in allowed
        or kind is Kind.NULL
        or (kind is Kind.REGION and any(one.geometric for one in allowed))
    ):
        return argument
    wanted = " or ".join(
        sorted({one.value for one in allowed if one is not Kind.INTEGER} or {"whole number"})
    )
    raise AdqlTypeError(
        f"{function.name} needs a {wanted} as argument {number + 1}, not {kind.named}",
        _at(position),
        function.name,
        _hint(allowed, kind),
    )


def _hint(allowed: frozenset[Kind], kind: Kind) -> str:
    if kind in (Kind.CIRCLE, Kind.POLYGON) and Kind.POINT in allowed:
        return "write CENTROID(...) for its centre"
    if kind is Kind.STRING and Kind.FLOAT in allowed:
        return "write CAST(text AS DOUBLE PRECISION)"
    if kind.numeric and Kind.STRING in allowed:
        return "write CAST(number AS VARCHAR)"
    return ""


def _at(position: int) -> int | None:
    return position if position >= 0 else None


def in_unit(operand: Expression, unit: str, position: int) -> Expression:
    """A value converted to another unit: IN_UNIT.

    Raises
    ------
    AdqlTypeError
        If its unit is not known, or measures something else.
    """
    meta = operand.meta
    if not meta.kind.numeric:
        raise AdqlTypeError(f"IN_UNIT needs a number, not {meta.kind.named}", position, "IN_UNIT")
    if not meta.unit:
        raise AdqlTypeError(
            "the unit of this value is not known, so that it cannot be converted",
            position,
            "IN_UNIT",
            "multiply it by a factor",
        )
    try:
        factor = units.conversion(meta.unit, unit)
    except AdqlTypeError as error:
        error.position, error.token = position, "IN_UNIT"
        raise
    target = replace(metas.DOUBLE, unit=unit, ucd=meta.ucd, description=meta.description)
    return Arithmetic("*", operand, Constant(factor, metas.DOUBLE), target)


def called(function: Function, arguments: Sequence[Expression], position: int) -> Call:
    """A call whose arguments are checked.

    Raises
    ------
    AdqlTypeError
        If the arguments do not go together.
    """
    try:
        return Call(function.name, tuple(arguments), function.result(arguments))
    except AdqlTypeError as error:
        error.position, error.token = position, function.name
        raise
