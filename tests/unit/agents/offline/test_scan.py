"""Sorting the files of a night folder."""

from __future__ import annotations

from datetime import timedelta

from agents.ingest.inspect import Inspection, Signature, Verdict
from agents.offline.scan import accept, scan
from schemas.frames import Frame
from schemas.vocabulary import FrameClass
from tests.support.nights import make_frame
from tests.support.rawfiles import raw_frame

AAT = 149.0661


def seen(frame: Frame) -> Inspection:
    return Inspection(frame.path, Verdict.FRAME, Signature(1, 1), frame)


def test_a_file_that_lies_there_twice_is_one_frame():
    frame = make_frame(FrameClass.BIAS, 1)
    copy = frame.model_copy(update={"path": "/copies/12mar10001.fits"})
    found = accept([seen(frame), seen(copy)])
    assert len(found.frames) == 1
    assert found.rejected == ()


def test_of_two_contents_the_first_stays_and_the_other_is_named():
    first = make_frame(FrameClass.BIAS, 1)
    late = make_frame(FrameClass.BIAS, 1, content="other", path="/copies/12mar10001.fits")
    late = late.model_copy(update={"completed_at": first.completed_at + timedelta(hours=1)})
    for order in ([first, late], [late, first]):
        found = accept(map(seen, order))
        assert found.frames == (first,)
        (rejected,) = found.rejected
        assert (rejected.path, rejected.code) == ("/copies/12mar10001.fits", "duplicate_name")
        assert first.path in rejected.reason


def test_dummies_are_counted_and_all_else_is_rejected_with_its_reason():
    def judged(verdict: Verdict, path: str) -> Inspection:
        return Inspection(path, verdict, Signature(1, 1), code=verdict.value, reason=f"it is {verdict.value}")

    bad = (Verdict.INCOMPLETE, Verdict.REJECTED, Verdict.CHANGED, Verdict.GONE)
    found = accept(
        [
            judged(Verdict.NOT_OURS, "/raw/d.fits"),
            *(judged(verdict, f"/raw/{verdict}.fits") for verdict in bad),
        ]
    )
    assert found.not_ours == 1
    assert {item.reason for item in found.rejected} == {f"it is {verdict.value}" for verdict in bad}


async def test_products_below_the_night_folder_are_passed_over(tmp_path):
    night, out = tmp_path / "night", tmp_path / "night" / "reduced"
    (out / "p0").mkdir(parents=True)
    (out / "p0" / "OBJ0001red.fits").write_bytes(b"SIMPLE")
    (night / "12mar10001.fits").write_bytes(raw_frame("BIAS"))
    (night / "12mar10002.fits").write_bytes(raw_frame("BIAS")[:5000])
    told = []
    found = await scan(night, out, AAT, 1, lambda done, total: told.append((done, total)))
    assert [frame.name for frame in found.frames] == ["12mar10001.fits"]
    assert [item.code for item in found.rejected] == ["truncated"]
    assert told[0] == (0, 2)
    assert told[-1] == (2, 2)


async def test_raw_frames_below_the_products_folder_are_found(tmp_path):
    night = tmp_path / "night"
    night.mkdir()
    (night / "12mar10001.fits").write_bytes(raw_frame("BIAS"))
    found = await scan(night, tmp_path, AAT, 1, lambda _done, _total: None)
    assert len(found.frames) == 1
