"""Cells of a VOTable that are written as text: from columns of strings to columns of values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from paws.vo.reading.cell_errors import FAILURES, not_read
from paws.vo.reading.types import fitted, is_array, is_text
from paws.vo.reading.votable_head import Field

NEWLINE, RETURN = "\x1e", "\x1c"
"""Stand for line ends within cells: XML has no such characters itself."""
_TRUE: Final = pa.array(["t", "true", "1"], pa.large_string())
_FALSE: Final = pa.array(["f", "false", "0"], pa.large_string())
_INFINITE: Final = re.compile(r"(?i)([+-]?)inf(?:inity)?")


def text_column(values: pa.Array, field: Field) -> pa.Array:
    """Values of a column.

    Parameters
    ----------
    values
        Strings, or numbers where all cells were plain ones.

    Raises
    ------
    TableFileError
        If a cell does not fit the column.
    """
    if is_text(field.column):
        return fitted(_restored(values), field.column)
    try:
        return _converted(values, field)
    except FAILURES as problem:
        raise not_read(
            values, lambda part: _converted(part, field), field.column, field.datatype
        ) from problem


def _converted(values: pa.Array, field: Field) -> pa.Array:
    column = field.column
    if not pa.types.is_large_string(values.type):
        return fitted(without_null(values, field), column)
    trimmed = pc.utf8_trim_whitespace(values)
    if field.null is not None:
        trimmed = pc.if_else(pc.equal(trimmed, field.null.strip()), None, trimmed)
    if is_array(column):
        return fitted(_arrays(trimmed, field), column)
    if field.datatype in ("boolean", "bit"):
        return _booleans(trimmed)
    return fitted(_numbers(trimmed, field), column)


def _restored(values: pa.Array) -> pa.Array:
    text = values
    if bool(pc.any(pc.match_substring_regex(text, f"[{NEWLINE}{RETURN}]")).as_py()):
        text = pc.replace_substring(pc.replace_substring(text, NEWLINE, "\n"), RETURN, "\r")
    return pc.if_else(pc.equal(text, ""), None, text)


def without_null(values: pa.Array, field: Field) -> pa.Array:
    """Numbers without the one that stands for NULL, if one does."""
    if field.null is None:
        return values
    try:
        null = pa.scalar(
            _whole(field.null) if pa.types.is_integer(values.type) else float(field.null), values.type
        )
    except (ValueError, OverflowError, pa.ArrowException):
        return values
    return pc.if_else(pc.equal(values, null), None, values)


def _booleans(texts: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(texts)
    true = pc.is_in(lower, value_set=_TRUE)
    known = pc.or_(true, pc.is_in(lower, value_set=_FALSE))
    return pc.if_else(known, true, None)


def _whole(text: str) -> int:
    digits = text.strip()
    return int(digits, 16) if digits[:2].lower() == "0x" else int(digits)


def _real(text: str) -> float:
    infinite = _INFINITE.fullmatch(text)
    return float(f"{infinite[1]}inf") if infinite else float(text)


def _parser(field: Field) -> Callable[[str], Any]:
    return _real if field.column.datatype in ("float", "double") else _whole


def _numbers(texts: pa.Array, field: Field) -> pa.Array:
    """Numbers one by one, where some are written in a way that only VOTable knows (hexadecimal, +Inf)."""
    parse = _parser(field)
    numbers = [parse(text) if text else None for text in texts.to_pylist()]
    return pa.array(numbers, pa.float64() if parse is _real else pa.int64())


def _arrays(texts: pa.Array, field: Field) -> pa.Array:
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    if field.datatype in ("boolean", "bit"):
        # Bits stand without spaces between them; everything else is separated.
        cells = [None if text is None else text.split() for text in texts.to_pylist()]
        if field.datatype == "bit":
            cells = [None if cell is None else list("".join(cell)) for cell in cells]
        known = {**dict.fromkeys(("t", "true", "1"), True), **dict.fromkeys(("f", "false", "0"), False)}
        return pa.array(
            [None if cell is None else [known.get(part.lower()) for part in cell] for cell in cells],
            pa.large_list(pa.bool_()),
        )
    parts = pc.utf8_split_whitespace(texts)
    real = _parser(field) is _real
    try:
        return parts.cast(pa.large_list(pa.float64() if real else pa.int64()))
    except pa.ArrowException:
        parse = _parser(field)
        numbers = [None if cell is None else [parse(part) for part in cell] for cell in parts.to_pylist()]
        return pa.array(numbers, pa.large_list(pa.float64() if real else pa.int64()))
