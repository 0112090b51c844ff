from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from paws.status import FRAME_COLUMNS, REDUCTION_COLUMNS
from schemas.vocabulary import CalibrationLevel, FrameClass, FrameState, ProductKind, ReductionKind
from web.api.models import Exposure, Frame, ReductionSummary
from web.pages import words
from web.pages.night import DETECTOR_GROUP, STATES_IN_ORDER, count_states, group_frames, subject, view_of

AT = datetime(2026, 3, 12, 10, tzinfo=UTC)


def frame(run: int = 8, arm: str = "blue", **changes: Any) -> Frame:
    values: dict[str, Any] = dict.fromkeys(Frame.model_fields)
    values |= {
        "frame_id": f"f{run}{arm}{changes.get('name', '')}",
        "night": "20260312",
        "name": f"{run}.fits",
        "arm": arm,
        "run": run,
        "frame_class": "MFOBJECT",
        "object_name": "GALAXIES",
        "field": "FLD195",
        "plate": 1,
        "grating": "580V" if arm == "blue" else "385R",
        "central_wavelength": 4800,
        "exposed": 1200.0,
        "utmjd": 61111.5,
        "state": "reduced",
        "completed_at": AT,
        "arrived_at": AT,
    }
    return Frame.model_validate(values | changes)


def test_feed_and_answers_have_the_same_fields() -> None:
    assert {name.strip() for name in FRAME_COLUMNS.split(",")} == set(Frame.model_fields)
    assert {name.strip() for name in REDUCTION_COLUMNS.split(",")} == set(ReductionSummary.model_fields)


def test_every_value_of_the_vocabulary_has_words() -> None:
    assert set(words.STATES) == set(FrameState)
    assert set(words.CLASSES) == set(FrameClass)
    assert set(words.KINDS) == set(ReductionKind)
    assert set(words.PRODUCTS) == set(ProductKind)
    assert set(words.LEVELS) == {int(level) for level in CalibrationLevel}
    assert set(STATES_IN_ORDER) == set(FrameState) - {FrameState.REJECTED}


def test_fields_stand_newest_first_and_detectors_last() -> None:
    frames = [
        frame(20, frame_class="BIAS", field="", plate=None),
        frame(8),
        frame(12, field="SGP", plate=0),
        frame(9, "red"),
    ]
    groups = group_frames(frames)

    assert [group.title for group in groups] == ["SGP", "FLD195", "Detector calibrations"]
    assert groups[1].subtitle == "plate 1 · 580V + 385R"
    assert groups[-1].key == DETECTOR_GROUP


def test_same_field_on_another_plate_is_another_group() -> None:
    assert len(group_frames([frame(1), frame(2, plate=0)])) == 2


def test_run_has_both_arms_in_one_row() -> None:
    (group,) = group_frames([frame(9, "red"), frame(8, "red"), frame(8, "blue")])

    assert [row.run for row in group.rows] == [8, 9]
    assert all(group.rows[0].arms.values())
    assert group.rows[1].arms["blue"] is None


def test_second_frame_of_a_run_and_arm_is_not_hidden() -> None:
    (group,) = group_frames([frame(8, name="a"), frame(8, name="b")])

    assert len(group.rows) == 2


def test_done_counts_what_needs_nothing_more() -> None:
    states = ("reduced", "set_aside", "junked", "waiting", "failed", "running")
    (group,) = group_frames(frame(run, state=state) for run, state in enumerate(states))

    assert (group.done, group.total) == (3, 6)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": "waiting", "reason": "no arc yet"}, "no arc yet"),
        ({"state": "running", "stage": "sky_subtraction", "reason": "all there"}, "sky subtraction"),
        ({"state": "running"}, "at work"),
        ({"state": "reduced", "reason": "all there"}, ""),
        ({"state": "reduced", "provisional": True, "reason": "no flat"}, "no flat"),
        ({"state": "queued", "reason": "all there"}, ""),
        (
            {"state": "queued", "attempt": 1, "reason": "engine died"},
            "try 2 follows: engine died",
        ),
        ({"state": "failed", "reason": "no lines"}, "no lines"),
        ({"state": "arrived"}, ""),
    ],
)
def test_reason_is_shown_where_it_helps(changes: dict[str, Any], why: str) -> None:
    assert view_of(frame(**changes)).why == why


def test_saturation_is_told() -> None:
    good = view_of(frame(exposure=Exposure(median=1, bright=31_240, saturated_fraction=0.0002)))
    bad = view_of(frame(exposure=Exposure(median=1, bright=65_200, saturated_fraction=0.24)))

    assert (good.exposure, good.saturated) == ("31.2k", False)
    assert (bad.exposure, bad.saturated) == ("65.2k, 24 % saturated", True)


def test_product_link_appears_with_the_product() -> None:
    key = "a" * 64
    assert view_of(frame(state="reduced", job_key=key)).product == key
    assert view_of(frame(state="running", job_key=key)).product is None


def test_progress_is_shown_while_it_runs_only() -> None:
    assert view_of(frame(state="running", progress=0.5)).progress == 0.5
    assert view_of(frame(state="reduced", progress=1.0)).progress is None


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("GALAXIES", "MFOBJECT", ("GALAXIES", "object")),
        ("BIAS", "BIAS", ("bias", "")),
        ("", "MFARC", ("arc", "")),
        ("Arc CuAr", "MFARC", ("Arc CuAr", "arc")),
    ],
)
def test_object_and_class_are_not_said_twice(name: str, kind: str, shown: tuple[str, str]) -> None:
    assert subject(frame(object_name=name, frame_class=kind)) == shown


def test_counts_hold_every_state() -> None:
    counts = count_states([frame(1), frame(2, state="failed")])

    assert counts["reduced"] == counts["failed"] == 1
    assert counts["waiting"] == 0
