"""Cells as text, a column at a time: the loops over cells run in compiled code, not in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, Final

import numpy as np
import orjson

from web.vo.formats.values import Kind, Row, Shape

Values = Sequence[Any]
Texts = list[str]
_WHOLE: Final = frozenset({int, type(None)})
_SEPARATOR: Final = "\0"
"""Between the texts of a column while they are treated as one: neither PostgreSQL nor XML knows this character."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How a format writes what is no ordinary number.

    Attributes
    ----------
    quote
        Makes a column's texts safe.
    null_text
        NULL among texts.
    array
        Opening, separator and closing of an array.
    pads
        Whether lost elements of an array have a number that stands for them.
    exact
        Whether cells have the length that their column promises, even those that are NULL.
    """

    null: str
    nan: str
    infinity: str
    minus_infinity: str
    quote: Callable[[Texts], Texts]
    null_text: str = ""
    array: tuple[str, str, str] = ("", " ", "")
    pads: bool = False
    exact: bool = False


def columns_of(rows: Sequence[Row], count: int) -> list[Values]:
    """Turn rows into columns.

    Raises
    ------
    ValueError
        If rows do not have as many values as there are columns.
    """
    # Thrice as fast as zip(*rows), which goes to and fro among thousands of rows.
    flat = list(chain.from_iterable(rows))
    if len(flat) != len(rows) * count:
        raise ValueError(f"{len(rows)} rows of {count} columns have {len(flat)} values")
    return [flat[place::count] for place in range(count)]


def as_real(values: Values, kind: Kind) -> np.ndarray[Any, np.dtype[Any]]:
    """Numbers of a column in its own precision; NULL becomes NaN, as what is too large becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return one_each(np.array(values, dtype=np.float32 if kind is Kind.FLOAT else np.float64))


def one_each(numbers: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """The same numbers, if there is one a row: numpy makes a table of lists, and rows would lose their places."""
    if numbers.ndim != 1:
        raise ValueError("a column of numbers holds arrays")
    return numbers


def text_of(value: Any) -> str:
    """Text of a value of a column of texts, whatever the database gave: times in ISO 8601, UTC."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return " ".join(text_of(part) for part in value if part is not None)
    return str(value)


def plain_texts(values: Values) -> Texts:
    """Texts of a column, NULL as an empty one, without NUL."""
    try:
        joined = _SEPARATOR.join(values)
    except TypeError:
        texts = ["" if value is None else text_of(value) for value in values]
        joined = _SEPARATOR.join(texts)
    else:
        texts = list(values)
    if joined.count(_SEPARATOR) != max(0, len(texts) - 1):
        return [text.replace(_SEPARATOR, "") for text in texts]
    return texts


def together(texts: Texts, change: Callable[[str], str]) -> Texts:
    """Change texts all at once, by something that neither makes nor removes a NUL."""
    return change(_SEPARATOR.join(texts)).split(_SEPARATOR) if texts else []


def _special(number: Any, notation: Notation) -> str:
    if number is None:
        return notation.null
    if np.isnan(number):
        return notation.nan
    return notation.infinity if number > 0 else notation.minus_infinity


def _reals(values: Values, kind: Kind, notation: Notation) -> Texts:
    numbers = as_real(values, kind)
    # Shortest digits that give the same number back, in the precision of the column: 0.1 is no 0.10000000149.
    texts = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")
    strange = np.flatnonzero(~np.isfinite(numbers))
    for index in strange.tolist():
        value = values[index]
        texts[index] = _special(None if value is None else numbers[index], notation)
    return texts


def _whole(values: Values, notation: Notation) -> Texts:
    if not _WHOLE.issuperset(map(type, values)):
        # SUM of whole numbers is NUMERIC in PostgreSQL; and what is no number may not pass for one.
        return [notation.null if value is None else str(int(value)) for value in values]
    joined = orjson.dumps(values).decode()[1:-1]
    if notation.null != "null":
        joined = joined.replace("null", notation.null)
    return joined.split(",")


def _truths(values: Values, notation: Notation) -> Texts:
    words = {None: notation.null, True: "true", False: "false"}
    return [words[None if value is None else bool(value)] for value in values]


def _scalars(values: Values, kind: Kind, notation: Notation) -> Texts:
    if kind.is_real:
        return _reals(values, kind, notation)
    return _truths(values, notation) if kind is Kind.BOOLEAN else _whole(values, notation)


def flat(cell: Iterable[Any]) -> list[Any]:
    """Elements of an array, of those of more dimensions row by row."""
    elements = list(cell)
    while elements and isinstance(elements[0], list | tuple):
        elements = list(chain.from_iterable(elements))
    return elements


def fitted(cell: Iterable[Any] | None, shape: Shape) -> list[Any]:
    """Elements of an array, as many as the column promises."""
    elements = flat(cell or ())
    wanted = shape.length if shape.length is not None else max(len(elements), shape.least)
    return elements if len(elements) == wanted else (elements + [None] * wanted)[:wanted]


def _arrays(values: Values, shape: Shape, notation: Notation) -> Texts:
    opening, separator, closing = notation.array
    # An array has no empty place in XML: a lost element of a number is NaN, or its type's least number.
    inner = notation
    if notation.pads:
        lost = {Kind.SHORT: "-32768", Kind.INT: "-2147483648", Kind.LONG: "-9223372036854775808"}
        inner = Notation(
            lost.get(shape.kind, "NaN" if shape.kind.is_real else "?"),
            notation.nan,
            notation.infinity,
            notation.minus_infinity,
            notation.quote,
        )
    # NULL of an array of fixed length is as many lost numbers: an empty cell is no point and no circle.
    filled = notation.exact and shape.least > 0
    cells = [None if cell is None and not filled else fitted(cell, shape) for cell in values]
    texts = _scalars([x for cell in cells if cell is not None for x in cell], shape.kind, inner)
    result = []
    start = 0
    for cell in cells:
        if cell is None:
            result.append(notation.null)
            continue
        end = start + len(cell)
        result.append(opening + separator.join(texts[start:end]) + closing)
        start = end
    return result


def _texts(values: Values, shape: Shape, notation: Notation) -> Texts:
    texts = plain_texts(values)
    if notation.exact and shape.length is not None:
        texts = [text[: shape.length] for text in texts]
    texts = notation.quote(texts)
    if None in values:
        for index, value in enumerate(values):
            if value is None:
                texts[index] = notation.null_text
    return texts


def texts_of(values: Values, shape: Shape, notation: Notation) -> Texts:
    """Cells of a column as a format writes them.

    Parameters
    ----------
    values
        The column's values as the database gave them.
    """
    if not values:
        return []
    if shape.kind.is_text:
        return _texts(values, shape, notation)
    if shape.scalar:
        return _scalars(values, shape.kind, notation)
    return _arrays(values, shape, notation)
