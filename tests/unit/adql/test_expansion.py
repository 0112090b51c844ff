"""Short queries that become huge: refused before a database plans them, and quickly."""

from __future__ import annotations

import pytest

from adql import compile_query
from adql.catalogue import Catalogue, Column, Table
from adql.errors import AdqlLimitError

SKY = Catalogue(
    [
        Table(
            name="sky",
            columns=(Column("x", "double"), Column("n", "int"), Column("name", "char", "*")),
            relation="sky",
            positions=(),
            rows=1,
            description="",
            kind="table",
        )
    ]
)


def doubled(levels: int, twice: str) -> str:
    """A query whose every level names the column of the level below twice."""
    parts = [f"a{level + 1} AS (SELECT {twice} AS x FROM a{level})" for level in range(levels)]
    return f"WITH a0 AS (SELECT x FROM sky), {', '.join(parts)} SELECT x FROM a{levels}"


def nested_case(levels: int) -> str:
    value = "n"
    for _ in range(levels):
        value = f"CASE {value} WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 1 WHEN 4 THEN 1 END"
    return f"SELECT {value} FROM sky"


@pytest.mark.parametrize(
    "query",
    [
        doubled(24, "x + x"),
        doubled(800, "x || x"),
        doubled(40, "CASE x WHEN 1 THEN 2 ELSE x END"),
        doubled(100, "x")
        .replace("a50 AS (SELECT x AS x", f"a50 AS (SELECT {'+'.join('x' * 60)} AS x")
        .replace(
            "a60 AS (SELECT x AS x",
            "a60 AS (SELECT " + " + ".join(f"({'+'.join('x' * 60)})" for _ in range(60)) + " AS x",
        ),
        nested_case(9),
        nested_case(20),
        # A long text joined to itself.
        doubled(12, "x || x").replace("SELECT x FROM sky", f"SELECT '{'a' * 10_000}' AS x FROM sky"),
    ],
    ids=["sums", "texts", "cases", "wide", "case", "deep case", "long text"],
)
def test_a_query_that_becomes_huge_is_refused(query):
    with pytest.raises(AdqlLimitError):
        compile_query(query, SKY, "cube")


@pytest.mark.parametrize(
    "query",
    [
        doubled(8, "x + x"),
        doubled(300, "x + 1"),
        nested_case(3),
        f"SELECT n FROM sky WHERE n IN ({','.join(map(str, range(20_000)))})",
        f"SELECT CASE n {' '.join(f'WHEN {n} THEN {n}' for n in range(3000))} END FROM sky",
    ],
    ids=["sums", "steps", "case", "list", "long case"],
)
def test_a_query_that_is_merely_long_is_not(query):
    assert compile_query(query, SKY, "cube").sql


def listed(count: int) -> str:
    return ", ".join(f"sky AS t{number}" for number in range(count))


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT t0.x FROM {listed(61)}",
        f"SELECT t0.x FROM {listed(40)}, (SELECT t0.x FROM {listed(21)}) AS other",
        f"WITH a AS (SELECT t0.x FROM {listed(8)}), b AS (SELECT a.x FROM a, a AS c) "
        "SELECT b.x FROM b, b AS c, b AS d, b AS e",
        f"SELECT x FROM sky WHERE x IN (SELECT t0.x FROM {listed(60)})",
        "SELECT t0.x FROM sky AS t0"
        + "".join(f" JOIN sky AS t{number} ON t0.n = t{number}.n" for number in range(1, 61)),
    ],
    ids=["list", "derived", "common", "subquery", "joins"],
)
def test_a_query_of_too_many_tables_is_refused(query):
    with pytest.raises(AdqlLimitError, match="joins more than 60 tables"):
        compile_query(query, SKY, "cube")


@pytest.mark.parametrize(
    "query", [f"SELECT t0.x FROM {listed(60)}", " UNION ALL ".join(["SELECT x FROM sky"] * 80)]
)
def test_a_query_of_many_tables_is_not(query):
    assert compile_query(query, SKY, "cube").sql
