"""What names mean: tables, columns, aliases, joins."""

from __future__ import annotations

import pytest

from adql.errors import AdqlNameError
from adql.typed import (
    And,
    Call,
    ColumnValue,
    CommonSource,
    Comparison,
    Join,
    OutputNumber,
    QuerySource,
    TableSource,
)
from tests.unit.adql.trees import select


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ra FROM survey.objects",
        "SELECT RA FROM Objects",
        'SELECT "ra" FROM "survey".objects',
        "SELECT objects.ra FROM objects",
        "SELECT survey.objects.ra FROM objects",
        "SELECT o.ra FROM paws.survey.objects AS o".replace("paws.", ""),
        'SELECT "Size" FROM objects',
        'SELECT "B-V", "HIP" FROM vizier."I/239/hip"',
        'SELECT hip."B-V" FROM "I/239/hip" AS hip',
        "SELECT name FROM TAP_UPLOAD.mine",
        "SELECT o.ra FROM objects AS o WHERE EXISTS (SELECT * FROM spectra WHERE spectra.name = o.name AND snr > ra)",
        "SELECT x FROM (SELECT ra AS x FROM objects) AS q",
        'SELECT q."Max Mag" FROM (SELECT MAX(mag) AS "Max Mag" FROM objects) AS q',
        "WITH a AS (SELECT ra FROM objects), b AS (SELECT ra FROM a) SELECT * FROM a JOIN b USING (ra)",
        "WITH objects AS (SELECT snr FROM spectra) SELECT snr FROM objects",
        "SELECT ra + 1 AS x FROM objects ORDER BY x, x * 2, dec",
        "SELECT FLOOR(mag) AS bin, COUNT(*) FROM objects GROUP BY bin",
        "SELECT mag, COUNT(*) FROM objects GROUP BY 1",
        "SELECT ra AS x, ra AS x FROM objects ORDER BY x",
    ],
)
def test_names_are_found(resolved, text):
    assert resolved(text).expression.outputs


UNKNOWN = [
    ("SELECT rra FROM objects", "there is no column rra", "did you mean ra"),
    ("SELECT o.rra FROM objects AS o", "the table o has no column rra", "did you mean ra"),
    ("SELECT ra FROM objekts", "there is no table objekts", "did you mean survey.objects?"),
    ("SELECT ra FROM nowhere", "there is no table nowhere", "TAP_SCHEMA.tables"),
    ("SELECT objects.ra FROM objects AS o", "no table of FROM is called objects", "there are o"),
    ("SELECT p.* FROM objects AS o", "no table of FROM is called p", "there are o"),
    ("SELECT name FROM objects, spectra", "ambiguous", "objects.name or spectra.name"),
    ("SELECT x FROM (SELECT ra AS x, dec AS x FROM objects) AS q", "ambiguous", "a name of its own with AS"),
    ('SELECT Hip FROM "I/239/hip"', "ambiguous", ""),
    ('SELECT "RA" FROM objects', "there is no column", "did you mean ra"),
    ('SELECT ra FROM objects WHERE name = "M31"', "there is no column", "single quotes"),
    ("SELECT ra AS x FROM objects WHERE x > 1", "there is no column x", "name of the select list"),
    ("SELECT ra FROM objects, objects", "two tables of FROM are called survey.objects", "alias"),
    ("SELECT a.ra FROM objects AS a, spectra AS a", "two tables of FROM are called a", "alias"),
    ("SELECT q.snr FROM objects, (SELECT ra FROM spectra) AS q", "there is no column ra", ""),
    (
        "WITH a AS (SELECT ra FROM b), b AS (SELECT ra FROM objects) SELECT ra FROM a",
        "there is no table b",
        "",
    ),
    ("WITH a AS (SELECT ra FROM a) SELECT ra FROM a", "there is no table a", ""),
    ("WITH a AS (SELECT ra FROM objects), A AS (SELECT ra FROM objects) SELECT ra FROM a", "two queries", ""),
    ("SELECT my_function(ra) FROM objects", "there is no function my_function", "capabilities"),
    ("SELECT ivo_has_word(name, 'x') FROM objects", "there is no function", "did you mean ivo_hasword?"),
    ("SELECT pg_sleep(9) FROM objects", "there is no function pg_sleep", ""),
    ("SELECT ra FROM pg_catalog.pg_class", "there is no table pg_catalog.pg_class", ""),
    ("SELECT ra FROM objects ORDER BY 2", "there is no such column", "from 1 to 1"),
    (
        "SELECT ra FROM objects UNION SELECT ra FROM objects ORDER BY dec",
        "ordered by names",
        "the names are ra",
    ),
    ("SELECT ra FROM objects JOIN spectra USING (snr)", "there is no column snr", ""),
]


@pytest.mark.parametrize(("text", "message", "hint"), UNKNOWN)
def test_unknown_and_ambiguous_names_are_refused_with_a_hint(resolved, text, message, hint):
    with pytest.raises(AdqlNameError) as caught:
        resolved(text)
    assert message in caught.value.message
    assert hint in caught.value.suggestion
    assert caught.value.line == 1


def test_a_star_is_expanded_from_the_catalogue(resolved):
    columns = select(resolved("SELECT * FROM spectra")).outputs
    assert [one.name for one in columns] == ["name", "snr", "exposure", "mag"]
    assert all(isinstance(one.expression, ColumnValue) for one in columns)


def test_columns_of_using_are_one_and_stand_first(resolved):
    query = resolved("SELECT * FROM objects JOIN spectra USING (name)")
    names = [one.name for one in query.expression.outputs]
    assert names[:2] == ["name", "ra"]
    assert names.count("name") == 1
    assert names[-1] == "mag_2"


@pytest.mark.parametrize(("kind", "column"), [("", "left"), ("LEFT", "left"), ("RIGHT", "right")])
def test_a_column_of_using_is_that_of_the_side_that_is_kept(resolved, kind, column):
    query = select(resolved(f"SELECT name FROM objects {kind} JOIN spectra USING (name)"))
    join = query.tables[0]
    assert isinstance(join, Join)
    value = query.outputs[0].expression
    assert isinstance(value, ColumnValue)
    assert value.source is getattr(join, column)
    assert isinstance(join.condition, Comparison)


def test_a_column_of_a_full_join_is_that_of_either_side(resolved):
    value = select(resolved("SELECT name FROM objects FULL JOIN spectra USING (name)")).outputs[0].expression
    assert isinstance(value, Call)
    assert value.name == "COALESCE"


def test_a_natural_join_is_by_all_columns_of_one_name(resolved):
    join = select(resolved("SELECT ra FROM objects NATURAL JOIN spectra")).tables[0]
    assert isinstance(join, Join)
    assert isinstance(join.condition, And)
    assert len(join.condition.terms) == 2


def test_each_use_of_a_table_has_an_alias_of_its_own(resolved):
    query = resolved(
        "WITH w AS (SELECT ra FROM objects) SELECT a.ra FROM objects AS a, objects AS b, w, "
        "(SELECT dec FROM objects) AS q WHERE EXISTS (SELECT * FROM w)"
    )
    sources = select(query).tables
    aliases = [
        source.alias for source in sources if isinstance(source, TableSource | CommonSource | QuerySource)
    ]
    assert len(set(aliases)) == 4
    assert [table.name for table in query.tables] == ["survey.objects"]


def test_no_name_of_a_user_stands_where_the_database_reads_names(resolved):
    query = select(resolved('SELECT q."x\\"";--" FROM (SELECT ra AS "x\\"";--" FROM objects) AS q'))
    value = query.outputs[0].expression
    assert isinstance(value, ColumnValue)
    assert value.key == "c1"


def test_order_by_a_name_of_the_select_list_or_what_it_stands_for_is_by_its_number(resolved):
    query = resolved("SELECT ra, mag + 1 AS m FROM objects ORDER BY m DESC, mag + 1, dec")
    assert [isinstance(term.expression, OutputNumber) for term in query.expression.order_by] == [
        True,
        True,
        False,
    ]
    assert query.expression.order_by[0].expression == OutputNumber(2)
