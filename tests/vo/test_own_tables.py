"""Our own tables: what is in them, who sees it, and that they follow what happens to products."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from paws.access.predicate import values_of
from paws.access.rule import OBSERVATORY, Sight, sees_all, sees_public
from paws.database import Pool, open_pool
from paws.settings import Settings
from paws.vo.declared.all import DECLARED
from paws.vo.declared.values import DeclaredTable, relation_for
from paws.vo.identifiers import publisher_did
from paws.vo.identity import set_identity
from paws.vo.wavelengths import vacuum_of
from tests.support.spectra_rows import (
    PUBLIC_MJD,
    Spectra,
    Target,
    add_spectra,
    take_in,
    write_product,
)

TODAY = date(2026, 3, 13)
ALL, STRANGER = sees_all(TODAY), sees_public(TODAY)
MEMBER = Sight(False, frozenset({OBSERVATORY, "A/2026A/008"}), frozenset(), TODAY)

TABLES = {
    table.name: table for schema in DECLARED for table in schema.tables if table.relation.find("vo.") >= 0
}
MINE = Spectra("mine")
THEIRS = Spectra("theirs", proposal="B/2026A/009", run=12, targets=(Target("one", 10.0, -30.0, 50.0),))
OLD = Spectra("old", proposal="B/2026A/009", utmjd=PUBLIC_MJD, field="FLD2", run=13)

TYPES = {
    ("char", None): {"text", "timestamp without time zone"},
    ("unicodeChar", None): {"text"},
    ("short", None): {"smallint"},
    ("int", None): {"integer"},
    ("long", None): {"bigint"},
    ("float", None): {"real"},
    ("double", None): {"double precision"},
    ("double", "point"): {"double precision[]"},
    ("double", "circle"): {"double precision[]"},
    ("char", "timestamp"): {"timestamp without time zone"},
    ("char", "adql:REGION"): {"double precision[]"},
}


@pytest.fixture
async def pool(database: Settings) -> AsyncIterator[Pool]:
    async with open_pool(database, 2) as pool:
        yield pool


async def ask(pool: Pool, name: str, sight: Sight, what: str = "*", rest: str = "") -> list[dict[str, Any]]:
    """Rows of a table as somebody sees them."""
    relation = relation_for(TABLES[name].relation, TABLES[name].sight)
    rows = await pool.fetch(f"SELECT {what} FROM {relation} AS t {rest}", *values_of(sight))
    return [dict(row) for row in rows]


def test_there_are_the_tables_that_were_promised():
    assert set(TABLES) == {
        "ivoa.obscore",
        "ssap.spectra",
        *(f"paws.{name}" for name in ("spectra", "targets", "fields", "fibres", "products", "frames")),
        "paws.observing_log",
    }


async def test_every_declared_column_is_there_with_its_type(pool):
    await add_spectra(pool, MINE)
    for table in TABLES.values():
        columns = ", ".join(f't."{column.name}"' for column in table.columns)
        types = ", ".join(f'pg_typeof(t."{column.name}")::text' for column in table.columns)
        assert await ask(pool, table.name, ALL, columns), table.name
        found = (await ask(pool, table.name, ALL, f"ARRAY[{types}] AS types"))[0]["types"]
        for column, sql in zip(table.columns, found, strict=True):
            key = (
                column.datatype,
                column.xtype if column.xtype in ("point", "circle", "timestamp", "adql:REGION") else None,
            )
            assert sql in TYPES[key], (table.name, column.name, sql)


async def test_an_observation_says_all_of_itself(pool, database):
    await add_spectra(pool, MINE)
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('paws.base_url', 'https://paws.test', false)")
        row = dict(
            await connection.fetchrow(
                "SELECT * FROM vo.obscore WHERE product_id = $1 AND fibre = 1", MINE.product_id
            )
        )
        await connection.execute("RESET paws.base_url")
    did = publisher_did(database.vo_authority, MINE.product_id, 1)
    assert row["obs_publisher_did"] == did
    assert row["access_url"] == (
        f"https://paws.test/datalink/links?ID=ivo%3A%2F%2Fpaws.local%2Fspectra%3F{MINE.product_id}%2F1"
    )
    assert (row["dataproduct_type"], row["dataproduct_subtype"], row["calib_level"]) == (
        "spectrum",
        "object",
        2,
    )
    assert row["obs_id"] == "20260312-FLD1-p1-0011-f1"
    assert (row["target_name"], row["target_class"], row["s_ra"], row["s_dec"]) == ("one", None, 10.0, -30.0)
    assert row["s_region"] == [10.0, -30.0, pytest.approx(1.05 / 3600)]
    assert row["em_min"] == pytest.approx(float(vacuum_of(3740.0)) * 1e-10, rel=1e-14)
    assert row["em_max"] == pytest.approx(float(vacuum_of(5800.0)) * 1e-10, rel=1e-14)
    assert (row["em_xel"], row["em_res_power"], row["o_ucd"], row["o_unit"]) == (
        2061,
        1300.0,
        "phot.count",
        "electron",
    )
    assert (row["t_min"], row["t_max"]) == (MINE.utmjd, pytest.approx(MINE.utmjd + 900 / 86400))
    assert (row["t_exptime"], row["pol_states"], row["pol_xel"]) == (900.0, None, 0)
    assert (row["proposal_id"], row["data_rights"]) == ("A/2026A/008", "proprietary")
    assert row["obs_release_date"].date() == date(2027, 9, 12)
    assert row["obs_collection"] == database.vo_collection


async def test_mandatory_columns_have_values_for_every_kind_of_product(pool):
    await add_spectra(
        pool,
        MINE,
        Spectra("both", kind="spliced", arm=None, grating="", flux_unit=""),
        Spectra("all", kind="combined", run=None, flux_unit="erg/s/cm2/A"),
    )
    rows = await ask(pool, "ivoa.obscore", ALL)
    for row in rows:
        assert None not in [
            row[name]
            for name in (
                "dataproduct_type",
                "calib_level",
                "obs_collection",
                "obs_id",
                "obs_publisher_did",
                "o_ucd",
            )
        ]
    by_kind = {row["dataproduct_subtype"]: row for row in rows}
    assert by_kind["combined"]["calib_level"] == 3
    assert (by_kind["combined"]["o_ucd"], by_kind["combined"]["o_calib_status"]) == (
        "phot.flux.density;em.wl",
        "absolute",
    )
    assert by_kind["combined"]["obs_id"] == "20260312-FLD1-p1-f2"
    assert by_kind["spliced"]["o_ucd"] == "phot.count"


async def test_an_arm_that_was_spliced_is_the_same_observation(pool):
    await add_spectra(pool, MINE, Spectra("red", arm="red"), Spectra("both", kind="spliced", arm=None))
    rows = await ask(pool, "ivoa.obscore", ALL, "count(*), count(DISTINCT obs_id) AS observations")
    assert rows == [{"count": 6, "observations": 2}]


@pytest.mark.parametrize("name", sorted(TABLES))
async def test_nobody_sees_what_is_hidden(pool, name):
    await add_spectra(pool, MINE, THEIRS)
    table = TABLES[name]
    assert await ask(pool, name, ALL)
    assert await ask(pool, name, STRANGER) == []
    seen = await ask(pool, name, MEMBER, _declared(table))
    assert seen
    assert "theirs" not in str(seen)
    assert "B/2026A/009" not in str(seen)
    assert THEIRS.product_id not in str(seen)
    # What is hidden changes nothing of what is seen, in numbers neither.
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM product WHERE product_id = $1", THEIRS.product_id)
        await connection.execute("DELETE FROM observing_log WHERE frame_id = $1", THEIRS.frame_id)
        await connection.execute("DELETE FROM frame WHERE frame_id = $1", THEIRS.frame_id)
    assert await ask(pool, name, MEMBER, _declared(table)) == seen


async def test_everybody_sees_what_is_public(pool):
    await add_spectra(pool, MINE, OLD)
    for name, table in TABLES.items():
        seen = await ask(pool, name, STRANGER, _declared(table))
        assert seen, name
        assert "mine" not in str(seen)
    row = (await ask(pool, "ivoa.obscore", STRANGER))[0]
    assert (row["data_rights"], row["obs_release_date"].date()) == ("public", date(2016, 6, 9))


def _declared(table: DeclaredTable) -> str:
    return ", ".join(f't."{column.name}"' for column in table.columns)


async def test_no_column_tells_whose_a_row_is():
    for table in TABLES.values():
        assert not {"owner", "owners", "public_on"} & {column.name for column in table.columns}, table.name


async def test_a_superseded_version_and_a_withdrawn_product_leave_at_once(pool):
    better = Spectra("better", version=2, current=False, slot="x")
    await add_spectra(pool, Spectra("first", slot="x"), better)
    dids = "SELECT DISTINCT product_id FROM vo.obscore"
    assert await pool.fetchval(dids) == Spectra("first").product_id
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE product SET current = false WHERE current")
        await connection.execute("UPDATE product SET current = true WHERE version = 2")
    assert [row["product_id"] for row in await pool.fetch(dids)] == [better.product_id]
    await pool.execute("UPDATE product SET current = false")
    for name in ("ivoa.obscore", "ssap.spectra", "paws.spectra", "paws.targets", "paws.fibres"):
        assert await ask(pool, name, ALL) == [], name
    assert [row["is_current"] for row in await ask(pool, "paws.products", ALL)] == [0, 0]


async def test_what_was_asked_for_beside_the_plan_is_nobody_elses(pool):
    await add_spectra(pool, Spectra("own", slot="own/abc/20260312/1/0011/object", current=False))
    for name in TABLES:
        if name not in ("paws.frames", "paws.fields", "paws.observing_log"):
            assert await ask(pool, name, ALL) == [], name


async def test_taken_in_twice_it_is_told_once(pool):
    async with pool.acquire() as connection:
        stored = await write_product(connection, MINE)
    assert await take_in(pool, MINE, stored)
    before = await pool.fetchrow("SELECT * FROM product_spectra")
    assert await take_in(pool, MINE, stored)
    assert await pool.fetchrow("SELECT * FROM product_spectra") == before
    assert await pool.fetchval("SELECT count(*) FROM spectrum") == 2
    assert await pool.fetchval("SELECT count(*) FROM fibre") == 3
    told = await pool.fetch("SELECT payload FROM outbox WHERE payload ->> 'state' = 'published'")
    assert [(row["payload"]["entity_id"], row["payload"]["payload"]["spectra"]) for row in told] == [
        (MINE.product_id, 2)
    ]


async def test_a_product_that_was_repeated_meanwhile_waits_for_its_own_event(pool):
    async with pool.acquire() as connection:
        stored = await write_product(connection, MINE)
    await pool.execute("UPDATE product SET checksum = 'another'")
    assert not await take_in(pool, MINE, stored)
    assert await pool.fetchval("SELECT count(*) FROM product_spectra") == 0


async def test_identifiers_follow_the_authority(pool, database):
    await add_spectra(pool, MINE)
    other = database.model_copy(update={"vo_authority": "aao.test"})
    async with pool.acquire() as connection:
        assert await set_identity(connection, other)
        assert not await set_identity(connection, other)
    row = (await ask(pool, "ivoa.obscore", ALL, rest="WHERE fibre = 1"))[0]
    assert row["obs_publisher_did"] == publisher_did("aao.test", MINE.product_id, 1)
    assert "ivo%3A%2F%2Faao.test%2F" in row["access_url"]


async def test_targets_are_gathered_over_what_is_seen(pool):
    again = Spectra("again", run=14, targets=(Target("one", 10.0, -30.0, 8.0),))
    elsewhere = Spectra("else", run=15, targets=(Target("one", 99.0, -30.0),))
    await add_spectra(pool, MINE, THEIRS, again, elsewhere)
    what = "ra, spectra, exposures, best_signal_to_noise AS best"
    everything = await ask(pool, "paws.targets", ALL, what, "ORDER BY ra")
    assert everything == [
        {"ra": 10.0, "spectra": 3, "exposures": 3, "best": 50.0},
        {"ra": 99.0, "spectra": 1, "exposures": 1, "best": 5.0},
    ]
    assert (await ask(pool, "paws.targets", MEMBER, what, "ORDER BY ra"))[0] == {
        "ra": 10.0,
        "spectra": 2,
        "exposures": 2,
        "best": 8.0,
    }


async def test_fields_leave_junk_out(pool):
    await add_spectra(pool, MINE, Spectra("more", run=16))
    await pool.execute("UPDATE frame SET junked = true WHERE run = 16")
    row = (await ask(pool, "paws.fields", ALL))[0]
    assert (row["frames"], row["exposures"], row["exposed_blue"], row["exposed_red"]) == (1, 1, 900.0, 0.0)
    assert (row["gratings"], row["proposals"], row["ra"]) == ("580V", "A/2026A/008", 10.0)


async def test_a_figure_that_is_no_number_is_none(pool):
    await add_spectra(pool, MINE)
    row = (await ask(pool, "paws.products", ALL))[0]
    assert (row["signal_to_noise"], row["sky_residual"]) == (5.0, None)


@pytest.mark.parametrize("air", [1000.0, 2300.0, 3740.0, 5893.0, 8800.0, 30000.0, 30001.0])
async def test_the_database_computes_wavelengths_as_python_does(pool, air):
    assert await pool.fetchval("SELECT vo.vacuum($1)", air) == pytest.approx(float(vacuum_of(air)), rel=1e-15)


@pytest.mark.parametrize(
    ("name", "where", "index"),
    [
        (
            "ivoa.obscore",
            "point(t.s_ra, t.s_dec) IS NOT NULL AND t.obs_publisher_did = 'x'",
            "spectrum_publisher_did",
        ),
        ("ivoa.obscore", "t.t_min > 61111", "spectrum_time"),
        ("ivoa.obscore", "t.em_min < 4e-7", "spectrum_em"),
        ("paws.targets", "t.target_name = 'one'", "spectrum_target"),
        ("paws.frames", "t.mjd_start > 61111", "frame_time"),
    ],
)
async def test_searches_reach_the_indexes(pool, name, where, index):
    table = TABLES[name]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            f"EXPLAIN SELECT * FROM {relation_for(table.relation, table.sight)} AS t WHERE {where}",
            *values_of(STRANGER),
        )
    assert index in "\n".join(row[0] for row in plan)
