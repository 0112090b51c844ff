"""Where values come from: which tables, and whether a position has an index."""

from __future__ import annotations

import dataclasses

from adql.catalogue import Table
from adql.typed import (
    Call,
    ColumnValue,
    Constant,
    Expression,
    QuerySource,
    Select,
    Source,
    TableSource,
)


def sources(expression: object) -> frozenset[Source]:
    """The tables of FROM that a value depends on."""
    found: set[Source] = set()
    for node in _nodes(expression):
        if isinstance(node, ColumnValue):
            found.add(node.source)
    return frozenset(found)


def is_constant(expression: Expression) -> bool:
    """Whether a value is the same for all rows, and known when the query is planned."""
    return not any(
        isinstance(node, ColumnValue) or (isinstance(node, Call) and node.name == "RAND")
        for node in _nodes(expression)
    )


def _nodes(node: object) -> list[object]:
    """The expressions within an expression, itself included; queries within it are not looked into."""
    if isinstance(node, tuple):
        return [found for part in node for found in _nodes(part)]
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return []
    if isinstance(node, ColumnValue | Constant):
        return [node]
    parts = [getattr(node, name) for name in _fields(type(node))]
    return [node, *(found for part in parts for found in _nodes(part))]


_FIELDS: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    if kind not in _FIELDS:
        names = (field.name for field in dataclasses.fields(kind))
        _FIELDS[kind] = tuple(name for name in names if name not in ("meta", "query", "name"))
    return _FIELDS[kind]


def indexed_position(ra: Expression, dec: Expression) -> Source | None:
    """The source of a pair of columns if it has a position index, also behind derived and common tables."""
    if not (isinstance(ra, ColumnValue) and isinstance(dec, ColumnValue) and ra.source is dec.source):
        return None
    first, second = _origin(ra), _origin(dec)
    if first is None or second is None or first[0] is not second[0]:
        return None
    table: Table = first[0].table
    names = (first[1], second[1])
    return ra.source if any((pair.ra, pair.dec) == names for pair in table.positions) else None


def _origin(column: ColumnValue) -> tuple[TableSource, str] | None:
    """The table of the catalogue that a column comes from as it is, and its name there."""
    while True:
        source = column.source
        if isinstance(source, TableSource):
            return source, column.key
        query = source.query if isinstance(source, QuerySource) else source.common.query
        if not isinstance(query.body, Select):
            return None
        inner = next((one.expression for one in query.body.outputs if one.key == column.key), None)
        if not isinstance(inner, ColumnValue):
            return None
        column = inner
