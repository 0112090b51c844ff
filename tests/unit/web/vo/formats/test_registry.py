"""Which format a client means."""

from __future__ import annotations

import pytest

from paws.errors import InvalidInputError
from web.vo.formats import FORMATS, Writer, choose, named

VOTABLE = "application/x-votable+xml"


@pytest.mark.parametrize(
    ("asked", "writer", "content_type"),
    [
        ("votable", Writer.TABLEDATA, VOTABLE),
        ("VOTable/TD", Writer.TABLEDATA, VOTABLE),
        (VOTABLE, Writer.TABLEDATA, VOTABLE),
        ("text/xml", Writer.TABLEDATA, "text/xml"),
        ("votable/b2", Writer.BINARY2, f"{VOTABLE};serialization=BINARY2"),
        (f"{VOTABLE}; serialization=BINARY2", Writer.BINARY2, f"{VOTABLE};serialization=BINARY2"),
        (
            f'{VOTABLE};serialization="binary2";version=1.4',
            Writer.BINARY2,
            f"{VOTABLE};serialization=BINARY2",
        ),
        (f"{VOTABLE};serialization=BINARY", Writer.BINARY, f"{VOTABLE};serialization=BINARY"),
        ("application/x-votable xml", Writer.TABLEDATA, VOTABLE),
        (f"{VOTABLE};content=datalink", Writer.TABLEDATA, f"{VOTABLE};content=datalink"),
        ("csv", Writer.CSV, "text/csv;header=present"),
        ("text/csv", Writer.CSV, "text/csv;header=present"),
        ("text/csv;charset=UTF-8", Writer.CSV, "text/csv;header=present"),
        ("tsv", Writer.TSV, "text/tab-separated-values"),
        ("fits", Writer.FITS, "application/fits"),
        ("image/fits", Writer.FITS, "application/fits"),
        ("application/json", Writer.JSON, "application/json"),
        ("parquet", Writer.PARQUET, "application/vnd.apache.parquet"),
    ],
)
def test_what_is_asked_for(asked, writer, content_type):
    choice = choose(asked)
    assert (choice.format.writer, choice.content_type) == (writer, content_type)


@pytest.mark.parametrize(
    "asked", ["xls", "text/html", f"{VOTABLE};serialization=FITS", "text/csv;header=absent", "<b>"]
)
def test_what_is_not_written_is_refused(asked):
    with pytest.raises(InvalidInputError, match="votable, votable/b2"):
        choose(asked)


@pytest.mark.parametrize(
    ("accept", "writer"),
    [
        (None, Writer.TABLEDATA),
        ("*/*", Writer.TABLEDATA),
        ("text/csv", Writer.CSV),
        ("application/fits;q=0.5, text/csv;q=0.4", Writer.FITS),
        ("application/fits;q=0.4, text/csv;q=0.5", Writer.CSV),
        ("text/html,image/webp", Writer.TABLEDATA),
        ("*/*, text/csv;q=0.1", Writer.TABLEDATA),
        ("text/csv;q=0", Writer.TABLEDATA),
        ("text/csv;q=many", Writer.TABLEDATA),
    ],
)
def test_the_header_breaks_ties(accept, writer):
    assert choose(None, accept).format.writer is writer
    assert choose("json", accept).format.writer is Writer.JSON


def test_every_name_means_one_format():
    names = [name for format_ in FORMATS for name in (format_.media_type, *format_.aliases)]
    assert len(set(names)) == len(names)
    assert [named(name) for name in names] == [
        format_ for format_ in FORMATS for _ in (format_.media_type, *format_.aliases)
    ]
