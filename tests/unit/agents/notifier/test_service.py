from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agents.notifier.service import (
    Failure,
    FieldProgress,
    RejectedFile,
    ScienceFrame,
    tell_failure,
    tell_field,
    tell_rejections,
)
from schemas.vocabulary import FrameState

NOW = datetime(2026, 3, 12, 14, 0, tzinfo=UTC)
END = NOW - timedelta(seconds=60)


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def science(run: int = 11, state: FrameState = FrameState.REDUCED, **changes: object) -> ScienceFrame:
    frame = ScienceFrame(
        frame_id=f"20260312-12mar1{run:04d}-aaaaaaaaaaaa",
        name=f"12mar1{run:04d}.fits",
        run=run,
        arm="blue",
        object_name="FLD",
        exposed=900.0,
        utmjd=61111.0,  # 14 h before NOW: a replayed night
        completed_at=END,
        state=state,
        reason="",
        level=0,
        provisional=False,
        signal_to_noise=5.0,
        finished_at=END + seconds(20),
    )
    return replace(frame, **changes)  # type: ignore[arg-type]  # whatever the test changes


def field(*frames: ScienceFrame, **changes: object) -> FieldProgress:
    return replace(FieldProgress("20260312", "FLD", 1, frames or (science(),)), **changes)  # type: ignore[arg-type]  # whatever the test changes


def test_a_finished_field_is_told() -> None:
    decision = tell_field(field(), NOW)
    assert decision.tell
    assert decision.notification_id.startswith("field:20260312:1:FLD:")


@pytest.mark.parametrize(
    ("progress", "word", "again"),
    [
        (field(science(state=FrameState.RUNNING)), "not final", True),
        (
            field(science(), science(12, FrameState.WAITING), followed=True),
            "1 science frames are not final",
            True,
        ),
        (field(science(state=FrameState.JUNKED)), "no science frame", False),
        (field(open_reductions=2, followed=True), "under way", True),
        (field(science(finished_at=NOW - seconds(1)), followed=True), "planned", True),
    ],
)
def test_an_unfinished_field_is_not(progress: FieldProgress, word: str, again: bool) -> None:
    decision = tell_field(progress, NOW)
    assert not decision.tell
    assert word in decision.reason
    assert (decision.again_after is not None) == again


def mjd(moment: datetime) -> float:
    return (moment - datetime(1858, 11, 17, tzinfo=UTC)) / timedelta(days=1)


@pytest.mark.parametrize(
    ("frame", "arrivals", "followed", "told"),
    [
        # At the telescope another exposure of 900 s and its read-out may follow.
        (science(utmjd=mjd(END - seconds(900))), (), False, False),
        (science(utmjd=mjd(END - seconds(900))), (), True, True),
        (science(utmjd=mjd(END - seconds(2100)), completed_at=END - seconds(1200)), (), False, True),
        # A replayed night has a pace of its own.
        (science(), (END - seconds(10), END), False, True),
        (science(), (END - seconds(50), END), False, False),
        (science(completed_at=NOW - seconds(2), finished_at=None), (), False, False),
        (science(completed_at=NOW - seconds(4), finished_at=None), (), False, True),
        # ... which has a bound
        (science(completed_at=NOW - seconds(301)), (END - seconds(9999), END), False, True),
    ],
)
def test_further_exposures_are_waited_for(
    frame: ScienceFrame, arrivals: tuple[datetime, ...], followed: bool, told: bool
) -> None:
    decision = tell_field(field(frame, arrivals=arrivals, followed=followed), NOW)
    assert decision.tell is told
    assert told or (decision.again_after is not None and decision.again_after > timedelta())


def test_a_field_is_told_again_only_when_its_frames_or_their_states_differ() -> None:
    one = tell_field(field(science(11), science(12)), NOW).notification_id
    assert tell_field(field(science(12), science(11, level=2, provisional=True)), NOW).notification_id == one
    assert (
        tell_field(field(science(11), science(12), science(13, FrameState.JUNKED)), NOW).notification_id
        == one
    )
    assert tell_field(field(science(11), science(12), science(13)), NOW).notification_id != one
    assert tell_field(field(science(11), science(12, FrameState.FAILED)), NOW).notification_id != one


def rejected(age: float, name: str = "x.fits") -> RejectedFile:
    return RejectedFile(f"/raw/{name}", name, 1, "truncated", "It lacks bytes.", NOW - seconds(age))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], False),
        ([rejected(1)], False),
        ([rejected(10)], True),
        ([rejected(60), rejected(1)], False),
        ([rejected(120), rejected(1)], True),
        ([rejected(1, f"{n}.fits") for n in range(100)], True),
    ],
)
def test_rejections_are_told_together(files: list[RejectedFile], told: bool) -> None:
    assert tell_rejections(files, "20260312", NOW).tell is told


def test_the_occasion_of_a_digest_is_the_set_of_files() -> None:
    files = [rejected(99, "a.fits"), rejected(99, "b.fits")]
    one = tell_rejections(files, "20260312", NOW).notification_id
    assert tell_rejections(files[::-1], "20260312", NOW).notification_id == one
    assert tell_rejections(files[:1], "20260312", NOW).notification_id != one


def test_only_wanted_reductions_are_told_as_failed() -> None:
    failure = Failure("a" * 64, "20260312", "reduce_arc", "s", True, (), "engine", "no lines", 3, "/log")
    assert tell_failure(failure).notification_id == f"failure:{'a' * 64}"
    assert not tell_failure(replace(failure, wanted=False)).tell
