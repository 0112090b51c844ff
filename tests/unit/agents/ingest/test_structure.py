from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.ingest.structure import MAX_FILE_BYTES, StructureState, check_structure
from tests.support.rawfiles import header

COMPLETE, INCOMPLETE, DAMAGED = StructureState.COMPLETE, StructureState.INCOMPLETE, StructureState.DAMAGED


def small_file() -> bytes:
    primary = fits.PrimaryHDU(np.arange(600, dtype=np.uint16).reshape(20, 30))
    table = fits.BinTableHDU.from_columns(
        [fits.Column("NAME", "80A", array=np.array(["a"] * 40)), fits.Column("RA", "1D", array=np.zeros(40))],
        name="STRUCT.MORE.FIBRES",
    )
    stream = io.BytesIO()
    fits.HDUList([primary, table]).writeto(stream)
    return stream.getvalue()


SMALL = small_file()


def declaring(**changes: object) -> bytes:
    cards = {"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 10, "NAXIS2": 10} | changes
    return header(cards) + bytes(2880)


def test_a_whole_file_is_complete() -> None:
    structure = check_structure(SMALL)
    assert structure.state is COMPLETE
    assert [hdu.name for hdu in structure.hdus] == ["", "FIBRES"]
    first = structure.hdus[0]
    assert (first.data_start, first.data_bytes) == (2880, 1200)
    assert structure.reason == ""


@settings(deadline=None)
@given(st.integers(1, len(SMALL) - 1))
def test_every_beginning_of_a_file_is_incomplete_or_ends_between_hdus(length: int) -> None:
    structure = check_structure(SMALL[:length])
    between = length == 2 * 2880
    assert structure.state is (COMPLETE if between else INCOMPLETE)
    assert between or structure.code == "truncated"


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=3 * 2880), st.integers(0, len(SMALL)))
def test_any_bytes_get_a_verdict(junk: bytes, at: int) -> None:
    structure = check_structure(SMALL[:at] + junk)
    assert structure.state is COMPLETE or (structure.code and structure.reason)


@pytest.mark.parametrize(
    ("content", "state", "code", "word"),
    [
        (b"", INCOMPLETE, "empty", "0 bytes"),
        (b"\0" * 5000, INCOMPLETE, "zero_bytes", "zero bytes"),
        (b"SIMP", INCOMPLETE, "truncated", "ends at byte 4"),
        (b"\x89PNG" * 1000, DAMAGED, "not_fits", "does not begin"),
        (b"<html>", DAMAGED, "not_fits", "does not begin"),
        (SMALL + b"tail", DAMAGED, "corrupt", "4 bytes after HDU 1"),
        (SMALL + bytes(2880), DAMAGED, "corrupt", "no extension"),
        (declaring(SIMPLE=False), DAMAGED, "corrupt", "SIMPLE"),
        (declaring(BITPIX=17), DAMAGED, "corrupt", "BITPIX is 17"),
        (declaring(BITPIX="16"), DAMAGED, "corrupt", "BITPIX is '16'"),
        (declaring(NAXIS=None), DAMAGED, "corrupt", "NAXIS is missing"),
        (declaring(NAXIS=1000), DAMAGED, "corrupt", "NAXIS is 1000"),
        (declaring(NAXIS1=-1), DAMAGED, "corrupt", "NAXIS1 is -1"),
        (declaring(NAXIS1=10**39), DAMAGED, "corrupt", "NAXIS1"),
        (declaring(NAXIS1=10**9, NAXIS2=10**9), DAMAGED, "absurd_header", "declares"),
        (declaring(NAXIS1=10**12, NAXIS2=10**12), DAMAGED, "corrupt", "impossible size"),
        (declaring(NAXIS1=True), DAMAGED, "corrupt", "NAXIS1 is True"),
        (declaring(NAXIS1=1000, NAXIS2=1000), INCOMPLETE, "truncated", "are missing"),
    ],
)
def test_defects(content: bytes, state: StructureState, code: str, word: str) -> None:
    structure = check_structure(content)
    assert (structure.state, structure.code) == (state, code)
    assert word in structure.reason


def test_a_huge_file_is_refused_by_its_size() -> None:
    structure = check_structure(SMALL, MAX_FILE_BYTES + 1)
    assert (structure.state, structure.code) == (DAMAGED, "too_large")
