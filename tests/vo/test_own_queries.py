"""Our own tables asked in ADQL, as visitors do: positions and regions by their indexes, regions as texts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adql import Compiled, compile_query
from adql.backend import Backend
from adql.catalogue import Column, Position, Table
from paws.access.predicate import values_of
from paws.access.rule import Sight, sees_all, sees_public
from paws.database import Pool, open_pool
from paws.settings import Settings, load_settings
from paws.vo.catalogue import CatalogueDesk
from tests.support.geometry import GeometryDatabase
from tests.support.spectra_rows import Spectra, Target, add_spectra

ALL, STRANGER = sees_all(date(2026, 3, 13)), sees_public(date(2026, 3, 13))
NEAR = Spectra("near", targets=(Target("one", 359.9999, -30.0), Target("far", 10.0, -30.0)))


@pytest.fixture
def backend(geometry_backend: GeometryDatabase) -> Backend:
    return geometry_backend.backend


@pytest.fixture
async def pool(geometry_backend: GeometryDatabase) -> AsyncIterator[Pool]:
    async with open_pool(load_settings(database_url=geometry_backend.url), 2) as pool:
        if not await pool.fetchval("SELECT EXISTS (SELECT FROM product)"):
            await add_spectra(pool, NEAR)
        yield pool


async def compiled(
    connection: Any, backend: Backend, query: str, sight: Sight = ALL, uploads: Sequence[Table] = ()
) -> Compiled:
    catalogue = await CatalogueDesk(Settings()).catalogue(connection, None, sight)
    return compile_query(query, catalogue.with_tables(uploads), backend)


async def ask(
    pool: Pool, backend: Backend, query: str, sight: Sight = ALL, uploads: Sequence[Table] = ()
) -> list[tuple[Any, ...]]:
    """What somebody is told, and nothing but what the query's role may read."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE paws_tap")
        made = await compiled(connection, backend, query, sight, uploads)
        values = values_of(sight) if "$1" in made.sql else []
        return [tuple(row) for row in await connection.fetch(made.sql, *values)]


CONES = (
    "SELECT target_name FROM ivoa.obscore WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 0.0001, -30, 0.01))",
    "SELECT target_name FROM ivoa.obscore WHERE DISTANCE(s_ra, s_dec, 0.0001, -30) < 0.01",
    "SELECT target_name FROM ivoa.obscore WHERE INTERSECTS(s_region, CIRCLE(0.0001, -30, 0.01)) = 1",
    "SELECT target_name FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(359.99991, -30), s_region)",
    "SELECT target_name FROM paws.spectra WHERE CONTAINS(POINT(ra, dec), CIRCLE(0.0001, -30, 0.01)) = 1",
    "SELECT target_name FROM paws.targets WHERE 0.01 > DISTANCE(POINT(ra, dec), POINT(0.0001, -30))",
    "SELECT target_name FROM paws.fibres WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0.0001, -30, 0.01))",
    "SELECT ssa_targname FROM ssap.spectra WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0.0001, -30, 0.01))",
)


@pytest.mark.parametrize("sight", [ALL, STRANGER], ids=["all", "stranger"])
async def test_cones_reach_the_index_in_every_table_and_spelling(pool, backend, sight):
    for query in CONES:
        assert await ask(pool, backend, query) == [("one",)], query
        assert await ask(pool, backend, query, STRANGER) == [], query
        async with pool.acquire() as connection, connection.transaction():
            made = await compiled(connection, backend, query, sight)
            await connection.execute("SET LOCAL enable_seqscan = off")
            values = values_of(sight) if "$1" in made.sql else []
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {made.sql}", *values))
        assert "spectrum_region" in plan or "_adql_" in plan, (query, plan)


async def test_a_region_is_a_circle_within_and_a_text_without(pool, backend):
    query = "SELECT TOP 1 s_region, AREA(s_region) AS area_of_it FROM ivoa.obscore WHERE target_name = 'far'"
    [(region, size)] = await ask(pool, backend, query)
    assert region == "Circle ICRS 10 -30 0.0002916666666666667"
    assert size == pytest.approx(3.14159265 * (1.05 / 3600) ** 2, rel=1e-6)
    both = "SELECT s_region FROM ivoa.obscore UNION SELECT s_region FROM ivoa.obscore"
    assert len(await ask(pool, backend, both)) == 2
    within = "SELECT n.s_region FROM (SELECT s_region FROM ivoa.obscore) AS n WHERE AREA(n.s_region) > 0"
    assert len(await ask(pool, backend, within)) == 2
    async with pool.acquire() as connection:
        column = (await compiled(connection, backend, query)).columns[0]
    assert (column.datatype, column.arraysize, column.xtype) == ("char", "*", "adql:REGION")


async def test_all_columns_of_all_tables_can_be_asked_for(pool, backend):
    async with pool.acquire() as connection:
        catalogue = await CatalogueDesk(Settings()).catalogue(connection, None, ALL)
    for table in catalogue:
        if table.parts[0] != "TAP_SCHEMA":
            assert await ask(pool, backend, f"SELECT * FROM {table.name}"), table.name
            assert await ask(pool, backend, f"SELECT * FROM {table.name}", STRANGER) == [], table.name


async def test_tables_go_together_as_their_keys_say(pool, backend):
    query = (
        "SELECT o.target_name, s.signal_to_noise, p.kind, t.spectra FROM ivoa.obscore AS o"
        " JOIN paws.spectra AS s ON o.obs_publisher_did = s.obs_publisher_did"
        " JOIN paws.products AS p ON p.product_id = s.product_id"
        " JOIN paws.targets AS t ON t.best_publisher_did = o.obs_publisher_did"
    )
    assert sorted(await ask(pool, backend, query)) == [
        ("far", 5.0, "object", 1),
        ("one", 5.0, "object", 1),
    ]


async def test_the_queries_of_the_manual_work(pool, backend):
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "query-spectra.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert len(queries) == 6
    mine = Table(
        "TAP_UPLOAD.mine",
        (Column("ra", "double", unit="deg"), Column("dec", "double", unit="deg")),
        "(SELECT 10.0::float8 AS ra, -30.0::float8 AS dec)",
    )
    found = [len(await ask(pool, backend, query, uploads=(mine,))) for query in queries]
    assert found == [1, 0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("join", "searched"),
    [
        ("ivoa.obscore AS o ON DISTANCE(m.ra, m.dec, o.s_ra, o.s_dec) < 0.001", {"place t2"}),
        (
            "ivoa.obscore AS o ON 1 = CONTAINS(POINT(m.ra, m.dec), CIRCLE(o.s_ra, o.s_dec, 0.001))",
            {"place t2"},
        ),
        (
            "ivoa.obscore AS o ON 1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(m.ra, m.dec, 0.001))",
            {"place t2"},
        ),
        ("ivoa.obscore AS o ON 1 = CONTAINS(POINT(m.ra, m.dec), o.s_region)", {"bounds t2"}),
        # What is gathered has no index of its own: each of its rows is looked up in the upload.
        ("paws.targets AS o ON DISTANCE(m.ra, m.dec, o.ra, o.dec) < 0.001", {"place t1"}),
        ("paws.fibres AS o ON DISTANCE(m.ra, m.dec, o.ra, o.dec) < 0.001", {"place t2"}),
    ],
)
async def test_a_small_upload_is_looked_up_in_the_archive(pool, backend, join, searched):
    columns = (Column("ra", "double", unit="deg"), Column("dec", "double", unit="deg"))
    relation = "(SELECT 10 + i * 1e-6::float8 AS ra, -30.0::float8 AS dec FROM generate_series(0, 9) AS i)"
    mine = Table("TAP_UPLOAD.mine", columns, relation, (Position("ra", "dec"),), rows=10)
    query = f"SELECT m.ra, o.target_name FROM TAP_UPLOAD.mine AS m JOIN {join}"
    assert {row[1] for row in await ask(pool, backend, query, uploads=(mine,))} == {"far"}
    async with pool.acquire() as connection:
        made = await compiled(connection, backend, query, uploads=(mine,))
    places = re.findall(r"adql_(?:spoint|place)\((t\d)[^<>]*<@", made.sql)
    bounds = re.findall(r"adql_bounds\((t\d)\.[^()]*\) &&", made.sql)
    assert {f"place {alias}" for alias in places} | {f"bounds {alias}" for alias in bounds} == searched
