"""Rows of a VOTable's BINARY and BINARY2: base64, in slices; every column's cells are gathered at once."""

from __future__ import annotations

import struct
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from paws.vo.interleave import Bytes
from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.types import fitted
from paws.vo.reading.votable_cells import without_null
from paws.vo.reading.votable_head import Field, Head

_SLICE: Final = 4_000_000
_BLANK: Final = b" \t\r\n"
_COUNT: Final = struct.Struct(">i")
_STORED: Final = {
    "boolean": "u1",
    "bit": "u1",
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "char": "u1",
    "unicodeChar": ">u2",
    "float": ">f4",
    "double": ">f8",
    "floatComplex": ">f4",
    "doubleComplex": ">f8",
}
_TRUE: Final = np.frombuffer(b"Tt1", np.uint8)
_FALSE: Final = np.frombuffer(b"Ff0", np.uint8)
_BROKEN: Final = "The VOTable ends in the middle of its rows."


@dataclass(frozen=True, slots=True)
class _Cell:
    """How a column's cells are stored.

    Attributes
    ----------
    items
        Numbers in a cell; None where the cell begins with their count.
    """

    field: Field
    dtype: np.dtype[Any]
    items: int | None

    @property
    def width(self) -> int:
        """Bytes of a cell of fixed size."""
        assert self.items is not None
        return -(-self.items // 8) if self.field.datatype == "bit" else self.items * self.dtype.itemsize


def _cell(field: Field) -> _Cell:
    size, each = field.arraysize, 2 if field.datatype.endswith("Complex") else 1
    dtype = np.dtype(_STORED[field.datatype])
    if size.endswith("*"):
        if field.datatype == "bit":
            raise TableFileError(
                f"Column {field.column.name!r} holds bits of varying number, which are not read."
            )
        return _Cell(field, dtype, None)
    items = each
    for dimension in size.split("x") if size else ():
        items *= int(dimension)
    return _Cell(field, dtype, items)


def binary_batches(data: Any, head: Head, limits: Limits) -> Iterator[pa.RecordBatch]:
    """Rows of a BINARY or BINARY2 element.

    Raises
    ------
    TableFileError
        If they are damaged, or the file ends before they do.
    """
    if head.href:
        raise TableFileError("The rows of the VOTable lie in another file, which is not fetched.")
    if head.encoding != "base64":
        raise TableFileError(
            f"The rows of the VOTable are in {head.encoding or 'no'} encoding; base64 is read."
        )
    cells = [_cell(field) for field in head.fields]
    mask = -(-len(cells) // 8) if head.serialisation == "BINARY2" else 0
    for cell in cells:
        limits.check_cell(cell.width if cell.items is not None else 0, cell.field.column.name)
    rest = b""
    for piece in _decoded(data, head.start):
        buffer = rest + piece
        layout = _layout(buffer, cells, mask, limits)
        rest = buffer[layout.end :]
        if layout.rows:
            yield _batch(np.frombuffer(buffer, np.uint8), layout, cells, mask)
    if rest:
        raise TableFileError(_BROKEN)


def _decoded(data: Any, start: int) -> Iterator[bytes]:
    end = data.find(b"<", start)
    if end < 0:
        raise TableFileError(_BROKEN)
    left = b""
    for place in range(start, end, _SLICE):
        text = left + bytes(data[place : min(place + _SLICE, end)]).translate(None, _BLANK)
        whole = len(text) // 4 * 4
        left = text[whole:]
        try:
            yield a2b_base64(text[:whole], strict_mode=True)
        except Base64Error as error:
            raise TableFileError("The rows of the VOTable are no sound base64.") from error
    if left:
        raise TableFileError(_BROKEN)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the whole rows of a buffer lie.

    Attributes
    ----------
    starts
        Of every row.
    counts
        By column of varying length: where its count stands in every row, and the count.
    end
        Behind the last whole row.
    """

    rows: int
    starts: NDArray[np.int64]
    counts: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]
    end: int


def _layout(buffer: bytes, cells: list[_Cell], mask: int, limits: Limits) -> _Layout:
    varied = [place for place, cell in enumerate(cells) if cell.items is None]
    if not varied:
        width = mask + sum(cell.width for cell in cells)
        rows = len(buffer) // width if width else 0
        return _Layout(rows, np.arange(rows, dtype=np.int64) * width, {}, rows * width)
    gaps, units = _gaps(cells, mask)
    return _walk(buffer, cells, varied, gaps, units, limits)


def _gaps(cells: list[_Cell], mask: int) -> tuple[list[int], list[int]]:
    """Bytes before each column of varying length, and behind the last; and the size of one item of each."""
    gaps, units, gap = [], [], mask
    for cell in cells:
        if cell.items is None:
            each = 2 if cell.field.datatype.endswith("Complex") else 1
            gaps.append(gap)
            units.append(cell.dtype.itemsize * each)
            gap = 0
        else:
            gap += cell.width
    return [*gaps, gap], units


def _walk(
    buffer: bytes, cells: list[_Cell], varied: list[int], gaps: list[int], units: list[int], limits: Limits
) -> _Layout:
    """Go from row to row: where one begins is known from the one before alone."""
    count_at = _COUNT.unpack_from
    size, last = len(buffer), gaps[-1]
    steps = list(zip(gaps, units, strict=False))
    starts: list[int] = []
    marks: list[int] = []
    row = 0
    most = limits.cell_bytes
    while row < size:
        place = row
        row_marks = []
        for number, (gap, unit) in enumerate(steps):
            place += gap
            if place + 4 > size:
                break
            taken = count_at(buffer, place)[0] * unit
            if not 0 <= taken <= most:
                _refuse_count(taken, cells[varied[number]], limits)
            row_marks.append(place)
            place += 4 + taken
        else:
            place += last
            if place > size:
                break
            starts.append(row)
            marks += row_marks
            row = place
            continue
        break
    places = np.array(marks, np.int64).reshape(len(starts), len(varied))
    view = np.frombuffer(buffer, np.uint8)
    counts = {}
    for number, column in enumerate(varied):
        at = np.ascontiguousarray(places[:, number])
        counts[column] = (at, _gathered(view, at, 4).view(">i4").reshape(-1).astype(np.int64))
    return _Layout(len(starts), np.array(starts, np.int64), counts, row)


def _refuse_count(taken: int, cell: _Cell, limits: Limits) -> None:
    limits.check_cell(taken, cell.field.column.name)
    raise TableFileError(
        f"The rows of the VOTable are damaged: a cell of column {cell.field.column.name!r} has a negative length."
    )


def _gathered(view: Bytes, places: NDArray[np.int64], width: int) -> Bytes:
    """Bytes that stand at some places, shape (rows, width)."""
    return np.ascontiguousarray(view[places[:, None] + np.arange(width)])


def _batch(view: Bytes, layout: _Layout, cells: list[_Cell], mask: int) -> pa.RecordBatch:
    missing = None
    if mask:
        bits = _gathered(view, layout.starts, mask)
        missing = np.unpackbits(bits, axis=1)[:, : len(cells)].astype(np.bool_)
    place = layout.starts + mask
    arrays = []
    for number, cell in enumerate(cells):
        lost = None if missing is None or not missing[:, number].any() else missing[:, number]
        if cell.items is None:
            at, counts = layout.counts[number]
            sizes = counts * cell.dtype.itemsize * (2 if cell.field.datatype.endswith("Complex") else 1)
            begins = np.cumsum(sizes) - sizes
            data = view[np.repeat(at + 4 - begins, sizes) + np.arange(int(sizes.sum()))]
            place = at + 4 + sizes
        else:
            sizes = np.full(layout.rows, cell.width, np.int64)
            data = _gathered(view, place, cell.width).reshape(-1)
            place = place + cell.width
        arrays.append(_column(data, sizes, cell, lost))
    return pa.RecordBatch.from_arrays(arrays, [str(number) for number in range(len(cells))])


def _column(data: Bytes, sizes: NDArray[np.int64], cell: _Cell, lost: NDArray[np.bool_] | None) -> pa.Array:
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    kind = cell.field.datatype
    if kind in ("char", "unicodeChar"):
        return fitted(_texts(data, offsets, kind, lost), cell.field.column)
    values: pa.Array
    if kind == "bit":
        assert cell.items is not None
        if cell.items == 1:
            # astropy sets another bit than the first.
            data = np.where(data != 0, 0x80, 0).astype(np.uint8)
        bits = np.unpackbits(data.reshape(len(sizes), -1), axis=1)[:, : cell.items]
        values, offsets = pa.array(bits.reshape(-1).astype(np.bool_)), np.arange(len(sizes) + 1) * cell.items
    elif kind == "boolean":
        true = np.isin(data, _TRUE)
        values = pa.array(true, mask=~(true | np.isin(data, _FALSE)))
    else:
        numbers = data.view(cell.dtype)
        values = pa.array(numbers.astype(cell.dtype.newbyteorder("=")))
        offsets = offsets // cell.dtype.itemsize
    column = cell.field.column
    if not column.arraysize or column.arraysize == "1":
        scalar = without_null(values, cell.field) if lost is None else _masked(values, lost)
        return fitted(scalar, column)
    absent = None if lost is None else pa.array(lost)
    return fitted(pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, mask=absent), column)


def _masked(values: pa.Array, lost: NDArray[np.bool_]) -> pa.Array:
    return pc.if_else(pa.array(lost), None, values)


def _texts(data: Bytes, offsets: NDArray[np.int64], kind: str, lost: NDArray[np.bool_] | None) -> pa.Array:
    """Texts up to their first NUL, which pads those of fixed length."""
    raw = data.tobytes()
    codec = "utf-8" if kind == "char" else "utf-16-be"
    if kind == "char" and raw.isascii() and b"\0" not in raw:
        texts = pa.LargeStringArray.from_buffers(
            len(offsets) - 1, pa.py_buffer(offsets.astype(np.int64).tobytes()), pa.py_buffer(raw)
        )
    else:
        ends = offsets.tolist()
        cut = [_decoded_text(raw[start:end], codec).split("\0", 1)[0] for start, end in pairwise(ends)]
        texts = pa.array(cut, pa.large_string())
    return texts if lost is None else _masked(texts, lost)


def _decoded_text(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        # Old files have Latin letters where VOTable wants ASCII.
        return raw.decode("latin-1" if codec == "utf-8" else codec, "replace")
