"""Parameters of spectral access, and the query that they make."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adql import parse
from web.vo.problems import BadRequestError
from web.vo.ssa.asking import query_of
from web.vo.ssa.question import Cone, Range, SsaQuestion, read_question
from web.vo.tap.parameters import Parameters

NIGHT = 61111.0  # 2026-03-12


def read(**given_) -> SsaQuestion:
    return read_question(Parameters([("REQUEST", "queryData"), *given_.items()]))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", 61041, 61406),
        ("2024", 60310, 60676),
        ("2026-03", 61100, 61131),
        ("2024-02", 60341, 60370),
        ("2026-03-12", NIGHT, NIGHT + 1),
        ("2026-03-12T12", NIGHT + 0.5, NIGHT + 0.5 + 1 / 24),
        ("2026-03-12T12:30", NIGHT + 12.5 / 24, NIGHT + 12.5 / 24 + 1 / 1440),
        ("2026-03-12T12:30:15Z", NIGHT + 45015 / 86400, NIGHT + 45016 / 86400),
        ("2026-03-12/", NIGHT, math.inf),
        ("/2026-03-12", -math.inf, NIGHT + 1),
        ("2026-03-12/2026-03-14", NIGHT, NIGHT + 3),
    ],
)
def test_dates_are_as_coarse_as_they_are_written(text, low, high):
    (found,) = read(TIME=text).times
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize(
    ("pos", "size", "cone"),
    [
        ("52.1,-28.3", "0.5", Cone(52.1, -28.3, 0.25)),
        ("52.1 -28.3;ICRS", "0.5", Cone(52.1, -28.3, 0.25)),
        ("-10,90", "360", Cone(350.0, 90.0, 180.0)),
        ("0,0", "0", Cone(0.0, 0.0, 1.05 / 3600)),
        ("0,0", None, Cone(0.0, 0.0, 0.1)),
    ],
)
def test_positions(pos, size, cone):
    assert read(POS=pos, **({} if size is None else {"SIZE": size})).cone == cone


def test_bands_are_ranges_values_and_arms():
    question = read(BAND="4e-7/5e-7,/6e-7,7e-7,Blue;source")
    assert question.bands == (Range(4e-7, 5e-7), Range(-math.inf, 6e-7), Range(7e-7, 7e-7))
    assert question.arms == ("blue",)


def test_the_query_has_nothing_but_numbers_and_quoted_words():
    question = read(
        POS="10,-30",
        SIZE="1",
        BAND="4e-7/",
        TIME="/2026",
        TARGETNAME="it's, -- x",
        SNR="5/",
        PUBDID="ivo://a/b?c",
    )
    text = query_of(question, 7)
    parse(text)
    assert text.startswith("SELECT TOP 7 ")
    assert "CIRCLE(10.0, -30.0, 0.5)" in text
    assert "ssa_targname = 'it''s'" in text
    assert "ssa_targname = '-- x'" in text
    assert "ssa_specend >= 4e-07" in text
    assert "ssa_specstart <=" not in text


@given(
    st.text(max_size=60),
    st.text(max_size=60),
    st.text(max_size=40),
    st.text(max_size=40),
    st.text(max_size=40),
)
def test_whatever_is_sent_makes_a_query_or_is_refused(name, pos, band, time, snr):
    try:
        question = read(TARGETNAME=name, POS=pos, BAND=band, TIME=time, SNR=snr)
    except BadRequestError:
        return
    parse(query_of(question, 1))


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.split(";")[0].replace(",", "").strip()))
def test_names_of_targets_are_words_whatever_is_in_them(name):
    if "\0" in name:
        return
    parse(query_of(read(TARGETNAME=name), 1))
