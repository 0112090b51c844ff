"""VOTables as astropy reads them: the same values whatever the serialisation."""

from __future__ import annotations

import io
import math
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from astropy.io import votable

from adql.catalogue import Column
from tests.unit.web.vo.formats.results import COLUMNS, CORNERS, ROWS, written
from web.vo.formats import ResultInfo, error_document

SERIALISATIONS = ["votable/td", "votable/b2", "votable/b"]
_SPACE = "{http://www.ivoa.net/xml/VOTable/v1.3}"


def parsed(document):
    with warnings.catch_warnings():
        # Letters beyond ASCII in `char` are told of, and read.
        warnings.simplefilter("ignore")
        return votable.parse(io.BytesIO(document))


def column_of(document, name):
    table = parsed(document).get_first_table()
    return table.array[name]


def statuses(document):
    root = ElementTree.fromstring(document)
    return [
        (info.get("value"), info.text)
        for info in root.iter(f"{_SPACE}INFO")
        if info.get("name") == "QUERY_STATUS"
    ]


@pytest.mark.parametrize("name", SERIALISATIONS)
@pytest.mark.parametrize("size", [1, 3, 4])
async def test_every_cell_is_read_back(name, size):
    """Chunks of one to four rows: base64 has no seams, wherever chunks end."""
    array = parsed(await written(name, size=size)).get_first_table().array
    assert array["id"].tolist() == [1, None, -(2**62), 12]
    ra = array["ra"].filled(math.nan)
    np.testing.assert_equal(ra, [10.5, math.nan, math.nan, 1e-300])
    np.testing.assert_equal(array["flux"].filled(math.nan), np.float32([0.1, math.nan, math.inf, -1.5e-7]))
    assert array["small"].tolist() == [3, None, -(2**15) + 1, 0]
    assert array["count"].tolist() == [7, None, 2**31 - 1, 0]
    assert array["good"].tolist() == [True, None, False, False]
    assert array["code"].filled("").tolist() == ["ab", "", "abcd", "'\\N'"]
    assert array["outline"][0].tolist() == CORNERS
    assert array["place"][2].tolist() == [0.0, 90.0]
    np.testing.assert_equal(np.float32(array["curve"][0]), np.float32([0.1, 2.5]))
    assert np.asarray(array["flags"][3]).tolist() == [1, 2, 3, 4]
    seen = ["2026-11-22T17:50:00", "", "2026-11-22T17:50:00.250000", "1858-11-17"]
    assert array["seen"].filled("").tolist() == seen
    np.testing.assert_equal(array["t_min"].filled(math.nan), [61000.25, math.nan, -math.inf, 0.1 + 0.2])


async def test_texts_keep_whatever_xml_can_hold():
    document = await written("votable/td")
    assert column_of(document, "note").tolist()[0] == 'a<b & "c",\r\n\td'
    assert column_of(document, "note").tolist()[3] == "\ufffd]]>&#0;<![CDATA["
    assert column_of(document, "letters").tolist() == ["日\U0001f600é", "", "", "\ufffdx"]


async def test_binary_letters_are_those_of_their_type():
    document = await written("votable/b2")
    assert column_of(document, "letters").tolist() == ["日\U0001f600é", "", "", "?x"]
    latin = [("é<",)]
    assert column_of(await written("votable/b2", latin, [Column("note", "char", "*")]), "note").tolist() == [
        "?<"
    ]


async def test_metadata_of_columns_travel():
    table = parsed(await written("votable")).get_first_table()
    for field, column in zip(table.fields, COLUMNS, strict=True):
        assert (field.name, field.datatype, field.xtype) == (column.name, column.datatype, column.xtype)
        assert (field.arraysize or None) == column.arraysize
        assert (field.ucd, field.utype) == (column.ucd, column.utype)
        assert (str(field.unit) if field.unit is not None else None) == column.unit
    assert table.fields[0].description == 'a <b> & \ufffd "c"'


async def test_systems_of_coordinates_and_times_are_named():
    root = ElementTree.fromstring(await written("votable"))
    (coordinates,) = root.iter(f"{_SPACE}COOSYS")
    (times,) = root.iter(f"{_SPACE}TIMESYS")
    referring = {field.get("name"): field.get("ref") for field in root.iter(f"{_SPACE}FIELD")}
    assert coordinates.get("system") == "ICRS"
    assert times.get("timeorigin") == "MJD-origin"
    assert {name for name, ref in referring.items() if ref == coordinates.get("ID")} == {
        "ra",
        "outline",
        "place",
    }
    assert {name for name, ref in referring.items() if ref == times.get("ID")} == {"t_min"}


async def test_identifiers_of_columns_are_xml_names_and_differ():
    columns = [
        Column("a b", "int"),
        Column("id", "int"),
        Column("id", "int"),
        Column("col_1", "int"),
        Column("é", "int"),
    ]
    root = ElementTree.fromstring(await written("votable", [(1, 2, 3, 4, 5)], columns))
    idents = [field.get("ID") for field in root.iter(f"{_SPACE}FIELD")]
    assert len(set(idents)) == 5
    assert idents[1] == "id"
    assert all(ident.isascii() and " " not in ident for ident in idents)


@pytest.mark.parametrize("name", SERIALISATIONS)
@pytest.mark.parametrize(
    ("limit", "rows", "told"),
    [(None, 4, ["OK"]), (4, 4, ["OK"]), (3, 3, ["OK", "OVERFLOW"]), (0, 0, ["OK", "OVERFLOW"])],
)
async def test_overflow_is_told_behind_the_table(name, limit, rows, told):
    document = await written(name, limit=limit, size=3)
    assert len(parsed(document).get_first_table().array) == rows
    assert [status for status, _ in statuses(document)] == told
    if "OVERFLOW" in told:
        assert document.index(b"OVERFLOW") > document.index(b"</TABLE>")


async def test_facts_of_the_result_are_escaped():
    hostile = 'SELECT "<&>" \x02 \n FROM t --]]>'
    info = ResultInfo(
        query=hostile,
        title="<i>",
        facts={"server": 'PAWS "Live"'},
        descriptors=['<RESOURCE type="meta"/>'],
        params=['<PARAM name="INPUT:POS" datatype="char" arraysize="*" value=""/>'],
        table_name='t"<',
    )
    root = ElementTree.fromstring(await written("votable", info=info))
    infos = {element.get("name"): element.get("value") for element in root.iter(f"{_SPACE}INFO")}
    assert infos["QUERY"] == hostile.replace("\x02", "\ufffd")
    assert infos["server"] == 'PAWS "Live"'
    assert [resource.get("type") for resource in root.iter(f"{_SPACE}RESOURCE")] == ["results", "meta"]
    assert next(root.iter(f"{_SPACE}TABLE")).get("name") == 't"<'
    assert next(root.iter(f"{_SPACE}PARAM")).get("name") == "INPUT:POS"


def test_an_error_is_a_document_too():
    document = error_document("no table <b>", query="SELECT 1")
    assert statuses(document) == [("ERROR", "no table <b>")]


async def test_single_precision_has_no_digits_of_double():
    text = (await written("votable/td", ROWS[:1])).decode()
    assert "<TD>0.1</TD>" in text
    assert "<TD>0.1 2.5</TD>" in text
