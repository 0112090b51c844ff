"""A file's whole way to a verdict, from bytes on disk."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.ingest import inspect
from agents.ingest.inspect import Verdict, inspect_file
from paws.clock import from_nanoseconds
from schemas.vocabulary import Arm, FrameClass
from tests.support.rawfiles import (
    FIBRE_COLUMNS,
    Verbatim,
    card,
    class_table,
    fibre_table,
    pixels,
    primary,
    raw_frame,
    red,
)

AAT = 149.0661


def judged(content: bytes, name: str = "12mar10011.fits") -> inspect.Inspection:
    """Verdict on a content, without a file."""
    return inspect.judge(
        f"/raw/260312/ccd_1/{name}",
        memoryview(bytearray(content)),
        inspect.Signature(len(content), 0),
        datetime(2026, 3, 12, tzinfo=UTC),
        AAT,
    )


def put(folder: Path, content: bytes, name: str = "12mar10011.fits") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def test_a_science_frame_is_read_whole(tmp_path: Path) -> None:
    content = raw_frame()
    found = inspect_file(put(tmp_path, content), AAT)
    assert (found.verdict, found.reason) == (Verdict.FRAME, "")
    frame = found.frame
    assert frame is not None
    assert frame.checksum == blake3(content).hexdigest()
    assert frame.frame_id == f"20260312-12mar10011-{frame.checksum[:12]}"
    assert (frame.arm, frame.run, frame.frame_class) == (Arm.BLUE, 11, FrameClass.MFOBJECT)
    assert (frame.grating, frame.central_wavelength) == ("580V", 4800)
    assert (frame.plate, frame.field) == (1, "FLD195_v03")
    assert frame.header_night == "20260312"
    assert frame.airmass == pytest.approx(1.247, abs=0.002)  # mean of sec z at 35.06 and 38.25 degrees
    assert frame.exposure is not None
    assert abs(frame.exposure.median) < 1
    assert frame.exposure.saturated_fraction == 0
    assert found.header["OBJECT"] == "FLD195_v03"


@pytest.mark.parametrize(
    ("frame_class", "changes", "expected"),
    [
        (
            "BIAS",
            {"GRATID": None, "LAMBDCR": None, "LAMBDAC": None, "CFG_FILE": None, "SOURCE": None},
            "BIAS",
        ),
        ("DARK", {"ZDSTART": None}, "DARK"),
        ("DFLAT", {}, "LFLAT"),
        ("MFFFF", {}, "MFFFF"),
        ("MFARC", {"LAMPNAME": "CuAr"}, "MFARC"),
        ("SFLAT", {}, "MFSKY"),
        ("MFFLX", {}, "MFFLX"),
    ],
)
def test_classes(frame_class: str, changes: dict[str, Any], expected: str) -> None:
    tables = None if frame_class != "DFLAT" else class_table("DFLAT")
    found = judged(raw_frame(frame_class, tables=tables, **changes))
    assert found.frame is not None, found.reason
    assert found.frame.frame_class.value == expected
    assert (found.frame.plate is None) == (expected in ("BIAS", "DARK", "LFLAT"))


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"CFG_FILE": "FLD_p0.sds", "SOURCE": None}, "plate", 0),
        ({"CFG_FILE": None, "SOURCE": "Plate 0"}, "plate", 0),
        ({"CFG_FILE": None, "SOURCE": "plate 1"}, "field", "FLD195_v03"),
        ({"LAMBDCR": None}, "central_wavelength", 4801),
        ({"UTMJD": None}, "utmjd", pytest.approx(61111.559294, abs=1e-5)),
        ({"UTMJD": None}, "night", "20260312"),
        # 02:00 UTC is noon at the site: the next night begins.
        ({"UTMJD": 61112.05}, "night", "20260312"),
        ({"UTMJD": 61112.10}, "night", "20260313"),
        ({"FILEORIG": None}, "header_night", "20260312"),
        ({"FILEORIG": None, "UTDATE": None}, "header_night", None),
        ({"FILEORIG": "/data/251231/ccd_1/x.fits"}, "header_night", "20251231"),
        ({"MEANRA": Verbatim("")}, "ra", None),
        ({"MEANRA": 999.0}, "ra", None),
        ({"ZDSTART": 120.0, "ZDEND": 0.0}, "airmass", 1.0),
        ({"ZDSTART": None, "ZDEND": None}, "airmass", None),
        ({"OBJECT": "a\x01b  c"}, "object_name", "a b c"),
        ({"OBJECT": None}, "object_name", ""),
    ],
)
def test_facts(changes: dict[str, Any], attribute: str, expected: object) -> None:
    found = judged(raw_frame(**changes))
    assert found.frame is not None, found.reason
    assert getattr(found.frame, attribute) == expected


def test_class_of_the_table_serves_where_the_header_lacks_it() -> None:
    content = (
        primary(NDFCLASS=None, OBSTYPE=None, RUNCMD=None)
        + pixels(400, 0)
        + fibre_table()
        + class_table("MFARC")
    )
    found = judged(content)
    assert found.frame is not None, found.reason
    assert found.frame.frame_class is FrameClass.MFARC


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"INSTRUME": "HERMES-2dF"}, "wrong_instrument", "HERMES"),
        ({"INSTRUME": "AAOMEGA-KOALA"}, "wrong_instrument", "KOALA"),
        ({"INSTRUME": None}, "missing_keyword", "INSTRUME"),
        ({"SPECTID": "RD"}, "arm_mismatch", "SPECTID"),
        ({"SPECTID": "GN"}, "arm_mismatch", "SPECTID"),
        ({"EXPOSED": None}, "missing_keyword", "EXPOSED"),
        ({"EXPOSED": Verbatim("NaN")}, "bad_value", "EXPOSED is 'NaN'"),
        ({"EXPOSED": "long"}, "bad_value", "EXPOSED is 'long'"),
        ({"EXPOSED": True}, "bad_value", "EXPOSED is 'T'"),
        ({"RO_GAIN": None}, "missing_keyword", "RO_GAIN"),
        ({"RO_GAIN": 0.0}, "bad_value", "RO_GAIN"),
        ({"RO_NOISE": Verbatim("NaN")}, "bad_value", "RO_NOISE"),
        ({"MEANRA": Verbatim("NaN")}, "bad_value", "MEANRA"),
        ({"GRATANGL": "steep"}, "bad_value", "GRATANGL"),
        ({"SPECTID": None}, "missing_keyword", "SPECTID"),
        ({"EXPOSED": Verbatim("")}, "missing_keyword", "EXPOSED"),
        ({"EXPOSED": -1.0}, "bad_value", "outside"),
        ({"EXPOSED": 1e300}, "bad_value", "outside"),
        ({"UTMJD": Verbatim("inf")}, "bad_value", "UTMJD"),
        ({"UTMJD": 0.0}, "bad_value", "UTMJD"),
        ({"UTMJD": None, "UTDATE": None}, "missing_keyword", "UTMJD"),
        ({"UTMJD": None, "UTDATE": "2026:13:45"}, "bad_value", "UTDATE"),
        ({"GRATID": None}, "missing_keyword", "GRATID"),
        ({"LAMBDCR": None, "LAMBDAC": None}, "missing_keyword", "LAMBDAC"),
        ({"LAMBDCR": Verbatim("NaN")}, "bad_value", "LAMBDCR"),
        ({"SOURCE": "invalid", "CFG_FILE": "none"}, "missing_keyword", "plate cannot be told"),
        ({"SOURCE": "plate 0"}, "plate_mismatch", "plate 0"),
        ({"BZERO": 1e30}, "bad_value", "BZERO"),
        ({"BSCALE": Verbatim("NaN")}, "bad_value", "BSCALE"),
        ({"NDFCLASS": "NOVELTY", "OBSTYPE": "X", "RUNCMD": "Y"}, "unknown_class", "NOVELTY"),
    ],
)
def test_a_wrong_header_is_refused_by_name(changes: dict[str, Any], code: str, word: str) -> None:
    content = primary(**changes) + pixels(400, 0) + fibre_table() + class_table("")
    found = judged(content)
    assert (found.verdict, found.code) == (Verdict.REJECTED, code)
    assert word in found.reason
    assert found.reason.count(".") >= 2, "says what is wrong, and what to do next"


@pytest.mark.parametrize(
    ("tables", "word"),
    [
        (class_table("MFOBJECT"), "is missing"),
        (fibre_table(rows=399), "399 rows"),
        (fibre_table(columns={"NAME": "80A"}), "RA, DEC, TYPE, PIVOT"),
        (fibre_table(TFIELDS="many"), "NAME, RA"),
        (fibre_table(columns=FIBRE_COLUMNS, EXTNAME="OTHER"), "is missing"),
    ],
)
def test_a_frame_through_the_fibres_needs_its_table(tables: bytes, word: str) -> None:
    found = judged(raw_frame(tables=tables))
    assert (found.verdict, found.code) == (Verdict.REJECTED, "missing_fibres")
    assert word in found.reason


def test_a_binned_frame_has_the_wrong_size() -> None:
    found = judged(primary(NAXIS1=1035))
    assert (found.verdict, found.code) == (Verdict.REJECTED, "wrong_size")
    assert "1035 x 4098" in found.reason


@pytest.mark.parametrize("changes", [{"DUMMY": 1}, {"DUMMY": True}, {"RUNCMD": "GLANCE"}])
def test_dummy_and_glance_exposures_are_not_ours(changes: dict[str, Any]) -> None:
    assert judged(raw_frame(**changes)).verdict is Verdict.NOT_OURS


@pytest.mark.parametrize("length", [1, 2879, 2880, 20_000, 17_000_000, -1, -2880])
def test_a_truncated_frame_is_incomplete(length: int) -> None:
    found = judged(raw_frame()[:length])
    assert (found.verdict, found.code) == (Verdict.INCOMPLETE, "truncated")


def test_rows_of_zero_bytes_are_not_filled_yet() -> None:
    content = bytearray(raw_frame())
    start = len(primary()) + 4000 * 2070 * 2
    content[start : start + 3 * 2070 * 2] = bytes(3 * 2070 * 2)
    found = judged(bytes(content))
    assert (found.verdict, found.code) == (Verdict.INCOMPLETE, "zero_bytes")
    assert "3 rows" in found.reason


def test_exposure_level_of_a_saturated_frame() -> None:
    content = bytearray(raw_frame(level=30000))
    start = len(primary())
    half = 2049 * 2070 * 2
    content[start : start + half] = b"\x7f\xff" * (half // 2)
    found = judged(bytes(content))
    assert found.frame is not None
    assert found.frame.exposure is not None
    assert found.frame.exposure.saturated_fraction == pytest.approx(0.5, abs=0.01)


def test_the_red_arm() -> None:
    found = judged(raw_frame(**red()), "12mar20011.fits")
    assert found.frame is not None, found.reason
    assert (found.frame.arm, found.frame.grating) == (Arm.RED, "385R")


def test_complete_at_the_notice_or_the_last_change_whichever_is_earlier(tmp_path: Path) -> None:
    path = put(tmp_path, raw_frame())
    changed = from_nanoseconds(Path(path).stat().st_ctime_ns)
    for noticed, expected in [
        (None, changed),
        (changed + timedelta(seconds=5), changed),
        (changed - timedelta(seconds=5), changed - timedelta(seconds=5)),
    ]:
        frame = inspect_file(path, AAT, noticed).frame
        assert frame is not None
        assert frame.completed_at == expected


def test_what_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "12mar10001.fits"
    folder.mkdir()
    pipe = tmp_path / "12mar10002.fits"
    os.mkfifo(pipe)
    loop = tmp_path / "12mar10003.fits"
    loop.symlink_to(loop.name)
    nothing = tmp_path / "12mar10004.fits"
    nothing.symlink_to("nowhere")
    codes = [inspect_file(str(path), AAT).code for path in (folder, pipe, loop, nothing)]
    assert codes == ["not_a_file", "not_a_file", "unreadable", "unreadable"]
    assert inspect_file(str(tmp_path / "12mar10005.fits"), AAT).verdict is Verdict.GONE


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, b"x")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inspect.os, "open", refuse)
    found = inspect_file(path, AAT)
    assert (found.verdict, found.code) == (Verdict.REJECTED, "unreadable")
    assert "permission" in found.reason
    assert found.signature.size == 1


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "12mar10011.fits"
    with path.open("wb") as sparse:
        sparse.truncate(10**12)
    assert inspect_file(str(path), AAT).code == "too_large"


def test_a_file_that_changes_while_it_is_read_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, raw_frame())
    real = os.readv

    def growing(descriptor: int, buffers: Any) -> int:
        count = real(descriptor, buffers)
        with open(path, "ab") as more:
            more.write(b"x")
        return count

    monkeypatch.setattr(inspect.os, "readv", growing)
    assert inspect_file(path, AAT).verdict is Verdict.CHANGED


_values = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.booleans(),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=60),
    st.none(),
    st.sampled_from([Verbatim("NaN"), Verbatim("-Infinity"), Verbatim("'unclosed"), Verbatim("1D400")]),
)
_keywords = st.sampled_from(
    [
        *("INSTRUME", "NDFCLASS", "OBSTYPE", "RUNCMD", "OBJECT", "SPECTID", "GRATID", "LAMBDCR", "LAMBDAC"),
        *("EXPOSED", "UTMJD", "UTDATE", "UTSTART", "FILEORIG", "SOURCE", "CFG_FILE", "MEANRA", "MEANDEC"),
        *(
            "ZDSTART",
            "ZDEND",
            "DUMMY",
            "BZERO",
            "BSCALE",
            "NAXIS1",
            "BITPIX",
            "NAXIS",
            "PCOUNT",
            "GCOUNT",
            "AAOPRGID",
        ),
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(_keywords, _values, min_size=1, max_size=5))
def test_any_header_gets_a_verdict_and_what_is_accepted_can_be_stored(changes: dict[str, Any]) -> None:
    head = primary(**changes)
    found = judged(head + _TAIL)
    if found.verdict is Verdict.FRAME:
        assert found.frame is not None
        stored = found.frame.model_dump_json()
        assert "\\u0000" not in stored
        assert all(character.isprintable() for character in found.frame.object_name)
    else:
        assert found.reason.isprintable()
        assert len(found.reason) < 1000


_TAIL = pixels(400, 0) + fibre_table() + class_table("MFOBJECT")


def test_cards_of_this_test_are_as_meant() -> None:
    assert card("A", Verbatim("NaN")) == b"A       = NaN".ljust(80)
