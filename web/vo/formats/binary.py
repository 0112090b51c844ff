"""VOTable with rows as base64 of their bytes: BINARY2, whose rows begin with a bit for every NULL, and BINARY."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from paws.vo.interleave import Fixed, Part, Varying, fixed, interleave, varying
from web.vo.formats.cells import Values, as_real, fitted, one_each, plain_texts
from web.vo.formats.encoder import Encoder
from web.vo.formats.values import Kind, Shape
from web.vo.formats.xml import Ending, head, tail

_LEAST: Final = {Kind.SHORT: -(2**15), Kind.INT: -(2**31), Kind.LONG: -(2**63)}
"""What stands for NULL where a serialisation has no other way: numbers that no catalogue uses."""
_FALSE, _TRUE, _UNKNOWN = b"F"[0], b"T"[0], b"?"[0]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Some cells as bytes.

    Attributes
    ----------
    parts
        Bytes of the rows.
    missing
        Which cells are NULL, shape (rows,).
    """

    parts: tuple[Part, ...]
    missing: NDArray[np.bool_]


def _missing(values: Values) -> NDArray[np.bool_]:
    if None not in values:
        return np.zeros(len(values), np.bool_)
    return np.fromiter((value is None for value in values), np.bool_, len(values))


def numbers(values: Values, kind: Kind) -> NDArray[Any]:
    """Scalars of a column in network order; NULL as NaN, or as what stands for it."""
    if kind.is_real:
        return as_real(values, kind).astype(kind.numpy)
    if kind is Kind.BOOLEAN:
        codes = {None: _UNKNOWN, False: _FALSE, True: _TRUE}
        return np.fromiter((codes[None if v is None else bool(v)] for v in values), np.uint8, len(values))
    try:
        whole = one_each(np.array(values, dtype=np.int64))
    except TypeError:
        least = _LEAST[kind]
        whole = np.array([least if v is None else int(v) for v in values], np.int64)
    stored = whole.astype(kind.numpy)
    if kind is not Kind.LONG and not np.array_equal(stored, whole):
        raise ValueError(f"a column of type {kind.value} holds a number that is too large for it")
    return stored


def _encoded(values: Values, shape: Shape) -> list[bytes]:
    """Bytes of texts. Characters that ``char`` has no code for become question marks, as readers insist on ASCII."""
    texts = plain_texts(values)
    if shape.kind is Kind.CHAR:
        return [text.encode("ascii", "replace") for text in texts]
    return [text.encode("utf-16-be", "replace") for text in texts]


def _texts(values: Values, shape: Shape) -> tuple[Part, ...]:
    pieces = _encoded(values, shape)
    unit = 1 if shape.kind is Kind.CHAR else 2
    if shape.length is not None:
        width = shape.length * unit
        padded = b"".join(piece[:width].ljust(width, b"\0") for piece in pieces)
        return (Fixed(np.frombuffer(padded, np.uint8).reshape(len(pieces), width)),)
    part = varying(pieces)
    return (fixed((part.lengths // unit).astype(">i4")), part)


def _arrays(values: Values, shape: Shape) -> tuple[Part, ...]:
    cells = [fitted(cell, shape) for cell in values]
    elements = numbers(list(chain.from_iterable(cells)), shape.kind)
    if shape.length is not None:
        return (fixed(elements.reshape(len(cells), shape.length)),)
    counts = np.fromiter(map(len, cells), np.int64, len(cells))
    data = np.ascontiguousarray(elements).view(np.uint8)
    return (fixed(counts.astype(">i4")), Varying(data, counts * elements.dtype.itemsize))


def column_bytes(values: Values, shape: Shape) -> Column:
    """Cells of a column as VOTable's binary serialisations write them."""
    if shape.kind.is_text:
        parts = _texts(values, shape)
    elif shape.scalar:
        parts = (fixed(numbers(values, shape.kind)),)
    else:
        parts = _arrays(values, shape)
    return Column(parts, _missing(values))


class Binary2(Encoder):
    """Rows begin with one bit a column, set where the cell is NULL."""

    tells_errors = True
    element: ClassVar[str] = "BINARY2"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._rest = b""

    def head(self) -> bytes:
        """Everything up to the first row."""
        text = head(self.columns, self.info, nulls=self.nulls())
        return f'{text}<DATA>\n<{self.element}>\n<STREAM encoding="base64">\n'.encode()

    def nulls(self) -> dict[int, int]:
        """Numbers that stand for NULL, by a column's place."""
        return {}

    def rows(self, columns: Sequence[Values]) -> bytes:
        """Some rows. What is less than three bytes is kept for the next time: base64 has no seams then."""
        data = self._rest + self._packed(columns)
        whole = len(data) // 3 * 3
        self._rest = data[whole:]
        return b2a_base64(data[:whole])

    def _packed(self, columns: Sequence[Values]) -> bytes:
        cells = [column_bytes(values, shape) for values, shape in zip(columns, self.shapes, strict=True)]
        parts = [part for cell in cells for part in cell.parts]
        return interleave(self._before(cells) + parts, len(columns[0])).tobytes()

    def _before(self, cells: Sequence[Column]) -> list[Part]:
        bits = np.packbits(np.stack([cell.missing for cell in cells], axis=1), axis=1)
        return [Fixed(bits)]

    def tail(self, ending: Ending) -> Iterator[bytes]:
        """Everything behind the last row."""
        end = f"</STREAM>\n</{self.element}>\n</DATA>\n{tail(self.info, ending, self.limit)}"
        yield (b2a_base64(self._rest) if self._rest else b"") + end.encode()


class Binary(Binary2):
    """The older serialisation: a declared number stands for NULL, and a boolean has a third letter."""

    element = "BINARY"

    def nulls(self) -> dict[int, int]:
        """Numbers that stand for NULL, by a column's place."""
        return {
            place: _LEAST[shape.kind]
            for place, shape in enumerate(self.shapes)
            if shape.scalar and shape.kind in _LEAST
        }

    def _before(self, cells: Sequence[Column]) -> list[Part]:
        return []
