"""Functions: what each of `adql.functions.FUNCTIONS` is in SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from adql.functions import FUNCTIONS
from adql.postgres import predicates, shapes
from adql.typed import Call, Constant, Kind

if TYPE_CHECKING:
    from adql.function import Function
    from adql.postgres.writer import Writer

Form: TypeAlias = Callable[["Writer", Call], str]


def call(writer: Writer, node: Call) -> str:
    """SQL of a call. Every function that resolves has a form here; a test holds the two tables together."""
    return FORMS[node.name](writer, node)


def argument(writer: Writer, node: Call, number: int) -> str:
    """SQL of an argument; NULL has the type that the function takes."""
    expression = node.arguments[number]
    if isinstance(expression, Constant) and expression.value is None:
        function = FUNCTIONS[node.name]
        return f"NULL::{_null_type(function, number)}"
    return writer.value(expression)


def _null_type(function: Function, number: int) -> str:
    kinds = function.parameters[min(number, len(function.parameters) - 1)]
    if Kind.FLOAT in kinds:
        return "double precision"
    if Kind.INTEGER in kinds:
        return "bigint"
    return "timestamp" if Kind.TIMESTAMP in kinds else "text"


def arguments(writer: Writer, node: Call) -> list[str]:
    """SQL of all arguments."""
    return [argument(writer, node, number) for number in range(len(node.arguments))]


def plain(name: str) -> Form:
    """A function of PostgreSQL, or one of 0007_geometry.sql, with the same arguments."""
    return lambda writer, node: f"{name}({', '.join(arguments(writer, node))})"


def double(name: str) -> Form:
    """The same of a function that PostgreSQL has for numeric, too: its arguments are made double precision."""

    def form(writer: Writer, node: Call) -> str:
        return f"{name}({', '.join(f'({one})::double precision' for one in arguments(writer, node))})"

    return form


def _rounded(name: str) -> Form:
    def form(writer: Writer, node: Call) -> str:
        value, *places = arguments(writer, node)
        count = f"({places[0]})::integer" if places else "0"
        return f"{name}({value}, {count})"

    return form


def _mod(writer: Writer, node: Call) -> str:
    left, right = arguments(writer, node)
    if node.meta.kind is Kind.INTEGER:
        return f"mod({left}, nullif({right}, 0))"
    return f"adql_mod({left}, {right})"


def _rand(writer: Writer, node: Call) -> str:
    seed = node.arguments[0].value if node.arguments and isinstance(node.arguments[0], Constant) else None
    if not isinstance(seed, int):
        return "random()"
    # Numbers of one seed are the same in every run. The subquery is asked once, before the first number.
    return f"(CASE WHEN (SELECT setseed('{(seed % 2_000_003) / 2_000_003!r}')) IS NOT NULL THEN random() END)"


def _coalesce(writer: Writer, node: Call) -> str:
    return f"coalesce({', '.join(writer.value(one) for one in node.arguments)})"


def _asked(writer: Writer, node: Call) -> str:
    return f"({predicates.asked(writer, node, filters=False)})::integer"


def _distance(writer: Writer, node: Call) -> str:
    first, second = (shapes.point(writer, one) for one in node.arguments)
    return f"adql_distance({first.numbers}, {second.numbers})"


def _geometry(writer: Writer, node: Call) -> str:
    return shapes.shape(writer, node).array


def _measure(name: str) -> Form:
    return lambda writer, node: f"{name}({shapes.array(writer, node.arguments[0])})"


def _coordsys(writer: Writer, node: Call) -> str:
    return f"(CASE WHEN {shapes.array(writer, node.arguments[0])} IS NOT NULL THEN 'ICRS' END)"


def _healpix_index(writer: Writer, node: Call) -> str:
    order = f"({argument(writer, node, 0)})::integer"
    if len(node.arguments) == 2:
        return f"adql_healpix_index({order}, {shapes.point(writer, node.arguments[1]).numbers})"
    return f"adql_healpix_index({order}, {argument(writer, node, 1)}, {argument(writer, node, 2)})"


def _healpix_center(writer: Writer, node: Call) -> str:
    return (
        f"adql_healpix_center(({argument(writer, node, 0)})::integer, ({argument(writer, node, 1)})::bigint)"
    )


def _nocase_match(writer: Writer, node: Call) -> str:
    value, pattern = arguments(writer, node)
    return f"(lower({value}) LIKE lower({pattern}) ESCAPE '')::integer"


def _overlaps(writer: Writer, node: Call) -> str:
    low, high, other_low, other_high = arguments(writer, node)
    return f"(({low}) <= ({other_high}) AND ({other_low}) <= ({high}))::integer"


def _mjd(zero: str) -> Form:
    return lambda writer, node: f"(adql_mjd({argument(writer, node, 0)}){zero})"


FORMS: Final[dict[str, Form]] = {
    "ABS": plain("abs"),
    "CEILING": double("ceil"),
    "FLOOR": double("floor"),
    "ROUND": _rounded("adql_round"),
    "TRUNCATE": _rounded("adql_truncate"),
    "DEGREES": plain("degrees"),
    "RADIANS": plain("radians"),
    "EXP": plain("adql_exp"),
    "LOG": plain("adql_ln"),
    "LOG10": plain("adql_log10"),
    "MOD": _mod,
    "PI": plain("pi"),
    "POWER": plain("adql_power"),
    "RAND": _rand,
    "SQRT": plain("adql_sqrt"),
    "ACOS": plain("adql_acos"),
    "ASIN": plain("adql_asin"),
    "ATAN": plain("atan"),
    "ATAN2": plain("atan2"),
    "COS": plain("cos"),
    "COT": plain("cot"),
    "SIN": plain("sin"),
    "TAN": plain("tan"),
    "LOWER": plain("lower"),
    "UPPER": plain("upper"),
    "COALESCE": _coalesce,
    "POINT": _geometry,
    "CIRCLE": _geometry,
    "BOX": _geometry,
    "POLYGON": _geometry,
    "REGION": _geometry,
    "CENTROID": _geometry,
    "CONTAINS": _asked,
    "INTERSECTS": _asked,
    "DISTANCE": _distance,
    "AREA": _measure("adql_area"),
    "COORD1": lambda writer, node: f"({shapes.point(writer, node.arguments[0]).ra})::double precision",
    "COORD2": lambda writer, node: f"({shapes.point(writer, node.arguments[0]).dec})::double precision",
    "COORDSYS": _coordsys,
    "ivo_healpix_index": _healpix_index,
    "ivo_healpix_center": _healpix_center,
    "ivo_hasword": plain("adql_hasword"),
    "ivo_hashlist_has": plain("adql_hashlist_has"),
    "ivo_nocasematch": _nocase_match,
    "ivo_string_agg": plain("string_agg"),
    "gavo_to_mjd": _mjd(""),
    "gavo_to_jd": _mjd(" + 2400000.5"),
    "ivo_interval_overlaps": _overlaps,
}
"""By the names of `adql.functions.FUNCTIONS`."""
