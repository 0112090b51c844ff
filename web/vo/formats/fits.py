"""FITS binary tables.

The header tells the number of rows and the widths of texts, which are known at the end alone: rows wait in a temporary
file, in Arrow's own format, and are sent when all are there. Nothing is sent of a result that fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits

from paws.errors import InvalidInputError
from paws.vo.interleave import Fixed, Part, fixed, interleave
from paws.vo.reading.copying import numbers
from web.vo.formats.arrow import batch_of, schema_of
from web.vo.formats.cells import Values
from web.vo.formats.encoder import Encoder
from web.vo.formats.values import Kind, Shape
from web.vo.formats.xml import Ending

_BLOCK: Final = 2880
_WIDEST: Final = 256
_WASTE: Final = 16_000_000
"""Bytes of texts that stand in the rows, padded, and bytes of padding that are no matter. Others stand behind the
rows, where each takes the room that it needs, but which fewer programs read."""
_CODES: Final = {
    Kind.BOOLEAN: "L",
    Kind.SHORT: "I",
    Kind.INT: "J",
    Kind.LONG: "K",
    Kind.FLOAT: "E",
    Kind.DOUBLE: "D",
}
_LEAST: Final = {Kind.SHORT: -(2**15), Kind.INT: -(2**31), Kind.LONG: -(2**63)}
_FACTS: Final = (
    ("unit", "TUNIT"),
    ("ucd", "TUCD"),
    ("utype", "TUTYP"),
    ("xtype", "TXTYP"),
    ("description", "TCOMM"),
)


@dataclass(slots=True)
class _Room:
    """What a column needs: bytes of its longest text, or elements of its longest array; of all of them together."""

    longest: int = 0
    total: int = 0


class Fits(Encoder):
    """Texts are ASCII, as FITS asks; NULL is NaN, TNULL, or a text of no length."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._schema = schema_of(self.columns)
        folder = self.info.spool_dir
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        # The system takes an unnamed file back by itself, however this process ends.
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed in close()
        self._spool = pa.ipc.new_stream(self._file, self._stored_schema())
        self._rooms = [_Room() for _ in self.columns]
        self._count = 0

    def _stored_schema(self) -> pa.Schema:
        """Texts and times wait as the bytes that they will be."""
        fields = []
        for field, shape in zip(self._schema, self.shapes, strict=True):
            kind = pa.binary() if shape.kind.is_text else field.type
            fields.append(pa.field(field.name, kind if shape.scalar else pa.list_(field.type.value_type)))
        return pa.schema(fields)

    def head(self) -> bytes:
        """Nothing yet."""
        return b""

    def rows(self, columns: Sequence[Values]) -> bytes:
        """Put some rows away."""
        batch = batch_of(columns, self._schema)
        arrays = []
        for array, field, room, shape in zip(
            batch.columns, self._stored_schema(), self._rooms, self.shapes, strict=True
        ):
            stored = _stored(array, field.type)
            if shape.kind.is_text or not shape.scalar:
                lengths = pc.binary_length(stored) if shape.kind.is_text else pc.list_value_length(stored)
                room.longest = max(room.longest, pc.max(lengths).as_py() or 0)
                room.total += pc.sum(lengths).as_py() or 0
            arrays.append(stored)
        self._spool.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._stored_schema()))
        self._count += batch.num_rows
        if self._file.tell() > self.info.spool_bytes:
            raise InvalidInputError(
                f"The result is larger than {self.info.spool_bytes:,} bytes, which is the most that is made into FITS."
                " Ask for VOTable, CSV or Parquet, or for fewer rows."
            )
        return b""

    def tail(self, ending: Ending) -> Iterator[bytes]:
        """The whole file."""
        self._spool.close()
        layouts = [
            _Layout.of(shape, room, self._count) for shape, room in zip(self.shapes, self._rooms, strict=True)
        ]
        yield self._headers(layouts, ending)
        # The heap begins where the rows end, so both are padded together.
        yield from _padded(self._main(layouts))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        self._file.seek(0)
        yield from pa.ipc.open_stream(self._file)

    def _main(self, layouts: Sequence[_Layout]) -> Iterator[bytes]:
        """Rows, then the heap: cell by cell of a column, batch by batch."""
        place = 0
        for batch in self._batches():
            parts: list[Part] = []
            for array, layout in zip(batch.columns, layouts, strict=True):
                if layout.in_rows:
                    parts.append(layout.cells(array))
                    continue
                sizes = layout.sizes(array)
                ends = np.cumsum(sizes * layout.item)
                descriptors = np.stack([sizes, place + ends - sizes * layout.item], axis=1)
                parts.append(fixed(descriptors.astype(">i8")))
                place += int(ends[-1]) if len(ends) else 0
            yield interleave(parts, batch.num_rows).tobytes()
        if any(not layout.in_rows for layout in layouts):
            for batch in self._batches():
                for array, layout in zip(batch.columns, layouts, strict=True):
                    if not layout.in_rows:
                        yield layout.heap(array)

    def _headers(self, layouts: Sequence[_Layout], ending: Ending) -> bytes:
        primary = fits.PrimaryHDU().header
        primary["EXTEND"] = True
        header = fits.Header()
        header["XTENSION"] = "BINTABLE"
        heap = sum(
            room.total * layout.item
            for room, layout in zip(self._rooms, layouts, strict=True)
            if not layout.in_rows
        )
        width = sum(layout.width for layout in layouts)
        for key, value in (
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", width),
            ("NAXIS2", self._count),
            ("PCOUNT", heap),
            ("GCOUNT", 1),
            ("TFIELDS", len(layouts)),
        ):
            header[key] = value
        for number, (column, layout) in enumerate(zip(self.columns, layouts, strict=True), 1):
            header[f"TTYPE{number}"] = _card(column.name) or f"col{number}"
            header[f"TFORM{number}"] = layout.form
            if layout.shape.scalar and layout.shape.kind in _LEAST:
                header[f"TNULL{number}"] = _LEAST[layout.shape.kind]
            for fact, keyword in _FACTS:
                if text := _card(getattr(column, fact) or ""):
                    header[f"{keyword}{number}"] = text
        header["EXTNAME"] = _card(self.info.table_name) or "results"
        header["QSTATUS"] = "OVERFLOW" if ending.overflow else "OK"
        if self.info.query:
            header["QUERY"] = _card(self.info.query)
        whole = primary.tostring() + header.tostring()
        return bytes(whole.encode("ascii"))

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()


def _card(text: str) -> str:
    """Text for a header: printable ASCII."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in plain)[:4000].strip()


def _stored(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_binary(kind):
        texts = array
        if pa.types.is_timestamp(array.type):
            texts = pc.replace_substring(array.cast(pa.string()), " ", "T")
        if bool(pc.all(pc.string_is_ascii(texts)).as_py() in (True, None)):
            return texts.cast(kind)
        plain = [None if text is None else text.encode("ascii", "replace") for text in texts.to_pylist()]
        return pa.array(plain, kind)
    return array if array.type.equals(kind) else array.cast(kind)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a column lies in the file.

    Attributes
    ----------
    in_rows
        Whether cells stand in the rows; if not, the rows tell their number and place (a 64-bit descriptor).
    count
        Elements of a cell (characters of a text) in the rows.
    """

    shape: Shape
    in_rows: bool
    count: int
    form: str

    @classmethod
    def of(cls, shape: Shape, room: _Room, rows: int) -> _Layout:
        """Choose a layout by what the cells turned out to need."""
        code = "A" if shape.kind.is_text else _CODES[shape.kind]
        padding = room.longest * rows - room.total
        if shape.kind.is_text and (room.longest <= _WIDEST or padding <= max(_WASTE, room.total)):
            count = max(1, room.longest)
            return cls(shape, True, count, f"{count}A")
        if not shape.kind.is_text and shape.length is not None:
            return cls(shape, True, shape.length, f"{shape.length}{code}")
        return cls(shape, False, 0, f"1Q{code}({room.longest})")

    @property
    def item(self) -> int:
        """Bytes of an element."""
        if self.shape.kind.is_text or self.shape.kind is Kind.BOOLEAN:
            return 1
        return np.dtype(self.shape.kind.numpy).itemsize

    @property
    def width(self) -> int:
        """Bytes of a cell in the rows."""
        return self.count * self.item if self.in_rows else 16

    def sizes(self, array: pa.Array) -> Any:
        """Elements of every cell."""
        lengths = pc.binary_length(array) if self.shape.kind.is_text else pc.list_value_length(array)
        return lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)

    def cells(self, array: pa.Array) -> Fixed:
        """Cells that stand in the rows."""
        if self.shape.kind.is_text:
            return fixed(np.array([cell or b"" for cell in array.to_pylist()], dtype=f"S{self.count}"))
        if self.shape.scalar:
            return fixed(self._numbers(array))
        count = self.count
        lists = (
            pc.if_else(pc.is_null(array), pa.scalar([None] * count, array.type), array)
            if array.null_count
            else array
        )
        return fixed(self._numbers(lists.flatten()).reshape(len(array), count))

    def heap(self, array: pa.Array) -> bytes:
        """Cells that stand behind the rows, one after the other."""
        if self.shape.kind.is_text:
            return b"".join(cell for cell in array.to_pylist() if cell)
        return bytes(self._numbers(array.flatten()).tobytes())

    def _numbers(self, array: pa.Array) -> Any:
        kind = self.shape.kind
        if kind is Kind.BOOLEAN:
            truths = array.to_numpy(zero_copy_only=False)
            return np.array(
                [0 if value is None else (b"T"[0] if value else b"F"[0]) for value in truths], np.uint8
            )
        if array.null_count:
            array = array.fill_null(float("nan") if kind.is_real else _LEAST[kind])
        return numbers(array)


def _padded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces up to a whole number of blocks."""
    size = 0
    for piece in pieces:
        size += len(piece)
        yield piece
    yield b"\0" * (-size % _BLOCK)
