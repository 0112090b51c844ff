"""Publishing a table: one transaction makes it, fills it, indexes it and gives it its name.

Whoever is killed on the way leaves nothing behind, for PostgreSQL takes the transaction back. Who asks meanwhile
gets the table as it was before.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from paws.accounts.audit import note
from paws.database import Connection
from paws.errors import PermanentError
from paws.log import get_logger
from paws.settings import Settings
from paws.vo.geometry import backend_of, index_positions, index_regions
from paws.vo.names import TableName, quoted
from paws.vo.publish.copying import copy_rows
from paws.vo.publish.errors import PublishError, QuotaError, TableBusyError
from paws.vo.publish.metadata import TableMetadata
from paws.vo.publish.plan import TablePlan, plan_table
from paws.vo.publish.positions import doubts
from paws.vo.publish.wish import Wish
from paws.vo.reading.source import TableSource
from paws.vo.tap_schema import PublishedTable, put_published

log = get_logger(__name__)

SCHEMA: Final = "published"
MEGABYTE: Final = 1_000_000
_LOCK: Final = 0x7461_7062  # "tapb"
Progress = Callable[[str, int], None]
"""Called with what is being done, for people, and the rows that are in."""


def unheard(_stage: str, _rows: int) -> None:
    """Progress that nobody wants to hear of."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a table may become.

    Attributes
    ----------
    rows
        Most rows.
    size_bytes
        Most bytes in the database, indexes included; None sets no limit.
    """

    rows: int
    size_bytes: int | None = None


async def publish(
    connection: Connection,
    settings: Settings,
    wish: Wish,
    source: TableSource,
    metadata: TableMetadata | None = None,
    on_progress: Progress = unheard,
) -> PublishedTable:
    """Publish a table.

    Parameters
    ----------
    connection
        With no transaction of its own, and patience: see `patient`.
    source
        Columns and rows.

    Raises
    ------
    PublishError, MetadataError, QuotaError
        If it cannot be published so.
    TableBusyError
        If a table of that name is being published at this moment.
    """
    async with connection.transaction():
        await reserve(connection, wish)
        limits = await limits_for(connection, settings, wish)
        plan = plan_table(source.columns, source.postgres_types, metadata or TableMetadata())
        # A name of its own for each version: queries that began before go on with the rows that they know.
        stored = new_relation(wish.name)
        made = await fill(
            connection,
            settings,
            wish.name,
            stored,
            plan,
            lambda: copy_rows(
                connection,
                source,
                (SCHEMA, stored),
                plan,
                limits.rows,
                lambda done: on_progress("reading", done),
            ),
            lambda rows: on_progress("indexing", rows),
        )
        rows, size = made.rows, made.size_bytes
        if limits.size_bytes is not None and size > limits.size_bytes:
            raise QuotaError(
                f"The table takes {size / MEGABYTE:.1f} MB; {limits.size_bytes / MEGABYTE:.1f} MB of your quota are left."
                " Drop other tables of yours, or publish fewer columns or rows."
            )
        table = PublishedTable(
            name=str(wish.name),
            schema=wish.name.schema,
            description=wish.description or (metadata.description if metadata else "") or source.description,
            utype=metadata.utype if metadata else None,
            relation=made.relation,
            audience=wish.audience,
            columns=plan.published,
            positions=() if plan.position is None else (plan.position,),
            rows=rows,
            size_bytes=size,
            warnings=(*source.warnings, *plan.warnings, *made.doubts),
            source=wish.source,
            published_by=wish.actor.name,
        )
        await put_published(connection, table)
        await note(
            connection, wish.actor, "table published", table.name, rows=rows, audience=wish.audience.words
        )
    on_progress("published", rows)
    log.info("table published", table=table.name, rows=rows, by=wish.actor.name)
    return table


@dataclass(frozen=True, slots=True)
class Made:
    """Rows that no name leads to yet.

    Attributes
    ----------
    relation
        Where they are, quoted.
    size_bytes
        In the database, indexes included.
    doubts
        What their positions give cause to doubt, for people.
    """

    relation: str
    rows: int
    size_bytes: int
    doubts: tuple[str, ...]


def new_relation(name: TableName) -> str:
    """A name that no rows have, for a version of a table."""
    return f"{name.schema[:20]}_{name.table[:24]}_{secrets.token_hex(6)}"


async def fill(
    connection: Connection,
    settings: Settings,
    name: TableName,
    stored: str,
    plan: TablePlan,
    rows_in: Callable[[], Awaitable[int]],
    on_index: Callable[[int], None],
) -> Made:
    """Make the table that holds a version's rows, fill it and index it. Call it inside a transaction.

    Parameters
    ----------
    stored
        What the table is called within the schema of such tables.
    rows_in
        Fills it, and returns the number of rows.
    on_index
        Called with it before the rows are indexed.
    """
    relation = f"{quoted(SCHEMA)}.{quoted(stored)}"
    await connection.execute(plan.create(relation))
    rows = await rows_in()
    doubtful = await _index(connection, settings, relation, plan, lambda: on_index(rows))
    await connection.execute(f"ANALYZE {relation}")
    await connection.execute(f"COMMENT ON TABLE {relation} IS {_literal(str(name))}")
    size = await connection.fetchval("SELECT pg_total_relation_size($1::text::regclass)", relation)
    return Made(relation, rows, size, doubtful)


async def reserve(connection: Connection, wish: Wish) -> None:
    """See that the name is free, or may be taken, and that nobody else is about to take it.

    Call it inside a transaction: the name is reserved until that ends.

    Raises
    ------
    PublishError
        If the name is taken, or stands in a schema that is not for such a table.
    TableBusyError
        If somebody else is about to take it.
    """
    name = str(wish.name)
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _LOCK, name):
        raise TableBusyError(
            f"{name} is being published by somebody at this moment; look at it, then try again."
        )
    schema = await connection.fetchrow(
        "SELECT digest, owner_account FROM tap_schema.schemas WHERE schema_name = $1", wish.name.schema
    )
    if schema is not None and schema["digest"] is not None:
        raise PublishError(
            f"The schema {wish.name.schema} is one of PAWS Live's own; take another name for it."
        )
    if schema is not None and schema["owner_account"] != wish.audience.account:
        raise PublishError(
            f"The schema {wish.name.schema} is not for such a table; take another name for it."
        )
    there = await connection.fetchrow(
        "SELECT published_by FROM tap_schema.tables WHERE table_name = $1", name
    )
    if there is not None and not wish.replace:
        raise PublishError(
            f"There is a table {name} already, published by {there['published_by']}. Take another name, or say that it"
            " is to be replaced (--replace)."
        )


async def limits_for(connection: Connection, settings: Settings, wish: Wish) -> Limits:
    """How large a table may become: for personal ones, what is left of the quota.

    Raises
    ------
    QuotaError
        If nothing is left.
    """
    account = wish.audience.account
    if account is None:
        return Limits(settings.tap_publish_rows)
    # The tables of one person one after the other: each counts those before it.
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK + 1, account % 2**31)
    used = await connection.fetchrow(
        "SELECT count(*) AS tables, coalesce(sum(row_count), 0)::bigint AS rows,"
        " coalesce(sum(size_bytes), 0)::bigint AS size"
        " FROM tap_schema.tables WHERE owner_account = $1 AND table_name <> $2",
        account,
        str(wish.name),
    )
    left = Limits(
        max(0, settings.tap_personal_rows - used["rows"]),
        max(0, settings.tap_personal_size * MEGABYTE - used["size"]),
    )
    if used["tables"] >= settings.tap_personal_tables or not left.rows or not left.size_bytes:
        raise QuotaError(
            f"Your quota is used up: {used['tables']} tables with {used['rows']} rows, {used['size'] / MEGABYTE:.1f} MB"
            f" of {settings.tap_personal_tables} tables, {settings.tap_personal_rows} rows,"
            f" {settings.tap_personal_size} MB. Drop one of them first."
        )
    return left


async def _index(
    connection: Connection, settings: Settings, relation: str, plan: TablePlan, on_start: Callable[[], None]
) -> tuple[str, ...]:
    """Index positions, regions and identifiers, and look whether the positions can be some."""
    if plan.stored_position or plan.regions or plan.identifiers:
        on_start()
    for name, kind in plan.identifiers:
        await connection.execute(f"CREATE INDEX ON {relation} USING {kind} ({quoted(name)})")
    for name in plan.regions:
        await index_regions(connection, relation, name)
    if plan.stored_position is None:
        return ()
    backend = await backend_of(connection, settings)
    await index_positions(connection, backend, relation, *plan.stored_position)
    ra, dec = (quoted(name) for name in plan.stored_position)
    extent = await connection.fetchrow(
        f"SELECT min({ra})::float8 AS ra_min, max({ra})::float8 AS ra_max, min({dec})::float8 AS dec_min,"  # noqa: S608 - quoted names
        f" max({dec})::float8 AS dec_max, count(*) - count({ra} + {dec}) AS missing FROM {relation}"
    )
    return doubts(plan.why_position, **dict(extent))


def _literal(text: str) -> str:
    if not text.replace("_", "").replace(".", "").isalnum():
        raise PermanentError(f"expected a checked name, got {text!r}")
    return f"'{text}'"
