"""Brings two values together where ADQL has no literal for one: times and truth values are written as texts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from adql import metas
from adql.errors import AdqlTypeError
from adql.typed import Cast, Constant, Expression, Kind

_TRUTHS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_TIME: Final = re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d*)?)?Z?)?")


def together(left: Expression, right: Expression, position: int, what: str) -> tuple[Expression, Expression]:
    """Two values made comparable.

    Parameters
    ----------
    what
        What is done with them, for the error: "compared".

    Raises
    ------
    AdqlTypeError
        If they cannot be.
    """
    if isinstance(right, Constant):
        right = constant_as(right, left.meta.kind, position)
    elif isinstance(left, Constant):
        left = constant_as(left, right.meta.kind, position)
    if metas.go_together(left.meta.kind, right.meta.kind):
        return left, right
    kinds = {left.meta.kind, right.meta.kind}
    if Kind.STRING in kinds and any(one.meta.kind.numeric and one.meta.unit == "d" for one in (left, right)):
        hint = "this time is a number of days: write a Modified Julian Date"
    elif Kind.STRING in kinds and any(kind.numeric for kind in kinds):
        hint = "write numbers without quotes, and texts in single quotes; or use CAST"
    elif Kind.STRING in kinds and Kind.TIMESTAMP in kinds:
        hint = "write CAST(text AS TIMESTAMP)"
    else:
        hint = ""
    raise AdqlTypeError(
        f"{left.meta.kind.named} cannot be {what} with {right.meta.kind.named}", position, suggestion=hint
    )


def constant_as(constant: Constant, kind: Kind, position: int) -> Expression:
    """A constant as a time or truth value if that is what it meets and how it can be read; else as it is.

    Raises
    ------
    AdqlTypeError
        If a text that meets a time is none.
    """
    value = constant.value
    if kind is Kind.TIMESTAMP and isinstance(value, str):
        check_time(value, position)
        return Cast(constant, "TIMESTAMP", None, metas.TIMESTAMP)
    if kind is Kind.BOOLEAN and isinstance(value, str | int) and not isinstance(value, bool):
        truth = _TRUTHS.get(str(value).strip().lower())
        if truth is None:
            raise AdqlTypeError(
                f"{value!r} is no truth value", position, suggestion="compare with 'true' or 'false'"
            )
        return Constant(truth, metas.BOOLEAN)
    return constant


def check_time(text: str, position: int) -> None:
    """Refuse a text that is no time of DALI (ISO 8601, UTC).

    Raises
    ------
    AdqlTypeError
        With an example.
    """
    stripped = text.strip()
    try:
        if not _TIME.fullmatch(stripped):
            raise ValueError
        day, _, time = stripped.removesuffix("Z").replace("T", " ").partition(" ")
        year, month, number = (int(part) for part in day.split("-"))
        hour, minute, *second = time.split(":") if time else ("0", "0")
        datetime(year, month, number, int(hour), int(minute), int(float(second[0])) if second else 0)
    except ValueError:
        raise AdqlTypeError(
            f"{text!r} is no time", position, suggestion="write one like '2026-11-22T18:30:00' (UTC)"
        ) from None
