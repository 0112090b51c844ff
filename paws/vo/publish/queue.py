"""Uploaded tables that wait to be published: durable rows, taken by one process a slot.

A slot is an advisory lock of the database, held by the process that works in it. So no more are at work than there
are slots, however many web processes there are; and a row that is at work in a slot whose lock is free belongs to a
process that died, whence another takes it back.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from paws.accounts.audit import Actor
from paws.database import Connection, Pool
from paws.log import get_logger
from paws.settings import Settings
from paws.vo.publish.wish import Wish, wish_from

log = get_logger(__name__)

MOST_TRIES: Final = 3
MOST_WAITING: Final = 5
"""Uploads of one person that may wait at once."""
KEPT_DAYS: Final = 7
"""How long what became of an upload is shown."""
_SLOTS: Final = 0x7461_7073  # "taps"


@dataclass(frozen=True, slots=True)
class Publication:
    """An upload on its way to be a table, or what became of it."""

    publication_id: str
    table_name: str
    state: str
    stage: str
    rows_done: int
    message: str
    told_name: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return self.state in ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An upload that this process is to publish."""

    publication_id: str
    wish: Wish
    file: Path
    kind: str
    metadata: tuple[Path, ...]
    tries: int


def uploads_dir(settings: Settings) -> Path:
    """Where uploads lie until they are tables."""
    return settings.data_dir / "uploads"


def new_folder(settings: Settings) -> tuple[str, Path]:
    """Identifier of an upload to come, and its folder, which is made."""
    publication_id = secrets.token_hex(16)
    folder = uploads_dir(settings) / publication_id
    folder.mkdir(parents=True, mode=0o700)
    return publication_id, folder


def remove_folder(settings: Settings, publication_id: str) -> None:
    """Remove what an upload left on the disk."""
    shutil.rmtree(uploads_dir(settings) / publication_id, ignore_errors=True)


async def waiting_of(pool: Pool, account: int | None) -> int:
    """Uploads of somebody that are not over."""
    return int(
        await pool.fetchval(
            "SELECT count(*) FROM tap_publication WHERE state IN ('waiting', 'running')"
            " AND account_id IS NOT DISTINCT FROM $1::bigint",
            account,
        )
    )


async def take_on(
    pool: Pool,
    publication_id: str,
    wish: Wish,
    *,
    account: int | None,
    kind: str,
    metadata: bool,
    at: datetime,
) -> None:
    """Take an upload on: from now on it is published, whatever becomes of this process.

    Its files lie in its folder as ``table`` and ``metadata``.

    Parameters
    ----------
    account
        Whose order it is; None where nobody has to say who they are.
    kind
        Suffix, name or media type that tells the format.
    """
    document = wish.as_document() | {"kind": kind}
    await pool.execute(
        "INSERT INTO tap_publication (publication_id, table_name, file_name, metadata_name, told_name, wish,"
        " account_id, asked_by, address, asked_at) VALUES ($1, $2, 'table', $3, $4, $5::text::jsonb, $6, $7, $8, $9)",
        *(publication_id, str(wish.name), "metadata" if metadata else "", wish.source),
        *(orjson.dumps(document).decode(), account, wish.actor.name, wish.actor.address, at),
    )


async def publications_of(pool: Pool, account: int | None, *, everybody: bool) -> list[Publication]:
    """Uploads of somebody, the newest first: those on their way, and what became of others lately.

    Parameters
    ----------
    everybody
        Those for everybody and for proposals too, whoever sent them: for administrators.
    """
    rows = await pool.fetch(
        "SELECT publication_id, table_name, state, stage, rows_done, message, told_name, asked_by, asked_at,"
        " finished_at FROM tap_publication WHERE account_id = $1 OR ($2 AND wish ->> 'account' IS NULL)"
        " ORDER BY asked_at DESC LIMIT 50",
        account,
        everybody,
    )
    return [Publication(**dict(row)) for row in rows]


async def anything_waits(pool: Pool) -> bool:
    """Whether an upload waits, or one is at work whose process may have died."""
    return bool(
        await pool.fetchval(
            "SELECT EXISTS (SELECT FROM tap_publication WHERE state IN ('waiting', 'running'))"
        )
    )


async def take_slot(connection: Connection, slots: int) -> int | None:
    """A slot to work in, held until the connection ends; None if all are taken."""
    for slot in range(slots):
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _SLOTS, slot):
            return slot
    return None


async def take_back(connection: Connection, slot: int) -> int:
    """Have uploads wait again whose process died; those that died too often fail.

    Returns
    -------
    int
        How many.
    """
    taken = 0
    rows = await connection.fetch("SELECT DISTINCT slot FROM tap_publication WHERE state = 'running'")
    for other in (row["slot"] for row in rows):
        if other != slot and not await connection.fetchval(
            "SELECT pg_try_advisory_lock($1, $2)", _SLOTS, other
        ):
            continue
        done = await connection.fetch(
            "UPDATE tap_publication SET slot = NULL, stage = '',"
            " state = CASE WHEN tries < $2 THEN 'waiting' ELSE 'failed' END,"
            " message = CASE WHEN tries < $2 THEN '' ELSE"
            " 'The process that published it ended ' || tries || ' times on the way. Is there memory enough?' END,"
            " finished_at = CASE WHEN tries < $2 THEN NULL ELSE now() END"
            " WHERE state = 'running' AND slot = $1 RETURNING publication_id",
            other,
            MOST_TRIES,
        )
        taken += len(done)
        if other != slot:
            await connection.execute("SELECT pg_advisory_unlock($1, $2)", _SLOTS, other)
    return taken


async def claim(connection: Connection, settings: Settings, slot: int) -> Claimed | None:
    """The upload that has waited longest, to be published in a slot; None if none waits."""
    row = await connection.fetchrow(
        """
        UPDATE tap_publication SET state = 'running', slot = $1, tries = tries + 1, rows_done = 0, stage = 'opening'
        WHERE publication_id = (
            SELECT publication_id FROM tap_publication WHERE state = 'waiting'
            ORDER BY asked_at, publication_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING publication_id, table_name, told_name, metadata_name, wish::text AS wish, asked_by, address, tries
        """,
        slot,
    )
    if row is None:
        return None
    document: dict[str, Any] = orjson.loads(row["wish"])
    folder = uploads_dir(settings) / row["publication_id"]
    return Claimed(
        row["publication_id"],
        wish_from(document, row["table_name"], row["told_name"], Actor(row["asked_by"], row["address"])),
        folder / "table",
        document["kind"],
        (folder / row["metadata_name"],) if row["metadata_name"] else (),
        row["tries"],
    )


async def tell(connection: Connection, publication_id: str, stage: str, rows: int) -> None:
    """Tell how far an upload is."""
    await connection.execute(
        "UPDATE tap_publication SET stage = $2, rows_done = $3 WHERE publication_id = $1 AND state = 'running'",
        *(publication_id, stage, rows),
    )


async def finish(connection: Connection, publication_id: str, state: str, message: str, rows: int) -> None:
    """Tell what became of an upload; ``waiting`` has it tried again."""
    await connection.execute(
        "UPDATE tap_publication SET state = $2, message = $3, rows_done = $4, stage = '', slot = NULL,"
        " finished_at = CASE WHEN $2 = 'waiting' THEN NULL ELSE now() END WHERE publication_id = $1",
        *(publication_id, state, message[:4000], rows),
    )


async def sweep(connection: Connection, settings: Settings, older_than: float = 86_400.0) -> Sequence[str]:
    """Forget uploads that were over long ago, and remove what nobody will publish from the disk.

    Parameters
    ----------
    older_than
        Age in seconds of folders that no upload leads to: younger ones may still arrive.
    """
    await connection.execute(
        "DELETE FROM tap_publication WHERE finished_at < now() - make_interval(days => $1)", KEPT_DAYS
    )
    rows = await connection.fetch(
        "SELECT publication_id FROM tap_publication WHERE state IN ('waiting', 'running')"
    )
    open_ones = {row["publication_id"] for row in rows}
    removed = []
    now = datetime.now().timestamp()
    for folder in sorted(uploads_dir(settings).glob("*/")):
        if folder.name not in open_ones and now - folder.stat().st_mtime > older_than:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed
