"""Rows as PostgreSQL's binary COPY takes them, encoded a column at a time.

Layout (PostgreSQL manual, COPY, "Binary Format"): a row is the number of its fields as int16, then for every field
its length as int32 (-1 for NULL) and its bytes as the type's ``recv`` function takes them, all in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from adql.catalogue import Column
from paws.vo.interleave import Fixed, Part, Varying, constant, fixed, interleave
from paws.vo.reading.limits import Limits

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER: Final = struct.pack(">h", -1)
_EPOCH: Final = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where PostgreSQL begins to count."""
_NULL: Final = -1

_ELEMENTS: Final = {
    pa.bool_(): 16,
    pa.int64(): 20,
    pa.int16(): 21,
    pa.int32(): 23,
    pa.float32(): 700,
    pa.float64(): 701,
}
"""Object identifiers of PostgreSQL's own types, which are the same in every database."""

Mask = NDArray[np.bool_]


def encode(batch: pa.RecordBatch, columns: Sequence[Column], limits: Limits) -> bytes:
    """Encode rows.

    Parameters
    ----------
    batch
        Values in the types of `paws.vo.reading.types.arrow_type`.
    columns
        Named in errors.

    Returns
    -------
    bytes
        Rows without the header and the trailer.

    Raises
    ------
    TableTooLargeError
        If a cell is larger than it may be.
    """
    count = batch.num_rows
    if not count:
        return b""
    parts: list[Part] = [constant(struct.pack(">h", batch.num_columns), count)]
    for values, column in zip(batch.columns, columns, strict=True):
        parts += _field(values, column, limits)
    return interleave(parts, count).tobytes()


def _field(values: pa.Array, column: Column, limits: Limits) -> list[Part]:
    if pa.types.is_large_string(values.type):
        return _text(values, column, limits)
    if pa.types.is_large_list(values.type):
        return _array(values, column, limits)
    return _scalar(numbers(values), _valid(values))


def _valid(values: pa.Array) -> Mask | None:
    if not values.null_count:
        return None
    valid: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return valid


def numbers(values: pa.Array) -> NDArray[Any]:
    """Numbers of an array in network order; whatever stands where there is none."""
    if pa.types.is_boolean(values.type):
        filled = values.fill_null(False) if values.null_count else values
        return np.asarray(filled.to_numpy(zero_copy_only=False)).astype(np.uint8)
    kind = (
        np.dtype(np.int64) if pa.types.is_timestamp(values.type) else np.dtype(values.type.to_pandas_dtype())
    )
    buffer = values.buffers()[1]
    if buffer is None:
        return np.zeros(len(values), kind)
    whole = np.frombuffer(buffer, kind, count=len(values), offset=values.offset * kind.itemsize)
    if pa.types.is_timestamp(values.type):
        return (whole - _EPOCH).astype(">i8")
    return whole.astype(kind.newbyteorder(">"))


def _lengths(lengths: NDArray[np.int64], valid: Mask | None) -> Fixed:
    return fixed((lengths if valid is None else np.where(valid, lengths, _NULL)).astype(">i4"))


def _scalar(data: NDArray[Any], valid: Mask | None) -> list[Part]:
    size = data.dtype.itemsize
    if valid is None:
        return [constant(struct.pack(">i", size), len(data)), fixed(data)]
    return [_lengths(np.full(len(data), size), valid), fixed(data, valid)]


def _offsets(values: pa.Array) -> NDArray[np.int64]:
    return np.frombuffer(values.buffers()[1], np.int64, count=len(values) + 1, offset=values.offset * 8)


def _sizes(offsets: NDArray[np.int64], valid: Mask | None) -> NDArray[np.int64]:
    sizes = np.diff(offsets)
    # Arrow does not promise that what is NULL takes no room.
    return sizes if valid is None else np.where(valid, sizes, 0)


def _picked(data: NDArray[Any], offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[Any]:
    """Elements of the cells, one after the other, without what stands in between."""
    start, end = int(offsets[0]), int(offsets[-1])
    if int(sizes.sum()) == end - start:
        return data[start:end]
    before = np.cumsum(sizes) - sizes
    return data[np.repeat(offsets[:-1] - before, sizes) + np.arange(int(sizes.sum()))]


def _text(values: pa.Array, column: Column, limits: Limits) -> list[Part]:
    valid = _valid(values)
    offsets = _offsets(values)
    sizes = _sizes(offsets, valid)
    limits.check_cell(int(sizes.max(initial=0)), column.name)
    buffer = values.buffers()[2]
    data = np.frombuffer(buffer, np.uint8) if buffer is not None else np.zeros(0, np.uint8)
    return [_lengths(sizes, valid), Varying(_picked(data, offsets, sizes), sizes)]


def _array(values: pa.Array, column: Column, limits: Limits) -> list[Part]:
    """Arrays of one dimension: its number, whether it holds NULL, its type, its length and first index; elements."""
    valid = _valid(values)
    offsets = _offsets(values)
    counts = _sizes(offsets, valid)
    items = values.values
    inner_valid = _valid(items)
    data = numbers(items)
    width = data.dtype.itemsize
    limits.check_cell(int(counts.max(initial=0)) * width, column.name)
    data = _picked(data, offsets, counts)
    present = None if inner_valid is None else _picked(inner_valid, offsets, counts)
    elements = interleave(_scalar(data, present), len(data))
    sizes = counts * (4 + width)
    if present is not None:
        lost = np.concatenate(([0], np.cumsum(~present)))
        ends = np.cumsum(counts)
        sizes = sizes - width * (lost[ends] - lost[ends - counts])
    full = counts > 0
    head = np.zeros((len(counts), 3), ">i4")
    head[:, 0] = full
    head[:, 1] = present is not None
    head[:, 2] = _ELEMENTS[items.type]
    dimension = np.stack([counts, np.ones_like(counts)], axis=1).astype(">i4")
    total = np.where(full, 20, 12) + sizes
    return [
        _lengths(total, valid),
        fixed(head, valid),
        fixed(dimension, full),
        Varying(elements, sizes),
    ]
