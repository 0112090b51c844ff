"""Chunks of a result as Arrow batches, for the formats that are not written row by row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from paws.errors import PermanentError
from web.vo.formats.cells import Values, flat, text_of
from web.vo.formats.values import Described, Kind, Shape, shapes_of

_TYPES: Final = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.SHORT: pa.int16(),
    Kind.INT: pa.int32(),
    Kind.LONG: pa.int64(),
    Kind.FLOAT: pa.float32(),
    Kind.DOUBLE: pa.float64(),
}
_TIME: Final = pa.timestamp("us")


def _type(column: Described, shape: Shape) -> pa.DataType:
    if shape.kind.is_text:
        return _TIME if (column.xtype or "").lower() == "timestamp" else pa.string()
    if shape.scalar:
        return _TYPES[shape.kind]
    return pa.list_(_TYPES[shape.kind], -1 if shape.length is None else shape.length)


def schema_of(columns: Sequence[Described]) -> pa.Schema:
    """Schema of a result. Times are times, arrays are lists."""
    return pa.schema(
        [
            pa.field(column.name, _type(column, shape))
            for column, shape in zip(columns, shapes_of(columns), strict=True)
        ]
    )


def batch_of(chunk: Sequence[Values], schema: pa.Schema) -> pa.RecordBatch:
    """Some rows, given as columns.

    Raises
    ------
    PermanentError
        If a value is not of its column's type.
    """
    arrays = []
    for values, field in zip(chunk, schema, strict=True):
        try:
            arrays.append(_array(values, field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise PermanentError(
                f"Column {field.name!r} of the result holds a value that is no {field.type}; ask for VOTable or CSV.",
                column=field.name,
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Values, kind: pa.DataType) -> pa.Array:
    if kind == _TIME:
        return pa.array([_moment(value) for value in values], kind)
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([None if value is None else _converted(value, kind) for value in values], kind)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return None if value is None else datetime(value.year, value.month, value.day)


def _converted(value: Any, kind: pa.DataType) -> Any:
    """A value that Arrow does not take as it is: NUMERIC of PostgreSQL, arrays of more dimensions, texts of others."""
    if pa.types.is_string(kind):
        return text_of(value).encode(errors="replace").decode()
    if pa.types.is_integer(kind):
        return int(value)
    if pa.types.is_floating(kind):
        return float(value)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        elements = [None if part is None else _converted(part, kind.value_type) for part in flat(value)]
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else len(elements)
        return (elements + [None] * size)[:size]
    return bool(value)
