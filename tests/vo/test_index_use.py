"""Every spelling of a cone and of a positional join uses the index of positions, in both back ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.adql_sky import ask, plan
from tests.support.geometry import GeometryDatabase


@pytest.fixture(scope="module", autouse=True)
def _index_wherever_it_can_serve(sky: GeometryDatabase) -> Iterator[None]:
    """The tables are small: what matters is that the index could be used."""
    sky.execute("SET enable_seqscan = off; SET enable_material = off")
    yield
    sky.execute("RESET enable_seqscan; RESET enable_material")


CONES = [
    "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 10, 20, 2))",
    "CONTAINS(POINT(ra, dec), CIRCLE(POINT(10, 20), 2)) = 1",
    "CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 2)) > 0",
    "0 <> CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 2))",
    "1 = CONTAINS(POINT(10, 20), CIRCLE(ra, dec, 2))",
    "1 = INTERSECTS(POINT(ra, dec), CIRCLE(10, 20, 2))",
    "1 = INTERSECTS(CIRCLE(10, 20, 1), CIRCLE(ra, dec, 1))",
    "DISTANCE(POINT(ra, dec), POINT(10, 20)) < 2",
    "DISTANCE(POINT(10, 20), POINT(ra, dec)) <= 2",
    "2 > DISTANCE(ra, dec, 10, 20)",
    "2 >= DISTANCE(10, 20, ra, dec)",
    "DISTANCE(ra, dec, 10, 20) < 7200 / 3600.",
    "DISTANCE(ra, dec, 10, 20) * 3600 < 7200",
    "7200 > 3600 * DISTANCE(ra, dec, 10, 20)",
    "DISTANCE(ra, dec, 10, 20) BETWEEN 0 AND 2",
    "mag < 21 AND (known = 'true' OR known = 'false') AND DISTANCE(ra, dec, 10, 20) < 2",
    "1 = CONTAINS(POINT(ra, dec), REGION('Circle ICRS 10 20 2'))",
]


@pytest.mark.parametrize("condition", CONES)
def test_cones(sky: GeometryDatabase, condition: str) -> None:
    query = f"SELECT id FROM sky.stars WHERE {condition}"
    assert "Index Cond: " in plan(sky, query)
    expected = sky.rows("SELECT id FROM stars WHERE adql_distance(ra, dec, 10, 20) <= 2")
    assert sorted(ask(sky, query)) == sorted(expected)
    assert expected


@pytest.mark.parametrize(
    "condition",
    [
        "1 = CONTAINS(POINT(ra, dec), POLYGON(9, 19, 9, 21, 11, 21, 11, 19))",
        "1 = CONTAINS(POINT(ra, dec), BOX(10, 20, 4, 4))",
        "1 = INTERSECTS(BOX(359.5, 20, 4, 4), POINT(ra, dec))",
        "1 = CONTAINS(POINT(ra, dec), CIRCLE(0.1, 20, 3))",
        "1 = CONTAINS(CIRCLE(ra, dec, 0.1), CIRCLE(0.1, 89.5, 4))",
        "DISTANCE(ra, dec, 10, 20) < 2 OR DISTANCE(ra, dec, 200, -20) < 2",
    ],
)
def test_regions_and_alternatives(sky: GeometryDatabase, condition: str) -> None:
    """Across right ascension 0 and around a pole as well."""
    query = f"SELECT id FROM sky.stars WHERE {condition}"
    assert "Index Cond: " in plan(sky, query)
    # The same without a filter that an index could serve.
    without = f"SELECT id FROM sky.stars WHERE NOT (NOT ({condition}))"
    assert "Index Cond: " not in plan(sky, without)
    found = ask(sky, query)
    assert sorted(found) == sorted(ask(sky, without))
    assert found


JOINS = [
    ("t JOIN s ON 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(t.ra, t.dec, 0.01))", 400),
    ("s JOIN t ON 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(t.ra, t.dec, 0.01))", 400),
    ("s JOIN t ON CONTAINS(POINT(t.ra, t.dec), CIRCLE(s.ra, s.dec, 0.01)) = 1", 400),
    ("t JOIN s ON DISTANCE(t.ra, t.dec, s.ra, s.dec) < 36 / 3600.", 400),
    ("t JOIN s ON 0.01 > DISTANCE(POINT(s.ra, s.dec), POINT(t.ra, t.dec))", 400),
    ("t JOIN s ON s.id = t.id AND DISTANCE(t.ra, t.dec, s.ra, s.dec) < 0.01", 400),
    ("t JOIN s ON DISTANCE(t.ra, t.dec, s.ra, s.dec) < t.reach", 400),
    ("t JOIN s ON 1 = INTERSECTS(CIRCLE(t.ra, t.dec, t.reach), CIRCLE(s.ra, s.dec, 0.001))", 400),
    ("t, s WHERE DISTANCE(t.ra, t.dec, s.ra, s.dec) < 0.01", 400),
    ("t LEFT JOIN s ON DISTANCE(t.ra, t.dec, s.ra, s.dec) < 0.01", 400),
]


@pytest.mark.parametrize(("joined", "expected"), JOINS, ids=[pair[0] for pair in JOINS])
def test_joins(sky: GeometryDatabase, joined: str, expected: int) -> None:
    """In both orders, with constant and with variable radii, and where rows are filtered by who may see them."""
    tables = joined
    for short, name in (("t", "sky.targets"), ("s", "sky.stars")):
        for before in ("JOIN ", ", "):
            tables = tables.replace(f"{before}{short} ", f"{before}{name} AS {short} ")
        if joined.startswith((f"{short} ", f"{short},")):
            tables = f"{name} AS {short}" + tables[len(short) :]
    query = f"SELECT COUNT(*) FROM {tables}"
    shown = plan(sky, query)
    place = "point(" if sky.backend == "cube" else "spoint("
    assert place in shown.partition("Index Cond: ")[2], shown
    assert ask(sky, query) == [(expected,)]


def test_joins_with_uploads(sky: GeometryDatabase) -> None:
    """Only one side has an index."""
    query = (
        "SELECT COUNT(*) FROM TAP_UPLOAD.mine AS u JOIN sky.stars AS s"
        " ON 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, 0.001))"
    )
    assert "Index Cond: " in plan(sky, query)
    assert ask(sky, query) == [(40,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) FROM (SELECT ra AS a, dec AS d FROM sky.stars) AS x WHERE DISTANCE(a, d, 10, 20) < 2",
        "WITH x AS (SELECT ra, dec FROM sky.stars WHERE id > 0) SELECT COUNT(*) FROM x WHERE DISTANCE(ra, dec, 10, 20) < 2",
    ],
)
def test_positions_behind_other_queries(sky: GeometryDatabase, query: str) -> None:
    assert "Index Cond: " in plan(sky, query)


@pytest.mark.parametrize("column", ["disc", "outline"])
def test_columns_of_regions(sky: GeometryDatabase, column: str) -> None:
    ((ra, dec),) = sky.rows("SELECT ra, dec FROM stars WHERE id = 500")
    query = f"SELECT id FROM sky.fields WHERE 1 = INTERSECTS({column}, CIRCLE({ra}, {dec}, 0.5))"
    assert "&&" in plan(sky, query).split("Index Cond: ", 1)[1]
    assert ask(sky, query) == [(500,)]
    within = f"SELECT id FROM sky.fields WHERE 1 = CONTAINS(POINT({ra}, {dec}), {column})"
    assert "Index Cond: " in plan(sky, within)
    assert ask(sky, within) == [(500,)]


@pytest.mark.parametrize("radius", [100.0, 179.0])
def test_radii_beyond_a_right_angle(sky: GeometryDatabase, radius: float) -> None:
    """pgSphere knows no such circles: constant or of a column, they give what the exact function gives."""
    sky.execute(
        f"CREATE TABLE wide AS SELECT 30.0::float8 AS ra, -40.0::float8 AS dec, {radius}::float8 AS reach"
    )
    try:
        (expected,) = sky.rows(
            f"SELECT count(*) FROM stars WHERE adql_distance(ra, dec, 30, -40) <= {radius}"
        )
        names = {
            "cube": "adql_place(ra, dec) <@ adql_band{0}",
            "pgsphere": "(adql_spoint(ra, dec) <@ adql_cap{0} OR adql_spoint(ra, dec) <@ adql_cap_beyond{0})",
        }
        cone = names[sky.backend].format("(w.a, w.d, w.reach)")
        ((joined,),) = sky.rows(
            f"SELECT count(*) FROM (SELECT ra AS a, dec AS d, reach FROM wide) AS w JOIN stars ON {cone}"
            " AND adql_distance(stars.ra, stars.dec, w.a, w.d) <= w.reach"
        )
        assert (joined,) == expected
        assert ask(sky, f"SELECT COUNT(*) FROM sky.stars WHERE DISTANCE(ra, dec, 30, -40) <= {radius}") == [
            expected
        ]
    finally:
        sky.execute("DROP TABLE wide")
