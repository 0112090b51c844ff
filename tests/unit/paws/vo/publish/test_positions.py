from __future__ import annotations

import pytest

from adql.catalogue import Column
from paws.vo.publish.positions import BY_NAME, choose_positions, doubts


def number(name, unit="deg", ucd=None, datatype="double", arraysize=None):
    return Column(name, datatype, arraysize, unit=unit, ucd=ucd)


MAIN = [number("x", ucd="pos.eq.ra;meta.main"), number("y", ucd="pos.eq.dec;meta.main")]
PLAIN = [number("p", ucd="pos.eq.ra"), number("q", ucd="pos.eq.dec")]
ERRORS = [number("ex", ucd="stat.error;pos.eq.ra"), number("pm", ucd="pos.pm;pos.eq.ra")]
NAMED = [number("RA"), number("Dec")]


@pytest.mark.parametrize(
    ("columns", "ra", "dec"),
    [
        (MAIN, "x", "y"),
        (NAMED + PLAIN + MAIN, "x", "y"),
        (NAMED + PLAIN, "p", "q"),
        (ERRORS + NAMED, "RA", "Dec"),
        ([number("a", ucd="POS_EQ_RA_MAIN"), number("b", ucd="POS_EQ_DEC_MAIN")], "a", "b"),
        ([number("RAJ2000", ""), number("DEJ2000", "")], "RAJ2000", "DEJ2000"),
        ([number("RA_ICRS"), number("DE_ICRS")], "RA_ICRS", "DE_ICRS"),
        ([number("ra_deg"), number("dec_deg"), number("ra", "h"), number("dec")], "ra", "dec"),
        ([number("ra", datatype="float"), number("dec", datatype="float")], "ra", "dec"),
        ([*PLAIN, number("r", ucd="pos.eq.ra"), *NAMED], "RA", "Dec"),
        ([number("ra"), number("declination")], "", ""),
        ([number("flux")], "", ""),
        ([], "", ""),
    ],
)
def test_which_columns_are_the_positions(columns, ra, dec):
    found = choose_positions(columns)
    assert (found.ra, found.dec) == (ra, dec)
    assert found.reason
    assert found.found == bool(ra)


@pytest.mark.parametrize(
    ("ra_unit", "dec_unit", "units"),
    [
        ("deg", "degrees", ("deg", "deg")),
        (None, "", ("deg", "deg")),
        ("rad", "rad", ("rad", "rad")),
        ("hourangle", "deg", ("hour", "deg")),
        ("'h'", "deg", ("hour", "deg")),
        ("d", "deg", None),  # a day
        ("deg", "h", None),
        ("mas", "mas", None),
        ('"h:m:s"', "deg", None),
    ],
)
def test_units_of_positions(ra_unit, dec_unit, units):
    found = choose_positions([number("ra", ra_unit), number("dec", dec_unit)])
    if units is None:
        assert not found.found
        assert "not indexed" in found.warnings[0]
    else:
        assert (found.ra_unit, found.dec_unit) == units
        assert found.in_degrees == (units == ("deg", "deg"))
        assert len(found.warnings) == (0 if ra_unit else 2)


def test_texts_are_no_positions():
    found = choose_positions([Column("ra", "char", "*"), Column("dec", "char", "*")])
    assert not found.found
    assert "ra is text" in found.warnings[0]
    assert not choose_positions([number("ra", arraysize="2"), number("dec")]).found


def test_two_main_positions_are_a_doubt():
    found = choose_positions([*MAIN, *(number(f"{c.name}2", ucd=c.ucd) for c in MAIN)])
    assert not found.found
    assert "meta.main" in found.warnings[0]


@pytest.mark.parametrize(
    ("reason", "extent", "missing", "words"),
    [
        (BY_NAME, (0.1, 359.9, -89, 89), 0, []),
        (BY_NAME, (0.1, 23.99, -89, 89), 0, ["hours"]),
        ("UCD pos.eq.ra", (0.1, 23.99, -89, 89), 0, []),
        (BY_NAME, (0.1, 23.99, -2, 2), 0, []),  # a strip of the sky
        (BY_NAME, (0.1, 359.9, -89, 95), 0, ["outside"]),
        (BY_NAME, (0.1, float("nan"), -89, 89), 0, ["outside"]),
        (BY_NAME, (None, None, None, None), 7, ["7 rows"]),
        (BY_NAME, (0.0, 360.0, -90, 90), 1200, ["1,200 rows"]),
    ],
)
def test_doubts_about_values(reason, extent, missing, words):
    found = doubts(reason, *extent, missing)
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))
