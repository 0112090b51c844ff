"""Which queries may fail at single rows, and what stands behind walls."""

from __future__ import annotations

import pytest

from adql.catalogue import Column, Table
from paws.vo.declared.values import relation_for
from web.vo.tap.rows import CHUNK, behind_walls, fitting, may_fail


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM ivoa.obscore",
        "SELECT TOP 10 * FROM ivoa.obscore AS o",
        "SELECT o.*, target_name FROM ivoa.obscore AS o WHERE s_dec > -30.5 AND em_min < 5e-7",
        "SELECT COUNT(*) AS n FROM ivoa.obscore -- a * b / c",
        "SELECT s_ra FROM ivoa.obscore WHERE target_name = 'a+b-c*d/e''f'",
        "SELECT s_ra FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(187.7, -12.4, 0.1))",
        'SELECT "a-b" FROM ivoa.obscore WHERE s_dec BETWEEN -1.5E-3 AND +2',
    ],
)
def test_plain_questions_do_not_fail_at_rows(query):
    assert not may_fail(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT s_ra * 2 AS a FROM ivoa.obscore",
        "SELECT s_ra - 1 AS a FROM ivoa.obscore",
        "SELECT s_ra-s_dec AS a FROM ivoa.obscore",
        "SELECT TOP 5 (s_ra) * (s_dec) AS a FROM ivoa.obscore",
        'SELECT "a"*"b" AS a FROM t',
        "SELECT TOP 5 *, 2*s_ra AS a FROM ivoa.obscore",
        "SELECT CAST(target_name AS INTEGER) AS a FROM ivoa.obscore",
        "SELECT SUM(fibre) AS a FROM ivoa.obscore",
        "SELECT a FROM t WHERE a = ANY_OF((SELECT b FROM u))",
        "SELECT s_ra/s_dec AS a FROM ivoa.obscore",
        'SELECT "a--b" * 1e308 AS a FROM t',
        "SELECT col1e-3 AS a FROM t",
        "SELECT IN_UNIT(s_ra, 'rad') AS a FROM ivoa.obscore",
        "SELECT 'a--b' || CAST(b AS VARCHAR) AS a FROM t",
        "SELECT 'x' || CASE WHEN s_ra>0 THEN 2*s_ra END AS a FROM ivoa.obscore",
    ],
)
def test_questions_that_calculate_may(query):
    assert may_fail(query)


def test_relations_with_limits_are_worked_out_by_themselves():
    columns = (Column("a", "int"),)
    seen = Table("ivoa.obscore", columns, relation_for("vo.obscore", "product"))
    public = Table("vizier.hip", columns, '"published"."hip"')
    walled, same = behind_walls([seen, public])
    assert walled.relation == f"(SELECT walled.* FROM {seen.relation} AS walled OFFSET 0)"
    assert same is public


def test_chunks_of_wide_rows_have_fewer_of_them():
    assert fitting([(1.0, "name", [1.0, 2.0])] * 500) == CHUNK
    assert fitting([(1.0, "x" * 100_000)] * 500) < 500
    assert fitting([("x" * 60_000_000,)]) == 1
