"""Publisher identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paws.settings import Settings
from paws.vo.identifiers import (
    MOST_FIBRES,
    IdentifierError,
    SpectrumId,
    parse_publisher_did,
    prefix,
    publisher_did,
    service_id,
)

HERE = "paws.local"
PRODUCT = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", fullmatch=True).filter(str.isascii)


@given(PRODUCT, st.one_of(st.none(), st.integers(1, MOST_FIBRES)))
def test_what_is_made_is_read_again(product_id, fibre):
    assert parse_publisher_did(publisher_did(HERE, product_id, fibre), HERE) == SpectrumId(product_id, fibre)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse_publisher_did(text, HERE)
    except IdentifierError:
        return
    assert publisher_did(HERE, found.product_id, found.fibre).lower() == text.lower()


def test_authority_and_path_have_no_case_but_the_product_has():
    found = parse_publisher_did("IVO://Paws.Local/Spectra?AbC-red/7", HERE)
    assert found == SpectrumId("AbC-red", 7)
    assert publisher_did("Paws.LOCAL", "AbC-red", 7) == "ivo://paws.local/spectra?AbC-red/7"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no identifier"),
        ("ivo://paws.local/spectra", "no identifier"),
        ("ivo://paws.local/frames?p/1", "no identifier"),
        ("ivo://paws.local/spectra?p/0", "no identifier"),
        ("ivo://paws.local/spectra?p/-1", "no identifier"),
        ("ivo://paws.local/spectra?p/10000", "no identifier"),
        ("ivo://paws.local/spectra?p/1\n", "no identifier"),
        ("ivo://paws.local/spectra?p/\u0661", "no identifier"),
        ("ivo://paws.local/spectra?../p/1", "no identifier"),
        ("ivo://paws.local/spectra?p'/1", "no identifier"),
        ("ivo://paws.local/spectra?p/1/2", "no identifier"),
        ("ivo://paws.local/spectra?" + "p" * 81, "no identifier"),
        ("ivo://elsewhere.org/spectra?p/1", "another publisher"),
    ],
)
def test_what_is_not_ours_is_refused_with_the_reason(text, told):
    with pytest.raises(IdentifierError, match=told):
        parse_publisher_did(text, HERE)


@pytest.mark.parametrize(
    ("product_id", "fibre"), [("", 1), ("a b", 1), ("p?", None), ("p", 0), ("p", 10_000)]
)
def test_nothing_is_made_that_could_not_be_read(product_id, fibre):
    with pytest.raises(IdentifierError):
        publisher_did(HERE, product_id, fibre)


def test_the_settings_give_an_authority_in_small_letters():
    assert Settings(vo_authority="AAO.gov.au").vo_authority == "aao.gov.au"
    assert publisher_did(Settings().vo_authority, "p", 1) == "ivo://paws.local/spectra?p/1"
    assert prefix("AAO.org") == "ivo://aao.org/spectra?"
    assert service_id("AAO.org", "tap") == "ivo://aao.org/tap"


@pytest.mark.parametrize("name", ["ab", "a b.org", "a/b.org", ".abc", "abc?d"])
def test_an_authority_that_cannot_be_one_is_no_setting(name):
    with pytest.raises(ValueError, match="vo_authority"):
        Settings(vo_authority=name)
