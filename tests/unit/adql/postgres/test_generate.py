"""SQL of queries: what can be said of it without a database. What it gives is tested in tests/vo."""

from __future__ import annotations

import re

import pytest

from adql import AdqlError, compile_query
from adql.errors import AdqlLimitError
from adql.features import features
from adql.functions import FUNCTIONS
from adql.postgres.calls import FORMS
from tests.support.adql_sky import CATALOGUE

BACKENDS = ["cube", "pgsphere"]


def _sql(query: str, backend: str = "cube", limit: int | None = None) -> str:
    return compile_query(query, CATALOGUE, backend, limit=limit).sql  # type: ignore[arg-type]  # one of BACKENDS


def test_every_function_has_a_form() -> None:
    assert set(FORMS) == set(FUNCTIONS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_features_are_those_of_the_functions(backend: str) -> None:
    declared = features(backend)  # type: ignore[arg-type]  # one of BACKENDS
    forms = {feature.form.partition("(")[0].strip() for found in declared.values() for feature in found}
    assert forms >= {name for name, function in FUNCTIONS.items() if function.feature is not None}
    assert forms >= {"WITH", "UNION", "EXCEPT", "INTERSECT", "CAST", "IN_UNIT", "OFFSET", "ILIKE", "COALESCE"}
    assert all(kind.startswith("ivo://ivoa.net/std/TAPRegExt#features-") for kind in declared)
    assert all(found for found in declared.values())


@pytest.mark.parametrize(
    ("query", "limit", "expected"),
    [
        ("SELECT TOP 5 id FROM sky.stars", 11, "LIMIT 5"),
        ("SELECT TOP 50 id FROM sky.stars", 11, "LIMIT 11"),
        ("SELECT id FROM sky.stars OFFSET 3", 11, "LIMIT 11 OFFSET 3"),
        ("SELECT TOP 0 id FROM sky.stars", 11, "LIMIT 0"),
        ("SELECT id FROM sky.stars UNION SELECT id FROM sky.targets ORDER BY id", 11, "ORDER BY 1 LIMIT 11"),
    ],
)
def test_rows_are_limited_once(query: str, limit: int, expected: str) -> None:
    assert _sql(query, limit=limit).endswith(expected)


def test_without_a_limit_there_is_none() -> None:
    assert "LIMIT" not in _sql("SELECT id FROM sky.stars")


@pytest.mark.parametrize(
    "condition",
    [
        "0 = CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))",
        "NOT 1 = CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))",
        "DISTANCE(ra, dec, 1, 2) > 3",
        "NOT DISTANCE(ra, dec, 1, 2) < 3",
        "DISTANCE(ra, dec, 1, 2) NOT BETWEEN 0 AND 3",
        "DISTANCE(ra, dec, ra, 2) < 3",
        "DISTANCE(ra + 1, dec, 1, 2) < 3",
        "DISTANCE(dec, ra, 1, 2) < 3",
        "DISTANCE(ra, dec, 1, 2) * -1 < 3",
        "CASE WHEN DISTANCE(ra, dec, 1, 2) < 3 THEN 1 ELSE 0 END = 0",
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_index_where_it_would_be_wrong_or_useless(condition: str, backend: str) -> None:
    sql = _sql(f"SELECT id FROM sky.stars WHERE {condition}", backend)
    assert "<@" not in sql


def test_two_sides_of_a_join_are_told_apart() -> None:
    sql = _sql(
        "SELECT a.id FROM sky.stars AS a JOIN sky.stars AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 1"
    )
    assert re.findall(r"adql_place\((t\d)", sql) == ["t1", "t2"]
    mixed = "SELECT a.id FROM sky.stars AS a JOIN sky.stars AS b ON DISTANCE(a.ra, b.dec, b.ra, a.dec) < 1"
    assert "<@" not in _sql(mixed)


def test_columns_that_are_expressions_are_computed_beneath() -> None:
    sql = _sql("SELECT double_mag FROM sky.stars AS s JOIN sky.targets AS t ON s.id = t.id")
    assert '2 * mag AS "double_mag"' in sql
    assert re.search(r"FROM stars AS r\) AS t1", sql)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CENTROID({}) FROM sky.stars",
        "SELECT id FROM sky.stars WHERE 1 = CONTAINS(CENTROID({}), CIRCLE(1, 2, 3))",
    ],
)
def test_sql_that_doubles_at_every_level_is_refused(query: str) -> None:
    region = "CIRCLE(1, 2, 3)"
    for _ in range(27):
        region = f"CIRCLE(CENTROID({region}), 1)"
    with pytest.raises(AdqlLimitError, match="too large"):
        _sql(query.format(region))


@pytest.mark.parametrize(
    "name", ["pg_sleep", "pg_read_file", "version", "current_user", "set_config", "adql_distance"]
)
def test_functions_of_the_database_are_none_of_ours(name: str) -> None:
    with pytest.raises(AdqlError):
        _sql(f"SELECT {name}(1) FROM sky.stars")


@pytest.mark.parametrize(
    "table",
    [
        "pg_catalog.pg_authid",
        "pg_class",
        "information_schema.tables",
        "public.stars",
        "stars; DROP TABLE stars",
    ],
)
def test_tables_of_the_database_are_none_of_ours(table: str) -> None:
    with pytest.raises(AdqlError):
        _sql(f"SELECT * FROM {table}")


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(AdqlError, match="too large"):
        _sql("SELECT 1e999 FROM sky.stars")
