"""What a query asks for."""

from __future__ import annotations

import pytest

from paws.settings import load_settings
from web.vo.formats import Writer
from web.vo.problems import BadRequestError
from web.vo.tap.asking import UploadAsk, read_question
from web.vo.tap.parameters import Parameters

SETTINGS = load_settings(tap_maxrec=1000, tap_maxrec_max=5000, tap_upload_tables=2)
QUERY = ("QUERY", "SELECT 1 FROM t")
LANG = ("LANG", "ADQL")


def asked(*items: tuple[str, str]):
    return read_question(Parameters([LANG, QUERY, *items]), SETTINGS)


def test_a_plain_question_has_the_defaults():
    question = asked()
    assert (question.query, question.limit, question.uploads) == ("SELECT 1 FROM t", 1000, ())
    assert question.choice.format.writer is Writer.TABLEDATA


@pytest.mark.parametrize(("text", "limit"), [("0", 0), ("7", 7), (" 7 ", 7), ("999999", 5000), ("", 1000)])
def test_rows_are_bounded(text, limit):
    assert asked(("MAXREC", text)).limit == limit


@pytest.mark.parametrize("name", ["RESPONSEFORMAT", "FORMAT"])
def test_formats_have_two_names(name):
    assert asked((name, "csv")).choice.format.writer is Writer.CSV


def test_uploads_are_given_in_both_ways():
    found = asked(("UPLOAD", "mine,param:up;his,https://example.org/a.vot")).uploads
    assert found == (UploadAsk("mine", part="up"), UploadAsk("his", address="https://example.org/a.vot"))
    again = asked(("UPLOAD", "mine,param:up"), ("UPLOAD", "TAP_UPLOAD.his,https://example.org/a.vot")).uploads
    assert again == found


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ([QUERY], "LANG"),
        ([LANG], "QUERY"),
        ([LANG, ("QUERY", "  ")], "QUERY"),
        ([QUERY, ("LANG", "PQL")], "PQL"),
        ([QUERY, LANG, ("LANG", "ADQL-2.0")], "LANG"),
        ([QUERY, LANG, ("REQUEST", "getCapabilities")], "REQUEST"),
        ([QUERY, LANG, ("MAXREC", "-1")], "MAXREC"),
        ([QUERY, LANG, ("MAXREC", "1e3")], "MAXREC"),
        ([QUERY, LANG, ("MAXREC", "٣")], "MAXREC"),
        ([QUERY, LANG, ("RESPONSEFORMAT", "docx")], "docx"),
        ([QUERY, LANG, ("UPLOAD", "mine")], "mine"),
        ([QUERY, LANG, ("UPLOAD", "my table,param:up")], "my table"),
        ([QUERY, LANG, ("UPLOAD", "mine,file:///etc/passwd")], "http"),
        ([QUERY, LANG, ("UPLOAD", "a,param:x;A,param:y")], "Two uploads"),
        ([QUERY, LANG, ("UPLOAD", "a,param:x;b,param:y;c,param:z")], "2 tables"),
        ([LANG, ("QUERY", "SELECT " + "1," * 200_000)], "characters"),
        ([QUERY, LANG, ("RUNID", "x" * 201)], "RUNID"),
    ],
)
def test_what_is_wrong_is_named(items, named):
    with pytest.raises(BadRequestError) as error:
        read_question(Parameters(items), SETTINGS)
    assert named in str(error.value.detail)
