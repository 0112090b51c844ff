from __future__ import annotations

import json

import pytest

from adql.catalogue import Column
from paws.vo.publish.errors import MetadataError
from paws.vo.publish.metadata import LARGEST, merge, read_metadata

COLUMNS = (
    Column("CATAID", "long"),
    Column("RA", "double", unit="deg"),
    Column("Z", "float", description="old"),
)


@pytest.fixture
def read(tmp_path):
    def written(*texts, table="gama.sources"):
        paths = []
        for number, text in enumerate(texts):
            path = tmp_path / f"meta{number}"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            paths.append(path)
        return read_metadata(paths, table)

    return written


@pytest.mark.parametrize(
    "text",
    [
        "name,description,unit,ucd\nCATAID,Number,,meta.id;meta.main\nZ,Redshift,,src.redshift\n",
        "Column Name;Column Description;UNITS;UCD\r\nCATAID;Number;-;meta.id;meta.main\r\n".replace(
            "meta.id;meta.main", '"meta.id;meta.main"'
        )
        + "Z;Redshift;null;src.redshift\r\n",
        "\ufeff# a comment\nField\tDesc\tUcd\nCATAID\tNumber\tmeta.id;meta.main\nZ\tRedshift\tsrc.redshift\n",
        json.dumps(
            {
                "columns": [
                    {"name": "CATAID", "description": "Number", "ucd": "meta.id;meta.main", "unit": None},
                    {"name": "Z", "description": "Redshift", "ucd": "src.redshift"},
                ]
            }
        ),
        json.dumps(
            {
                "columns": {
                    "CATAID": {"desc": "Number", "ucd": "meta.id;meta.main"},
                    "Z": {"desc": "Redshift", "ucd": "src.redshift"},
                }
            }
        ),
        json.dumps(
            [
                {"column_name": "CATAID", "comment": "Number", "UCDs": "meta.id;meta.main"},
                {"field": "Z", "definition": "Redshift", "ucd": "src.redshift"},
            ]
        ),
    ],
    ids=["csv", "semicolons", "tabs", "json", "json by name", "json list"],
)
def test_columns_in_every_accepted_form(read, text):
    found = read(text)
    assert [(item.name, item.description, item.unit, item.ucd) for item in found.columns] == [
        ("CATAID", "Number", None, "meta.id;meta.main"),
        ("Z", "Redshift", None, "src.redshift"),
    ]
    merged, warnings = merge(COLUMNS, found)
    assert [column.description for column in merged] == ["Number", "", "Redshift"]
    assert merged[1] == COLUMNS[1]
    assert warnings == ("The metadata do not describe RA.",)


@pytest.mark.parametrize(
    "text",
    [
        "table_name,description,provenance,contact\nother,Nothing,,\ngama.sources,Sources of GAMA,DR4,Ann\n",
        json.dumps(
            {
                "table": {
                    "name": "Gama.Sources",
                    "description": "Sources of GAMA",
                    "provenance": "DR4",
                    "contact": "Ann",
                }
            }
        ),
        json.dumps(
            {
                "name": "sources",
                "description": "Sources of GAMA",
                "provenance": "DR4",
                "authors": ["Ann"],
                "columns": [],
            }
        ),
    ],
    ids=["csv", "json", "json flat"],
)
def test_what_is_said_of_the_table(read, text):
    assert read(text).description == "Sources of GAMA\nProvenance: DR4\nContact: Ann"


def test_one_file_may_describe_many_tables_and_a_later_one_comes_over_an_earlier(read):
    many = "table,name,description\ngama.sources,Z,first\ngama.other,Q,none of ours\n"
    found = read(many, "name,unit\nz,km/s\n", "name,description\nZ,second\n")
    merged, _ = merge(COLUMNS, found)
    assert (merged[2].description, merged[2].unit) == ("second", "km/s")
    assert len(found.columns) == 3


def test_what_the_file_says_stays_where_metadata_are_silent(read):
    merged, warnings = merge(COLUMNS, read("name,description,unit\nZ,,\nRA,,\nCATAID,,\n"))
    assert merged == COLUMNS
    assert warnings == ()


def test_types_are_compared_and_never_changed(read):
    text = "name,datatype\nCATAID,bigint\nRA,float8\nZ,varchar(20)\n"
    merged, warnings = merge(COLUMNS, read(text))
    assert [column.datatype for column in merged] == ["long", "double", "float"]
    assert len(warnings) == 1
    assert "Column Z is float in the file, varchar(20) in the metadata" in warnings[0]
    times, _ = merge((Column("t", "char", "*"),), read("name,xtype\nt,timestamp\n"))
    assert times[0].xtype is None  # it would be stored as text all the same


def test_heads_that_nobody_knows_are_named(read):
    assert "colour" in read("name,colour\nZ,blue\n").warnings[0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"name\0", "NUL"),
        ("name,description\nZ\n", "row 2"),
        ("name,description\nZ,a,b\n", "row 2"),
        ('name,description\nZ,"open\n', "no CSV"),
        ("description\nwords\n", "no name"),
        ("name,ucd\nZ,not a ucd!\n", "UCD"),
        (f"name,unit\nZ,{'m' * 61}\n", "unit"),
        ("name,utype\nZ,a b\n", "utype"),
        ("name,description\nZ,a\x07b\n", "control"),
        (f"name,description\nZ,{'x' * 5000}\n", "too long"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"columns": 3}', "list of objects"),
        ('{"columns": [{"name": {}}]}', "no text"),
        ('{"table": {"name": "gama.other"}, "columns": []}', "gama.other"),
        ("table,provenance\nsdss.stars,x\n", "none of its 1 tables"),
        (b"x" * (LARGEST + 1), "larger"),
    ],
)
def test_what_cannot_be_used_is_named(read, text, match):
    with pytest.raises(MetadataError, match=match) as caught:
        read(text)
    assert "meta0" in caught.value.message


def test_columns_that_the_table_does_not_have_are_refused_with_a_hint(read):
    with pytest.raises(MetadataError, match=r"does not have: CATAIDD, nothing \(CATAID\?\)"):
        merge(COLUMNS, read("name,description\nCATAIDD,x\nnothing,y\n"))


def test_a_file_that_is_away(tmp_path):
    with pytest.raises(MetadataError, match="cannot be read"):
        read_metadata([tmp_path / "nothing"], "a.b")
