"""From a file to a published table: what the command line and the process behind the pages both do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from paws.database import Connection, connect
from paws.errors import PermanentError
from paws.settings import Settings
from paws.vo.audience import Audience
from paws.vo.publish.errors import PublishError
from paws.vo.publish.load import MEGABYTE, Progress, publish, unheard
from paws.vo.publish.metadata import read_metadata
from paws.vo.publish.plan import MOST_COLUMNS
from paws.vo.publish.shelf import tidy
from paws.vo.publish.wish import Wish
from paws.vo.reading import open_table
from paws.vo.reading.limits import Limits
from paws.vo.tap_schema import PublishedTable

MOST_UNPACKED: Final = 8
"""Times the size of a file that may come out of its compression."""
TEXT_FACTOR: Final = 4
"""Times its quota that the file of a personal table may have: text takes more room than numbers do."""


@asynccontextmanager
async def patient(settings: Settings) -> AsyncIterator[Connection]:
    """A connection for work that takes its time: large tables are filled and indexed in minutes."""
    own = settings.model_copy(update={"database_deadline": settings.tap_publish_deadline})
    connection = await connect(own)
    # An index is made several times as fast where it fits into memory.
    await connection.execute("SET maintenance_work_mem = '256MB'")
    try:
        yield connection
    finally:
        # A transaction under way is taken back by the server; waiting for it politely would be in vain.
        connection.terminate()


def file_limits(settings: Settings, audience: Audience) -> Limits:
    """How large a file may be that is published: for personal tables in proportion to the quota."""
    size, rows = settings.tap_publish_size * MEGABYTE, settings.tap_publish_rows
    unpacked = MOST_UNPACKED * size
    if audience.account is not None:
        size = unpacked = min(size, TEXT_FACTOR * settings.tap_personal_size * MEGABYTE)
        rows = min(rows, settings.tap_personal_rows)
    return Limits(file_bytes=size, unpacked_bytes=unpacked, rows=rows, columns=MOST_COLUMNS)


async def publish_file(
    settings: Settings,
    wish: Wish,
    path: Path,
    kind: str = "",
    metadata: Sequence[Path] = (),
    on_progress: Progress = unheard,
) -> PublishedTable:
    """Publish a file as a table, and drop what former versions left.

    Parameters
    ----------
    kind
        Media type or suffix of the file; empty: the file's name tells.
    metadata
        Files that describe table and columns.

    Raises
    ------
    PublishError, MetadataError, TableFileError, QuotaError, TableBusyError
        If it cannot be published so; see their messages.
    PermanentError
        If it takes longer than it may.
    """
    told = read_metadata(metadata, str(wish.name)) if metadata else None
    try:
        async with asyncio.timeout(settings.tap_publish_deadline), patient(settings) as connection:
            on_progress("opening", 0)
            source = await asyncio.to_thread(
                open_table, path, kind or path.name, file_limits(settings, wish.audience)
            )
            try:
                published = await publish(connection, settings, wish, source, told, on_progress)
            finally:
                source.close()
            await tidy(connection)
            return published
    except TimeoutError as error:
        raise PermanentError(
            f"Publishing {wish.name} took more than {settings.tap_publish_deadline:g} s (PAWS_TAP_PUBLISH_DEADLINE)."
        ) from error
    except MemoryError as error:
        raise PublishError(
            f"{wish.source} needs more memory than there is; publish it as CSV or Parquet."
        ) from error
