"""Published tables written into files, so that who loses the database does not lose them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from paws.clock import Clock, utc_now
from paws.database import Connection
from paws.errors import PermanentError
from paws.log import get_logger
from paws.settings import Settings
from paws.vo.names import quoted
from paws.vo.publish.kept import SUFFIX, KeptColumn, KeptTable, kept_files, kept_path
from paws.vo.publish.load import SCHEMA
from paws.vo.publish.run import patient

log = get_logger(__name__)

RESTORING: Final = ".restoring"
"""File in the folder while tables are brought back from it: what is not in the database yet is not a former version."""
_OWNER_ONLY: Final = 0o600
_BUFFER: Final = 1 << 20
_ABANDONED: Final = timedelta(days=1)
"""Age of a file under a temporary name whose writer is dead."""
_DATED: Final = re.compile(rf"[a-z0-9_]{{1,63}}{re.escape(SUFFIX)}\.(\d{{8}})")
_TEMPORARY: Final = re.compile(rf"\.[a-z0-9_]{{1,63}}{re.escape(SUFFIX)}\.[0-9a-f]{{8}}")

_CURRENT: Final = """
SELECT t.table_name AS name, c.relname AS stored, coalesce(t.description, '') AS description, t.utype,
    a.name AS owner, t.proposal, t.positions, t.warnings, t.source, t.published_by, t.published_at, c.oid
FROM tap_schema.tables t JOIN pg_class c ON c.oid = to_regclass(t.relation)
LEFT JOIN account a ON a.account_id = t.owner_account
WHERE t.published_by IS NOT NULL
"""
_COLUMNS: Final = """
SELECT c.name, c.datatype, c.arraysize, c.xtype, c.unit, c.ucd, c.utype, coalesce(c.description, '') AS description,
    c.principal = 1 AS principal, c.indexed = 1 AS indexed, c.std = 1 AS std, p.attname::text AS stored,
    regexp_replace(format_type(p.atttypid, NULL), '^timestamp without time zone', 'timestamp') AS sql_type
FROM tap_schema.columns c
JOIN pg_attribute p ON p.attrelid = $2 AND p.attnum > 0 AND NOT p.attisdropped
    AND coalesce(c.sql_expression, '"' || replace(c.name, '"', '""') || '"')
        = '"' || replace(p.attname::text, '"', '""') || '"'
WHERE c.table_name = $1 ORDER BY c.column_index
"""


@dataclass
class SavedTables:
    """What became of the tables.

    Attributes
    ----------
    written
        Names of those that were written now.
    kept
        How many were there already, as they are.
    former
        Files of versions that are published no more, and are kept for a while from now on.
    removed
        Files whose while is over.
    problems
        What could not be saved, for people.
    """

    written: list[str] = field(default_factory=list)
    kept: int = 0
    former: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def save_tables(
    settings: Settings, folder: Path, keep_days: int, *, retire: bool = True, clock: Clock = utc_now
) -> SavedTables:
    """Write every version that is published now and has no file; put former ones aside.

    Parameters
    ----------
    folder
        Where the files are; made if it is not there.
    keep_days
        How long files of former versions stay.
    retire
        Whether what the database does not have is a former version. Not so where the database is new.
    """
    saved = SavedTables()
    await asyncio.to_thread(_prepare, folder, clock())
    async with patient(settings) as connection:
        stored = {
            row["stored"]: row["name"]
            for row in await connection.fetch(_CURRENT + " ORDER BY t.published_at")
        }
        for version, name in stored.items():
            path = kept_path(folder, version)
            if path.exists():
                saved.kept += 1
                continue
            try:
                if await save_table(connection, version, path):
                    saved.written.append(name)
            # One table that cannot be saved does not keep the others from it. Whether the server is gone, the next tells.
            except (asyncpg.PostgresError, OSError, PermanentError) as error:
                log.error("a published table is not in the backup", table=name, error=repr(error))
                saved.problems.append(f"{name} is not saved: {error or type(error).__name__}")
    if (folder / RESTORING).exists():
        log.warning("a rebuild was interrupted: run it again", folder=str(folder))
        saved.problems.append(
            f"Tables of {folder} are not all brought back: a rebuild was interrupted. Run `paws rebuild` again; until then"
            " no file of a former version is removed."
        )
    elif retire:
        await asyncio.to_thread(_put_aside, folder, set(stored), clock(), keep_days, saved)
    return saved


async def save_table(connection: Connection, stored: str, path: Path) -> bool:
    """Write one version in one step, durably, as of one moment.

    Returns
    -------
    bool
        Whether it was published still.

    Raises
    ------
    PermanentError
        If TAP_SCHEMA and the table that holds the rows do not agree.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            table = await connection.fetchrow(_CURRENT + " AND c.relname = $1", stored)
            if table is None:
                return False
            relation = f"{quoted(SCHEMA)}.{quoted(stored)}"
            rows = await connection.fetchval(f"SELECT count(*) FROM {relation}")  # noqa: S608 - quoted
            head = await _head(connection, table, rows)
            columns = ", ".join(quoted(column.stored) for column in head.columns)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
            with os.fdopen(descriptor, "wb") as stream:
                with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as packed:
                    packed.write(head.model_dump_json().encode() + b"\n")
                    await _copy(connection, f"SELECT {columns} FROM {relation}", packed.write)  # noqa: S608 - quoted
                stream.flush()
                await asyncio.to_thread(os.fsync, stream.fileno())
        temporary.replace(path)
    except asyncpg.UndefinedTableError:
        return False  # dropped or replaced between the list and now
    finally:
        temporary.unlink(missing_ok=True)
    return True


async def _head(connection: Connection, table: Any, rows: int) -> KeptTable:
    columns = await connection.fetch(_COLUMNS, table["name"], table["oid"])
    known = await connection.fetchval(
        "SELECT count(*) FROM tap_schema.columns WHERE table_name = $1", table["name"]
    )
    if len(columns) != known:
        raise PermanentError(
            f"TAP_SCHEMA has {known} columns of {table['name']}, of which {len(columns)} are stored; publish it again."
        )
    told = {key: value for key, value in table.items() if key != "oid"}
    return KeptTable(
        **told | {"positions": tuple(table["positions"]), "warnings": tuple(table["warnings"])},
        rows=rows,
        columns=tuple(KeptColumn(**dict(row)) for row in columns),
    )


async def _copy(connection: Connection, query: str, write: Callable[[bytes], Any]) -> None:
    """Copy the rows of a query, a megabyte at a time; they are packed in a thread beside the event loop."""
    waiting = bytearray()

    async def take(piece: bytes) -> None:
        waiting.extend(piece)
        if len(waiting) >= _BUFFER:
            await flush()

    async def flush() -> None:
        full = bytes(waiting)
        waiting.clear()
        await asyncio.to_thread(write, full)

    await connection.copy_from_query(query, output=take, format="binary")
    await flush()


def _prepare(folder: Path, now: datetime) -> None:
    """Make the folder, and remove what those who were killed have left."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in folder.glob(".*"):
        with contextlib.suppress(FileNotFoundError):
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            if _TEMPORARY.fullmatch(path.name) and now - changed > _ABANDONED:
                path.unlink()


def _put_aside(folder: Path, current: set[str], now: datetime, keep_days: int, saved: SavedTables) -> None:
    """Give files of former versions the date of this day, and remove those that have had theirs for long."""
    for path in kept_files(folder):
        if path.name.removesuffix(SUFFIX) not in current:
            former = path.with_name(f"{path.name}.{now:%Y%m%d}")
            path.replace(former)
            saved.former.append(former.name)
    oldest = f"{now - timedelta(days=keep_days):%Y%m%d}"
    for path in sorted(folder.iterdir()):
        dated = _DATED.fullmatch(path.name)
        if dated and dated[1] < oldest:
            path.unlink(missing_ok=True)
            saved.removed.append(path.name)
