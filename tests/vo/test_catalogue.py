"""TAP_SCHEMA and the catalogues of different people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from adql.catalogue import Catalogue, Column, Position, Table
from paws.access.predicate import values_of
from paws.access.rule import OBSERVATORY, Sight, sees_all, sees_public
from paws.database import connect, migrate
from paws.errors import PermanentError
from paws.settings import Settings
from paws.vo.audience import EVERYBODY, Audience
from paws.vo.catalogue import CatalogueDesk
from paws.vo.declared.all import DECLARED
from paws.vo.declared.tap_schema import TAP_SCHEMA
from paws.vo.declared.values import SEEN, DeclaredKey, DeclaredSchema, DeclaredTable
from paws.vo.tap_schema import PublishedTable, declare, declare_all, put_published, take_out

TODAY = date(2026, 3, 13)
MINE = "A/2026A/008"
COLUMNS = (Column("ra", "double", unit="deg"), Column("size", "float"), Column("B-V", "float", sql='"bv"'))


@pytest.fixture
async def connection(database: Settings) -> AsyncIterator[Any]:
    found = await connect(database)
    try:
        yield found
    finally:
        await found.close()


async def account(connection: Any, name: str) -> int:
    return int(await connection.fetchval("INSERT INTO account (name) VALUES ($1) RETURNING account_id", name))


def table(name: str, audience: Audience = EVERYBODY, **more: Any) -> PublishedTable:
    values: dict[str, Any] = {
        "description": f"About {name}",
        "relation": f'"published"."{name}"',
        "positions": (Position("ra", "dec"),),
        "rows": 3,
        **more,
    }
    return PublishedTable(
        name=name,
        schema=name.partition(".")[0],
        utype=None,
        audience=audience,
        columns=COLUMNS,
        size_bytes=8192,
        warnings=(),
        source="file.csv",
        published_by="ann",
        **values,
    )


def names(catalogue: Catalogue) -> set[str]:
    return {found.name for found in catalogue if not found.name.startswith("TAP_SCHEMA.")}


def found(catalogue: Catalogue, name: str) -> Table:
    return next(item for item in catalogue if item.name == name)


async def rows_of(connection: Any, catalogue: Catalogue, name: str, column: str) -> list[str]:
    """What a query of a table of TAP_SCHEMA gives."""
    relation = found(catalogue, f"TAP_SCHEMA.{name}").relation
    return [row[0] for row in await connection.fetch(f"SELECT q.{column} FROM {relation} AS q ORDER BY 1")]


async def test_tap_schema_describes_itself_and_its_tables_can_be_read(
    connection: Any, database: Settings
) -> None:
    catalogue = await CatalogueDesk(database).catalogue(connection, None, sees_public(TODAY))
    tables = [item for item in catalogue if item.name.startswith("TAP_SCHEMA.")]
    assert [item.name for item in tables] == [item.name for item in TAP_SCHEMA.tables]
    for item in tables:
        columns = ", ".join(f'q."{column.name}"' for column in item.columns)
        await connection.fetch(f"SELECT {columns} FROM {item.relation} AS q")
    described = await connection.fetch(
        f"SELECT column_name FROM {found(catalogue, 'TAP_SCHEMA.columns').relation} AS q"
        " WHERE table_name = 'TAP_SCHEMA.columns'"
    )
    assert {row["column_name"] for row in described} == {
        '"size"' if column.name == "size" else column.name for column in TAP_SCHEMA.tables[2].columns
    }


async def test_a_catalogue_is_kept_until_something_changes(connection: Any, database: Settings) -> None:
    desk, public = CatalogueDesk(database), sees_public(TODAY)
    first = await desk.catalogue(connection, None, public)
    assert await desk.catalogue(connection, 17, replace(public, groups=frozenset({"A/2026A/001"}))) is first
    async with connection.transaction():
        await put_published(connection, table("gama.sources"))
    second = await desk.catalogue(connection, None, public)
    assert second is not first
    gama = found(second, "gama.sources")
    assert gama.columns == COLUMNS
    assert gama.positions == (Position("ra", "dec"),)
    assert (gama.rows, gama.relation, gama.kind) == (3, '"published"."gama.sources"', "table")
    assert "gama" in await rows_of(connection, second, "schemas", "schema_name")
    async with connection.transaction():
        assert await take_out(connection, "gama.sources")
        assert not await take_out(connection, "gama.sources")
    third = await desk.catalogue(connection, None, public)
    assert names(third) == names(first)
    assert "gama" not in await rows_of(connection, third, "schemas", "schema_name")
    assert (
        await connection.fetchval("SELECT relation FROM tap_schema.retired") == '"published"."gama.sources"'
    )


async def test_who_does_not_see_a_table_finds_no_trace_of_it(connection: Any, database: Settings) -> None:
    mia, theo = await account(connection, "mia"), await account(connection, "theo")
    async with connection.transaction():
        await put_published(connection, table("open.sky"))
        await put_published(connection, table("ours.targets", Audience(proposal=MINE)))
        await put_published(connection, table("user_mia.mine", Audience(account=mia)))
    desk = CatalogueDesk(database)
    member = Sight(False, frozenset({MINE, OBSERVATORY}), frozenset(), TODAY)
    outsider = Sight(False, frozenset({"B/2026A/020", OBSERVATORY}), frozenset(), TODAY)
    cases = [
        (None, sees_public(TODAY), {"open.sky"}),
        (theo, outsider, {"open.sky"}),
        (theo, member, {"open.sky", "ours.targets"}),
        (mia, outsider, {"open.sky", "user_mia.mine"}),
        (mia, member, {"open.sky", "ours.targets", "user_mia.mine"}),
        (theo, sees_all(TODAY), {"open.sky", "ours.targets"}),
        (None, sees_all(TODAY), {"open.sky", "ours.targets"}),
    ]
    for who, sight, seen in cases:
        catalogue = await desk.catalogue(connection, who, sight)
        published = names(catalogue) - {item.name for schema in DECLARED for item in schema.tables}
        assert published == seen, (who, sight)
        listed = {
            name
            for name in await rows_of(connection, catalogue, "tables", "table_name")
            if name.partition(".")[0] in ("open", "ours", "user_mia")
        }
        assert listed == seen
        described = set(await rows_of(connection, catalogue, "columns", "table_name"))
        assert described & {"open.sky", "ours.targets", "user_mia.mine"} == seen
        schemas = set(await rows_of(connection, catalogue, "schemas", "schema_name"))
        assert schemas & {"open", "ours", "user_mia"} == {name.partition(".")[0] for name in seen}
    await connection.execute("DELETE FROM account WHERE name = 'mia'")
    left = await desk.catalogue(connection, mia, member)
    assert "user_mia.mine" not in names(left)
    assert "user_mia" not in await rows_of(connection, left, "schemas", "schema_name")


def declared(description: str = "Frames", relation: str = "vo.nothing", name: str = "own") -> DeclaredSchema:
    frames = DeclaredTable(
        f"{name}.frames",
        description,
        None,
        relation,
        "frame",
        "view",
        (Column("frame_id", "char", "*"), Column("ra", "double")),
        keys=(DeclaredKey("TAP_SCHEMA.tables", (("frame_id", "table_name"),), "no sense"),),
    )
    return DeclaredSchema(name, "Ours", None, (frames,))


async def test_a_declaration_is_written_when_it_changes(connection: Any, database: Settings) -> None:
    def version() -> Any:
        return connection.fetchval("SELECT version FROM tap_schema.version")

    assert await declare(connection, declared())
    before = await version()
    assert not await declare(connection, declared())
    assert await version() == before
    assert await declare(connection, declared("Raw frames"))
    assert await version() > before
    told = await connection.fetchval(
        "SELECT description FROM tap_schema.tables WHERE table_name = 'own.frames'"
    )
    assert told == "Raw frames"
    # A migration that knows it no more takes it out, and nothing that people made.
    async with connection.transaction():
        await put_published(connection, table("gama.sources"))
    assert await migrate(connection) == []
    left = {row[0] for row in await connection.fetch("SELECT table_name FROM tap_schema.tables")}
    assert "own.frames" not in left
    assert {"gama.sources", "TAP_SCHEMA.tables"} <= left
    assert (
        await connection.fetchval("SELECT count(*) FROM tap_schema.keys WHERE from_table = 'own.frames'") == 0
    )


async def test_a_declared_schema_does_not_take_tables_from_people(connection: Any) -> None:
    async with connection.transaction():
        await put_published(connection, table("own.stars"))
    with pytest.raises(PermanentError, match="paws tap drop"):
        await declare(connection, declared())
    assert await connection.fetchval("SELECT count(*) FROM tap_schema.tables WHERE schema_name = 'own'") == 1


async def test_two_that_migrate_at_once_declare_once(connection: Any, database: Settings) -> None:
    other = await connect(database)
    try:
        results = await asyncio.gather(declare(connection, declared()), declare(other, declared()))
    finally:
        await other.close()
    assert sorted(results) == [False, True]


async def test_rows_with_owners_come_with_the_rule(connection: Any, database: Settings) -> None:
    await declare(connection, declared(relation="vo.frames"))
    await declare(connection, declared(relation=f"SELECT count(*) FROM frame AS r WHERE {SEEN}", name="sums"))
    desk = CatalogueDesk(database)
    limited = await desk.catalogue(connection, None, sees_public(TODAY))
    for name in ("own.frames", "sums.frames"):
        relation = found(limited, name).relation
        assert all(f"${number}::" in relation for number in (1, 2, 3, 4)), relation
    query = f"SELECT * FROM {found(limited, 'sums.frames').relation} AS q"
    assert await connection.fetchval(query, *values_of(sees_public(TODAY))) == 0
    everything = await desk.catalogue(connection, None, sees_all(TODAY))
    assert found(everything, "own.frames").relation == "vo.frames"
    assert await connection.fetchval(f"SELECT * FROM {found(everything, 'sums.frames').relation} AS q") == 0


async def test_schemas_that_are_declared_no_more_go(connection: Any) -> None:
    await declare(connection, declared())
    assert "own" in await declare_all(connection, [TAP_SCHEMA])
    assert await declare_all(connection, [TAP_SCHEMA]) == []
