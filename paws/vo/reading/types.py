"""Types: those of VOTable, of Arrow and of PostgreSQL, and how the values of one become those of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adql.catalogue import Column
from adql.postgres.literals import SQL_TYPES
from paws.vo.reading.cell_errors import FAILURES, check_counts, not_read
from paws.vo.reading.limits import TableFileError

_ARROW: Final = {
    "boolean": pa.bool_(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
}
_BY_ARROW: Final = {
    pa.bool_(): "boolean",
    pa.int8(): "short",
    pa.uint8(): "short",
    pa.int16(): "short",
    pa.uint16(): "int",
    pa.int32(): "int",
    pa.uint32(): "long",
    pa.int64(): "long",
    pa.uint64(): "long",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
}
SHAPES: Final = {"point", "circle", "polygon"}
TIME: Final = pa.timestamp("us")


def is_text(column: Column) -> bool:
    """Whether cells are texts (times among them)."""
    return column.datatype in ("char", "unicodeChar")


def is_time(column: Column) -> bool:
    """Whether cells are points in time, ISO 8601."""
    return is_text(column) and (column.xtype or "").lower() in ("timestamp", "adql:timestamp")


def is_array(column: Column) -> bool:
    """Whether a cell holds several numbers."""
    return not is_text(column) and bool(column.arraysize) and column.arraysize != "1"


def postgres_type(column: Column) -> str:
    """Type of a column in PostgreSQL that holds the values.

    Geometries are ``double precision[]`` whatever precision they came in, as everywhere.
    """
    if is_time(column):
        return "timestamp"
    if is_text(column):
        return "text"
    base = SQL_TYPES[column.datatype]
    return f"{base}[]" if is_array(column) else base


def arrow_type(column: Column) -> pa.DataType:
    """Type in Arrow of the values of a column."""
    if is_time(column):
        return TIME
    if is_text(column):
        return pa.large_string()
    base = _ARROW[column.datatype]
    return pa.large_list(base) if is_array(column) else base


def tidy(column: Column) -> Column:
    """A column as we keep it: of lists of numbers only the outermost is known, and shapes are in double precision."""
    size = column.arraysize
    if is_array(column) and size is not None and "*" in size:
        size = "*"
    xtype = (column.xtype or "").lower().removeprefix("adql:")
    if is_array(column) and xtype in SHAPES and column.datatype in ("float", "double"):
        return replace(column, datatype="double", arraysize=size, xtype=xtype)
    if is_time(column):
        return replace(column, arraysize="*", xtype="timestamp")
    return replace(column, arraysize=size)


def described(name: str, kind: pa.DataType) -> Column:
    """Column for values that come in a type of Arrow.

    Raises
    ------
    TableFileError
        If tables of the Virtual Observatory have no such type.
    """
    if pa.types.is_dictionary(kind):
        return described(name, kind.value_type)
    if kind in _BY_ARROW:
        return Column(name, _BY_ARROW[kind])
    if pa.types.is_decimal(kind):
        return Column(name, "double")
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Column(name, "char", "*", "timestamp")
    if pa.types.is_time(kind) or pa.types.is_null(kind) or _is_string(kind):
        return Column(name, "unicodeChar", "*")
    if _is_list(kind):
        if _is_string(kind.value_type):
            return Column(name, "unicodeChar", "*")
        inner = _innermost(kind)
        size = str(kind.list_size) if _is_fixed_list(kind) and not _is_list(kind.value_type) else "*"
        if inner in _BY_ARROW:
            return Column(name, _BY_ARROW[inner], size)
    raise TableFileError(
        f"Column {name!r} has the type {kind}, for which tables have no place. Leave it out, or make it numbers or text.",
        column=name,
    )


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_fixed_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed_list(kind))


def _innermost(kind: pa.DataType) -> pa.DataType:
    while _is_list(kind):
        kind = kind.value_type
    return kind


def fitted(values: pa.Array, column: Column) -> pa.Array:
    """Values of a file in the type of their column; NaN of a scalar becomes NULL, which is what it means there.

    Raises
    ------
    TableFileError
        If a value does not fit: a number too large for whole numbers, a text that is no time, a point of three
        numbers.
    """
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    try:
        return _fitted(whole, column)
    except FAILURES as problem:
        raise not_read(whole, lambda part: _fitted(part, column), column, told(column)) from problem


def told(column: Column) -> str:
    """What a cell of a column is, for people."""
    return "time (ISO 8601)" if is_time(column) else column.datatype


def _fitted(values: pa.Array, column: Column) -> pa.Array:
    wanted = arrow_type(column)
    array = values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values
    if is_text(column):
        return parsed_times(array, column) if is_time(column) else _as_text(array)
    if is_array(column):
        lists = _as_list(array, wanted)
        if column.xtype in SHAPES:
            lists = _without_lost_shapes(lists)
        check_counts(lists, column)
        return lists
    if not array.type.equals(wanted):
        array = array.cast(wanted)
    return pc.if_else(pc.is_nan(array), None, array) if _has_nan(array) else array


def _has_nan(array: pa.Array) -> bool:
    return bool(pa.types.is_floating(array.type)) and bool(pc.any(pc.is_nan(array)).as_py())


def _as_text(array: pa.Array) -> pa.Array:
    if _is_list(array.type):
        array = pc.binary_join(array.cast(pa.list_(pa.string())), " ")
    text = array.cast(pa.large_string())
    characters = text.buffers()[2]
    # PostgreSQL has no NUL in texts; files have it as padding.
    padded = characters is not None and not np.frombuffer(characters, np.uint8).all()
    return pc.replace_substring(text, "\0", "") if padded else text


def _as_list(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    while _is_list(array.type) and _is_list(array.type.value_type):
        array = _outer(array)
    if not array.type.equals(wanted):
        array = array.cast(wanted)
    return array


def _without_lost_shapes(lists: pa.Array) -> pa.Array:
    """NULL for shapes without corners, or whose every number is NaN: what formats without NULL write for one."""
    numbers = lists.values.to_numpy(zero_copy_only=False)
    sound = ~np.isnan(numbers)
    ends = np.asarray(lists.offsets)
    known = np.concatenate(([0], np.cumsum(sound)))
    lost = known[ends[1:]] == known[ends[:-1]]
    return pc.if_else(pa.array(lost), None, lists) if lost.any() else lists


def _outer(array: pa.Array) -> pa.Array:
    """A list of lists as one list a row."""
    outer = array.cast(pa.large_list(array.type.value_type))
    inner = outer.values.cast(pa.large_list(outer.type.value_type.value_type))
    inner_ends = np.asarray(inner.offsets)
    offsets = inner_ends[np.asarray(outer.offsets)]
    mask = pc.is_null(outer) if outer.null_count else None
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), inner.values, mask=mask)


def parsed_times(array: pa.Array, column: Column) -> pa.Array:
    """Points in time, UTC: of texts in ISO 8601, with or without time of day, fraction and ``Z``."""
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        if pa.types.is_timestamp(array.type) and array.type.tz:
            array = array.cast(pa.timestamp(array.type.unit))
        return array.cast(TIME, safe=False)
    text = pc.utf8_rtrim(pc.utf8_trim_whitespace(array.cast(pa.large_string())), "Zz")
    text = pc.if_else(pc.equal(text, ""), None, text)
    bare: Any = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+$", r"\1")
    return bare.cast(TIME)
