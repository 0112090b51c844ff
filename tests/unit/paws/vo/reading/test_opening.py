"""Tables of all formats as other programs write them, read to columns and rows."""

from __future__ import annotations

import gzip
import io
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from paws.vo.reading import Limits, TableFileError, TableTooLargeError, open_table, postgres_type

pytestmark = pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.VOWarning")


def opened(tmp_path, content, hint="", **limits):
    path = tmp_path / "table"
    path.write_bytes(content)
    return open_table(path, hint, Limits(**limits))


def rows_of(source):
    with source:
        return [
            row
            for chunk in source.chunks()
            for row in zip(*(column.to_pylist() for column in chunk.columns), strict=True)
        ]


def bytes_of(table, **options):
    target = io.BytesIO()
    table.write(target, **options)
    return target.getvalue()


def stars():
    table = Table()
    table["id"] = np.array([1, 2, 3])
    table["RA"] = MaskedColumn([10.5, 0.25, 359.5], unit="deg", description="Right ascension", mask=[0, 1, 0])
    table["flux"] = np.array([0.1, 2.5, np.nan], "f4")
    table["name"] = ["M 31", "a<b&c", "x"]
    table["pair"] = np.arange(6.0).reshape(3, 2)
    table["good"] = [True, False, True]
    return table


def expected():
    flux = [float(np.float32(0.1)), 2.5, None]
    return [
        (1, 10.5, flux[0], "M 31", [0.0, 1.0], True),
        (2, None, flux[1], "a<b&c", [2.0, 3.0], False),
        (3, 359.5, flux[2], "x", [4.0, 5.0], True),
    ]


@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
@pytest.mark.parametrize("packed", [False, True])
def test_votables_of_astropy(tmp_path, serialisation, packed):
    content = bytes_of(stars(), format="votable", tabledata_format=serialisation)
    source = opened(tmp_path, gzip.compress(content) if packed else content)
    ra = source.columns[1]
    assert (ra.name, ra.datatype, ra.unit, ra.description) == ("RA", "double", "deg", "Right ascension")
    assert source.postgres_types == (
        "bigint",
        "double precision",
        "real",
        "text",
        "double precision[]",
        "boolean",
    )
    assert rows_of(source) == expected()


def test_fits_of_astropy(tmp_path):
    source = opened(tmp_path, bytes_of(stars(), format="fits"), "image/fits")
    assert source.rows == 3
    assert (source.columns[1].unit, source.columns[4].arraysize) == ("deg", "2")
    assert rows_of(source) == expected()


def test_parquet_of_astropy(tmp_path):
    stars().write(tmp_path / "stars.parquet")
    source = open_table(tmp_path / "stars.parquet")
    assert (source.columns[1].unit, source.columns[1].description) == ("deg", "Right ascension")
    # What is masked, astropy tells in a column of its own.
    assert [row[:1] + row[3:] for row in rows_of(source)] == [row[:1] + row[2:] for row in expected()]


def test_ecsv_of_astropy(tmp_path):
    table = stars()
    table.remove_column("pair")
    source = opened(tmp_path, ecsv(table))
    assert (source.columns[1].unit, source.columns[1].description) == ("deg", "Right ascension")
    assert [row[:2] for row in rows_of(source)] == [(1, 10.5), (2, None), (3, 359.5)]


def test_metadata_that_multiply_themselves_are_left_out(tmp_path):
    """The ancient joke in YAML: each line is nine times the one before."""
    lines = ["%ECSV 1.0", "---", "a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    lines += ["datatype:", "- {name: n, unit: *a29}"]
    text = "".join(f"# {line}\n" for line in lines) + "n\n1\n"
    source = opened(tmp_path, text.encode())
    assert source.columns[0].unit is None
    assert rows_of(source) == [(1,)]


def ecsv(table):
    target = io.StringIO()
    table.write(target, format="ascii.ecsv")
    return target.getvalue().encode()


@pytest.mark.parametrize(
    ("text", "types", "rows"),
    [
        ("a,b\n1,2.5\n3,\n", ("long", "double"), [(1, 2.5), (3, None)]),
        ("a\tb\n1\tx y\n", ("long", "char"), [(1, "x y")]),
        ("a;b\n1;é\n", ("long", "unicodeChar"), [(1, "é")]),
        ('# made by us\n"a,b",c\r\n"1\n2",NaN\r\n', ("char", "char"), [("1\n2", None)]),
        ("t\n2026-11-22 17:50:00\n2026-11-22T17:51:00.25\n", ("char",), None),
        ("good,id\ntrue,1\nfalse,\n", ("boolean", "long"), [(True, 1), (False, None)]),
        ("1.5,2\n3,4\n", ("double", "long"), [(1.5, 2), (3.0, 4)]),
        ("a,b\n", ("char", "char"), []),
        ("a\n1\n2\nlate\n", ("char",), [("1",), ("2",), ("late",)]),
        ("\ufeffa,b\n1,2\n", ("long", "long"), [(1, 2)]),
    ],
)
def test_separated_values(tmp_path, text, types, rows):
    source = opened(tmp_path, text.encode())
    assert tuple(column.datatype for column in source.columns) == types
    if rows is not None:
        assert rows_of(source) == rows
    else:
        assert rows_of(source) == [
            (datetime(2026, 11, 22, 17, 50),),
            (datetime(2026, 11, 22, 17, 51, 0, 250000),),
        ]


def test_latin_letters_of_old_files(tmp_path):
    source = opened(tmp_path, "né,n\nGalaxie d'été,1\n".encode("latin-1"))
    assert source.columns[0].name == "né"
    assert rows_of(source) == [("Galaxie d'été", 1)]


def test_names_may_hold_line_ends_of_their_own(tmp_path):
    source = opened(tmp_path, '\n"né\u0085x\ny",b\n1,2\n'.encode())
    assert [column.name for column in source.columns] == ["néxy", "b"]
    assert rows_of(source) == [(1, 2)]


def test_types_may_turn_out_in_the_last_line(tmp_path):
    text = "n\n" + "1\n" * 200_000 + "2.5\n"
    with opened(tmp_path, text.encode()) as source:
        assert source.columns[0].datatype == "double"


def test_names_are_kept_or_made_valid_and_that_is_told(tmp_path):
    source = opened(tmp_path, b'ra,RA,,"a ""b""","c\nd",size\n1,2,3,4,5,6\n')
    assert [column.name for column in source.columns] == ["ra", "RA_2", "col3", 'a "b"', "cd", "size"]
    assert len(source.warnings) == 3
    assert rows_of(source) == [(1, 2, 3, 4, 5, 6)]


@pytest.mark.parametrize(
    ("values", "kind", "postgres", "expected"),
    [
        (pa.array([2**32 - 1], pa.uint32()), "long", "bigint", [2**32 - 1]),
        (pa.array([255], pa.uint8()), "short", "smallint", [255]),
        (pa.array(["a", None]).dictionary_encode(), "unicodeChar", "text", ["a", None]),
        (pa.array([[1, 2], None, []], pa.list_(pa.int32())), "int", "integer[]", [[1, 2], None, []]),
        (
            pa.array([[[1.0], [2.0]]], pa.list_(pa.list_(pa.float64()))),
            "double",
            "double precision[]",
            [[1.0, 2.0]],
        ),
        (pa.array([0], pa.date32()), "char", "timestamp", [datetime(1970, 1, 1)]),
        (
            pa.array([10**18], pa.timestamp("ns", "UTC")),
            "char",
            "timestamp",
            [datetime(2001, 9, 9, 1, 46, 40)],
        ),
        (pa.array([None]), "unicodeChar", "text", [None]),
        (pa.array([["a", "b"]]), "unicodeChar", "text", ["a b"]),
    ],
)
def test_types_of_parquet(tmp_path, values, kind, postgres, expected):
    target = io.BytesIO()
    pq.write_table(pa.table({"x": values}), target)
    source = opened(tmp_path, target.getvalue())
    assert source.columns[0].datatype == kind
    assert postgres_type(source.columns[0]) == postgres
    assert [row[0] for row in rows_of(source)] == expected


def test_strange_columns_of_fits(tmp_path):
    columns = [
        fits.Column("u", "J", bzero=2**31, array=np.array([1, 2**32 - 1], np.uint32)),
        fits.Column("n", "I", null=-99, array=np.array([5, -99], np.int16)),
        fits.Column("heap", "PE()", array=np.array([[1.0], [2.0, 3.0]], object)),
        fits.Column("texts", "6A3", array=["abc", "d"]),
        fits.Column("c", "C", array=np.array([1 + 2j, 3 - 4j], np.complex64)),
        fits.Column("s", "E", bscale=0.5, array=np.array([1.0, 2.5])),
    ]
    target = io.BytesIO()
    fits.BinTableHDU.from_columns(columns).writeto(target)
    source = opened(tmp_path, target.getvalue())
    assert rows_of(source) == [
        (1, 5, [1.0], "abc", [1.0, 2.0], 1.0),
        (2**32 - 1, None, [2.0, 3.0], "d", [3.0, -4.0], 2.5),
    ]


def test_sizes_are_bounded(tmp_path):
    content = bytes_of(stars(), format="fits")
    for limits, message in (
        ({"file_bytes": 100}, "at most 100 are read"),
        ({"columns": 3}, "has 6 columns"),
        ({"rows": 2}, "more than 2 rows"),
    ):
        with pytest.raises(TableTooLargeError, match=message):
            rows_of(opened(tmp_path, content, **limits))


def test_what_gzip_hides_is_bounded(tmp_path):
    bomb = gzip.compress(b"a,b\n" + b"0" * 20_000_000)
    assert len(bomb) < 30_000
    with pytest.raises(TableTooLargeError, match="unpacks to more than 1,000,000 bytes"):
        opened(tmp_path, bomb, unpacked_bytes=1_000_000)


def test_what_dictionaries_of_parquet_hide_is_bounded(tmp_path):
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50_000, np.int32)), pa.array(["x" * 900_000]))
    target = io.BytesIO()
    pq.write_table(pa.table({"x": text}), target)
    assert len(target.getvalue()) < 100_000
    with pytest.raises(TableTooLargeError, match="unpacks to more"):
        rows_of(opened(tmp_path, target.getvalue(), unpacked_bytes=10_000_000))


@pytest.mark.parametrize(
    ("content", "hint", "message"),
    [
        (b"", "", "empty"),
        (b"\x7fELF\x00\x00", "", "none of the formats"),
        (b"hello", "fits", "called a FITS file, and is none"),
        (b"\x1f\x8bnonsense", "", "damaged"),
        (gzip.compress(b"a,b\n" * 1000)[:40], "", "damaged"),
        (b"PAR1", "", "cannot be read"),
        (b"SIMPLE  =                    T", "", "FITS"),
        (b"<html></html>", "", "begins with <html>"),
        (b"a,b\n1,2\n3\n", "", "separated values: row 2 has 1 cells, where there are 2 columns"),
        (b'a,b\n"1,2\n', "", "separated values"),
        ("a,b\n1,2\n".encode("utf-16"), "", "UTF-16; save it in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path, content, hint, message):
    with pytest.raises(TableFileError, match=message):
        rows_of(opened(tmp_path, content, hint))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TableFileError, match="No such file"):
        open_table(tmp_path / "none.csv")
