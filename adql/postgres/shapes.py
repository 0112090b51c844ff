"""Geometric values taken apart: what stands in SQL for the numbers of points, circles and polygons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from adql.postgres import literals
from adql.postgres.tracing import indexed_position, is_constant, sources
from adql.regions import read_region
from adql.typed import Call, ColumnValue, Constant, Expression, Kind, Source

if TYPE_CHECKING:
    from adql.postgres.writer import Writer


@dataclass(frozen=True, slots=True)
class Point:
    """A position: SQL of its two numbers.

    Attributes
    ----------
    table
        The source whose position index it can be found by, if any.
    """

    ra: str
    dec: str
    table: Source | None = None

    @property
    def array(self) -> str:
        """SQL of the value."""
        return f"adql_point({self.ra}, {self.dec})"

    @property
    def numbers(self) -> str:
        """Its two numbers, as arguments of a function."""
        return f"{self.ra}, {self.dec}"


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle: its centre, and SQL of its radius."""

    centre: Point
    radius: str

    @property
    def array(self) -> str:
        """SQL of the value."""
        return f"adql_circle({self.centre.numbers}, {self.radius})"


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon: SQL of the value."""

    array: str


@dataclass(frozen=True, slots=True)
class AnyRegion:
    """A region whose kind its value tells: SQL of the value."""

    array: str


Shape = Point | Circle | Polygon | AnyRegion


@dataclass(frozen=True, slots=True)
class Placed:
    """A shape and where its numbers come from.

    Attributes
    ----------
    sources
        The tables that its value depends on.
    constant
        Whether it is known before the query runs.
    indexed_column
        SQL of the column of regions that it is, if that has an index.
    radius_sources, radius_constant
        The same of the radius of a circle.
    """

    shape: Shape
    sources: frozenset[Source]
    constant: bool
    indexed_column: str | None = None
    radius_sources: frozenset[Source] = frozenset()
    radius_constant: bool = False


def place(writer: Writer, expression: Expression) -> Placed:
    """A geometric value taken apart."""
    column = expression.column if isinstance(expression, ColumnValue) else None
    is_indexed = column is not None and column.indexed and expression.meta.kind is not Kind.POINT
    radius = expression
    if isinstance(expression, Call) and expression.name == "CIRCLE":
        radius = expression.arguments[1]
    return Placed(
        shape(writer, expression),
        sources(expression),
        is_constant(expression),
        writer.value(expression) if is_indexed else None,
        sources(radius),
        is_constant(radius),
    )


def shape(writer: Writer, expression: Expression) -> Shape:
    """What a geometric value is made of."""
    if isinstance(expression, Call):
        match expression.name:
            case "POINT":
                return _point(writer, expression)
            case "CIRCLE":
                return Circle(point(writer, expression.arguments[0]), number(writer, expression.arguments[1]))
            case "BOX":
                width, height = (number(writer, one) for one in expression.arguments[1:])
                return Polygon(
                    f"adql_box({point(writer, expression.arguments[0]).numbers}, {width}, {height})"
                )
            case "POLYGON":
                corners = ", ".join(point(writer, one).numbers for one in expression.arguments)
                return Polygon(f"adql_polygon({corners})")
            case "REGION":
                return _region(expression)
            case "CENTROID":
                return _of_array(f"adql_centroid({array(writer, expression.arguments[0])})", Kind.POINT)
            case _:
                pass
    if isinstance(expression, Constant):
        return _of_array("NULL::double precision[]", expression.meta.kind)
    return _of_array(_numbers(writer, expression), expression.meta.kind)


def array(writer: Writer, expression: Expression) -> str:
    """SQL of a geometric value."""
    if isinstance(expression, Call | Constant):
        return shape(writer, expression).array
    return _numbers(writer, expression)


def _numbers(writer: Writer, expression: Expression) -> str:
    """SQL of a geometric value that is no call of a function of ours: its array, also of one kept as a text."""
    sql = writer.value(expression)
    return f"adql_region({sql})" if expression.meta.datatype in ("char", "unicodeChar") else sql


def point(writer: Writer, expression: Expression) -> Point:
    """A position taken apart."""
    found = shape(writer, expression)
    return found if isinstance(found, Point) else Point(f"({found.array})[1]", f"({found.array})[2]")


def number(writer: Writer, expression: Expression) -> str:
    """SQL of a number, of double precision for NULL."""
    if isinstance(expression, Constant) and expression.value is None:
        return "NULL::double precision"
    return writer.value(expression)


def _point(writer: Writer, expression: Call) -> Point:
    ra, dec = expression.arguments
    return Point(number(writer, ra), number(writer, dec), indexed_position(ra, dec))


def _region(expression: Call) -> Shape:
    (argument,) = expression.arguments
    if not isinstance(argument, Constant) or argument.value is None:
        return AnyRegion("NULL::double precision[]")
    region = read_region(str(argument.value))
    numbers = [literals.number(float(one)) for one in region.numbers]
    if region.is_box:
        return Polygon(f"adql_box({', '.join(numbers)})")
    match region.kind:
        case Kind.POINT:
            return Point(numbers[0], numbers[1])
        case Kind.CIRCLE:
            return Circle(Point(numbers[0], numbers[1]), numbers[2])
        case _:
            return Polygon("'{" + ",".join(map(repr, region.numbers)) + "}'::double precision[]")


def _of_array(sql: str, kind: Kind) -> Shape:
    literals.bounded(sql)
    match kind:
        case Kind.POINT:
            return Point(f"({sql})[1]", f"({sql})[2]")
        case Kind.CIRCLE:
            return Circle(Point(f"({sql})[1]", f"({sql})[2]"), f"({sql})[3]")
        case Kind.POLYGON:
            return Polygon(sql)
        case _:
            return AnyRegion(sql)


def bounding(shape: Shape) -> Circle:
    """A circle around a shape."""
    match shape:
        case Point():
            return Circle(shape, "0")
        case Circle():
            return shape
        case Polygon() | AnyRegion():
            around = f"(adql_bounding_circle({shape.array}))"
            return Circle(Point(f"{around}[1]", f"{around}[2]"), f"{around}[3]")
        case _:
            assert_never(shape)
