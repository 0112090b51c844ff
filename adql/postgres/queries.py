"""Queries: from the typed tree to SELECT."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from adql.errors import AdqlTypeError
from adql.postgres import literals
from adql.postgres.tracing import sources
from adql.typed import (
    And,
    CommonSource,
    Comparison,
    Condition,
    Constant,
    Expression,
    FromItem,
    Join,
    Kind,
    Output,
    OutputNumber,
    Query,
    QueryExpression,
    QuerySource,
    Select,
    SetOperation,
    TableSource,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adql.catalogue import Table
    from adql.postgres.writer import Writer


def whole(writer: Writer, query: Query, limit: int | None) -> str:
    """SQL of a whole query, whose columns have the names of its outputs."""
    common = ", ".join(f"{one.alias} AS ({_expression(writer, one.query)})" for one in query.common_tables)
    body = _expression(writer, query.expression, named=True, limit=limit)
    if any(_is_text(output) for output in query.expression.outputs):
        columns = ", ".join(_as_text(output) for output in query.expression.outputs)
        body = f"SELECT {columns} FROM ({body}) AS result"  # noqa: S608 - names are quoted
    return f"WITH {common} {body}" if common else body


def _is_text(output: Output) -> bool:
    """Whether a geometry leaves the query as a text, since its column is declared as one (adql:REGION)."""
    return output.meta.kind.geometric and output.meta.datatype in ("char", "unicodeChar")


def _as_text(output: Output) -> str:
    name = literals.name(output.name)
    return f"adql_stcs({name}) AS {name}" if _is_text(output) else name


def query(writer: Writer, node: QueryExpression) -> str:
    """SQL of a query within another."""
    return _expression(writer, node)


def _expression(
    writer: Writer,
    node: QueryExpression,
    *,
    named: bool = False,
    limit: int | None = None,
    like: Sequence[Output] | None = None,
) -> str:
    """SQL of a query with its order.

    Parameters
    ----------
    named
        Whether columns get the names that users see, instead of their keys.
    limit
        Most rows, if TOP does not ask for fewer.
    like
        Columns of the set operation that it is an operand of.
    """
    match node.body:
        case Select():
            parts = [_select(writer, node.body, named=named, like=like)]
            top = node.body.top
        case SetOperation():
            parts = [_set_operation(writer, node.body, named=named)]
            top = None
        case _:
            assert_never(node.body)
    if node.order_by:
        terms = (
            _order_term(writer, term.expression) + (" DESC" if term.descending else "")
            for term in node.order_by
        )
        parts.append(f"ORDER BY {', '.join(terms)}")
    rows = [count for count in (top, limit) if count is not None]
    if rows:
        parts.append(f"LIMIT {min(rows)}")
    if node.offset:
        parts.append(f"OFFSET {node.offset}")
    return " ".join(parts)


def _select(writer: Writer, node: Select, *, named: bool, like: Sequence[Output] | None) -> str:
    outputs = ", ".join(
        f"{_output(writer, output, like[number] if like else None)}"
        f" AS {literals.name(output.name if named else output.key)}"
        for number, output in enumerate(node.outputs)
    )
    parts = [f"SELECT {'DISTINCT ' if node.distinct else ''}{outputs}"]
    if node.tables:
        parts.append("FROM " + ", ".join(_from_item(writer, item) for item in node.tables))
    if node.where is not None:
        parts.append(f"WHERE {writer.condition(node.where, filters=True)}")
    if node.group_by:
        parts.append("GROUP BY " + ", ".join(_order_term(writer, term) for term in node.group_by))
    if node.having is not None:
        parts.append(f"HAVING {writer.condition(node.having)}")
    return " ".join(parts)


def _output(writer: Writer, output: Output, like: Output | None) -> str:
    expression = output.expression
    if expression is None:
        raise TypeError(f"column {output.name} of a SELECT has no expression")
    sql = writer.value(expression)
    if (
        like is not None
        and like.meta.kind is not Kind.NULL
        and isinstance(expression, Constant)
        and expression.value is None
    ):
        # PostgreSQL matches the types of operands two by two, and takes NULL for a text.
        return f"NULL::{literals.sql_type(like.meta)}"
    return sql


def _order_term(writer: Writer, term: Expression | OutputNumber) -> str:
    if isinstance(term, OutputNumber):
        return str(term.number)
    if isinstance(term, Constant):
        # A bare number would be that of a column.
        return f"({writer.value(term)})::text"
    return writer.value(term)


def _set_operation(writer: Writer, node: SetOperation, *, named: bool) -> str:
    left = _expression(writer, node.left, named=named, like=node.outputs)
    right = _expression(writer, node.right, like=node.outputs)
    operator = f"{node.operator} ALL" if node.all else node.operator
    return f"({left}) {operator} ({right})"


def _from_item(writer: Writer, item: FromItem) -> str:
    match item:
        case TableSource():
            return f"{_relation(item.table)} AS {item.alias}"
        case QuerySource():
            return f"({_expression(writer, item.query)}) AS {item.alias}"
        case CommonSource():
            return f"{item.common.alias} AS {item.alias}"
        case Join():
            left, right = _from_item(writer, item.left), _from_item(writer, item.right)
            if item.condition is None:
                return f"({left} CROSS JOIN {right})"
            if item.kind == "FULL":
                _check_full_join(item.condition)
            on = writer.condition(item.condition, filters=True)
            return f"({left} {item.kind} JOIN {right} ON {on})"
        case _:
            assert_never(item)


def _check_full_join(condition: Condition) -> None:
    """Refuse what PostgreSQL cannot do: it puts both sides of a FULL JOIN together by equal values only.

    Raises
    ------
    AdqlTypeError
        With what to write instead.
    """
    terms = condition.terms if isinstance(condition, And) else (condition,)
    for term in terms:
        if not (
            isinstance(term, Comparison)
            and term.operator == "="
            and sources(term.left)
            and sources(term.right)
        ):
            raise AdqlTypeError(
                "a FULL JOIN can only ask for equal values on either side",
                suggestion="write a LEFT JOIN, UNION ALL, and the rows of the other table that have no partner",
            )


def _relation(table: Table) -> str:
    """What stands in FROM for a table. Columns that are expressions are computed beneath, where no other table is."""
    if all(column.sql is None for column in table.columns):
        return table.relation
    columns = ", ".join(
        f"{column.sql or literals.name(column.name)} AS {literals.name(column.name)}"
        for column in table.columns
    )
    return f"(SELECT {columns} FROM {table.relation} AS r)"  # noqa: S608 - of the catalogue and quoted, nothing of a user's
