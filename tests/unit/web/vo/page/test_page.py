"""What the query page says of queries and results."""

from __future__ import annotations

import json

import pytest

from adql.catalogue import Catalogue, Column, Table
from adql.errors import AdqlSyntaxError
from web.vo.page.checking import checked, mended, told
from web.vo.page.result import is_link, shown
from web.vo.page.vocabulary import vocabulary

TABLE = Table(
    "ivoa.obscore",
    (
        Column("s_ra", "double", unit="deg", ucd="pos.eq.ra", indexed=True),
        Column("target name", "char", "*"),
        Column("s_region", "double", "*", xtype="polygon"),
    ),
    '"vo"."obscore"',
    rows=7,
    description="Spectra.",
)
CATALOGUE = Catalogue([TABLE])


def test_a_query_that_can_be_run_has_columns():
    found = checked("SELECT s_ra AS x, * FROM obscore", CATALOGUE, "cube")
    assert found["fine"] is True
    assert found["columns"][:2] == ["x", "s_ra"]


@pytest.mark.parametrize(
    ("query", "wrong", "right"),
    [
        ("SELECT s_raa FROM ivoa.obscore", "s_raa", "SELECT s_ra FROM ivoa.obscore"),
        ("SELECT s_ra FROM ivoa.obscor", "ivoa.obscor", "SELECT s_ra FROM ivoa.obscore"),
        # Letters beyond the first plane are two units for scripts.
        (
            "SELECT '\U0001d54f', s_raa FROM ivoa.obscore",
            "s_raa",
            "SELECT '\U0001d54f', s_ra FROM ivoa.obscore",
        ),
    ],
)
def test_what_is_wrong_has_a_place_and_can_be_mended(query: str, wrong: str, right: str):
    found = checked(query, CATALOGUE, "cube")
    assert found["fine"] is False
    units = query.encode("utf-16-le")
    at = slice(2 * found["position"], 2 * (found["position"] + found["length"]))
    assert units[at].decode("utf-16-le") == wrong
    assert mended(query, found)[0][1] == right
    assert checked(right, CATALOGUE, "cube")["fine"] is True


@pytest.mark.parametrize(
    ("error", "replacements"),
    [
        (AdqlSyntaxError("no", 0, "SELET", "did you mean SELECT?"), ["SELECT"]),
        (AdqlSyntaxError("no", 0, "SELET", "did you mean SELECT or TOP?"), ["SELECT", "TOP"]),
        (AdqlSyntaxError("no", 0, "SELET", "write it in full"), []),
        (AdqlSyntaxError("no", None, "SELET", "did you mean SELECT?"), []),
        (AdqlSyntaxError("no", 3, "SELET", "did you mean SELECT?"), []),
    ],
)
def test_only_what_is_there_is_replaced(error: AdqlSyntaxError, replacements: list[str]):
    found = told(error, "SELET 1")
    assert found["replacements"] == replacements
    assert mended("SELET 1", found) == [(put, f"{put} 1") for put in replacements]


def test_an_end_too_early_has_no_length():
    found = checked("SELECT s_ra FROM", CATALOGUE, "cube")
    assert (found["length"], found["replacements"]) == (0, [])
    assert checked("SELECT x FROM TAP_UPLOAD.mine", CATALOGUE, "cube")["fine"] is True


def test_vocabulary_writes_names_as_queries_do():
    found = vocabulary([TABLE, Table('x."odd.name"', (), "x")])
    assert [table["name"] for table in found["tables"]] == ["ivoa.obscore", 'x."odd.name"']
    ra, name, region = found["tables"][0]["columns"]
    assert ra == {"name": "s_ra", "type": "double", "unit": "deg", "ucd": "pos.eq.ra", "indexed": True}
    assert name["name"] == '"target name"'
    assert region["type"] == "double[*]"
    assert {"WHERE", "SELECT", "CONTAINS"} <= set(found["reserved"])
    assert any(function["name"] == "DISTANCE" for function in found["functions"])
    json.dumps(found)


def test_a_result_is_read_as_texts():
    answer = {
        "metadata": [
            {"name": "ra", "datatype": "double", "unit": "deg"},
            {"name": "where", "datatype": "char", "arraysize": "*", "ucd": "meta.ref.url"},
            {"name": "good", "datatype": "boolean"},
            {"name": "p", "datatype": "double", "arraysize": "2"},
        ],
        "data": [
            [187.70593123456, "https://x.org/a", True, [1.5, None]],
            [None, "javascript:alert(1)", False, None],
        ],
        "status": "OVERFLOW",
    }
    found = shown(json.dumps(answer).encode())
    assert found.overflow
    assert not found.trouble
    assert found.rows == (
        ("187.70593123456", "https://x.org/a", "true", "1.5 "),
        ("", "javascript:alert(1)", "false", ""),
    )
    assert [column["number"] for column in found.columns] == [True, False, False, False]
    assert [is_link(found.columns[1], row[1]) for row in found.rows] == [True, False]
    broken = shown(b'{"metadata": [], "data": [], "status": "ERROR", "message": "It broke off."}')
    assert broken.trouble == "It broke off."
