"""CSV, TSV, JSON, FITS and Parquet as independent readers see them."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import datetime

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from adql.catalogue import Column
from paws.errors import InvalidInputError
from tests.unit.web.vo.formats.results import COLUMNS, CORNERS, ROWS, written
from web.vo.formats import ResultInfo

NAMES = [column.name for column in COLUMNS]


async def test_csv_is_what_its_standard_says():
    text = (await written("csv")).decode()
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[0] == NAMES
    assert lines[1] == [
        "1", "10.5", "0.1", "3", "7", "true", 'a<b & "c",\r\n\td', "日\U0001f600é", "ab",
        "10.0 -20.0 12.0 -20.0 12.0 -18.5", "10.5 -19.5", "0.1 2.5", "1 -2", "2026-11-22T17:50:00", "61000.25",
    ]  # fmt: skip
    assert lines[2] == [""] * 15
    assert lines[3][1:3] == ["NaN", "Infinity"]
    assert lines[4][6] == "\x01]]>&#0;<![CDATA["


async def test_csv_tells_an_empty_text_from_none():
    rows = [("",), (None,)]
    assert await written("csv", rows, [Column("note", "char", "*")]) == b'note\n""\n\n'


async def test_tsv_has_no_quotes_and_no_tabs_within():
    lines = (await written("tsv")).decode().split("\n")
    assert [len(line.split("\t")) for line in lines[:-1]] == [len(NAMES)] * 5
    assert lines[1].split("\t")[6] == 'a<b & "c",   d'


async def test_names_of_columns_are_quoted():
    assert await written("csv", [(1,)], [Column('a,"b"', "int")]) == b'"a,""b"""\n1\n'


async def test_json_has_metadata_rows_and_status():
    found = json.loads(await written("json", limit=3, info=ResultInfo(query="SELECT <1>")))
    assert [column["name"] for column in found["metadata"]] == NAMES
    assert found["metadata"][1] == {
        "name": "ra", "datatype": "double", "unit": "deg", "ucd": "pos.eq.ra;meta.main",
    }  # fmt: skip
    assert found["data"][0][:9] == [1, 10.5, 0.1, 3, 7, True, 'a<b & "c",\r\n\td', "日\U0001f600é", "ab"]
    assert found["data"][0][9] == CORNERS
    assert found["data"][1] == [None] * 15
    assert found["data"][2][1:3] == [None, None]
    assert (found["status"], found["info"]["QUERY"]) == ("OVERFLOW", "SELECT <1>")


async def test_json_without_rows_is_json():
    found = json.loads(await written("json", limit=0))
    assert (found["data"], found["status"]) == ([], "OVERFLOW")


async def fits_hdus(**options):
    # Bytes that no block of FITS can hold would be told of by astropy.
    hdus = fits.open(io.BytesIO(await written("fits", **options)))
    hdus.verify("exception")
    return hdus


async def test_fits_tables_are_sound():
    hdus = await fits_hdus(limit=3, info=ResultInfo(query="SELECT é\n" + "x" * 100, table_name="t"))
    header, data = hdus[1].header, hdus[1].data
    assert data.names == NAMES
    assert data["id"].tolist() == [1, -(2**63), -(2**62)]
    assert header["TNULL1"] == -(2**63)
    np.testing.assert_equal(data["flux"], np.float32([0.1, math.nan, math.inf]))
    assert data["note"].tolist() == ['a<b & "c",\r\n\td', "", ""]
    assert data["letters"][0] == "???"
    assert data["outline"][0].tolist() == CORNERS
    assert data["outline"][1].tolist() == []
    np.testing.assert_equal(data["place"][1], [math.nan, math.nan])
    assert data["flags"][0].tolist() == [1, -2]
    assert data["seen"].tolist() == ["2026-11-22T17:50:00.000000", "", "2026-11-22T17:50:00.250000"]
    assert (header["TUNIT2"], header["TUCD2"], header["TXTYP11"]) == ("deg", "pos.eq.ra;meta.main", "point")
    assert header["TCOMM1"] == 'a <b> & ? "c"'
    assert header["QUERY"] == "SELECT ? " + "x" * 100
    assert header["QSTATUS"] == "OVERFLOW"


async def test_fits_tables_are_tables_for_astropy():
    table = Table.read(io.BytesIO(await written("fits", ROWS[:1])))
    assert table["ra"].unit == "deg"
    assert table["good"].tolist() == [True]
    assert table["note"][0] == 'a<b & "c",\r\n\td'


async def test_long_texts_of_few_rows_do_not_swell_a_fits_file(monkeypatch):
    monkeypatch.setattr("web.vo.formats.fits._WASTE", 1_000)
    rows = [("x" * 5_000,)] + [("y",)] * 2_000
    document = await written("fits", rows, [Column("note", "char", "*")], size=700)
    assert len(document) < 60_000
    notes = fits.open(io.BytesIO(document))[1].data["note"]
    assert ["".join(note) for note in (notes[0], notes[1], notes[2000])] == ["x" * 5_000, "y", "y"]


async def test_a_fits_file_has_its_bound(tmp_path):
    rows = [(float(number),) for number in range(20_000)]
    info = ResultInfo(spool_dir=tmp_path / "spool", spool_bytes=50_000)
    with pytest.raises(InvalidInputError, match="larger than 50,000 bytes"):
        await written("fits", rows, [Column("x", "double")], size=1_000, info=info)
    assert list((tmp_path / "spool").iterdir()) == []


async def test_parquet_keeps_types_and_metadata():
    document = await written("parquet", limit=3)
    table = pq.read_table(io.BytesIO(document))
    assert table.column_names == NAMES
    assert table["id"].to_pylist() == [1, None, -(2**62)]
    assert table["flux"].type == "float"
    assert table["letters"].to_pylist() == ["日\U0001f600é", None, ""]
    assert table["outline"].to_pylist() == [CORNERS, None, CORNERS]
    assert table["seen"].to_pylist() == [
        datetime(2026, 11, 22, 17, 50),
        None,
        datetime(2026, 11, 22, 17, 50, 0, 250000),
    ]
    content = pq.ParquetFile(io.BytesIO(document)).metadata.metadata[b"IVOA.VOTable-Parquet.content"]
    assert b'ucd="pos.eq.ra;meta.main"' in content
    assert b'value="OVERFLOW"' in content


async def test_parquet_goes_out_by_row_groups(monkeypatch):
    monkeypatch.setattr("web.vo.formats.parquet._GROUP", 100)
    rows = [(number, "x") for number in range(950)]
    document = await written("parquet", rows, [Column("n", "int"), Column("note", "char", "*")], size=70)
    file = pq.ParquetFile(io.BytesIO(document))
    assert file.metadata.num_row_groups > 5
    assert file.read()["n"].to_pylist() == list(range(950))


@pytest.mark.parametrize("name", ["csv", "tsv", "fits", "parquet", "votable"])
async def test_no_rows_is_a_result_too(name):
    document = await written(name, [])
    assert len(document) > 20
    if name == "fits":
        assert len(fits.open(io.BytesIO(document))[1].data) == 0
    if name == "parquet":
        assert pq.read_table(io.BytesIO(document)).num_rows == 0
