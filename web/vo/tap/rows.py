"""Rows of a query, some at a time, such that its errors tell nothing of rows that whoever asks may not see.

A relation's condition of who sees what and the conditions of a query meet in one plan, and PostgreSQL tries the
cheapest first: a query that fails for certain values (a number too large, a subquery with two rows) may fail at a row
which the other condition would have left out, and the failure would tell that there is such a row. Views that are
security barriers prevent that, but they also keep functions, and with them searches by position, from the indexes.
So a query runs freely, and where it fails for somebody who does not see everything, it runs once more behind walls:
each relation is worked out by itself, before anything of the query touches its rows. What fails then fails at rows
that they see. And as a failure after half the answer would come too late for that, queries that can fail at single
rows are carried out to the end before their first row is sent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any, Final, Protocol

import asyncpg

from adql.catalogue import Table
from paws.database import Connection

CHUNK: Final = 5000
"""Rows that are fetched at once."""
FIRST: Final = 500
"""Rows of the first chunk: most answers are no longer."""
_ROOM: Final = 50_000_000
"""Characters of texts in a chunk, about: rows may be wide, as a query may join texts as it likes."""
SAVEPOINT: Final = "SAVEPOINT before_rows"
_BACK: Final = "ROLLBACK TO SAVEPOINT before_rows"
_LIMITS: Final = ("$1::boolean", ".owner_account IS NULL")
"""What stands in relations with limits: the rule of who sees a row, and that of who sees a personal table."""

_ALL_COLUMNS: Final = re.compile(r"(?:\b(?:SELECT|ALL|DISTINCT)|\bTOP\s+\d+|[.,(])\s*\*", re.IGNORECASE)
_WORDS: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*")
"""Texts, names in quotes, and comments: what looks like an operator in them is none."""
_EXPONENT: Final = re.compile(r"(?<![\w.])(\d[\d.]*|\.\d+)[eE][-+](?=\d)")
_SIGN: Final = re.compile(
    r"([(,=<>]|\b(?:AND|BETWEEN|OR|WHEN|THEN|ELSE)\b)\s*[-+](?=\s*[\d.])", re.IGNORECASE
)
_FALLIBLE: Final = re.compile(
    r"[-+*/]|\b(?:CASE|CAST|SUM|AVG|IN_UNIT|ivo_\w+|gavo_\w+|SELECT.*\bSELECT)\b", re.IGNORECASE | re.DOTALL
)


class Allowance:
    """Time that a query may spend in the database; what the client takes to read does not count."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @asynccontextmanager
    async def spending(self) -> AsyncIterator[None]:
        """Count what is done inside.

        Raises
        ------
        TimeoutError
            If the allowance is used up.
        """
        begun = monotonic()
        try:
            async with asyncio.timeout(max(self._left, 0.001)):
                yield
        finally:
            self._left -= monotonic() - begun


def may_fail(query: str) -> bool:
    """Whether a query may fail at single rows: it calculates, converts, or has subqueries. Rather yes than no."""
    plain = _EXPONENT.sub(r"\1e", _WORDS.sub(" x ", query))
    return _FALLIBLE.search(_ALL_COLUMNS.sub(" ", _SIGN.sub(r"\1 ", plain))) is not None


def has_limits(sql: str) -> bool:
    """Whether the SQL of a relation, or of a query, leaves out rows that somebody may not see."""
    return any(mark in sql for mark in _LIMITS)


def behind_walls(tables: Iterable[Table]) -> list[Table]:
    """Tables whose rows with limits are worked out before a query touches them.

    ``OFFSET 0`` changes no row; PostgreSQL moves no condition across it.
    """
    return [
        replace(table, relation=f"(SELECT walled.* FROM {table.relation} AS walled OFFSET 0)")  # noqa: S608 - ours
        if has_limits(table.relation)
        else table
        for table in tables
    ]


def fitting(found: Sequence[Sequence[Any]]) -> int:
    """Rows of the next chunk, such that it has room in memory if they are as wide as some of the last one."""
    some = found[:: max(1, len(found) // 20)]
    widest = max(sum(len(value) for value in row if isinstance(value, str | list)) for row in some)
    return max(1, min(CHUNK, _ROOM // (widest + 1)))


class _Source(Protocol):
    async def fetch(self, count: int, /) -> Sequence[Any]: ...


class _Whole:
    """A query that was carried out to its end, to be read from its beginning."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, count: int, /) -> Sequence[Any]:
        # Not kept among the prepared statements: its columns differ from query to query.
        statement = await self._connection.prepare(f"FETCH {int(count)} FROM answer")
        rows: Sequence[Any] = await statement.fetch()
        return rows


async def _begun(connection: Connection, sql: str, values: Sequence[Any], *, whole: bool) -> _Source:
    statement = await connection.prepare(sql)
    # Tables that everybody sees whole bring no parameters.
    given = values[: len(statement.get_parameters())]
    if not whole:
        source: _Source = await statement.cursor(*given)
        return source
    await connection.execute(f"DECLARE answer SCROLL CURSOR FOR {sql}", *given)
    await connection.execute("MOVE ALL IN answer; MOVE ABSOLUTE 0 IN answer")
    return _Whole(connection)


async def rows(
    connection: Connection,
    sql: str,
    values: Sequence[Any],
    allowance: Allowance,
    limit: int,
    *,
    walled: Callable[[], Awaitable[str]] | None = None,
    whole: bool = False,
) -> AsyncIterator[Sequence[Any]]:
    """Rows of a query, in chunks.

    Parameters
    ----------
    limit
        Most rows of the answer: one more is fetched.
    walled
        Gives the same query behind walls, where some rows are left out; `SAVEPOINT` stands before.
    whole
        Whether it must be carried out to the end first.
    """
    first = min(FIRST, limit + 1)
    try:
        async with allowance.spending():
            source = await _begun(connection, sql, values, whole=whole)
            found = await source.fetch(first)
    except asyncpg.PostgresError as error:
        if walled is None or (error.sqlstate or "57")[:2] in ("57", "53", "08"):
            raise
        async with allowance.spending():
            await connection.execute(_BACK)
            source = await _begun(connection, await walled(), values, whole=whole)
            found = await source.fetch(first)
    size = first
    while found:
        yield found
        if len(found) < size or (size == first and first > limit):
            return
        size = fitting(found)
        async with allowance.spending():
            found = await source.fetch(size)
