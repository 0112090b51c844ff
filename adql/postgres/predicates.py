"""Conditions on places on the sky, with the index of positions wherever it can serve.

A condition is decided by an exact function. Where rows are filtered, a condition that an index knows is put before
it: one that holds for all rows for which the exact one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from adql.postgres.shapes import Circle, Placed, Point, Polygon, bounding, place
from adql.postgres.tracing import is_constant, sources
from adql.tree import ComparisonOperator
from adql.typed import Arithmetic, Between, Call, Comparison, Constant, Expression, Source, TableSource

if TYPE_CHECKING:
    from adql.postgres.writer import Writer

_TURNED: Final[dict[str, ComparisonOperator]] = {
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "=": "=",
    "<>": "<>",
}
_ASKS: Final = ("CONTAINS", "INTERSECTS")
_MANY: Final = 100_000
"""Rows that a table of unknown size is taken for."""

Cone: TypeAlias = tuple[Source, str]
"""A table that is searched by its positions, and the condition that its index knows."""


def comparison(writer: Writer, node: Comparison, *, filters: bool) -> str | None:
    """SQL of a comparison that is about a place; None if it is not."""
    call, other, operator = node.left, node.right, node.operator
    if not _is_call(call, (*_ASKS, "DISTANCE")) and not _is_scaled_distance(call):
        call, other, operator = node.right, node.left, _TURNED[node.operator]
    if isinstance(call, Call) and call.name in _ASKS and isinstance(other, Constant):
        wanted = _truth(operator, other.value)
        if wanted is None:
            return None
        return (
            asked(writer, call, filters=filters) if wanted else f"(NOT {asked(writer, call, filters=False)})"
        )
    if filters and operator in ("<", "<="):
        index = _within(writer, call, other)
        if index:
            # The exact comparison stands as it was written: what is selected and what is compared agree.
            return f"({' AND '.join([*index, _plain(writer, node)])})"
    return None


def between(writer: Writer, node: Between) -> list[str]:
    """Conditions that an index knows, of a distance between two limits."""
    return _within(writer, node.operand, node.high)


def asked(writer: Writer, call: Call, *, filters: bool) -> str:
    """SQL of CONTAINS or INTERSECTS as a condition."""
    first, second = (place(writer, argument) for argument in call.arguments)
    if call.name == "CONTAINS":
        exact, index = _contains(first, second), _contained_index(writer, first, second) if filters else []
    else:
        exact, index = _intersects(first, second), _met_index(writer, first, second) if filters else []
    return f"({' AND '.join([*index, exact])})" if index else exact


def _truth(operator: str, value: object) -> bool | None:
    """Whether a comparison of 1 or 0 with a value says 1 (True) or 0 (False); None if neither or both."""
    if not isinstance(value, int | float):
        return None
    one, zero = _compare(1, operator, value), _compare(0, operator, value)
    return None if one == zero else one


def _compare(left: float, operator: str, right: float) -> bool:
    return {
        "=": left == right,
        "<>": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def _plain(writer: Writer, node: Comparison) -> str:
    return f"({writer.value(node.left)} {node.operator} {writer.value(node.right)})"


def _is_call(expression: Expression, names: tuple[str, ...]) -> bool:
    return isinstance(expression, Call) and expression.name in names


# --- exact -----------------------------------------------------------------------------------------------------


def _contains(inner: Placed, outer: Placed) -> str:
    if isinstance(inner.shape, Point) and isinstance(outer.shape, Circle):
        distance = f"adql_distance({inner.shape.numbers}, {outer.shape.centre.numbers})"
        return f"({distance} <= {outer.shape.radius})"
    if isinstance(inner.shape, Point) and isinstance(outer.shape, Polygon):
        return f"adql_in_polygon({inner.shape.numbers}, adql_polygon_vectors({outer.shape.array}))"
    return f"adql_contains({inner.shape.array}, {outer.shape.array})"


def _intersects(first: Placed, second: Placed) -> str:
    if isinstance(first.shape, Point):
        return _contains(first, second)
    if isinstance(second.shape, Point):
        return _contains(second, first)
    if isinstance(first.shape, Circle) and isinstance(second.shape, Circle):
        distance = f"adql_distance({first.shape.centre.numbers}, {second.shape.centre.numbers})"
        return f"({distance} <= {first.shape.radius} + {second.shape.radius})"
    return f"adql_intersects({first.shape.array}, {second.shape.array})"


# --- what an index knows ---------------------------------------------------------------------------------------


def _contained_index(writer: Writer, inner: Placed, outer: Placed) -> list[str]:
    """Index conditions of CONTAINS: the middle of what is contained lies in the circle around what contains it.

    Where that is a circle, its centre lies in the same distance of the position, and may have an index as well.
    """
    found: list[Cone] = []
    middle = inner.shape.centre if isinstance(inner.shape, Circle) else inner.shape
    around = bounding(outer.shape)
    if isinstance(middle, Point):
        found += _cone(writer, middle, around, outer.sources, constant=outer.constant)
        if isinstance(outer.shape, Circle):
            turned = Circle(middle, around.radius)
            found += _cone(
                writer,
                around.centre,
                turned,
                inner.sources | outer.radius_sources,
                constant=inner.constant and outer.radius_constant,
            )
    return _or_bounds(found, inner, outer)


def _met_index(writer: Writer, first: Placed, second: Placed) -> list[str]:
    """Index conditions of INTERSECTS: the centre of a circle is within both radii of the other's."""
    found: list[Cone] = []
    for one, other in ((first, second), (second, first)):
        if not isinstance(one.shape, Point | Circle):
            continue
        middle = one.shape if isinstance(one.shape, Point) else one.shape.centre
        own = "0" if isinstance(one.shape, Point) else one.shape.radius
        around = bounding(other.shape)
        radius_sources = frozenset() if isinstance(one.shape, Point) else one.radius_sources
        radius_constant = isinstance(one.shape, Point) or one.radius_constant
        found += _cone(
            writer,
            middle,
            Circle(around.centre, f"({around.radius} + {own})"),
            other.sources | radius_sources,
            constant=other.constant and radius_constant,
        )
    return _or_bounds(found, first, second)


def _bounds(first: Placed, second: Placed) -> list[str]:
    """Index conditions of columns of regions."""
    found = []
    for one, other in ((first, second), (second, first)):
        if one.indexed_column is not None and not one.sources & other.sources:
            found.append(f"(adql_bounds({one.indexed_column}) && adql_bounds({other.shape.array}))")
    return found[:1]


def _within(writer: Writer, near: Expression, limit: Expression) -> list[str]:
    """Index conditions of a distance, maybe times a constant, that is below a limit."""
    scale = 1.0
    if isinstance(near, Arithmetic):
        parts = _scaled_distance(near)
        if parts is None:
            return []
        near, scale = parts
    if not isinstance(near, Call) or near.name != "DISTANCE":
        return []
    radius = (
        writer.value(limit) if scale == 1.0 else f"({writer.value(limit)} / '{scale!r}'::double precision)"
    )
    found: list[Cone] = []
    first, second = (place(writer, argument) for argument in near.arguments)
    for one, other in ((first, second), (second, first)):
        if isinstance(one.shape, Point) and isinstance(other.shape, Point):
            found += _cone(
                writer,
                one.shape,
                Circle(other.shape, radius),
                other.sources | sources(limit),
                constant=other.constant and is_constant(limit),
            )
    return _chosen(found)


def _is_scaled_distance(expression: Expression) -> bool:
    return isinstance(expression, Arithmetic) and _scaled_distance(expression) is not None


def _scaled_distance(expression: Arithmetic) -> tuple[Call, float] | None:
    """``DISTANCE(...) * 3600`` taken apart, in either order; None for anything else."""
    if expression.operator != "*":
        return None
    for call, factor in ((expression.left, expression.right), (expression.right, expression.left)):
        number = factor.value if isinstance(factor, Constant) else None
        if (
            isinstance(call, Call)
            and call.name == "DISTANCE"
            and isinstance(number, int | float)
            and 0 < number < 1e9
        ):
            return call, float(number)
    return None


def _chosen(cones: list[Cone]) -> list[str]:
    """Of two tables whose positions are compared, the larger one's index alone, where it is known which that is.

    PostgreSQL takes every cone for a thousandth of the sky, however narrow. Left the choice, it goes through a table of
    a million rows to look each of them up in an upload of a thousand.
    """
    if len(cones) == 2:
        first, second = (_rows(source) for source, _ in cones)
        if first < second:
            cones = cones[1:]
        elif second < first:
            cones = cones[:1]
    return [sql for _, sql in cones]


def _or_bounds(cones: list[Cone], first: Placed, second: Placed) -> list[str]:
    """The same where one of the two may be a column of regions with an index of its own."""
    if len(cones) == 1:
        searched = _rows(cones[0][0])
        for one in (first, second):
            if one.indexed_column is not None and all(searched < _rows(source) for source in one.sources):
                return _bounds(first, second) or _chosen(cones)
    return _chosen(cones) or _bounds(first, second)


def _rows(source: Source) -> int:
    """How many rows a table has: of what is not known, more than any upload; none where none can be looked up."""
    if not isinstance(source, TableSource):
        return _MANY
    if "GROUP BY" in source.table.relation:
        return 0  # it is computed as a whole before anything is compared with it
    return _MANY if source.table.rows is None else source.table.rows


def _cone(
    writer: Writer, point: Point, around: Circle, others: frozenset[Source], *, constant: bool
) -> list[Cone]:
    """The index condition that a position lies in a cone, with the table whose index it is.

    Parameters
    ----------
    others
        What the cone depends on. The table of the position itself must not be among them: every row would have a
        cone of its own.
    constant
        Whether the cone is known when the query is planned.
    """
    if point.table is None or point.table in others:
        return []
    cone = f"({around.centre.numbers}, {around.radius})"
    if writer.backend == "pgsphere":
        position = f"adql_spoint({point.numbers})"
        # Circles of more than 90 degrees need two of pgSphere's; the second one vanishes where it is not needed.
        return [(point.table, f"({position} <@ adql_cap{cone} OR {position} <@ adql_cap_beyond{cone})")]
    position = f"adql_place({point.numbers})"
    if constant:
        return [(point.table, f"({position} <@ adql_near{cone} OR {position} <@ adql_near_beyond{cone})")]
    return [(point.table, f"({position} <@ adql_band{cone})")]
