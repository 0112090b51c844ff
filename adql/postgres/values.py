"""Values: from the typed tree to SQL expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from adql.postgres import calls, literals
from adql.typed import (
    Aggregate,
    Arithmetic,
    Call,
    Case,
    Cast,
    ColumnValue,
    Constant,
    Expression,
    Kind,
    Meta,
    Negation,
)

if TYPE_CHECKING:
    from adql.postgres.writer import Writer

_LARGEST: Final = {"smallint": "32767", "integer": "2147483647", "bigint": "9.2e18"}
"""What a cast to an integer must not exceed."""

_FITS: Final = {"POINT": "= 2", "CIRCLE": "= 3", "POLYGON": ">= 6"}
"""How many numbers a geometry has."""

_LONGEST: Final = 2**31 - 1
"""Characters that PostgreSQL can count."""


def value(writer: Writer, expression: Expression) -> str:
    """SQL of an expression."""
    match expression:
        case Constant():
            return constant(expression)
        case ColumnValue():
            return f"{expression.source.alias}.{literals.name(expression.key)}"
        case Negation():
            return f"(- {operand(writer, expression.operand, 'double precision')})"
        case Arithmetic():
            return _arithmetic(writer, expression)
        case Call():
            return calls.call(writer, expression)
        case Aggregate():
            return _aggregate(writer, expression)
        case Cast():
            return _cast(writer, expression)
        case Case():
            return _case(writer, expression)
        case _:
            assert_never(expression)


def constant(expression: Constant) -> str:
    """SQL of a literal. Texts are left without a type: they become that of what they meet."""
    match expression.value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if expression.value else "FALSE"
        case int() | float():
            return literals.number(expression.value)
        case str() if expression.meta.kind is Kind.TIMESTAMP:
            return f"{literals.text(expression.value)}::timestamp"
        case str():
            return literals.text(expression.value)
        case _:
            assert_never(expression.value)


def operand(writer: Writer, expression: Expression, null_type: str) -> str:
    """SQL of an expression where PostgreSQL must know the type of NULL."""
    if isinstance(expression, Constant) and expression.value is None:
        return f"NULL::{null_type}"
    return writer.value(expression)


def as_text(writer: Writer, expression: Expression) -> str:
    """SQL of an expression as a text."""
    sql = operand(writer, expression, "text")
    match expression.meta.kind:
        case Kind.STRING:
            return sql
        case Kind.TIMESTAMP:
            return f"""to_char({sql}, 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
        case kind if kind.geometric or kind is Kind.ARRAY:
            return f"array_to_string({sql}, ' ')"
        case _:
            return f"({sql})::text"


def _arithmetic(writer: Writer, expression: Arithmetic) -> str:
    if expression.operator == "||":
        return f"({as_text(writer, expression.left)} || {as_text(writer, expression.right)})"
    kind = literals.sql_type(expression.meta)
    left = _widened(writer, expression.left, expression.meta, kind)
    right = _widened(writer, expression.right, expression.meta, kind)
    if expression.operator == "/" and not _is_other_than_zero(expression.right):
        # A row without an answer has none; an error would end the whole stream.
        right = f"nullif({right}, 0)"
    return f"({left} {expression.operator} {right})"


def _widened(writer: Writer, part: Expression, whole: Meta, kind: str) -> str:
    """An operand, made as wide as the result: PostgreSQL calculates as narrowly as its operands are."""
    sql = operand(writer, part, kind)
    if part.meta.datatype == whole.datatype or isinstance(part, Constant):
        return sql
    return f"({sql})::{kind}"


def _is_other_than_zero(expression: Expression) -> bool:
    return (
        isinstance(expression, Constant)
        and isinstance(expression.value, int | float)
        and expression.value != 0
    )


def _aggregate(writer: Writer, expression: Aggregate) -> str:
    if expression.argument is None:
        return "count(*)"
    argument = operand(writer, expression.argument, "double precision")
    if expression.name in ("SUM", "AVG") and expression.meta.kind is Kind.FLOAT:
        argument = f"({argument})::double precision"
    distinct = "DISTINCT " if expression.distinct else ""
    sql = f"{expression.name.lower()}({distinct}{argument})"
    # The sum of bigint is numeric.
    return f"({sql})::bigint" if expression.name == "SUM" and expression.meta.kind is Kind.INTEGER else sql


def _case(writer: Writer, expression: Case) -> str:
    branches = " ".join(
        f"WHEN {writer.condition(test)} THEN {writer.value(result)}" for test, result in expression.branches
    )
    otherwise = f" ELSE {writer.value(expression.otherwise)}" if expression.otherwise is not None else ""
    return f"(CASE {branches}{otherwise} END)"


def _cast(writer: Writer, expression: Cast) -> str:
    kind, target = expression.operand.meta.kind, expression.target
    if target in ("CHAR", "VARCHAR"):
        text = as_text(writer, expression.operand)
        if expression.length is None:
            return f"({text})::text"
        return f"left({text}, {min(expression.length, _LONGEST)})"
    if target in ("POINT", "CIRCLE", "POLYGON"):
        return _cast_to_geometry(writer, expression)
    wanted = {"SMALLINT": "smallint", "INTEGER": "integer", "BIGINT": "bigint", "REAL": "real"}.get(
        target, target.lower()
    )
    sql = operand(writer, expression.operand, wanted)
    # Texts that are no numbers become NULL, and so do numbers that the type cannot hold.
    if kind is Kind.STRING and wanted != "timestamp":
        sql = f"{'adql_number' if wanted in ('real', 'double precision') else 'adql_whole'}(({sql})::text)"
        kind = Kind.FLOAT if wanted in ("real", "double precision") else Kind.INTEGER
    if kind.numeric and wanted == "real":
        return f"adql_real({sql})"
    if kind.numeric and wanted in _LARGEST and not (kind is Kind.INTEGER and wanted == "bigint"):
        exact = "bigint" if kind is Kind.INTEGER else "double precision"
        return f"adql_fit(({sql})::{exact}, {_LARGEST[wanted]})::{wanted}"
    if kind is Kind.BOOLEAN and wanted not in ("integer", "timestamp"):
        return f"({sql})::integer::{wanted}"
    return f"({sql})::{wanted}"


def _cast_to_geometry(writer: Writer, expression: Cast) -> str:
    sql = operand(writer, expression.operand, "double precision[]")
    if expression.operand.meta.kind is not Kind.STRING:
        return sql
    # DALI writes geometries as numbers parted by spaces; a text of another kind of region is none of this kind.
    region, fits = f"adql_region(({sql})::text)", _FITS[expression.target]
    if isinstance(expression.operand, Constant):
        return f"(CASE WHEN cardinality({region}) {fits} THEN {region} END)"
    # Worked out once: casts within casts would double with every level.
    return (
        f"(SELECT cast_1.r FROM (SELECT {region} AS r OFFSET 0) AS cast_1 WHERE cardinality(cast_1.r) {fits})"  # noqa: S608 - ours
    )
