"""A table that is being read: its columns, and its rows by chunks as Arrow has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from adql.catalogue import Column
from paws.vo.reading.copying import HEADER, TRAILER, encode
from paws.vo.reading.limits import BadCellError, Limits
from paws.vo.reading.types import postgres_type

_ROWS_AT_ONCE = 20_000
"""Rows that are encoded in one go: what numpy works on then stays in the processor's cache."""


@dataclass(slots=True)
class TableSource:
    """A table of a file.

    Attributes
    ----------
    columns
        Metadata, in order. Names are unique whatever the case of letters, and fit to be those of a database.
    description, name
        As the file gives them; empty if it does not.
    rows
        How many rows there are, where the file tells beforehand.
    warnings
        What was changed or left out, for people.
    """

    columns: tuple[Column, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    limits: Limits
    description: str = ""
    name: str = ""
    rows: int | None = None
    warnings: tuple[str, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)

    def __enter__(self) -> TableSource:
        """Use it within a block, which closes its file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @property
    def postgres_types(self) -> tuple[str, ...]:
        """Types of a table in PostgreSQL that takes the rows."""
        return tuple(postgres_type(column) for column in self.columns)

    def chunks(self) -> Iterator[pa.RecordBatch]:
        """Rows, bounded, in the types of the columns.

        Raises
        ------
        TableFileError
            If the file is damaged, or a cell does not fit its column.
        TableTooLargeError
            If there are more rows than may be.
        """
        rows = 0
        for batch in self._numbered():
            rows += batch.num_rows
            self.limits.check_rows(rows)
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                yield batch.slice(start, _ROWS_AT_ONCE)

    def _numbered(self) -> Iterator[pa.RecordBatch]:
        """Batches, whose errors tell the row in the file."""
        rows = 0
        try:
            for batch in self.batches():
                yield batch
                rows += batch.num_rows
        except BadCellError as error:
            raise error.behind(rows) from error

    def copy_chunks(self) -> Iterator[bytes]:
        """All rows as PostgreSQL's binary COPY takes them (``copy_to_table(source=..., format="binary")``)."""
        yield HEADER
        for batch in self.chunks():
            yield encode(batch, self.columns, self.limits)
        yield TRAILER

    async def copy_stream(self) -> AsyncIterator[bytes]:
        """The same for asyncpg; files are read and numbers turned in a thread beside the event loop."""
        chunks = self.copy_chunks()
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk
