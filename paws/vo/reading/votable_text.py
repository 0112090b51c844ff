"""Rows of a VOTable's TABLEDATA.

Rows of the usual form are cut at their tags by searching for bytes, and read as separated values by Arrow: ten times
as fast as an event for every cell. Whatever is unusual about them (comments, CDATA, attributes, characters by number)
takes the way through expat, slice by slice. Both ways give the same separated values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.parsers import expat

import pyarrow as pa
from pyarrow import csv

from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.types import arrow_type, is_array, is_text
from paws.vo.reading.votable_cells import NEWLINE, RETURN, text_column
from paws.vo.reading.votable_head import Field, Head

_SLICE: Final = 4_000_000
_CELL, _ROW = b"\x1f", b"\x1d"
_LINE, _TURN = NEWLINE.encode(), RETURN.encode()
_UNFIT: Final = (_CELL, _ROW, _LINE, _TURN)
_BETWEEN_CELLS: Final = re.compile(rb"</TD>\s*<TD>")
_BETWEEN_ROWS: Final = re.compile(rb"</TD>\s*</TR>\s*<TR>\s*<TD>")
_PREFIX: Final = re.compile(rb"\s*(?:<!--.*?-->\s*)*<([A-Za-z_][\w.-]{0,40}:)?", re.DOTALL)
_ENTITIES: Final = (
    (b"&lt;", b"<"),
    (b"&gt;", b">"),
    (b"&quot;", b'"'),
    (b"&apos;", b"'"),
    (b"&#13;", _TURN),
    (b"&amp;", b"&"),
)
_KNOWN: Final = re.compile(rb"&(?!(?:lt|gt|quot|apos|amp|#13);)")
_NULLS: Final = ["", "NaN", "nan"]


def text_batches(data: Any, head: Head, limits: Limits) -> Iterator[pa.RecordBatch]:
    """Rows of a TABLEDATA element.

    Parameters
    ----------
    data
        Bytes of the file in UTF-8, or a map of them.

    Raises
    ------
    TableFileError
        If the rows are damaged, or the file ends before they do.
    """
    prefix = _prefix(data, head.start)
    end = _end(data, head.start, prefix)
    closing = b"</" + prefix + b"TR>"
    rows = 0
    for start, stop in _slices(data, head.start, end, closing):
        separated = _separated(data[start:stop], prefix, len(head.fields), rows)
        if not separated:
            continue
        batch = _batch(separated, head.fields, limits)
        rows += batch.num_rows
        yield batch


def _prefix(data: Any, start: int) -> bytes:
    match = _PREFIX.match(data[start : start + 10_000])
    return (match[1] or b"") if match else b""


def _end(data: Any, start: int, prefix: bytes) -> int:
    closing = b"</" + prefix + b"TABLEDATA"
    place = int(data.find(closing, start))
    if place < 0:
        raise TableFileError("The VOTable ends in the middle of its rows.")
    return place


def _slices(data: Any, start: int, end: int, closing: bytes) -> Iterator[tuple[int, int]]:
    while start < end:
        stop, size = end, _SLICE
        while start + size < end:
            place = data.rfind(closing, start, start + size)
            if place >= 0:
                stop = place + len(closing)
                break
            size *= 2
        yield start, stop
        start = stop


def _separated(body: bytes, prefix: bytes, columns: int, rows_before: int) -> bytes:
    """Cells with a separator between them, and a line end behind every row but the last; nothing if there is none."""
    if any(sign in body for sign in _UNFIT):
        raise TableFileError("The rows of the VOTable hold control characters, which XML does not allow.")
    return _by_search(body, prefix, columns) or _by_events(body, columns, rows_before)


def _by_search(body: bytes, prefix: bytes, columns: int) -> bytes:
    """Separated values of rows in the usual form; nothing if they are not in it."""
    if b"<!" in body or b"<?" in body:
        return b""
    if prefix:
        body = body.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</")
    body = body.replace(b"<TD/>", b"<TD></TD>").replace(b"<TD />", b"<TD></TD>")
    rows, cells = body.count(b"<TR>"), body.count(b"<TD>")
    if not rows or cells != rows * columns or body.count(b"<") != 2 * (rows + cells):
        return b""
    begin, end = body.find(b"<TD>") + 4, body.rfind(b"</TD>")
    if body[: begin - 4].strip() != b"<TR>" or body[end + 5 :].strip() != b"</TR>":
        return b""
    # The first gap is most likely what all of them look like; a plain replacement is much the fastest.
    body = _cut(body[begin:end], _BETWEEN_ROWS, b"</TR>", _ROW)
    body = _cut(body, _BETWEEN_CELLS, b"</TD>", _CELL)
    if b"<" in body or body.count(_ROW) != rows - 1 or body.count(_CELL) != rows * (columns - 1):
        return b""
    if b"&" in body:
        if _KNOWN.search(body):
            return b""
        for entity, sign in _ENTITIES:
            body = body.replace(entity, sign)
    for line_end in (b"\r\n", b"\n", b"\r"):
        body = body.replace(line_end, _LINE)
    return body.replace(_ROW, b"\n") + b"\n"


def _cut(body: bytes, gap: re.Pattern[bytes], tag: bytes, separator: bytes) -> bytes:
    first = gap.search(body)
    if first is None:
        return body
    body = body.replace(first[0], separator)
    return gap.sub(separator, body) if tag in body else body


class _Rows:
    """Listens to expat and writes separated values."""

    def __init__(self, columns: int, rows_before: int) -> None:
        self.columns = columns
        self.number = rows_before
        self.written: list[str] = []
        self.row: list[str] = []
        self.cell: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        kind = name.rpartition(":")[2]
        if kind == "TD":
            if attributes.get("encoding"):
                raise TableFileError("Cells of the VOTable are encoded one by one, which is not read.")
            self.cell = []
        elif kind == "TR":
            self.row = []
        elif kind != "ROWS":
            raise TableFileError(f"Between the rows of the VOTable stands <{name[:40]}>.")

    def end(self, name: str) -> None:
        """An element ends."""
        kind = name.rpartition(":")[2]
        if kind == "TD":
            self.row.append("".join(self.cell or ()).replace("\n", NEWLINE).replace("\r", RETURN))
            self.cell = None
        elif kind == "TR":
            self.number += 1
            if len(self.row) != self.columns:
                raise TableFileError(
                    f"Row {self.number} of the VOTable has {len(self.row)} cells, where there are {self.columns} columns."
                )
            self.written.append("\x1f".join(self.row) + "\n")

    def text(self, data: str) -> None:
        """Text of a cell; what stands between cells is no part of any."""
        if self.cell is not None:
            self.cell.append(data)


def _by_events(body: bytes, columns: int, rows_before: int) -> bytes:
    rows = _Rows(columns, rows_before)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = rows.start, rows.end
    parser.CharacterDataHandler = rows.text
    try:
        parser.Parse(b"<ROWS>", False)
        parser.Parse(body, False)
        parser.Parse(b"</ROWS>", True)
    except expat.ExpatError as error:
        raise TableFileError(
            f"The rows of the VOTable after number {rows.number} are damaged: {error}."
        ) from error
    return "".join(rows.written).encode()


def _batch(separated: bytes, fields: list[Field], limits: Limits) -> pa.RecordBatch:
    try:
        table = _read(separated, fields, typed=True)
    except pa.ArrowException:
        # Some number is written as only VOTable does, or is none: by column, where the error can name it.
        try:
            table = _read(separated, fields, typed=False)
        except pa.ArrowException as error:
            raise TableFileError(
                "The rows of the VOTable cannot be read: their cells cannot be told apart."
            ) from error
    columns = [
        text_column(values.combine_chunks(), field)
        for values, field in zip(table.columns, fields, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, [str(place) for place in range(len(fields))])


def _read(separated: bytes, fields: list[Field], *, typed: bool) -> pa.Table:
    names = [str(place) for place in range(len(fields))]
    types = {
        name: arrow_type(field.column) if typed and _plain(field) else pa.large_string()
        for name, field in zip(names, fields, strict=True)
    }
    return csv.read_csv(
        pa.BufferReader(separated),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=min(len(separated) + 1, 2**31 - 1)),
        csv.ParseOptions(delimiter="\x1f", quote_char=False, double_quote=False, ignore_empty_lines=False),
        csv.ConvertOptions(column_types=types, null_values=_NULLS, strings_can_be_null=False),
    )


def _plain(field: Field) -> bool:
    """Whether Arrow itself reads cells of a column, if they are written as usual."""
    return (
        not is_text(field.column) and not is_array(field.column) and field.datatype not in ("boolean", "bit")
    )
