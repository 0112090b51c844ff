"""Gives a NULL of a select list the type of what it meets: a database takes it for a text otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adql import metas
from adql.kinds import Kind, Meta
from adql.typed import Cast, Output, QueryExpression, Select

_TARGETS: Final = {
    Kind.STRING: "VARCHAR",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.POINT: "POINT",
    Kind.CIRCLE: "CIRCLE",
    Kind.POLYGON: "POLYGON",
}
_NUMBERS: Final = {
    "unsignedByte": "SMALLINT",
    "short": "SMALLINT",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE PRECISION",
}


def retyped(query: QueryExpression, wanted: Sequence[Meta]) -> QueryExpression:
    """A query whose columns that are NULL have the types of `wanted`, as far as those can be named in a CAST."""
    body = query.body
    pairs = list(zip(body.outputs, wanted, strict=True))
    if not any(output.meta.kind is Kind.NULL and _target(meta) is not None for output, meta in pairs):
        return query
    if isinstance(body, Select):
        outputs = tuple(_cast(output, meta) for output, meta in pairs)
        return replace(query, body=replace(body, outputs=outputs))
    outputs = tuple(
        replace(output, meta=meta) if output.meta.kind is Kind.NULL else output for output, meta in pairs
    )
    kinds = [output.meta for output in outputs]
    left, right = retyped(body.left, kinds), retyped(body.right, kinds)
    return replace(query, body=replace(body, outputs=outputs, left=left, right=right))


def settled(output: Output) -> Output:
    """A column of a derived table: where nothing told its type, it is a text."""
    return replace(output, meta=metas.TEXT) if output.meta.kind is Kind.NULL else output


def _target(meta: Meta) -> str | None:
    return _NUMBERS.get(meta.datatype) if meta.kind.numeric else _TARGETS.get(meta.kind)


def _cast(output: Output, meta: Meta) -> Output:
    target = _target(meta)
    if output.meta.kind is not Kind.NULL or target is None or output.expression is None:
        return output
    return replace(output, meta=meta, expression=Cast(output.expression, target, None, meta))
