"""A small sky for queries in ADQL: its tables in the database, and the catalogue that describes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adql import compile_query
from adql.catalogue import Catalogue, Column, Position, Table
from tests.support.geometry import GeometryDatabase, made_ready
from tests.support.postgres import DatabaseServer

STARS = 4000

_TABLES = f"""
CREATE TABLE stars AS
SELECT i::bigint AS id, 'N' || i AS name, a AS ra, degrees(asin(z)) AS dec, (i % 20)::real AS mag,
       (i % 7 - 3)::double precision AS pm, (i % 3)::smallint AS flag, i % 2 = 0 AS known,
       timestamp '2026-11-22 12:00' + i * interval '1 hour' AS seen
FROM (SELECT i, 360 * (i * 0.6180339887498949::double precision - floor(i * 0.6180339887498949::double precision)) AS a, 2 * (i - 0.5::double precision) / {STARS} - 1 AS z
      FROM generate_series(1, {STARS}) AS i) AS lattice;
INSERT INTO stars VALUES (90001, 'no place', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                         (90002, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 0, false, NULL);
CREATE TABLE targets AS SELECT id, ra + 1e-5 AS ra, dec, 0.02::double precision AS reach FROM stars WHERE id % 10 = 0;
CREATE TABLE uploaded AS SELECT id, ra, dec FROM stars WHERE id <= 40;
CREATE TABLE fields AS
SELECT id, ARRAY[ra, dec, 0.9] AS disc, adql_box(ra, dec, 2, 2) AS outline,
       'CIRCLE ICRS ' || ra || ' ' || dec || ' 0.5' AS written
FROM stars WHERE id % 500 = 0;
ANALYZE
"""


def _number(name: str, datatype: str = "double", **metadata: Any) -> Column:
    return Column(name, datatype, **metadata)


def _text(name: str, xtype: str | None = None) -> Column:
    return Column(name, "char", "*", xtype)


_PAIR = (Position("ra", "dec"),)
CATALOGUE = Catalogue(
    [
        Table(
            "sky.stars",
            (
                _number("id", "long"),
                _text("name"),
                _number("ra", unit="deg", ucd="pos.eq.ra;meta.main"),
                _number("dec", unit="deg", ucd="pos.eq.dec;meta.main"),
                _number("mag", "float", unit="mag"),
                _number("pm", unit="mas/yr"),
                _number("flag", "short"),
                _number("known", "boolean"),
                _text("seen", "timestamp"),
                _number("double_mag", sql="2 * mag"),
            ),
            "stars",
            _PAIR,
        ),
        Table(
            "sky.targets",
            (_number("id", "long"), _number("ra"), _number("dec"), _number("reach")),
            "(SELECT r.* FROM targets AS r WHERE r.id > 0 OR r.id < -5)",
            _PAIR,
        ),
        Table("TAP_UPLOAD.mine", (_number("id", "long"), _number("ra"), _number("dec")), "uploaded"),
        Table(
            "sky.fields",
            (
                _number("id", "long"),
                Column("disc", "double", "3", "circle", indexed=True),
                Column("outline", "double", "*", "polygon", indexed=True),
                Column("written", "char", "*", "adql:REGION"),
            ),
            "fields",
        ),
    ]
)


@pytest.fixture(scope="session", params=["cube", "pgsphere"])
def sky(request: pytest.FixtureRequest, database_server: DatabaseServer) -> Iterator[GeometryDatabase]:
    """The tables and their indexes, for each back end; tests leave them as they are."""
    with made_ready(database_server, request.param, "sky") as database:
        database.execute(_TABLES)
        database.index_positions("stars")
        database.index_positions("targets")
        database.index_regions("fields", "disc")
        database.index_regions("fields", "outline")
        database.execute("ANALYZE")
        yield database


def ask(database: GeometryDatabase, query: str, limit: int | None = None) -> list[tuple[Any, ...]]:
    """Rows of a query in ADQL."""
    return database.rows(compile_query(query, CATALOGUE, database.backend, limit=limit).sql)


def plan(database: GeometryDatabase, query: str) -> str:
    """How the database would run a query in ADQL."""
    sql = compile_query(query, CATALOGUE, database.backend).sql
    return "\n".join(row[0] for row in database.rows(f"EXPLAIN (COSTS OFF) {sql}"))
