"""Published tables, listed, described, dropped; and what is left of former ones, tidied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from paws.access.rule import Sight
from paws.accounts.audit import Actor, note
from paws.database import Connection, Pool
from paws.log import get_logger
from paws.vo.audience import Audience, audience_condition
from paws.vo.names import personal_schema
from paws.vo.tap_schema import take_out

log = get_logger(__name__)

GRACE: Final = 600.0
"""Seconds for which rows without a name stay, for queries that know them still."""
_RELATION: Final = re.compile(r'"published"\."[a-z0-9_]{1,63}"')


@dataclass(frozen=True, slots=True)
class Listed:
    """A table that can be queried, for people."""

    name: str
    schema: str
    description: str
    kind: str
    rows: int | None
    size_bytes: int | None
    columns: int
    audience: Audience
    published_by: str | None
    published_at: datetime | None
    source: str
    warnings: tuple[str, ...]
    positions: tuple[str, ...]
    relation: str
    limited: bool
    """Whether each sees rows of their own: proprietary ones belong to proposals."""

    @property
    def personal(self) -> bool:
        """Whether it is one person's own."""
        return self.audience.account is not None


_LIST: Final = """
SELECT r.table_name, r.schema_name, coalesce(r.description, '') AS description, r.table_type, r.row_count,
    r.size_bytes, r.owner_account, r.proposal, r.published_by, r.published_at, r.source, r.warnings, r.positions, r.relation, r.sight,
    (SELECT count(*) FROM tap_schema.columns c WHERE c.table_name = r.table_name) AS columns
FROM tap_schema.tables r JOIN tap_schema.schemas s USING (schema_name)
"""
_ORDER: Final = " ORDER BY s.schema_index, r.table_index NULLS LAST, r.table_name"


def _listed(row: Any) -> Listed:
    return Listed(
        row["table_name"],
        row["schema_name"],
        row["description"],
        row["table_type"],
        row["row_count"],
        row["size_bytes"],
        row["columns"],
        Audience(row["proposal"], row["owner_account"]),
        row["published_by"],
        row["published_at"],
        row["source"],
        tuple(row["warnings"]),
        tuple(row["positions"]),
        row["relation"],
        row["sight"] is not None,
    )


async def tables_seen(pool: Pool, sight: Sight, account: int | None) -> list[Listed]:
    """All tables that somebody sees, declared and published."""
    rows = await pool.fetch(f"{_LIST} WHERE {audience_condition(sight, account)} {_ORDER}")
    return [_listed(row) for row in rows]


async def table_seen(pool: Pool, name: str, sight: Sight, account: int | None) -> Listed | None:
    """A table that somebody sees, by its full name in any case of letters; None if there is none."""
    row = await pool.fetchrow(
        f"{_LIST} WHERE lower(r.table_name) = lower($1) AND {audience_condition(sight, account)}", name
    )
    return None if row is None else _listed(row)


async def columns_of(pool: Pool, name: str) -> list[dict[str, Any]]:
    """Columns of a table that is seen, in order."""
    rows = await pool.fetch(
        "SELECT column_name, name, datatype, arraysize, xtype, coalesce(unit, '') AS unit, coalesce(ucd, '') AS ucd,"
        " coalesce(utype, '') AS utype, coalesce(description, '') AS description, indexed, principal"
        " FROM tap_schema.columns WHERE table_name = $1 ORDER BY column_index",
        name,
    )
    return [dict(row) for row in rows]


async def some_position(pool: Pool, table: Listed) -> tuple[float, float] | None:
    """Position of some row of a published table that somebody sees, degrees; None if it has none."""
    if table.published_by is None or len(table.positions) < 2 or not _RELATION.fullmatch(table.relation):
        return None
    rows = await pool.fetch(
        "SELECT name, coalesce(sql_expression, quote_ident(name)) AS sql FROM tap_schema.columns"
        " WHERE table_name = $1 AND name = ANY ($2::text[])",
        table.name,
        list(table.positions[:2]),
    )
    sql = {row["name"]: row["sql"] for row in rows}
    ra, dec = (sql[name] for name in table.positions[:2])
    row = await pool.fetchrow(
        f"SELECT {ra}::float8 AS ra, {dec}::float8 AS dec FROM {table.relation}"  # noqa: S608 - quoted when it was published
        f" WHERE {ra} BETWEEN 0 AND 360 AND {dec} BETWEEN -90 AND 90 LIMIT 1"
    )
    return None if row is None else (row["ra"], row["dec"])


async def all_published(pool: Pool) -> list[Listed]:
    """All published tables, personal ones too: for the command line of the machine."""
    rows = await pool.fetch(f"{_LIST} WHERE r.published_by IS NOT NULL {_ORDER}")
    return [_listed(row) for row in rows]


async def any_table(pool: Pool, name: str) -> Listed | None:
    """A table by its full name, whoever sees it: for the command line of the machine."""
    row = await pool.fetchrow(f"{_LIST} WHERE lower(r.table_name) = lower($1)", name)
    return None if row is None else _listed(row)


@dataclass(frozen=True, slots=True)
class Used:
    """What somebody's personal tables take of their quota."""

    tables: int
    rows: int
    size_bytes: int


async def used_by(pool: Pool, account: int) -> Used:
    """What a person's tables take."""
    row = await pool.fetchrow(
        "SELECT count(*) AS tables, coalesce(sum(row_count), 0)::bigint AS rows,"
        " coalesce(sum(size_bytes), 0)::bigint AS size_bytes FROM tap_schema.tables WHERE owner_account = $1",
        account,
    )
    return Used(**dict(row))


async def schema_of(pool: Pool, account: int, name: str) -> str:
    """Schema of a person's tables: the one they have, else the one that they will have.

    Parameters
    ----------
    account, name
        Number and name of the account.
    """
    wanted = personal_schema(name)
    row = await pool.fetchrow(
        "SELECT (SELECT schema_name FROM tap_schema.schemas WHERE owner_account = $1) AS own,"
        " EXISTS (SELECT FROM tap_schema.schemas WHERE schema_name = $2) AS taken",
        account,
        wanted,
    )
    # ann.b and ann_b would have the same one.
    return str(row["own"] or (f"{wanted[:30]}_{account}" if row["taken"] else wanted))


async def drop(connection: Connection, actor: Actor, name: str) -> bool:
    """Take a published table away. Its rows go a while later. Call it inside a transaction.

    Returns
    -------
    bool
        Whether there was one.
    """
    if not await take_out(connection, name):
        return False
    await note(connection, actor, "table dropped", name)
    return True


async def tidy(connection: Connection, grace: float = GRACE) -> list[str]:
    """Drop rows that no name leads to any more, unless a query reads them still: then the next time.

    Parameters
    ----------
    grace
        Seconds for which they stay.
    """
    rows = await connection.fetch(
        "SELECT relation FROM tap_schema.retired WHERE retired_at <= now() - make_interval(secs => $1)", grace
    )
    dropped = []
    for relation in (row["relation"] for row in rows):
        if not _RELATION.fullmatch(relation):
            continue
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '200ms'")
                await connection.execute(f"DROP TABLE IF EXISTS {relation}")
                await connection.execute("DELETE FROM tap_schema.retired WHERE relation = $1", relation)
        except asyncpg.LockNotAvailableError:
            continue
        dropped.append(relation)
        log.info("rows of a former table dropped", relation=relation)
    return dropped
