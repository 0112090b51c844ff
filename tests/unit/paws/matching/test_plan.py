"""What a plan says of a night: what is asked for, with what, and under which names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from paws.errors import ConfigurationError
from paws.matching.policy import MatchPolicy
from paws.settings import load_settings
from schemas.vocabulary import Arm, CalibrationLevel, Priority, ReductionKind
from tests.support.nights import (
    EVENING,
    LAST_NOON,
    NIGHT,
    Observatory,
    calibrations,
    field_frames,
    kinds,
    make_frame,
    make_night,
    the,
)

BLUE = (Arm.BLUE,)
LATER = LAST_NOON + timedelta(days=1)


def test_a_whole_night_makes_every_product_once() -> None:
    observatory = Observatory()
    observatory.arrive(*make_night(fields=2, exposures=3, biases=3))

    last = observatory.settle(until=LATER)

    counts: dict[str, int] = {}
    for reduction in observatory.executed.values():
        counts[reduction.kind.value] = counts.get(reduction.kind.value, 0) + 1
    assert counts == {
        "reduce_bias": 6,
        "combine_image": 2,
        "make_tlm": 4,
        "reduce_arc": 4,
        "reduce_fflat": 4,
        "reduce_object": 12,
        "combine_spectra": 4,
        "splice": 6 + 2,
    }
    assert len(last.wanted) == sum(counts.values())
    assert last.slots == last.wanted
    assert last.next_wakeup is None
    states = {decision.state for decision in last.frames.values()}
    assert states == {"planned", "set_aside"}


def test_slots_have_the_agreed_names() -> None:
    observatory = Observatory()
    observatory.arrive(*make_night(fields=1, exposures=2, biases=2), make_frame("DARK", 50))
    last = observatory.settle(until=LATER)
    blue = {slot for slot in last.wanted if slot.startswith(f"{NIGHT}/1/")}
    assert blue == {
        *(f"{NIGHT}/1/{run:04d}/bias" for run in (1, 2)),
        f"{NIGHT}/1/combined_bias/s1",
        f"{NIGHT}/1/0050/dark",
        *(f"{NIGHT}/1/0004/{product}" for product in ("tlm", "fflat")),
        f"{NIGHT}/1/0005/arc",
        *(f"{NIGHT}/1/{run:04d}/object" for run in (6, 7)),
    }
    assert {slot for slot in last.wanted if "/1/" not in slot and "/2/" not in slot} == {
        f"{NIGHT}/0/FLD1/580V-s1/combined",
        f"{NIGHT}/0/FLD1/385R-s1/combined",
        f"{NIGHT}/0006/spliced",
        f"{NIGHT}/0007/spliced",
        f"{NIGHT}/0/FLD1/580V-s1-385R-s1/spliced_combined",
    }


def test_each_arm_takes_its_own_flat_and_says_why() -> None:
    observatory = Observatory()
    frames = make_night(fields=1, exposures=1, biases=0)
    observatory.arrive(*frames)
    last = observatory.settle()

    flats = {(frame.arm, frame.run): frame for frame in frames if frame.frame_class == "MFFFF"}
    blue_weak, blue_good = flats[Arm.BLUE, 1], flats[Arm.BLUE, 2]
    red_good, red_saturated = flats[Arm.RED, 1], flats[Arm.RED, 2]
    assert last.frames[blue_good.frame_id].state == "planned"
    assert last.frames[red_good.frame_id].state == "planned"
    weak = last.frames[blue_weak.frame_id]
    assert (weak.state, weak.job_key) == ("set_aside", None)
    assert blue_good.stem in weak.reason
    assert "900 ADU" in weak.reason
    saturated = last.frames[red_saturated.frame_id]
    assert saturated.state == "set_aside"
    assert "40% of the pixels are saturated" in saturated.reason
    assert calibrations(the(observatory, f"{NIGHT}/1/0004/object"))["tlm"] == (blue_good.frame_id,)
    red_object = the(observatory, f"{NIGHT}/2/0004/object")
    assert calibrations(red_object)["fflat"] == (red_good.frame_id,)
    refused = {item.frame_id for choice in red_object.calibrations for item in choice.refused}
    assert red_saturated.frame_id in refused


def test_nothing_is_taken_beyond_the_worst_level_allowed() -> None:
    observatory = Observatory(policy=MatchPolicy(max_level=CalibrationLevel.SAME_FIELD))
    flat, arc, _ = field_frames()
    lonely = make_frame("MFOBJECT", 10, field_name="FLD3")
    observatory.arrive(flat, arc, lonely)
    last = observatory.settle(until=LATER)
    decision = last.frames[lonely.frame_id]
    assert decision.state == "failed"
    assert "the night is over" in decision.reason
    assert last.next_wakeup is None


def test_the_night_before_helps_out() -> None:
    observatory = Observatory()
    flat, arc, _ = field_frames()
    before = [make_frame("MFFFF", 1, night="20260311"), make_frame("MFARC", 2, night="20260311")]
    observatory.arrive(*before)
    observatory.settle("20260311")
    lonely = make_frame("MFOBJECT", 3)
    observatory.arrive(lonely)
    last = observatory.settle(until=EVENING + timedelta(minutes=10))
    assert last.frames[lonely.frame_id].level == CalibrationLevel.ADJACENT_NIGHT
    assert calibrations(the(observatory, f"{NIGHT}/1/0003/object"))["arc"] == (before[1].frame_id,)
    assert all(slot.startswith(NIGHT) for slot in last.slots), "another night's slots are not ours to fill"
    observatory.arrive(flat, arc)
    assert observatory.settle(until=LATER).frames[lonely.frame_id].level == CalibrationLevel.SAME_FIELD


def test_archived_calibrations_serve_but_are_not_reduced_for_themselves() -> None:
    observatory = Observatory()
    before = [
        make_frame("MFFFF", 1, night="20260311"),
        make_frame("MFARC", 2, night="20260311"),
        make_frame("MFOBJECT", 3, night="20260311"),
    ]
    observatory.arrive(*before, subject=False)
    assert observatory.plan("20260311").frames == {}
    observatory.arrive(make_frame("MFOBJECT", 3))
    observatory.settle(until=LATER)
    assert kinds(observatory.executed.values()) == ["make_tlm", "reduce_arc", "reduce_fflat", "reduce_object"]


def test_one_arm_alone_is_not_spliced_and_says_so() -> None:
    observatory = Observatory()
    frames = make_night(fields=1, exposures=1, biases=0, arms=BLUE)
    observatory.arrive(*frames)
    last = observatory.settle(until=LATER)
    assert "splice" not in kinds(observatory.executed.values())
    assert last.frames[frames[-1].frame_id].notes == ("not spliced: run 4 has no red frame",)


def test_two_fields_of_one_name_do_not_share_a_slot() -> None:
    observatory = Observatory()
    flat, arc, science = field_frames(exposures=2)
    again = [
        frame.model_copy(update={"configuration": "FLD1_260312_r02_p0.sds", "frame_id": f"{frame.frame_id}x"})
        for frame in (
            make_frame("MFFFF", 11),
            make_frame("MFARC", 12),
            make_frame("MFOBJECT", 13),
            make_frame("MFOBJECT", 14),
        )
    ]
    observatory.arrive(flat, arc, *science, *again)
    last = observatory.settle()
    assert {slot for slot in last.slots if slot.endswith("/combined")} == {
        f"{NIGHT}/0/FLD1/580V-s1/combined",
        f"{NIGHT}/0/FLD1-2/580V-s1/combined",
    }


def test_camera_setups_are_numbered_in_order_of_first_use() -> None:
    observatory = Observatory()
    first = [make_frame("MFFFF", 1), make_frame("MFARC", 2)]
    second = [make_frame(kind, run, central_wavelength=5000) for kind, run in (("MFFFF", 3), ("MFARC", 4))]
    observatory.arrive(*second, *first)
    observatory.settle()
    assert the(observatory, f"{NIGHT}/1/0002/arc").layout.setup == 1
    assert the(observatory, f"{NIGHT}/1/0004/arc").layout.setup == 2


def test_calibrations_come_before_science_and_what_new_science_waits_for_is_not_put_back() -> None:
    observatory = Observatory()
    weak = make_frame("MFFFF", 1, bright=900.0)
    good, arc = make_frame("MFFFF", 2), make_frame("MFARC", 3)
    observatory.arrive(weak, arc)
    observatory.settle()
    science = make_frame("MFOBJECT", 4)
    observatory.arrive(good, science)
    observatory.plan()
    observatory.finish()
    requests = {item.kind: item for item in observatory.plan().ready}
    assert requests[ReductionKind.REDUCE_ARC].priority is Priority.LIVE_CALIBRATION, "redone, but waited for"


def test_an_offset_sky_gives_the_throughput_of_its_own_field_only() -> None:
    observatory = Observatory()
    flat, arc, science = field_frames()
    sky = make_frame("MFSKY", 9)
    other_flat, other_arc, other = field_frames(20, "FLD2")
    observatory.arrive(flat, arc, *science, sky, other_flat, other_arc, *other)
    observatory.settle(until=LATER)
    assert calibrations(the(observatory, f"{NIGHT}/1/0003/object"))["thput"] == (sky.frame_id,)
    assert "thput" not in calibrations(the(observatory, f"{NIGHT}/1/0022/object"))


@pytest.mark.parametrize("parameter", [{}, {"engine_version": "2"}, {"parameters": (("SKYSUB", 0),)}])
def test_keys_follow_engine_and_parameters(parameter: dict) -> None:  # type: ignore[type-arg]  # any parameter
    flat = make_frame("MFFFF", 1)
    keys = []
    for policy in (MatchPolicy(), MatchPolicy(**parameter)):
        observatory = Observatory(policy=policy)
        observatory.arrive(flat)
        keys.append(observatory.plan().ready[0].job_key)
    assert (keys[0] == keys[1]) == (not parameter)


def test_a_plan_of_a_night_without_frames_is_empty() -> None:
    observatory = Observatory()
    observatory.state()
    plan = observatory.plan()
    assert (plan.wanted, plan.ready, plan.frames, plan.next_wakeup) == ({}, (), {}, None)


def test_another_engine_reduces_nights_from_a_night_on() -> None:
    """What is older keeps its keys: a new version of 2dFdr redoes nothing by itself."""
    policy = MatchPolicy(
        engine="old", engine_version="1", engines=(("20260313", "mid", "2"), ("20260401", "new", "3"))
    )
    nights = ("20260312", "20260313", "20260331", "20260401", "20270101")
    found = [(policy.of_night(night).engine, policy.of_night(night).engine_version) for night in nights]
    assert found == [("old", "1"), ("mid", "2"), ("mid", "2"), ("new", "3"), ("new", "3")]


def test_engines_by_night_come_from_the_settings() -> None:
    settings = load_settings(
        engines={"2dfdr-8.0": "docker:2dfdr:8.0"},
        engine_nights={"20260601": "2dfdr-8.0", "20250101": "local"},
    )
    policy = MatchPolicy.of(settings)
    assert [policy.of_night(night).engine for night in ("20241231", "20260531", "20260601")] == [
        "builtin",
        "local",
        "2dfdr-8.0",
    ]
    with pytest.raises(ConfigurationError, match="No engine is named"):
        MatchPolicy.of(load_settings(engine_nights={"20260601": "2dfdr-9"}))
    with pytest.raises(ConfigurationError, match="ENGINE_NIGHTS"):
        load_settings(engine_nights={"June": "local"})
