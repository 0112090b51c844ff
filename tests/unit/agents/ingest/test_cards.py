from __future__ import annotations

import math

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.ingest.cards import (
    BLOCK,
    MAX_HEADER_BLOCKS,
    HeaderDamagedError,
    HeaderIncompleteError,
    parse_value,
    read_header,
)

END = b"END".ljust(80)


def block(*cards: bytes) -> bytes:
    return b"".join(card.ljust(80) for card in cards).ljust(BLOCK)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"                   T / a comment", True),
        (b"                   F", False),
        (b"                  42 / answer", 42),
        (b"                 -07", -7),
        (b"              1.5E+2", 150.0),
        (b"              1.5D-2", 0.015),
        (b"                 .5 ", 0.5),
        (b"'text    '           / 'quoted' comment", "text"),
        (b"'O''Brien / son'", "O'Brien / son"),
        (b"''", ""),
        (b"'open", "open"),
        (b"                 NaN", "NaN"),
        (b"                 inf", "inf"),
        (b"              1E9999", "1E9999"),
        (b"", ""),
        (b"'a\x00b\xff\n'", "a b"),
        (b"    (1.0, 2.0)", "(1.0, 2.0)"),
    ],
)
def test_value(field: bytes, value: object) -> None:
    parsed = parse_value(field)
    assert parsed == value
    assert type(parsed) is type(value)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=8).filter(
            lambda word: (
                word not in ("END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH", "SIMPLE", "XTENSION")
            )
        ),
        st.one_of(
            st.booleans(),
            st.integers(-(10**15), 10**15),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.rstrip),
        ),
        max_size=60,
    )
)
def test_reads_what_astropy_writes(values: dict[str, object]) -> None:
    header = fits.Header()
    kept = {}
    for keyword, value in values.items():
        if isinstance(value, str) and len(value.replace("'", "''")) > 66:
            continue
        header[keyword] = value
        kept[keyword] = value
    read = read_header(header.tostring().encode(), 0)
    assert read.end == len(header.tostring())
    assert set(read.cards) == set(kept)
    for keyword, value in kept.items():
        expected = header[keyword]
        if isinstance(value, float):
            assert math.isclose(float(read.cards[keyword]), value, rel_tol=1e-11)  # a card has 20 places
        else:
            assert read.cards[keyword] == expected


@given(st.binary(max_size=4 * BLOCK))
def test_any_bytes_are_read_or_refused(junk: bytes) -> None:
    try:
        read = read_header(junk, 0)
    except (HeaderIncompleteError, HeaderDamagedError):
        return
    assert b"END" in junk
    assert read.end <= len(junk)


@given(st.lists(st.binary(min_size=70, max_size=70), max_size=34))
def test_hostile_values_become_plain_text_or_finite_numbers(fields: list[bytes]) -> None:
    cards = [f"K{number}".encode().ljust(8) + b"= " + value for number, value in enumerate(fields)]
    for value in read_header(block(*cards, END), 0).cards.values():
        if isinstance(value, str):
            assert value.isascii()
            assert value.isprintable()
        else:
            assert math.isfinite(value)


def test_the_first_of_two_counts_and_commentary_is_passed_over() -> None:
    cards = read_header(
        block(
            b"A       = 1",
            b"A       = 2",
            b"COMMENT = 'no value'",
            b"HISTORY x",
            b"",
            b"HIERARCH a b = 3",
            END,
        ),
        0,
    ).cards
    assert cards == {"A": 1, "COMMENT": "no value"}


def test_odd_keywords_are_kept_and_nameless_values_are_not() -> None:
    cards = read_header(block(b"old.Key = 7", b"        = 8", END), 0).cards
    assert cards == {"old.Key": 7}


def test_a_header_without_an_end_is_incomplete_or_damaged() -> None:
    filled = block(*[b"A       = 1"] * 36)
    with pytest.raises(HeaderIncompleteError):
        read_header(filled * 3 + b"B", 0)
    with pytest.raises(HeaderDamagedError, match="no END"):
        read_header(filled * (MAX_HEADER_BLOCKS + 1), 0)


def test_a_damaged_card_is_named_by_its_place() -> None:
    with pytest.raises(HeaderDamagedError, match="byte 80"):
        read_header(block(b"A       = 1", b"\x01\x02bad", END), 0)
