"""Rows into a table of the database, as fast as the file gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from paws.database import Connection
from paws.vo.publish.errors import PublishError
from paws.vo.publish.plan import TablePlan
from paws.vo.reading.copying import HEADER, TRAILER, encode
from paws.vo.reading.source import TableSource


@dataclass(slots=True)
class _Count:
    rows: int = 0


async def copy_rows(
    connection: Connection,
    source: TableSource,
    table: tuple[str, str],
    plan: TablePlan,
    most: int,
    on_rows: Callable[[int], None],
) -> int:
    """Copy all rows of a source into a table.

    Parameters
    ----------
    table
        Schema and name.
    most
        Most rows.
    on_rows
        Called with the number of rows that are on their way.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    PublishError
        If there are more.
    TableFileError
        If the file is damaged.
    """
    count = _Count()
    await connection.copy_to_table(
        table[1],
        schema_name=table[0],
        columns=list(plan.filled),
        source=_stream(source, most, count, on_rows),
        format="binary",
    )
    return count.rows


async def _stream(
    source: TableSource, most: int, count: _Count, on_rows: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """Rows in PostgreSQL's binary form; read and encoded in a thread, while the database takes those before."""
    yield HEADER
    batches = source.chunks()

    def following() -> tuple[int, bytes]:
        batch = next(batches, None)
        return (0, b"") if batch is None else (batch.num_rows, encode(batch, source.columns, source.limits))

    ahead = asyncio.create_task(asyncio.to_thread(following))
    try:
        while True:
            rows, chunk = await ahead
            if not rows:
                break
            ahead = asyncio.create_task(asyncio.to_thread(following))
            count.rows += rows
            if count.rows > most:
                raise PublishError(
                    f"The table has more than {most:,} rows, which is the most that it may have."
                )
            on_rows(count.rows)
            yield chunk
    finally:
        # A thread cannot be stopped: it ends with the rows that it is at.
        await asyncio.wait([ahead])
        if not ahead.cancelled():
            ahead.exception()  # seen: what went wrong first is what is told
    yield TRAILER
