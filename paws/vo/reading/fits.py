"""FITS tables: the first table of the file; UCDs and descriptions where STIL wrote them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
from astropy.io import fits

from adql.catalogue import Column
from paws.vo.reading.limits import Limits, TableFileError, TableTooLargeError
from paws.vo.reading.source import TableSource
from paws.vo.reading.types import described, fitted, tidy
from paws.vo.reading.votable_head import read_head

_BATCH: Final = 50_000
_BROKEN: Final = "The FITS file is damaged: its table cannot be read."
"""Over a damaged file astropy raises nearly anything, in words for its developers."""
_KEYWORDS: Final = {
    "unit": "TUNIT",
    "ucd": "TUCD",
    "utype": "TUTYP",
    "description": "TCOMM",
    "xtype": "TXTYP",
}
_LARGEST_META: Final = 10_000_000


def open_fits(file: IO[bytes], limits: Limits) -> TableSource:
    """Open the first table of a FITS file.

    Raises
    ------
    TableFileError
        If there is none, or it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hdus = fits.open(file, memmap=True, lazy_load_hdus=True)
            table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
            if table is None:
                raise TableFileError("The FITS file holds no table.")
            rows = _checked(table, file, limits)
            columns = _columns(hdus[0], table, rows, limits)
    except (TableFileError, TableTooLargeError):
        raise
    except Exception as error:
        raise TableFileError(_BROKEN) from error

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, _BATCH):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    part = table.data[start : start + _BATCH]
                    cells = [_cells(part, place, table.columns[place]) for place in range(len(columns))]
            except Exception as error:
                raise TableFileError(_BROKEN) from error
            arrays = [fitted(values, column) for values, column in zip(cells, columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, [str(place) for place in range(len(columns))])

    return TableSource(
        columns, batches, limits, name=str(table.name or "")[:200], rows=rows, close=hdus.close
    )


def _checked(table: Any, file: IO[bytes], limits: Limits) -> int:
    """Number of rows, after what the header promises was compared with the file."""
    header = table.header
    width, rows, fields = (int(header.get(key, 0)) for key in ("NAXIS1", "NAXIS2", "TFIELDS"))
    limits.check_columns(fields)
    limits.check_rows(rows)
    if not fields:
        raise TableFileError("The table of the FITS file has no columns.")
    size = file.seek(0, 2)
    needed = int(table.fileinfo()["datLoc"]) + width * rows + int(header.get("PCOUNT", 0))
    if min(width, rows, int(header.get("PCOUNT", 0))) < 0 or needed > size:
        raise TableFileError("The FITS file ends before its table does.")
    return rows


def _columns(primary: Any, table: Any, rows: int, limits: Limits) -> tuple[Column, ...]:
    plus = _plus(primary, limits)
    columns = []
    sample = table.data[: min(rows, 1)]
    for place, stored in enumerate(table.columns):
        name = str(stored.name or "").strip()
        values = _cells(sample, place, stored)
        column = described(name, values.type)
        if column.datatype == "unicodeChar":
            column = replace(column, datatype="char")
        known: dict[str, Any] = {
            fact: str(value).strip()
            for fact, keyword in _KEYWORDS.items()
            if (value := table.header.get(f"{keyword}{place + 1}"))
        }
        if place < len(plus) and plus[place].name == name:
            other = plus[place]
            known |= {fact: value for fact in _KEYWORDS if (value := getattr(other, fact))}
        if (
            column.xtype is None
            and known.get("xtype", "").lower() == "timestamp"
            and column.datatype != "char"
        ):
            known.pop("xtype")
        columns.append(tidy(replace(column, **known)))
    return tuple(columns)


def _plus(primary: Any, limits: Limits) -> tuple[Column, ...]:
    """Columns of the VOTable that STIL puts before its tables ("fits-plus")."""
    header = primary.header
    if (
        not header.get("VOTMETA")
        or not 0 < int(header.get("NAXIS1", 0)) < _LARGEST_META
        or primary.data is None
    ):
        return ()
    try:
        head = read_head(np.ascontiguousarray(primary.data).tobytes().rstrip(b"\0 "), limits)
    except TableFileError:
        return ()
    return tuple(field.column for field in head.fields)


def _cells(part: Any, place: int, stored: Any) -> pa.Array:
    """Values of a column as Arrow has them."""
    if str(stored.format).rstrip("0123456789()").endswith("L"):
        # astropy makes False of NULL, unless its letters are looked at.
        return _truths(part.view(np.ndarray)[part.dtype.names[place]])
    values = part.field(place)
    if values.dtype == object:
        return _lists(values)
    if values.dtype.kind in "SU":
        return _texts(values)
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], axis=-1)
    array = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("="), copy=False)
    flat = pa.array(array.reshape(-1))
    null = stored.null
    if null is not None and array.dtype.kind in "iu" and isinstance(null, int):
        flat = pa.array(array.reshape(-1), mask=array.reshape(-1) == null)
    return _shaped(flat, array.shape)


def _shaped(flat: pa.Array, shape: tuple[int, ...]) -> pa.Array:
    if len(shape) == 1:
        return flat
    width = math.prod(shape[1:])
    return pa.FixedSizeListArray.from_arrays(flat, width) if width else pa.nulls(shape[0], pa.string())


def _truths(values: Any) -> pa.Array:
    letters = np.ascontiguousarray(values)
    codes = letters.view(np.uint8).reshape(-1)
    true = codes == b"T"[0]
    return _shaped(pa.array(true, mask=~(true | (codes == b"F"[0]))), letters.shape)


def _texts(values: Any) -> pa.Array:
    if values.ndim > 1:
        rows = [
            " ".join(str(part).rstrip() for part in row.reshape(-1)).rstrip() for row in np.asarray(values)
        ]
        return pa.array(rows, pa.string())
    raw = np.asarray(values)
    if raw.dtype.kind == "S":
        raw = np.char.decode(np.char.rstrip(raw), "utf-8", "replace")
    return pa.array(np.char.rstrip(raw).tolist(), pa.string())


def _lists(values: Any) -> pa.Array:
    """Arrays of varying length, from the heap."""
    cells = [np.asarray(cell) for cell in values]
    if cells and cells[0].dtype.kind in "SU":
        return pa.array(["".join(map(str, cell.reshape(-1))).rstrip() for cell in cells], pa.string())
    kind = cells[0].dtype.newbyteorder("=") if cells else np.dtype(np.float64)
    flat = np.concatenate([cell.reshape(-1).astype(kind) for cell in cells]) if cells else np.zeros(0)
    ends = np.cumsum([0, *(cell.size for cell in cells)])
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(flat))
