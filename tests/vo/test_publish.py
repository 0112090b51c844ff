"""Publishing a table, with a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any, Literal

import asyncpg
import pytest

from adql.catalogue import Column, Position
from paws.access.rule import sees_public
from paws.accounts.audit import COMMAND_LINE
from paws.database import connect
from paws.settings import Settings
from paws.vo.audience import Audience
from paws.vo.catalogue import CatalogueDesk
from paws.vo.geometry import prepare
from paws.vo.publish import shelf
from paws.vo.publish.errors import PublishError, QuotaError, TableBusyError
from paws.vo.publish.load import _LOCK, publish
from tests.vo.tables import ROWS, STARS, made_up, wish

PUBLIC = sees_public(date(2026, 3, 13))


@pytest.fixture
async def connection(database: Settings) -> AsyncIterator[Any]:
    found = await connect(database)
    try:
        yield found
    finally:
        await found.close()


async def stored(connection: Any) -> list[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'published'")
    return sorted(row["tablename"] for row in rows)


async def test_a_published_table_is_in_the_catalogue_with_rows_and_index(
    connection: Any, database: Settings
) -> None:
    told: list[tuple[str, int]] = []
    await publish(connection, database, wish(), made_up(), on_progress=lambda *step: told.append(step))
    catalogue = await CatalogueDesk(database).catalogue(connection, None, PUBLIC)
    table = next(item for item in catalogue if item.name == "gama.sources")
    assert [(c.name, c.datatype, c.arraysize, c.unit, c.ucd) for c in table.columns] == [
        (c.name, c.datatype, c.arraysize, c.unit, c.ucd) for c in STARS
    ]
    assert (table.rows, table.positions) == (3, (Position("ra", "dec"),))
    assert {c.name for c in table.columns if c.indexed} == {"ra", "dec"}
    rows = await connection.fetch(f"SELECT * FROM {table.relation} AS q ORDER BY id")
    assert [tuple(row) for row in rows] == ROWS
    indexes = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE schemaname = 'published'")
    assert ["USING gist" in row["indexdef"] for row in indexes] == [True]
    assert told[-1] == ("published", 3)
    assert ("indexing", 3) in told
    assert (
        await connection.fetchval("SELECT subject FROM audit WHERE action = 'table published'")
        == "gama.sources"
    )
    # The role of queries may read it, and nothing may write it.
    await connection.execute("SET ROLE paws_tap")
    assert await connection.fetchval(f"SELECT count(*) FROM {table.relation} AS q") == 3
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"DELETE FROM {table.relation}")
    await connection.execute("RESET ROLE")


async def test_names_that_are_hostile_reserved_or_taken_by_postgresql(
    connection: Any, database: Settings
) -> None:
    names = [
        *('a"b', "select", "Size", "SIZE", "xmin", "x'; DROP TABLE account; --", "B-V", "", "  ", "ü" * 60),
        *("$1", "{seen}", "{audience}", "a.b", "new\nline", "%s", "a\\b", "\ud800", "select_2", "oid"),
    ]
    columns = tuple(Column(name, "int") for name in names)
    made = await publish(connection, database, wish(), made_up(columns, [tuple(range(len(names)))]))
    assert len({column.name.lower() for column in made.columns}) == len(names)
    assert len(made.warnings) >= 4
    catalogue = await CatalogueDesk(database).catalogue(connection, None, PUBLIC)
    table = next(item for item in catalogue if item.name == "gama.sources")
    expressions = [column.sql or '"' + column.name.replace('"', '""') + '"' for column in table.columns]
    row = await connection.fetchrow(f"SELECT {', '.join(expressions)} FROM {table.relation} AS q")
    assert list(row.values()) == list(range(len(names)))
    published = await connection.fetch(
        "SELECT column_name FROM tap_schema.columns WHERE table_name = 'gama.sources'"
    )
    assert {'"select"', '"a""b"', '"Size"', "xmin", '"B-V"', "select_2"} <= {
        item["column_name"] for item in published
    }
    assert await connection.fetchval("SELECT count(*) FROM account") == 0


async def test_a_table_is_replaced_under_those_who_read_it(connection: Any, database: Settings) -> None:
    first = await publish(connection, database, wish(), made_up())
    with pytest.raises(PublishError, match="--replace"):
        await publish(connection, database, wish(), made_up())
    reader = await connect(database)
    try:
        async with reader.transaction():
            cursor = await reader.cursor(f"SELECT id FROM {first.relation} ORDER BY id")
            assert (await cursor.fetchrow())["id"] == 1
            second = await publish(
                connection, database, wish(replace=True), made_up(rows=[(7, 1.0, 2.0, "x")])
            )
            assert second.relation != first.relation
            # Its query goes on, and so does one that was translated before and begins now.
            assert (await cursor.fetchrow())["id"] == 2
            assert await shelf.tidy(connection) == []
            assert await connection.fetchval(f"SELECT count(*) FROM {first.relation}") == 3
            assert await shelf.tidy(connection, grace=0) == []  # it is being read
    finally:
        await reader.close()
    assert await shelf.tidy(connection, grace=0) == [first.relation]
    assert len(await stored(connection)) == 1
    catalogue = await CatalogueDesk(database).catalogue(connection, None, PUBLIC)
    assert next(item for item in catalogue if item.name == "gama.sources").rows == 1


async def test_whoever_is_stopped_on_the_way_leaves_nothing(
    connection: Any, database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(connection, database, wish(), made_up())
    before = await stored(connection)
    with pytest.raises(OSError, match="disk"):
        await publish(connection, database, wish(replace=True), made_up(breaks_after=2))

    async def killed(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    # Between the rows and the name.
    monkeypatch.setattr("paws.vo.publish.load.put_published", killed)
    with pytest.raises(KeyboardInterrupt):
        await publish(connection, database, wish(replace=True), made_up())
    with pytest.raises(KeyboardInterrupt):
        await publish(connection, database, wish("other.stars"), made_up())
    assert await stored(connection) == before
    assert [table.name for table in await shelf.all_published(connection)] == ["gama.sources"]
    assert await connection.fetchval("SELECT count(*) FROM tap_schema.retired") == 0


async def test_a_connection_that_is_cut_leaves_nothing(connection: Any, database: Settings) -> None:
    other = await connect(database)

    def cut() -> None:
        other.terminate()

    source = made_up(rows=[(n, 1.0, 2.0, "x") for n in range(5000)])
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await publish(
            other,
            database,
            wish(),
            source,
            on_progress=lambda stage, _rows: cut() if stage == "indexing" else None,
        )
    # The server takes the transaction back when it sees that nobody is there: its lock is free then.
    await connection.execute("SELECT pg_advisory_lock($1, hashtext('gama.sources'))", _LOCK)
    await connection.execute("SELECT pg_advisory_unlock_all()")
    assert await stored(connection) == []
    await publish(connection, database, wish(), source)


async def test_two_that_publish_the_same_name_at_once(connection: Any, database: Settings) -> None:
    other = await connect(database)
    try:
        results = await asyncio.gather(
            publish(connection, database, wish(), made_up()),
            publish(other, database, wish(), made_up()),
            return_exceptions=True,
        )
    finally:
        await other.close()
    failed = [result for result in results if isinstance(result, Exception)]
    assert len(failed) == 1
    assert isinstance(failed[0], PublishError | TableBusyError)
    assert len(await stored(connection)) == 1


async def test_positions_in_other_units_are_converted_and_indexed(
    connection: Any, database: Settings
) -> None:
    columns = (
        Column("alpha", "double", unit="h", ucd="pos.eq.ra;meta.main"),
        Column("delta", "double", unit="deg", ucd="pos.eq.dec;meta.main"),
    )
    made = await publish(connection, database, wish(), made_up(columns, [(12.0, -45.0)]))
    assert made.positions == (Position("ra_deg", "delta"),)
    assert [(c.name, c.ucd) for c in made.columns] == [
        ("alpha", "pos.eq.ra"),
        ("delta", "pos.eq.dec;meta.main"),
        ("ra_deg", "pos.eq.ra;meta.main"),
    ]
    assert await connection.fetchval(f"SELECT ra_deg FROM {made.relation}") == 180.0
    assert any("computed" in text for text in made.warnings)
    radians = tuple(
        Column(name, "float", unit="rad", ucd=f"pos.eq.{axis}") for name, axis in (("a", "ra"), ("d", "dec"))
    )
    made = await publish(connection, database, wish("gama.more"), made_up(radians, [(1.0, 0.5)]))
    assert made.positions == (Position("ra_deg", "dec_deg"),)
    row = await connection.fetchrow(f"SELECT ra_deg, dec_deg FROM {made.relation}")
    assert tuple(row) == pytest.approx((57.29577951308232, 28.64788975654116), rel=1e-12)


@pytest.mark.parametrize("backend", ["cube", "pgsphere"])
async def test_positions_beyond_the_sky_do_not_stop_a_table(
    connection: Any, database: Settings, backend: Literal["cube", "pgsphere"]
) -> None:
    if backend == "pgsphere" and not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_sphere')"
    ):
        pytest.skip("pgSphere is not installed beside the database")
    await prepare(connection, backend)
    places = [(-10.0, 99.0), (float("nan"), 1.0), (720.0, float("inf")), (10.0, -1000.0), (1e300, 1e-300)]
    rows = [(n, ra, dec, "x") for n, (ra, dec) in enumerate(places)]
    made = await publish(connection, database, wish(), made_up(rows=rows))
    assert made.rows == len(rows)
    assert any("outside" in text for text in made.warnings)


async def test_what_people_may_call_and_replace(connection: Any, database: Settings) -> None:
    mia = int(await connection.fetchval("INSERT INTO account (name) VALUES ('mia') RETURNING account_id"))
    theo = int(await connection.fetchval("INSERT INTO account (name) VALUES ('theo') RETURNING account_id"))
    await publish(connection, database, wish("user_mia.own", audience=Audience(account=mia)), made_up())
    for audience in (Audience(account=theo), Audience()):
        with pytest.raises(PublishError, match="not for such a table"):
            await publish(
                connection, database, wish("user_mia.other", audience=audience, replace=True), made_up()
            )
    await connection.execute("UPDATE tap_schema.schemas SET digest = 'x' WHERE schema_name = 'user_mia'")
    with pytest.raises(PublishError, match="own"):
        await publish(connection, database, wish("user_mia.third", audience=Audience(account=mia)), made_up())


async def test_quota_of_rows_tables_and_bytes(connection: Any, database: Settings) -> None:
    mia = int(await connection.fetchval("INSERT INTO account (name) VALUES ('mia') RETURNING account_id"))

    def own(name: str, **more: Any) -> Any:
        return wish(f"user_mia.{name}", audience=Audience(account=mia), **more)

    few = database.model_copy(update={"tap_personal_rows": 5})
    await publish(connection, few, own("a"), made_up())
    with pytest.raises(PublishError, match="more than 2 rows"):
        await publish(connection, few, own("b"), made_up())
    await publish(connection, few, own("a", replace=True), made_up())  # it does not count beside itself
    with pytest.raises(QuotaError, match="used up: 1 tables"):
        await publish(connection, database.model_copy(update={"tap_personal_tables": 1}), own("b"), made_up())
    large = made_up(rows=[(n, 1.0, 2.0, "x" * 100) for n in range(8000)])
    with pytest.raises(QuotaError, match="of your quota are left"):
        await publish(connection, database.model_copy(update={"tap_personal_size": 1}), own("b"), large)
    assert [table.name for table in await shelf.all_published(connection)] == ["user_mia.a"]


async def test_dropping_takes_the_name_at_once_and_the_rows_later(
    connection: Any, database: Settings
) -> None:
    await publish(connection, database, wish(), made_up())
    async with connection.transaction():
        assert await shelf.drop(connection, COMMAND_LINE, "gama.sources")
    async with connection.transaction():
        assert not await shelf.drop(connection, COMMAND_LINE, "gama.sources")
        assert not await shelf.drop(connection, COMMAND_LINE, "TAP_SCHEMA.tables")
    assert await shelf.tables_seen(connection, PUBLIC, None) != []
    assert await shelf.table_seen(connection, "gama.sources", PUBLIC, None) is None
    assert len(await stored(connection)) == 1
    assert len(await shelf.tidy(connection, grace=0)) == 1
    assert await stored(connection) == []


async def test_regions_and_identifiers_are_indexed_too(connection: Any, database: Settings) -> None:
    columns = (
        Column("id", "char", "*", ucd="meta.id;meta.main"),
        Column("number", "long", ucd="meta.id"),
        Column("footprint", "double", "*", "polygon", unit="deg"),
    )
    long = "x" * 5000
    rows = [(long, 1, [1.0, 1.0, 2.0, 1.0, 2.0, 2.0]), (None, 2, None)]
    made = await publish(connection, database, wish(), made_up(columns, rows))
    assert [(c.name, c.indexed) for c in made.columns] == [
        ("id", True),
        ("number", False),
        ("footprint", True),
    ]
    assert {c.name for c in made.columns if c.principal} == {"id", "footprint"}
    indexes = await connection.fetch(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'published' ORDER BY 1"
    )
    assert len(indexes) == 2
    assert await connection.fetchval(f"SELECT number FROM {made.relation} WHERE id = $1", long) == 1
