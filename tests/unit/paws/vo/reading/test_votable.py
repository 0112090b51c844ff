"""VOTables of any hand: unusual ones are read, hostile ones refused, damaged ones told of."""

from __future__ import annotations

import base64
import io
import math
import struct
import warnings
from contextlib import suppress

import pytest
from astropy.io import votable
from hypothesis import given, settings
from hypothesis import strategies as st

from paws.errors import InvalidInputError
from paws.vo.reading import Limits, TableFileError, TableTooLargeError, open_table
from paws.vo.reading import votable_text as text_rows
from tests.unit.paws.vo.reading.test_opening import bytes_of, opened, rows_of, stars

FIELDS = """<FIELD name="n" datatype="int"><VALUES null="-99"/></FIELD>
<FIELD name="x" datatype="double"/><FIELD name="s" datatype="char" arraysize="*"/>"""


def table(rows, fields=FIELDS, head='<?xml version="1.0"?><VOTABLE version="1.4"', prefix=""):
    return (
        f"{head}><RESOURCE><TABLE>{fields}<DATA><{prefix}TABLEDATA>{rows}</{prefix}TABLEDATA></DATA></TABLE>"
        "</RESOURCE></VOTABLE>"
    )


def row(*cells):
    return "<TR>" + "".join(f"<TD>{cell}</TD>" for cell in cells) + "</TR>"


def read(tmp_path, text, **limits):
    return rows_of(opened(tmp_path, text if isinstance(text, bytes) else text.encode(), **limits))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (row(1, 2.5, "a") + row(-99, "NaN", ""), [(1, 2.5, "a"), (None, None, None)]),
        ("\n " + row(1, 2.5, "a") + "\r\n\t" + row(2, 3, "b") + " ", [(1, 2.5, "a"), (2, 3.0, "b")]),
        ("<TR>\n<TD>1</TD>\n  <TD>2</TD> <TD>a</TD></TR>", [(1, 2.0, "a")]),
        (row(" 7 ", " 1e3 ", "a b"), [(7, 1000.0, "a b")]),
        (row("", "", "x") + row(1, 2, "y\nz"), [(None, None, "x"), (1, 2.0, "y\nz")]),
        (row("0x1F", "+Inf", "a") + row("+5", "-Inf", "b"), [(31, math.inf, "a"), (5, -math.inf, "b")]),
        (row(1, 2, "&lt;b&gt; &amp;lt; &quot;q&quot; &apos;"), [(1, 2.0, '<b> &lt; "q" \'')]),
        (row(1, 2, "&#26085;&#xe9;&#13;"), [(1, 2.0, "日é\r")]),
        (row(1, 2, "<![CDATA[a<TD>b]]>"), [(1, 2.0, "a<TD>b")]),
        ("<!-- <TR> -->" + row(1, 2, "a<!-- b -->c"), [(1, 2.0, "ac")]),
        ('<TR ID="r1"><TD>1</TD><TD/><TD a="b">z</TD></TR>', [(1, None, "z")]),
        (row(1, 2, "a\tb"), [(1, 2.0, "a\tb")]),
        ("", []),
    ],
)
def test_rows_in_any_form(tmp_path, rows, expected):
    assert read(tmp_path, table(rows)) == expected


def test_prefixes_of_namespaces(tmp_path):
    head = '<?xml version="1.0"?><v:VOTABLE xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3"'
    text = table(row(1, 2, "a") + row(3, 4, "b"), head=head)
    for tag in ("RESOURCE", "TABLE", "FIELD", "VALUES", "DATA", "TABLEDATA", "TR", "TD"):
        text = text.replace(f"<{tag}", f"<v:{tag}").replace(f"</{tag}", f"</v:{tag}")
    assert read(tmp_path, text.replace("</VOTABLE", "</v:VOTABLE")) == [(1, 2.0, "a"), (3, 4.0, "b")]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "UTF-8", "windows-1252"])
def test_encodings(tmp_path, encoding):
    text = table(row(1, 2, "été"), head=f'<?xml version="1.0" encoding="{encoding}"?><VOTABLE')
    assert read(tmp_path, text.encode(encoding)) == [(1, 2.0, "été")]


def test_slices_end_between_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(text_rows, "_SLICE", 100)
    rows = [(number, number / 2, "x" * (number % 37)) for number in range(200)]
    text = table("".join(row(*cells) for cells in rows))
    assert read(tmp_path, text) == [(n, x, s or None) for n, x, s in rows]


FIELD_ARRAYS = """<FIELD name="p" datatype="float" arraysize="2" xtype="point"/>
<FIELD name="b" datatype="boolean"/><FIELD name="bits" datatype="bit" arraysize="3"/>
<FIELD name="z" datatype="doubleComplex"/><FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/>
<FIELD name="u" datatype="unsignedByte"/><FIELD name="m" datatype="int" arraysize="2x*"/>"""


def test_types_of_cells(tmp_path):
    rows = row("1.5 -2", "T", "101", "1 2", "2026-11-22T18:00:00.1234567Z", 255, "1 2 3 4")
    rows += row("NaN NaN", "?", "", "", "", "", "")
    (first, second) = read(tmp_path, table(rows, FIELD_ARRAYS))
    assert first[:4] == ([1.5, -2.0], True, [True, False, True], [1.0, 2.0])
    assert (first[4].isoformat(), first[5], first[6]) == ("2026-11-22T18:00:00.123456", 255, [1, 2, 3, 4])
    assert second == (None,) * 7


POINT = '<FIELD name="p" datatype="double" arraysize="2" xtype="point"/>'


def test_rows_are_counted_over_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr("paws.vo.reading.votable_text._SLICE", 500)
    with pytest.raises(TableFileError, match="row 101: 'many' is no int"):
        read(tmp_path, table(row(1, 2, "a") * 100 + row("many", 2, "a")))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('<?xml version="1.0"?><!DOCTYPE VOTABLE [<!ENTITY a "ha">]><VOTABLE/>', "document type"),
        ('<!DOCTYPE VOTABLE SYSTEM "file:///etc/passwd"><VOTABLE/>', "document type"),
        (table(row("&bomb;", 1, "a")), "damaged"),
        ("<VOTABLE><RESOURCE/></VOTABLE>", "holds no table"),
        ("<VOTABLE><RESOURCE><TABLE/></RESOURCE></VOTABLE>", "holds no table"),
        ("<VOTABLE>" + "<RESOURCE>" * 100, "deep"),
        ("<VOTABLE><RESOURCE><TABLE", "no sound XML"),
        (table(row(1, 2, "a"))[:-60], "middle of its rows"),
        (table(row(1, 2)), "Row 1 of the VOTable has 2 cells, where there are 3"),
        (table(row(1, 2, "a") + row(1, 2, "a", "b")), "Row 2 of the VOTable has 4 cells"),
        (table(row("many", 2, "a")), "Column 'n', row 1: 'many' is no int"),
        (table(row(2**31, 2, "a")), "Column 'n', row 1: 2147483648 is no int"),
        (table(row(1, 2, "a") * 3 + row(10**30, 2, "a")), f"Column 'n', row 4: '{10**30}' is no int"),
        (table(row(1, "1,5", "a")), "Column 'x', row 1: '1,5' is no double"),
        (table(row(1, 2, "a\x1fb")), "control characters"),
        (table("<B>1</B>"), "stands <B>"),
        (table('<TR><TD encoding="base64">MQ==</TD><TD>1</TD><TD>a</TD></TR>'), "encoded one by one"),
        (table("", '<FIELD name="x" datatype="quaternion"/>'), "datatype 'quaternion'"),
        (table("", '<FIELD name="x" datatype="int" arraysize="2;3"/>'), "arraysize '2;3'"),
        (
            table(row("when"), '<FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/>'),
            "Column 't'",
        ),
        (table("", head='<?xml version="1.0" encoding="klingon"?><VOTABLE'), "klingon"),
        (table("", head='<?xml version="1.0" encoding="hex"?><VOTABLE'), "in hex, and cannot be read so"),
        (
            table(row("1 2") + row("") + row("1 2 3"), POINT),
            "Column 'p', row 3: a point has 2 numbers; here are 3",
        ),
        (table(row("1"), POINT), "Column 'p', row 1: a point has 2 numbers; here are 1"),
        (table(row("1 2"), POINT.replace("point", "circle").replace("2", "3")), "a circle has 3 numbers"),
        (
            table(row("1 2 3 4 5 6 7"), POINT.replace("point", "polygon").replace("2", "*")),
            "a polygon has 6, 8",
        ),
        (
            table(row("1 2 3"), '<FIELD name="c" datatype="int" arraysize="2x2"/>'),
            "a cell of it has 4 numbers",
        ),
        (
            table("", head='<?xml version="1.0" encoding="ascii"?><VOTABLE')
            .encode()
            .replace(b"null", b"n\xfcll"),
            "XML",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path, document, message):
    with pytest.raises(TableFileError, match=message):
        read(tmp_path, document)


def test_ten_thousand_columns_are_refused(tmp_path):
    with pytest.raises(TableTooLargeError, match="1,001 columns"):
        read(tmp_path, table("", '<FIELD name="x" datatype="int"/>' * 10_000))


def binary(fields, rows, serialisation="BINARY"):
    stream = base64.b64encode(rows).decode()
    return (
        f'<VOTABLE><RESOURCE><TABLE>{fields}<DATA><{serialisation}><STREAM encoding="base64">{stream}</STREAM>'
        f"</{serialisation}></DATA></TABLE></RESOURCE></VOTABLE>"
    )


FIELD_INT = '<FIELD name="n" datatype="int"><VALUES null="-99"/></FIELD>'
FIELD_TEXT = '<FIELD name="s" datatype="char" arraysize="*"/>'
FIELD_WIDE = '<FIELD name="u" datatype="unicodeChar" arraysize="3"/>'


def test_binary_cells(tmp_path):
    rows = struct.pack(">i", 5) + struct.pack(">i", 3) + b"a\0b" + "é".encode("utf-16-be").ljust(6, b"\0")
    rows += struct.pack(">i", -99) + struct.pack(">i", 2) + b"\xe9t" + "日本語".encode("utf-16-be")
    assert read(tmp_path, binary(FIELD_INT + FIELD_TEXT + FIELD_WIDE, rows)) == [
        (5, "a", "é"),
        (None, "ét", "日本語"),
    ]


def test_binary2_has_nulls_of_its_own(tmp_path):
    rows = (
        b"\x80"
        + struct.pack(">i", 0)
        + struct.pack(">i", 0)
        + b"\x40"
        + struct.pack(">i", -99)
        + struct.pack(">i", 0)
    )
    assert read(tmp_path, binary(FIELD_INT + FIELD_TEXT, rows, "BINARY2")) == [(None, ""), (-99, None)]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (binary(FIELD_INT, b"\0\0\0"), "middle of its rows"),
        (binary(FIELD_TEXT, struct.pack(">i", 5) + b"abc"), "middle of its rows"),
        (binary(FIELD_TEXT, struct.pack(">i", -5) + b"abc"), "negative length"),
        (binary(FIELD_TEXT, struct.pack(">i", 2**31 - 1)), "at most 1,000,000 are read"),
        (
            binary('<FIELD name="x" datatype="double" arraysize="999999999"/>', b""),
            "at most 1,000,000 are read",
        ),
        (binary('<FIELD name="x" datatype="bit" arraysize="*"/>', b""), "varying number"),
        (binary(FIELD_INT, b"\0\0\0\1").replace("AAAAAQ", "AA!AAQ"), "no sound base64"),
        (binary(FIELD_INT, b"\0\0\0\1").replace('encoding="base64"', 'encoding="gzip"'), "gzip encoding"),
        (binary(FIELD_INT, b"").replace("<STREAM ", '<STREAM href="http://10.0.0.1/" '), "not fetched"),
        (binary(FIELD_INT, b"\0\0\0\1").split("</STREAM>")[0], "middle of its rows"),
        (binary(FIELD_INT, b"", "FITS"), "FITS file within"),
    ],
)
def test_what_is_wrong_with_binary_rows_is_told(tmp_path, document, message):
    with pytest.raises(TableFileError, match=message):
        read(tmp_path, document)


cells = st.tuples(
    st.none() | st.integers(-98, 2**31 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6),
)


@given(st.lists(cells, max_size=8), st.sampled_from(["tabledata", "binary", "binary2"]))
@settings(max_examples=40)
def test_the_same_as_astropy_reads(tmp_path_factory, rows, serialisation):
    """What astropy writes of any rows, both readers find the same in."""
    document = votable.tree.VOTableFile()
    resource = votable.tree.Resource()
    document.resources.append(resource)
    made = votable.tree.TableElement(document)
    resource.tables.append(made)
    made.fields.extend(
        [
            votable.tree.Field(document, name="n", datatype="int"),
            votable.tree.Field(document, name="x", datatype="double"),
            votable.tree.Field(document, name="s", datatype="unicodeChar", arraysize="*"),
        ]
    )
    made.fields[0].values.null = -99
    made.create_arrays(len(rows))
    for place, (n, x, s) in enumerate(rows):
        made.array[place] = (-99 if n is None else n, math.nan if x is None else x, s or "")
        made.array.mask[place] = (n is None, x is None, False)
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document.to_xml(target, tabledata_format=serialisation)
    path = tmp_path_factory.getbasetemp() / f"astropy-{serialisation}.vot"
    path.write_bytes(target.getvalue())
    found = rows_of(open_table(path))
    assert [(n, x, s or "") for n, x, s in found] == [(n, x, s or "") for n, x, s in rows]


WHOLE = {
    name: bytes_of(stars(), **options)
    for name, options in {
        "tabledata": {"format": "votable", "tabledata_format": "tabledata"},
        "binary2": {"format": "votable", "tabledata_format": "binary2"},
        "fits": {"format": "fits"},
    }.items()
}


@given(st.sampled_from(sorted(WHOLE)), st.data())
@settings(max_examples=120)
def test_damaged_files_are_read_or_refused(tmp_path_factory, name, data):
    """A bit wrong, a part missing, a part twice: there is a table, or an error for people; never anything else."""
    content = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        match data.draw(st.sampled_from(["flip", "cut", "drop", "twice"])):
            case "flip" if content:
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del content[place:]
            case "drop":
                del content[place : place + data.draw(st.integers(1, 50))]
            case _:
                content[place:place] = content[place : place + 200]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(content))
    bounds = Limits(file_bytes=10**6, unpacked_bytes=10**7, rows=10**5)
    with suppress(InvalidInputError), open_table(path, "", bounds) as source:
        assert sum(map(len, source.copy_chunks())) >= 21
