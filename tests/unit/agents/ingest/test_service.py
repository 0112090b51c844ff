from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from agents.ingest.inspect import Inspection, Signature, Verdict
from agents.ingest.service import Admission, Holder, admit, rejection
from tests.support.events import example_frame

FRAME = example_frame()
OTHER = "20260312-12mar20011-ffffffffffff"


@pytest.mark.parametrize(
    ("holders", "admission", "word"),
    [
        ([], Admission.NEW, "not seen"),
        ([Holder(FRAME.frame_id, FRAME.path, True)], Admission.KNOWN, FRAME.frame_id),
        ([Holder(FRAME.frame_id, FRAME.path, False)], Admission.KNOWN, FRAME.frame_id),
        ([Holder(FRAME.frame_id, "/elsewhere/x.fits", True)], Admission.KNOWN, FRAME.frame_id),
        ([Holder(FRAME.frame_id, "/elsewhere/x.fits", False)], Admission.MOVED, "/elsewhere/x.fits"),
        ([Holder(FRAME.frame_id, FRAME.path, True, live=False)], Admission.ADOPTED, "archive"),
        ([Holder(OTHER, "/elsewhere/x.fits", True)], Admission.DUPLICATE, OTHER),
        ([Holder(OTHER, FRAME.path, True)], Admission.DUPLICATE, "overwritten"),
        (
            [Holder(OTHER, FRAME.path, True), Holder(FRAME.frame_id, FRAME.path, True)],
            Admission.KNOWN,
            FRAME.frame_id,
        ),
    ],
)
def test_admission(holders: list[Holder], admission: Admission, word: str) -> None:
    decision = admit(FRAME, holders)
    assert decision.admission is admission
    assert word in decision.reason


@pytest.mark.parametrize(
    ("path", "mtime_ns", "night"),
    [
        ("/raw/260311/ccd_1/x.fits", 1, "20260311"),
        # 2026-03-12T01:00 UTC is 11 in the morning at the site: still the night of the 11th.
        ("/raw/x.fits", int(datetime(2026, 3, 12, 1, tzinfo=UTC).timestamp() * 1e9), "20260311"),
        ("/raw/x.fits", int(datetime(2026, 3, 12, 3, tzinfo=UTC).timestamp() * 1e9), "20260312"),
    ],
)
def test_night_of_a_rejected_file(path: str, mtime_ns: int, night: str) -> None:
    found = Inspection(
        path, Verdict.REJECTED, Signature(7, mtime_ns), code="not_fits", reason="It is no FITS."
    )
    assert rejection(found, 149.0661).night == night


def test_a_rejection_of_any_path_makes_a_valid_event() -> None:
    path = os.fsdecode(b"/raw/260312/\xff\n'.fits")
    found = Inspection(path, Verdict.REJECTED, Signature(-1, -1), code="wrong_name", reason="No.")
    event = rejection(found, 149.0661).event(datetime(2026, 3, 12, tzinfo=UTC))
    assert event.path == "/raw/260312/\\xff\\n'.fits"
    assert event.name == "\\xff\\n'.fits"
    assert event.size_bytes == 0
    assert event.event_id == f"{event.path}:-1"
    assert event.model_dump_json().isprintable()
