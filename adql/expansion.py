"""How large a query becomes once every column stands for the expression behind it.

A database puts the expressions of derived and common tables in place of their names before it plans. A query of a few
lines in which each level names a column of the level below twice becomes twice as large with every level, and takes
all memory of the server before any time limit can end it.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, Final

from adql.errors import AdqlLimitError
from adql.typed import (
    ColumnValue,
    CommonSource,
    Constant,
    Query,
    QueryExpression,
    QuerySource,
    Select,
    SetOperation,
    TableSource,
)

MOST: Final = 100_000
"""Parts of an expanded query beyond those that its author wrote."""
_TEXT: Final = 100
"""Characters of a literal that count as one part: texts are joined to longer ones."""
MOST_TABLES: Final = 60
"""Tables that are joined in one query, however they are nested: to plan 200 takes seconds."""


def check_expansion(query: Query, written: int) -> None:
    """Refuse a query that becomes too large.

    Parameters
    ----------
    written
        Characters of its text.

    Raises
    ------
    AdqlLimitError
        If it does.
    """
    measure = _Measure()
    # In their order, so that none is deeper than the one that it names.
    size = sum(measure.query(common.query) for common in query.common_tables)
    if size + measure.query(query.expression) > MOST + written:
        raise AdqlLimitError(
            "the query becomes too large when its derived tables are put together",
            suggestion="name columns of inner queries less often, or run it in steps with an upload",
        )
    common = [measure.joined(one.query) for one in query.common_tables]
    if max([*common, measure.joined(query.expression)]) > MOST_TABLES:
        raise AdqlLimitError(
            f"the query joins more than {MOST_TABLES} tables",
            suggestion="run it in steps: keep a result, and upload it to the next query",
        )


class _Measure:
    """Sizes of parts of one query, each worked out once, however often it is named."""

    def __init__(self) -> None:
        self._parts: dict[int, int] = {}
        self._columns: dict[int, dict[str, int]] = {}
        self._joined: dict[int, int] = {}

    def query(self, node: QueryExpression) -> int:
        """Size of a query with its derived tables; common tables are counted by themselves."""
        return self._of(node.body) + self._of(node.order_by)

    def joined(self, node: object) -> int:
        """Tables that are planned together: those of derived and common tables, and of subqueries, among them."""
        if isinstance(node, tuple):
            return sum(map(self.joined, node))
        if not dataclasses.is_dataclass(node) or isinstance(node, type):
            return 0
        found = self._joined.get(id(node))
        if found is None:
            found = self._joined[id(node)] = self._counted(node)
        return found

    def _counted(self, node: Any) -> int:
        match node:
            case ColumnValue():
                return 0
            case TableSource():
                return 1
            case CommonSource(common=common):
                return self.joined(common.query)
            case SetOperation(left=left, right=right):
                # Queries of a union are planned one after the other.
                return max(self.joined(left), self.joined(right))
            case _:
                return sum(self.joined(getattr(node, name)) for name in _parts_of(node.__class__))

    def _of(self, node: object) -> int:
        if isinstance(node, tuple):
            return sum(self._of(part) for part in node)
        if not dataclasses.is_dataclass(node) or isinstance(node, type):
            return 0
        found = self._parts.get(id(node))
        if found is None:
            found = self._parts[id(node)] = self._measured(node)
        return found

    def _measured(self, node: Any) -> int:
        match node:
            case Constant():
                return 1 + (len(node.value) // _TEXT if isinstance(node.value, str) else 0)
            case ColumnValue():
                return self._column(node)
            case QueryExpression():
                return self.query(node)
            case QuerySource():
                return self.query(node.query)
            case TableSource() | CommonSource():
                return 1
            case _:
                below = [self._of(getattr(node, name)) for name in _parts_of(node.__class__)]
                return 1 + sum(below)

    def _column(self, node: ColumnValue) -> int:
        match node.source:
            case QuerySource(query=inner):
                return self._outputs(inner)[node.key]
            case CommonSource(common=common):
                return self._outputs(common.query)[node.key]
            case TableSource():
                return 1

    def _outputs(self, query: QueryExpression) -> dict[str, int]:
        """Sizes of the columns of a query, by their keys."""
        found = self._columns.get(id(query))
        if found is None:
            keys = [output.key for output in query.outputs]
            found = self._columns[id(query)] = dict(zip(keys, self._sizes(query.body), strict=True))
        return found

    def _sizes(self, body: Select | SetOperation) -> list[int]:
        if isinstance(body, Select):
            return [self._of(output.expression) for output in body.outputs]
        left, right = self._sizes(body.left.body), self._sizes(body.right.body)
        return [one + other for one, other in zip(left, right, strict=True)]


@cache
def _parts_of(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind) if field.name not in ("meta", "column"))
