"""From a query for spectra to ADQL over ``ssap.spectra``: what SSA answers, TAP answers too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from adql.catalogue import Column
from adql.words import literal
from paws.vo.declared.ssap import SSAP
from web.vo.ssa.question import Range, SsaQuestion

TABLE: Final = SSAP.tables[0]
ACCESS: Final = ("accref", "mime", "accsize")
"""Columns that are ours to fill, by the form of the spectrum that a row offers."""
KEYS: Final = ("product_id", "fibre", "ssa_length")
"""Columns from which they follow."""
ASKED: Final[tuple[Column, ...]] = tuple(column for column in TABLE.columns if column.name not in ACCESS)
ANSWERED: Final[tuple[Column, ...]] = (*(TABLE.column(name) for name in ACCESS), *ASKED)


def query_of(question: SsaQuestion, rows: int, columns: Sequence[Column] = ASKED) -> str:
    """ADQL of a query.

    Parameters
    ----------
    rows
        Most rows of the table.
    """
    names = ", ".join(column.name for column in columns)
    parts = list(_conditions(question))
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    return f"SELECT TOP {rows:d} {names} FROM {TABLE.name}{where}"  # noqa: S608 - numbers and quoted literals only


def _conditions(question: SsaQuestion) -> Iterable[str]:
    if question.cone is not None:
        cone = question.cone
        yield f"1 = CONTAINS(POINT(ra, dec), CIRCLE({cone.ra!r}, {cone.dec!r}, {cone.radius!r}))"
    bands = [_overlap("ssa_specstart", "ssa_specend", band) for band in question.bands]
    bands += [f"arm = {literal(arm)}" for arm in question.arms]
    if bands:
        yield _any(bands)
    if question.times:
        yield _any(_overlap("ssa_timestart", "ssa_timestop", time) for time in question.times)
    for column, words in question.texts:
        yield _any(f"{column} = {literal(word)}" for word in words)
    for column, ranges in question.figures:
        yield _any(_within(column, one) for one in ranges)


def _overlap(start: str, end: str, wanted: Range) -> str:
    parts = []
    if math.isfinite(wanted.high):
        parts.append(f"{start} <= {wanted.high!r}")
    if math.isfinite(wanted.low):
        parts.append(f"{end} >= {wanted.low!r}")
    return " AND ".join(parts)


def _within(column: str, wanted: Range) -> str:
    parts = []
    if math.isfinite(wanted.low):
        parts.append(f"{column} >= {wanted.low!r}")
    if math.isfinite(wanted.high):
        parts.append(f"{column} <= {wanted.high!r}")
    return " AND ".join(parts)


def _any(parts: Iterable[str]) -> str:
    return "(" + " OR ".join(f"({part})" for part in parts) + ")"
