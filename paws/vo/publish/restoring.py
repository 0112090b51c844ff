"""Published tables brought back from their files, by the way on which tables are published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from gzip import GzipFile
from pathlib import Path
from typing import Final

import asyncpg

from adql.catalogue import Position
from paws.accounts.audit import Actor
from paws.database import Connection
from paws.errors import InvalidInputError, PawsError
from paws.log import get_logger
from paws.settings import Settings
from paws.vo.audience import Audience
from paws.vo.names import quoted, table_name
from paws.vo.publish.kept import KeptTable, decide, kept_files, opened
from paws.vo.publish.load import SCHEMA, fill, new_relation, reserve
from paws.vo.publish.plan import plan_again
from paws.vo.publish.run import patient
from paws.vo.publish.saving import RESTORING
from paws.vo.publish.wish import Wish
from paws.vo.tap_schema import PublishedTable, put_published

log = get_logger(__name__)

_AT_ONCE: Final = 1 << 20
_THERE: Final = """
SELECT (SELECT published_at FROM tap_schema.tables WHERE table_name = $1) AS published_at,
    (SELECT max(at) FROM audit WHERE action = 'table dropped' AND subject = $1) AS dropped_at
"""


@dataclass
class RestoredTables:
    """What came back.

    Attributes
    ----------
    restored
        Names of the tables.
    left
        Names of those that were left as they are in the database, with the reason.
    problems
        What could not be brought back, for people.
    """

    restored: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def begin_restoring(folder: Path) -> None:
    """Say that tables of this folder are not all back yet, until `restore_tables` has brought them.

    A backup that is written between an interrupted run and the next must not take what is missing for former versions.
    """
    if folder.is_dir():
        (folder / RESTORING).touch()


async def restore_tables(settings: Settings, folder: Path) -> RestoredTables:
    """Bring back the tables of a folder that are not in the database. Interrupted, it is run again and goes on.

    Accounts must be back before: a personal table whose owner is not there stays in its file.
    """
    done = RestoredTables()
    if not await asyncio.to_thread(folder.is_dir):
        return done
    await asyncio.to_thread(begin_restoring, folder)
    async with patient(settings) as connection:
        for path in kept_files(folder):
            try:
                with opened(path) as (kept, rows):
                    reason = await restore_table(connection, settings, kept, rows)
            # A file that is damaged keeps no other from coming back. Whether the server is gone, the next one tells.
            except (PawsError, asyncpg.PostgresError, asyncpg.InternalClientError, TimeoutError) as error:
                log.error("a published table is not brought back", file=path.name, error=repr(error))
                done.problems.append(
                    f"The table in {path.name} is not brought back: {error or type(error).__name__}"
                )
                continue
            if reason:
                done.left[kept.name] = reason
            else:
                done.restored.append(kept.name)
    await asyncio.to_thread((folder / RESTORING).unlink, missing_ok=True)
    return done


async def restore_table(connection: Connection, settings: Settings, kept: KeptTable, rows: GzipFile) -> str:
    """Publish a kept table as it was, unless the database has it, or knows better.

    Neither quotas nor the limits of a table count, for it was within them when it was published. Nor is it noted in
    the audit: who published it and when is there already.

    Parameters
    ----------
    rows
        As PostgreSQL copies them, in the columns' order.

    Returns
    -------
    str
        Why it was left as it is; empty if it was brought back.

    Raises
    ------
    InvalidInputError
        If its owner is not there, or it does not hold what it says.
    PublishError
        If its name has become one that it may not have.
    """
    name = table_name(kept.name)
    columns = [column.as_stored() for column in kept.columns]
    position = Position(*kept.positions) if kept.positions else None
    plan = plan_again(columns, position)
    async with connection.transaction():
        audience = await _audience(connection, kept)
        wish = Wish(name, kept.source, Actor(kept.published_by), audience, kept.description, replace=True)
        await reserve(connection, wish)
        there = await connection.fetchrow(_THERE, str(name))
        decision = decide(kept, there["published_at"], there["dropped_at"])
        if not decision.restore:
            return decision.reason
        stored = kept.stored
        # Rows of a table that was dropped stay for a while.
        if await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", f"{quoted(SCHEMA)}.{quoted(stored)}"
        ):
            stored = new_relation(name)

        async def rows_in() -> int:
            status = await connection.copy_to_table(
                stored,
                schema_name=SCHEMA,
                columns=list(plan.filled),
                source=_pieces(rows),
                format="binary",
            )
            count = int(status.split()[-1])
            if count != kept.rows:
                raise InvalidInputError(f"{kept.name} has {count} rows in its file, which says {kept.rows}.")
            return count

        made = await fill(connection, settings, name, stored, plan, rows_in, lambda _rows: None)
        table = PublishedTable(
            name=str(name),
            schema=name.schema,
            description=kept.description,
            utype=kept.utype,
            relation=made.relation,
            audience=audience,
            columns=plan.published,
            positions=() if position is None else (position,),
            rows=made.rows,
            size_bytes=made.size_bytes,
            warnings=kept.warnings,
            source=kept.source,
            published_by=kept.published_by,
            published_at=kept.published_at,
        )
        await put_published(connection, table)
    log.info("table brought back", table=table.name, rows=made.rows)
    return ""


async def _audience(connection: Connection, kept: KeptTable) -> Audience:
    account = None
    if kept.owner is not None:
        account = await connection.fetchval("SELECT account_id FROM account WHERE name = $1", kept.owner)
        if account is None:
            raise InvalidInputError(f"{kept.name} belongs to {kept.owner}, who has no account here.")
    try:
        return Audience(kept.proposal, account)
    except ValueError as error:
        raise InvalidInputError(f"Who sees {kept.name} cannot be told: {error}.") from error


async def _pieces(rows: GzipFile) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(rows.read, _AT_ONCE):
        yield piece
