"""Queries in ADQL, run on both back ends: what they give, not how they are written."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from adql import AdqlError, compile_query
from adql.postgres import literals
from tests.support.adql_sky import CATALOGUE, STARS, ask
from tests.support.geometry import GeometryDatabase


def _value(sky: GeometryDatabase, expression: str) -> Any:
    """What an expression gives for the star 7: mag 7, pm -3, flag 1."""
    ((value,),) = ask(sky, f"SELECT {expression} FROM sky.stars WHERE id = 7")
    return value


EXPRESSIONS: list[tuple[str, Any]] = [
    # Arithmetic: of integers as integers, of anything wider as double precision.
    ("7 / 2", 3),
    ("7 / 2.0", 3.5),
    ("-7 / 2", -3),
    ("id / 0", None),
    ("mag / (flag - 1)", None),
    ("1 / 3.0", 1 / 3),
    ("2 + 3 * 4 - 1", 13),
    ("(2 + 3) * 4", 20),
    ("- id", -7),
    ("mag * 1e30 * 1e30", 7e60),
    ("9223372036854775807", 9223372036854775807),
    ("123456789012345678901234567890", 1.2345678901234568e29),
    ("mag / 0 + 1", None),
    # Functions, and what lies outside their domains.
    ("ABS(pm)", 3.0),
    ("CEILING(7.2)", 8.0),
    ("FLOOR(-7.2)", -8.0),
    ("ROUND(2.5)", 3.0),
    ("ROUND(2.675, 2)", 2.68),
    ("ROUND(1234.5, -2)", 1200.0),
    ("ROUND(123456789.123456789, 9)", 123456789.123456789),
    ("TRUNCATE(2.679, 2)", 2.67),
    ("TRUNCATE(-2.6)", -2.0),
    ("MOD(7, 4)", 3),
    ("MOD(-7, 4)", -3),
    ("MOD(7.5, 2)", 1.5),
    ("MOD(7, 0)", None),
    ("POWER(2, 10)", 1024.0),
    ("POWER(-8, 3)", -512.0),
    ("POWER(-8, 0.5)", None),
    ("POWER(0, -1)", None),
    ("POWER(0, 0)", 1.0),
    ("POWER(10, 400)", None),
    ("POWER(10, -400)", 0.0),
    ("SQRT(2)", math.sqrt(2)),
    ("SQRT(-1)", None),
    ("LOG(2)", math.log(2)),
    ("LOG10(1000)", 3.0),
    ("LOG(0)", None),
    ("LOG10(-1)", None),
    ("EXP(1)", math.e),
    ("EXP(1000)", None),
    ("EXP(-1000)", 0.0),
    ("DEGREES(PI())", 180.0),
    ("RADIANS(180)", math.pi),
    ("SIN(1)", math.sin(1)),
    ("COS(1)", math.cos(1)),
    ("TAN(1)", math.tan(1)),
    ("COT(1)", 1 / math.tan(1)),
    ("ASIN(1)", math.pi / 2),
    ("ASIN(2)", None),
    ("ACOS(-1.5)", None),
    ("ATAN(1)", math.pi / 4),
    ("ATAN2(1, -1)", 3 * math.pi / 4),
    ("IN_UNIT(pm, 'deg/yr')", -3 / 3.6e6),
    ("SQRT(NULL)", None),
    # Texts.
    ("UPPER(name) || '-' || LOWER('AB')", "N7-ab"),
    ("'a' || id", "a7"),
    ("'it''s \\ fine'", "it's \\ fine"),
    ("name || mag / 0", None),
    ("COALESCE(NULL, mag, 1)", 7.0),
    ("CASE WHEN mag < 5 THEN 'bright' WHEN mag < 10 THEN 'middling' ELSE 'faint' END", "middling"),
    ("CASE id WHEN 8 THEN 'eight' END", None),
    # Types.
    ("CAST(mag AS INTEGER)", 7),
    ("CAST('12' AS BIGINT)", 12),
    ("CAST('12.5e1' AS DOUBLE PRECISION)", 125.0),
    ("CAST(name AS INTEGER)", None),
    ("CAST(name AS REAL)", None),
    ("CAST(1e10 AS INTEGER)", None),
    ("CAST(id * 10000 AS SMALLINT)", None),
    ("CAST(9007199254740993 AS BIGINT)", 9007199254740993),
    ("CAST('9007199254740993' AS BIGINT)", 9007199254740993),
    ("CAST(1e300 AS BIGINT)", None),
    ("CAST(1e300 AS REAL)", None),
    ("CAST(1e-300 AS REAL)", 0.0),
    ("CAST('1e-99' AS REAL)", 0.0),
    ("CAST(known AS INTEGER)", 0),
    ("CAST('10 north' AS POINT)", None),
    ("CAST(id AS VARCHAR)", "7"),
    ("CAST('abcdef' AS CHAR(3))", "abc"),
    ("CAST('abcdef' AS CHAR(99999999999))", "abcdef"),
    ("CAST('2026-11-22T18:00:00' AS TIMESTAMP)", datetime(2026, 11, 22, 18)),
    ("CAST(seen AS VARCHAR(19))", "2026-11-22T19:00:00"),
    ("CAST('10 20' AS POINT)", [10.0, 20.0]),
    ("CAST('10 20 1' AS CIRCLE)", [10.0, 20.0, 1.0]),
    ("CAST('1 1 2 1 2 2' AS POLYGON)", [1.0, 1.0, 2.0, 1.0, 2.0, 2.0]),
    ("CAST('' AS CIRCLE)", None),
    ("CAST('10 20' AS CIRCLE)", None),
    ("CAST('10 20 1' AS POINT)", None),
    ("CAST('10 20 1' AS POLYGON)", None),
    ("CAST(CAST(id AS VARCHAR) || ' 20' AS POINT)", [7.0, 20.0]),
    ("CAST(CAST(id AS VARCHAR) || ' 20' AS CIRCLE)", None),
    ("CONTAINS(CAST(CAST(id AS VARCHAR) || ' 20' AS POINT), CIRCLE(7, 20, 1))", 1),
    ("CONTAINS(POINT(7, 20), CAST('10 20' AS CIRCLE))", None),
    ("CAST(MAX(CAST(id AS VARCHAR)) || ' 20' AS POINT)", [7.0, 20.0]),
    # Places. Regions have DALI's numbers; asked outside a condition, predicates are 1 and 0.
    ("POINT('ICRS', 10, -20)", [10.0, -20.0]),
    ("CIRCLE(POINT(10, 20), 1)", [10.0, 20.0, 1.0]),
    ("POLYGON(1, 2, 3, 4, 5, 6.5)", [1.0, 2.0, 3.0, 4.0, 5.0, 6.5]),
    ("POINT(mag / 0, 1)", None),
    ("COORD1(POINT(10, 20)) - COORD2(CENTROID(CIRCLE(1, 5, 2)))", 5.0),
    ("COORDSYS(POINT(1, 2))", "ICRS"),
    ("AREA(REGION('CIRCLE ICRS 1 2 180')) / PI()", 4 * (180 / math.pi) ** 2),
    ("CONTAINS(POINT(1, 1), CIRCLE(1, 1.5, 0.5))", 1),
    ("CONTAINS(POINT(1, 1), BOX(5, 5, 2, 2)) + INTERSECTS(CIRCLE(1, 1, 1), CIRCLE(3, 1, 1))", 1),
    ("CONTAINS(POINT(1, mag / 0), CIRCLE(1, 1, 1))", None),
    ("DISTANCE(POINT(359, 0), POINT(1, 0))", 2.0),
    ("DISTANCE(0, 89, 180, 89)", 2.0),
    # User defined functions.
    ("ivo_hasword('A red Galaxy', 'galaxy')", 1),
    ("ivo_hasword('A red Galaxy', 'gal')", 0),
    ("ivo_hashlist_has('a#B', 'b')", 1),
    ("ivo_nocasematch('NGC 12', 'ngc%')", 1),
    ("ivo_nocasematch('a_c', 'a\\_c')", 0),
    ("ivo_interval_overlaps(1, 2, 2, 3)", 1),
    ("ivo_interval_overlaps(1, 2, 2.1, 3)", 0),
    ("gavo_to_mjd('2000-01-01T12:00:00')", 51544.5),
    ("gavo_to_jd('2000-01-01T12:00:00')", 2451545.0),
    ("ivo_healpix_index(0, 2, 1)", 4),
    ("ivo_healpix_index(29, 45, 90) - ivo_healpix_index(29, 45, 89.99999999)", 0),
    ("ivo_healpix_center(0, 4)", [0.0, 0.0]),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[pair[0] for pair in EXPRESSIONS])
def test_values(sky: GeometryDatabase, expression: str, expected: Any) -> None:
    found = _value(sky, expression)
    if isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-12)
    else:
        assert found == expected


COUNTS = [
    ("sky.stars", STARS + 2),
    ("sky.stars WHERE mag BETWEEN 3 AND 4 AND flag = 1", 133),
    ("sky.stars WHERE flag IN (0, 1) AND id NOT IN (1, 2)", 2667),
    ("sky.stars WHERE name LIKE 'N_' OR name ILIKE 'n1_'", 19),
    ("sky.stars WHERE name LIKE 'N\\%'", 0),
    ("sky.stars WHERE mag IS NULL OR NOT mag < 19", 202),
    ("sky.stars WHERE seen < '2026-11-22T18:00:00Z'", 5),
    ("sky.stars WHERE known = 'true'", 2000),
    ("sky.stars AS s WHERE EXISTS (SELECT id FROM sky.targets AS t WHERE t.id = s.id)", 400),
    ("sky.stars WHERE id IN (SELECT id FROM TAP_UPLOAD.mine)", 40),
    ("sky.stars NATURAL JOIN TAP_UPLOAD.mine", 40),
    ("sky.stars AS s LEFT OUTER JOIN sky.targets AS t USING (id) WHERE reach IS NULL", 3602),
    ("sky.targets AS t FULL OUTER JOIN TAP_UPLOAD.mine AS u ON t.id = u.id", 436),
    ("sky.stars, sky.fields WHERE stars.id = fields.id", 8),
    ("(SELECT TOP 5 id FROM sky.stars ORDER BY id) AS few", 5),
    ("(SELECT id FROM sky.stars UNION SELECT id FROM sky.targets) AS both_", STARS + 2),
    ("(SELECT id FROM sky.stars EXCEPT ALL SELECT id FROM sky.targets) AS rest", STARS + 2 - 400),
    ("(SELECT id FROM sky.targets INTERSECT SELECT id FROM TAP_UPLOAD.mine) AS shared", 4),
    ("sky.stars WHERE double_mag = 38", 200),
    # What has no place, be it NULL or NaN, lies neither inside nor outside.
    ("sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 180))", STARS),
    ("sky.stars WHERE 0 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 180))", 0),
    ("sky.stars WHERE CONTAINS(POINT(ra, dec), CIRCLE(0, 90, 90)) <> 1", STARS // 2),
    ("sky.stars WHERE NOT DISTANCE(ra, dec, 0, 90) < 90", STARS // 2),
    (
        "sky.stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 90, 60)) OR DISTANCE(ra, dec, 0, -90) <= 60",
        STARS // 2,
    ),
    ("sky.fields WHERE 1 = CONTAINS(disc, outline)", 8),
    ("sky.fields WHERE 1 = INTERSECTS(disc, CIRCLE(0, 0, 180)) AND 1 = INTERSECTS(outline, disc)", 8),
    ("sky.fields WHERE 1 = CONTAINS(written, disc) AND 1 = CONTAINS(CENTROID(written), outline)", 8),
    (
        "sky.fields AS f JOIN sky.stars AS s ON f.id = s.id WHERE 1 = CONTAINS(POINT(s.ra, s.dec), f.outline)",
        8,
    ),
]


@pytest.mark.parametrize(("tables", "expected"), COUNTS, ids=[pair[0] for pair in COUNTS])
def test_counts(sky: GeometryDatabase, tables: str, expected: int) -> None:
    assert ask(sky, f"SELECT COUNT(*) FROM {tables}") == [(expected,)]


def test_groups(sky: GeometryDatabase) -> None:
    rows = ask(
        sky,
        "SELECT ROUND(mag, -1) AS bin, COUNT(*) AS n, AVG(id) AS middle, SUM(id) AS total, MIN(name) AS lowest"
        " FROM sky.stars WHERE id <= 20 GROUP BY bin HAVING COUNT(*) > 5 ORDER BY n DESC",
    )
    assert rows[0][:2] == (10.0, 10)
    assert rows[0][2:] == (9.5, 95, "N10")
    assert isinstance(rows[0][3], int)
    assert isinstance(rows[0][2], float)


@pytest.mark.parametrize(
    ("query", "limit", "expected"),
    [
        ("SELECT TOP 3 id FROM sky.stars ORDER BY id", 100, [1, 2, 3]),
        ("SELECT TOP 3 id FROM sky.stars ORDER BY id DESC", 2, [90002, 90001]),
        ("SELECT TOP 0 id FROM sky.stars", None, []),
        ("SELECT TOP 2 id FROM sky.stars ORDER BY mag DESC, id OFFSET 3", None, [39, 59]),
        ("SELECT DISTINCT flag FROM sky.stars WHERE flag > 0 ORDER BY flag DESC", None, [2, 1]),
        ("(SELECT TOP 2 id FROM sky.stars ORDER BY id DESC) UNION ALL SELECT TOP 1 id FROM sky.targets ORDER BY 1", 2, [10, 90001]),
        ("WITH a AS (SELECT id FROM sky.stars WHERE id < 9), b AS (SELECT id FROM a WHERE id > 6) SELECT id FROM b ORDER BY id", None, [7, 8]),
        ("SELECT id FROM sky.stars WHERE id < 3 UNION SELECT NULL FROM sky.targets ORDER BY id", None, [1, 2, None]),
    ],
)  # fmt: skip
def test_rows_in_order(sky: GeometryDatabase, query: str, limit: int | None, expected: list[int]) -> None:
    assert [row[0] for row in ask(sky, query, limit)] == expected


def test_random_numbers_of_a_seed_repeat(sky: GeometryDatabase) -> None:
    query = "SELECT TOP 5 RAND(42) FROM sky.stars"
    first, second = ask(sky, query), ask(sky, query)
    assert first == second
    assert len(set(first)) == 5
    assert ask(sky, "SELECT TOP 5 RAND() FROM sky.stars") != first


def test_names_of_columns_are_as_declared(sky: GeometryDatabase) -> None:
    compiled = compile_query(
        'SELECT id, mag * 2, name AS "Ünïque ""x""", id FROM sky.stars', CATALOGUE, sky.backend
    )
    described = sky.connection.execute(compiled.sql.encode()).description or []
    assert [column.name for column in described] == [column.name for column in compiled.columns]
    assert len({column.name.lower() for column in compiled.columns}) == 4


@examples(max_examples=60)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_texts_come_back_as_they_were_written(sky: GeometryDatabase, value: str) -> None:
    """No quote, backslash or comment of a user ends a literal or a name, whatever the server's settings."""
    for conforming in ("on", "off"):
        sky.execute(f"SET standard_conforming_strings = {conforming}")
        try:
            assert sky.value(f"SELECT {literals.text(value)}") == value
        finally:
            sky.execute("RESET standard_conforming_strings")
    name = value[:10] or "x"
    cursor = sky.connection.execute(f"SELECT 1 AS {literals.name(name)}".encode())
    assert cursor.description is not None
    assert cursor.description[0].name == name


def test_what_is_no_number_says_so(sky: GeometryDatabase) -> None:
    """Errors that are left are the database's own, and end a query at its begin or with a clear word."""
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        ask(sky, "SELECT SUM(id * 4611686018427387904) FROM sky.stars")


@pytest.mark.parametrize(
    "condition",
    [
        "DISTANCE(s.ra, s.dec, t.ra, t.dec) < 1",
        "s.id = t.id AND DISTANCE(s.ra, s.dec, t.ra, t.dec) < 1",
        "s.id < t.id",
        "s.id = 3",
    ],
)
def test_full_joins_by_anything_but_equal_values_are_refused(sky: GeometryDatabase, condition: str) -> None:
    """PostgreSQL cannot do them; whoever asks is told so before the query runs."""
    with pytest.raises(AdqlError, match="FULL JOIN"):
        ask(sky, f"SELECT s.id FROM sky.stars AS s FULL JOIN sky.targets AS t ON {condition}")


def test_full_joins_by_equal_values(sky: GeometryDatabase) -> None:
    query = (
        "SELECT COUNT(*) FROM sky.stars AS s FULL JOIN sky.targets AS t ON s.id = t.id AND s.flag = t.reach"
    )
    assert ask(sky, query) == [(STARS + 2 + 400,)]
