"""Text files: CSV, TSV and their like, and ECSV. Types are guessed by Arrow over the whole file, or told by ECSV."""

from __future__ import annotations

import csv as python_csv
import mmap
import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from adql.catalogue import Column
from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.source import TableSource
from paws.vo.reading.types import described, fitted
from paws.vo.reading.yaml_meta import completed, yaml_columns

_HEAD: Final = 1_000_000
_DELIMITERS: Final = (",", "\t", ";", "|")
_NULLS: Final = ["", "NULL", "null", "NaN", "nan", "-nan", "NA", "N/A", "n/a", "#N/A", "--", "None"]
_BATCH: Final = 100_000
_BLOCK: Final = 4_000_000
_ECSV: Final = "%ECSV"
_UNEVEN: Final = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def open_separated(file: IO[bytes], limits: Limits) -> TableSource:
    """Open a text file whose first line names the columns; lines before it that begin with ``#`` are comments.

    The file is read whole, for the type of a column may turn out in its last line.

    Raises
    ------
    TableFileError
        If its lines do not have one number of cells, or it is no text.
    """
    whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        names, start, delimiter, entries = _header(whole)
        limits.check_columns(len(names))
        # Arrow's buffer keeps the map alive, and the map the file's bytes.
        table = _read(pa.py_buffer(whole).slice(start), len(names), delimiter, limits)
    except pa.ArrowException as error:
        raise TableFileError(
            f"The file cannot be read as separated values: {_reason(str(error))}."
        ) from error
    limits.check_rows(table.num_rows)
    columns = tuple(
        completed(described(name, field.type), entries.get(name, {}))
        for name, field in zip(names, table.schema, strict=True)
    )
    columns = tuple(
        replace(column, datatype="char") if column.datatype == "unicodeChar" and _is_ascii(values) else column
        for column, values in zip(columns, table.columns, strict=True)
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in table.to_batches(max_chunksize=_BATCH):
            arrays = [_value(values, column) for values, column in zip(batch.columns, columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, batch.schema.names)

    return TableSource(columns, batches, limits, rows=table.num_rows)


def _reason(words: str) -> str:
    """What is wrong with rows, from what Arrow says."""
    uneven = _UNEVEN.search(words)
    if uneven is None:
        return "where a row ends cannot be told; is a quote not closed?"
    row, columns, cells = uneven.groups()
    return f"row {row} has {cells} cells, where there are {columns} columns"


def _value(values: pa.Array, column: Column) -> pa.Array:
    array = fitted(values, column)
    return pc.if_else(pc.equal(array, ""), None, array) if pa.types.is_large_string(array.type) else array


def _is_ascii(values: pa.ChunkedArray) -> bool:
    if pa.types.is_null(values.type):
        return True
    return pa.types.is_string(values.type) and pc.all(pc.string_is_ascii(values)).as_py() is not False


def _header(whole: Any) -> tuple[list[str], int, str, dict[str, dict[str, Any]]]:
    """Names of the columns, where the rows begin, what separates cells, and what ECSV tells of columns."""
    place = len(_BYTE_ORDER_MARK) if whole[:3] == _BYTE_ORDER_MARK else 0
    comments = []
    while whole[place : place + 1] == b"#":
        end = whole.find(b"\n", place)
        if end < 0 or end > _HEAD:
            break
        comments.append(whole[place + 1 : end].decode(errors="replace").strip("\r"))
        place = end + 1
    head = bytes(whole[place : place + _HEAD])
    if b"\0" in head[:10_000]:
        raise TableFileError("The file is no text, and none of the formats of tables that are read.")
    ecsv = bool(comments) and comments[0].strip().startswith(_ECSV)
    entries = yaml_columns("\n".join(text.removeprefix(" ") for text in comments[1:])) if ecsv else {}
    # A letter a byte, whatever the encoding: so places among letters are places in the file.
    text = head.decode("latin-1")
    delimiter = _delimiter(text, " " if ecsv else ",")
    cells, length = _first_line(text, delimiter)
    if all(_is_number(cell) for cell in cells):
        # Rows from the first line on, as tables of numbers often are.
        return [f"col{number}" for number in range(1, len(cells) + 1)], place, delimiter, entries
    return [_name(cell) for cell in cells], place + length, delimiter, entries


def _first_line(text: str, delimiter: str) -> tuple[list[str], int]:
    """Cells of the first line that has any, and where the next one begins. Quoted cells may hold line ends."""
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in StringIO(text, newline=""):
            read += len(line)
            yield line

    try:
        cells = next((cells for cells in python_csv.reader(lines(), delimiter=delimiter) if cells), [])
    except python_csv.Error as error:
        raise TableFileError(
            "The line of names cannot be read: a quote is not closed, or a name is too long."
        ) from error
    if not cells:
        raise TableFileError("The file holds no line of names.")
    return cells, read


def _name(cell: str) -> str:
    raw = cell.strip().encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _delimiter(text: str, usual: str) -> str:
    first = text.split("\n", 1)[0]
    counts = {sign: first.count(sign) for sign in _DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else usual


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read(rows: pa.Buffer, columns: int, delimiter: str, limits: Limits) -> pa.Table:
    names = [str(place) for place in range(columns)]
    if not rows.size:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    options = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    conversion = csv.ConvertOptions(null_values=_NULLS, strings_can_be_null=False)
    for encoding in ("utf8", "latin1"):
        # Arrow takes for bytes what is no UTF-8; every byte is a Latin letter.
        table = csv.read_csv(
            pa.BufferReader(rows),
            csv.ReadOptions(
                use_threads=False,
                column_names=names,
                encoding=encoding,
                block_size=max(_BLOCK, min(limits.cell_bytes, 2**30)),
            ),
            options,
            conversion,
        )
        if not any(pa.types.is_binary(field.type) for field in table.schema):
            break
    return table
