"""How a database is made ready for a back end, and what becomes of indexes when it changes."""

from __future__ import annotations

import asyncio

import asyncpg
import numpy as np
import pytest

from paws.errors import ConfigurationError
from paws.settings import Settings
from paws.vo.geometry import backend_of, index_positions, prepare
from tests.support.geometry import GeometryDatabase


async def _indexes(connection: asyncpg.Connection, relation: str) -> list[str]:
    rows = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = $1 ORDER BY 1", relation)
    return [row["indexdef"].partition(" USING ")[2] for row in rows]


async def _available(connection: asyncpg.Connection) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_sphere')"
        )
    )


async def test_indexes_follow_the_back_end(database: Settings) -> None:
    connection = await asyncpg.connect(database.require_database())
    try:
        await connection.execute('CREATE TABLE "A b" (ra real, "Dec (deg)" numeric, d float8)')
        assert await backend_of(connection, database) == "cube"
        for _ in range(2):
            await index_positions(connection, "cube", '"A b"', "ra", "Dec (deg)")
        await index_positions(connection, "cube", '"A b"', "ra", "d")
        assert len(await _indexes(connection, "A b")) == 2
        if not await _available(connection):
            pytest.skip("pgSphere is not installed beside the database")
        for _ in range(2):
            assert await prepare(connection, "auto") == "pgsphere"
            found = await _indexes(connection, "A b")
            assert [found[n].partition("(")[2].partition("(")[0] for n in range(4)] == ["adql_place"] * 2 + [
                "adql_spoint"
            ] * 2
        assert await backend_of(connection, database) == "pgsphere"
        assert await backend_of(connection, database.model_copy(update={"tap_geometry": "cube"})) == "cube"
    finally:
        await connection.close()


async def test_a_login_that_may_not_make_extensions_gets_the_other_back_end(database: Settings) -> None:
    connection = await asyncpg.connect(database.require_database())
    try:
        await connection.execute("CREATE ROLE geometry_plain; GRANT ALL ON SCHEMA public TO geometry_plain")
        try:
            await connection.execute("SET ROLE geometry_plain")
            assert await prepare(connection, "auto") == "cube"
            with pytest.raises(ConfigurationError, match="CREATE EXTENSION pg_sphere"):
                await prepare(connection, "pgsphere")
            with pytest.raises(ConfigurationError, match="paws migrate"):
                await backend_of(connection, database.model_copy(update={"tap_geometry": "pgsphere"}))
        finally:
            await connection.execute("RESET ROLE; DROP OWNED BY geometry_plain; DROP ROLE geometry_plain")
    finally:
        await connection.close()


async def test_two_that_index_at_once_make_one_index(database: Settings) -> None:
    connections = [await asyncpg.connect(database.require_database()) for _ in range(3)]
    try:
        await connections[0].execute("CREATE TABLE crowd (ra float8, dec float8)")
        await asyncio.gather(*(index_positions(one, "cube", "crowd", "ra", "dec") for one in connections))
        assert len(await _indexes(connections[0], "crowd")) == 1
    finally:
        for one in connections:
            await one.close()


def _cell(order: int, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """HEALPix cells by the projection of Calabretta & Roukema (2007), and how far inside its cell each position is.

    The plane is tiled by 12 squares standing on a corner; within one, the cell is found by halving.
    """
    z = np.sin(np.radians(dec.astype(np.longdouble)))
    u = ra.astype(np.longdouble) % 360 / 45
    polar = np.sqrt(3 * (1 - np.abs(z)))
    middle = 2 * np.floor(u / 2) + 1
    equatorial = np.abs(z) <= 2 / np.longdouble(3)
    u = np.where(equatorial, u, middle + (u - middle) * polar)
    v = np.where(equatorial, 1.5 * z, np.sign(z) * (2 - polar))
    face, east, west = np.full(len(ra), -1), np.zeros_like(u), np.zeros_like(u)
    for number in range(12):
        row, column = divmod(number, 4)
        across = (u - (2 * column + (row != 1)) + 4) % 8 - 4
        up = v - (1 - row)
        here = (face < 0) & (np.abs(across) + np.abs(up) <= 1)
        face[here] = number
        east[here], west[here] = ((across + up + 1) / 2)[here], ((up - across + 1) / 2)[here]
    index, inside = face.astype(object), np.ones(len(ra))
    for _ in range(order):
        east, west = east * 2, west * 2
        x, y = np.minimum(np.floor(east), 1), np.minimum(np.floor(west), 1)
        east, west = east - x, west - y
        index = index * 4 + (x + 2 * y).astype(int)
    inside = np.minimum.reduce([east, west, 1 - east, 1 - west]).astype(float)
    return index, inside


@pytest.mark.parametrize("order", [0, 1, 5, 12, 29])
def test_healpix_cells_are_those_of_the_projection(geometry_backend: GeometryDatabase, order: int) -> None:
    rng = np.random.default_rng(order)
    ra = np.concatenate([rng.uniform(-360, 720, 1500), rng.uniform(0, 360, 300)])
    dec = np.concatenate(
        [
            np.degrees(np.arcsin(rng.uniform(-1, 1, 1500))),
            rng.choice([-1, 1], 300) * (90 - 10.0 ** rng.uniform(-8, 1, 300)),
        ]
    )
    found = geometry_backend.value(
        "SELECT array_agg(adql_healpix_index(%s, a, d) ORDER BY i)"
        " FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS t(a, d, i)",
        [order, list(ra), list(dec)],
    )
    expected, inside = _cell(order, ra, dec)
    # A position has 15 digits; the smallest cells are not much larger.
    sure = inside > 1e-14 * 2.0**order + 1e-12
    assert sure.sum() > 1700
    assert np.array_equal(np.array(found, dtype=object)[sure], expected[sure])


def test_healpix_centres_lie_in_their_cells(geometry_backend: GeometryDatabase) -> None:
    rng = np.random.default_rng(1)
    orders = np.repeat(np.arange(30), 40)
    cells = [int(rng.integers(0, 12 * 4 ** int(order))) for order in orders]
    wrong = geometry_backend.value(
        "SELECT count(*) FROM unnest(%s::int[], %s::bigint[]) AS t(k, cell), LATERAL adql_healpix_center(k, cell) AS c"
        " WHERE adql_healpix_index(k, c[1], c[2]) <> cell OR c[1] < 0 OR c[1] >= 360",
        [[int(order) for order in orders], cells],
    )
    assert wrong == 0
    ((far, beyond),) = geometry_backend.rows(
        "SELECT adql_healpix_index(30, 1, 1), adql_healpix_center(0, 12)"
    )
    assert (far, beyond) == (None, None)


@pytest.mark.parametrize("geometry_backend", ["pgsphere"], indirect=True)
def test_healpix_cells_agree_with_pgsphere(geometry_backend: GeometryDatabase) -> None:
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    differing = geometry_backend.value(
        "SELECT count(*) FROM unnest(%s::float8[], %s::float8[]) AS t(a, d)"
        " WHERE adql_healpix_index(8, a, d) <> healpix_nest(8, spoint(radians(a), radians(d)))",
        [list(ra), list(dec)],
    )
    assert differing == 0
