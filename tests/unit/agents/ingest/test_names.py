from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ingest.names import (
    NameKind,
    folder_night,
    foreign_reason,
    is_storable,
    name_kind,
    night_in,
    printable,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("12mar10011.fits", NameKind.RAW),
        ("31dec29999.fits", NameKind.RAW),
        ("12mar10011.fits\n", NameKind.OTHER),
        ("12MAR10011.FITS", NameKind.FOREIGN),
        ("12mar30011.fits", NameKind.FOREIGN),
        ("12mar10011red.fits", NameKind.FOREIGN),
        ("12mar10011.fits.gz", NameKind.FOREIGN),
        ("image.fit", NameKind.FOREIGN),
        (".12mar10011.fits", NameKind.TEMPORARY),
        (".12mar10011.fits.Xa3f", NameKind.TEMPORARY),
        ("12mar10011.fits.part", NameKind.TEMPORARY),
        ("12mar10011.fits~", NameKind.TEMPORARY),
        ("#12mar10011.fits#", NameKind.TEMPORARY),
        ("notes.txt", NameKind.OTHER),
        ("fits", NameKind.OTHER),
        ("", NameKind.OTHER),
    ],
)
def test_kind_of_a_name(name: str, kind: NameKind) -> None:
    assert name_kind(name) is kind


@pytest.mark.parametrize(
    ("name", "word"),
    [("12mar10011.fits.gz", "compressed"), ("12mar30011.fits", "CCD digit"), ("x.fits", "DDmmmCNNNN")],
)
def test_foreign_names_are_explained(name: str, word: str) -> None:
    assert word in foreign_reason(name)


@pytest.mark.parametrize(
    ("folder", "night"),
    [
        ("260312", "20260312"),
        ("960630", "19960630"),
        ("20260312", "20260312"),
        ("261312", None),
        ("260332", None),
        ("２６０３１２", None),
        ("ccd_1", None),
        ("2603121", None),
        ("18991231", None),
    ],
)
def test_night_in_a_folder_name(folder: str, night: str | None) -> None:
    assert night_in(folder) == night


@pytest.mark.parametrize(
    ("path", "night"),
    [
        ("/raw/260312/ccd_1/12mar10011.fits", "20260312"),
        ("/raw/260311/260312/x.fits", "20260312"),
        ("/raw/260312", None),
        ("/raw/x.fits", None),
    ],
)
def test_night_in_a_path(path: str, night: str | None) -> None:
    assert folder_night(path) == night


@given(st.binary(min_size=1, max_size=300).filter(lambda raw: b"\0" not in raw))
def test_any_path_has_a_printable_text(raw: bytes) -> None:
    path = os.fsdecode(raw)
    text = printable(path)
    text.encode()
    assert text.isprintable()
    assert len(text) <= 1000
    if is_storable(path):
        assert text == path
