"""TAP_SCHEMA in the database: what is declared by the code, and what people publish, written into its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adql.catalogue import Column, Position
from paws.database import Connection
from paws.errors import PermanentError
from paws.vo.audience import Audience
from paws.vo.declared.values import DeclaredKey, DeclaredSchema, DeclaredTable
from paws.vo.names import published

_FIRST_PUBLISHED: Final = 1000
"""Order of the first published schema: the declared ones come before."""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table that somebody published, as TAP_SCHEMA keeps it.

    Attributes
    ----------
    name
        Full name, as queries write it.
    relation
        Where its rows are, quoted.
    warnings
        What was changed or doubtful when it was published, for people.
    source
        Where it came from.
    published_at
        When; None stands for now.
    """

    name: str
    schema: str
    description: str
    utype: str | None
    relation: str
    audience: Audience
    columns: tuple[Column, ...]
    positions: tuple[Position, ...]
    rows: int
    size_bytes: int
    warnings: tuple[str, ...]
    source: str
    published_by: str
    published_at: datetime | None = None


async def lock(connection: Connection) -> None:
    """Be the only one that changes TAP_SCHEMA until the transaction ends; who reads goes on."""
    await connection.execute("SELECT FROM tap_schema.version FOR UPDATE")


async def declare(connection: Connection, declared: DeclaredSchema, index: int = 0) -> bool:
    """Bring a declared schema into TAP_SCHEMA. Idempotent; nothing is written when nothing has changed.

    Parameters
    ----------
    index
        Order among schemas.

    Returns
    -------
    bool
        Whether anything was written.

    Raises
    ------
    PermanentError
        If people have published tables under this name already.
    """
    async with connection.transaction():
        await lock(connection)
        there = await connection.fetchrow(
            "SELECT s.digest, EXISTS (SELECT FROM tap_schema.tables t WHERE t.schema_name = s.schema_name"
            " AND t.published_by IS NOT NULL) AS taken FROM tap_schema.schemas s WHERE lower(s.schema_name) = lower($1)",
            declared.name,
        )
        digest = f"{index}:{declared.digest}"
        if there is not None:
            if there["digest"] == digest:
                return False
            if there["taken"]:
                raise PermanentError(
                    f"The schema {declared.name} is one of PAWS Live's own now, and tables are published in it. "
                    "Publish them under another name, drop them (paws tap drop), then run `paws migrate`."
                )
        await connection.execute(
            "DELETE FROM tap_schema.schemas WHERE lower(schema_name) = lower($1)", declared.name
        )
        await connection.execute(
            "INSERT INTO tap_schema.schemas (schema_name, utype, description, schema_index, digest)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(declared.name, declared.utype, declared.description, index, digest),
        )
        for number, table in enumerate(declared.tables):
            await _put_declared(connection, declared.name, table, number)
        for table in declared.tables:
            await _put_keys(connection, table.name, table.keys)
    return True


async def declare_all(connection: Connection, schemas: Sequence[DeclaredSchema]) -> list[str]:
    """Bring all declared schemas into TAP_SCHEMA, and take out those that are declared no more.

    Returns
    -------
    list of str
        Names of those that changed.
    """
    names = [schema.name.lower() for schema in schemas]
    async with connection.transaction():
        await lock(connection)
        gone = await connection.fetch(
            "DELETE FROM tap_schema.schemas WHERE digest IS NOT NULL AND lower(schema_name) <> ALL ($1::text[])"
            " RETURNING schema_name",
            names,
        )
        changed = [row["schema_name"] for row in gone]
        for index, schema in enumerate(schemas):
            if await declare(connection, schema, index):
                changed.append(schema.name)
    return changed


async def _put_declared(connection: Connection, schema: str, table: DeclaredTable, index: int) -> None:
    await connection.execute(
        "INSERT INTO tap_schema.tables (table_name, schema_name, table_type, utype, description, table_index,"
        " relation, sight, positions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(table.name, schema, table.kind, table.utype, table.description, index),
        *(table.relation, table.sight, _pairs(table.positions)),
    )
    await _put_columns(connection, table.name, table.columns)


async def _put_columns(connection: Connection, table: str, columns: Sequence[Column]) -> None:
    await connection.executemany(
        "INSERT INTO tap_schema.columns (table_name, column_name, datatype, arraysize, xtype, size, description,"
        " utype, unit, ucd, indexed, principal, std, column_index, name, sql_expression)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        [
            (
                *(table, published(column.name), column.datatype, column.arraysize, column.xtype),
                *(_size(column.arraysize), column.description or None, column.utype, column.unit, column.ucd),
                *(int(column.indexed), int(column.principal), int(column.std), number),
                *(column.name, column.sql),
            )
            for number, column in enumerate(columns)
        ],
    )


def _size(arraysize: str | None) -> int | None:
    """Length of what is no array of a changing length: the older way to say it."""
    return int(arraysize) if arraysize is not None and arraysize.isdigit() else None


def _pairs(positions: Sequence[Position]) -> list[str]:
    return [name for position in positions for name in (position.ra, position.dec)]


async def _put_keys(connection: Connection, table: str, keys: Sequence[DeclaredKey]) -> None:
    for number, key in enumerate(keys, start=1):
        key_id = f"{table}.{number}"
        await connection.execute(
            "INSERT INTO tap_schema.keys (key_id, from_table, target_table, description) VALUES ($1, $2, $3, $4)",
            *(key_id, table, key.target_table, key.description or None),
        )
        await connection.executemany(
            "INSERT INTO tap_schema.key_columns (key_id, from_column, target_column) VALUES ($1, $2, $3)",
            [(key_id, published(here), published(there)) for here, there in key.columns],
        )


async def put_published(connection: Connection, table: PublishedTable) -> None:
    """Write a published table into TAP_SCHEMA, in place of an earlier version. Call it inside a transaction.

    From the end of the transaction on its name leads to its new rows; those before are retired.
    """
    await lock(connection)
    await connection.execute(
        "INSERT INTO tap_schema.schemas (schema_name, schema_index, description, owner_account) VALUES ($1,"
        " (SELECT greatest(coalesce(max(schema_index), 0) + 1, $2) FROM tap_schema.schemas), $3, $4)"
        " ON CONFLICT DO NOTHING",
        table.schema,
        _FIRST_PUBLISHED,
        "Tables of one person, whom alone they are shown to." if table.audience.account is not None else None,
        table.audience.account,
    )
    await connection.execute(
        "INSERT INTO tap_schema.tables (table_name, schema_name, table_type, utype, description, relation,"
        " owner_account, proposal, positions, row_count, size_bytes, warnings, source, published_by, published_at)"
        " VALUES ($1, $2, 'table', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, coalesce($14, now()))"
        " ON CONFLICT (table_name) DO UPDATE SET utype = excluded.utype, description = excluded.description,"
        " relation = excluded.relation, owner_account = excluded.owner_account, proposal = excluded.proposal,"
        " positions = excluded.positions, row_count = excluded.row_count, size_bytes = excluded.size_bytes,"
        " warnings = excluded.warnings, source = excluded.source, published_by = excluded.published_by,"
        " published_at = excluded.published_at",
        *(table.name, table.schema, table.utype, table.description or None, table.relation),
        *(
            table.audience.account,
            table.audience.proposal,
            _pairs(table.positions),
            table.rows,
            table.size_bytes,
        ),
        *(list(table.warnings), table.source, table.published_by, table.published_at),
    )
    await connection.execute("DELETE FROM tap_schema.columns WHERE table_name = $1", table.name)
    await _put_columns(connection, table.name, table.columns)


async def take_out(connection: Connection, name: str) -> bool:
    """Take a published table out of TAP_SCHEMA, and its schema when it is empty. Call it inside a transaction.

    Returns
    -------
    bool
        Whether there was one.
    """
    await lock(connection)
    schema = await connection.fetchval(
        "DELETE FROM tap_schema.tables WHERE table_name = $1 AND published_by IS NOT NULL RETURNING schema_name",
        name,
    )
    if schema is None:
        return False
    # A personal schema keeps its name for its owner.
    await connection.execute(
        "DELETE FROM tap_schema.schemas s WHERE schema_name = $1 AND digest IS NULL AND owner_account IS NULL"
        " AND NOT EXISTS (SELECT FROM tap_schema.tables t WHERE t.schema_name = s.schema_name)",
        schema,
    )
    return True
