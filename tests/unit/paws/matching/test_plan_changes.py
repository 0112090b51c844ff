"""What a plan says as a night goes on: what waits and why, what is given up, what is redone."""

from __future__ import annotations

from datetime import timedelta

from paws.matching.policy import MatchPolicy
from schemas.vocabulary import Arm, CalibrationLevel, CalibrationRole, Priority
from tests.support.nights import (
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


def test_a_frame_waits_for_what_is_missing_and_says_for_what() -> None:
    observatory = Observatory()
    flat, arc, (science,) = field_frames()
    observatory.arrive(flat, science)
    observatory.settle()
    plan = observatory.plan()
    assert plan.frames[science.frame_id].state == "waiting"
    assert "no arc" in plan.frames[science.frame_id].reason
    assert kinds(observatory.executed.values()) == ["make_tlm"]

    observatory.arrive(arc)
    observatory.plan()
    waiting = observatory.plan().frames[science.frame_id]
    assert "the arc of" in waiting.reason
    assert arc.stem in waiting.reason
    last = observatory.settle()
    assert last.frames[science.frame_id].level == CalibrationLevel.SAME_FIELD
    assert kinds(observatory.executed.values()) == ["make_tlm", "reduce_arc", "reduce_fflat", "reduce_object"]


def test_a_frame_goes_on_provisionally_after_a_bounded_wait_and_is_redone() -> None:
    observatory = Observatory(policy=MatchPolicy(match_wait=300))
    flat, arc, _ = field_frames()
    observatory.arrive(flat, arc)
    observatory.settle()
    lonely = make_frame("MFOBJECT", 10, field_name="FLD3")
    observatory.now += timedelta(hours=1)
    observatory.arrive(lonely)
    began = observatory.now

    held = observatory.settle()
    assert held.frames[lonely.frame_id].state == "waiting"
    assert f"{arc.stem} (L1)" in held.frames[lonely.frame_id].reason
    assert held.next_wakeup == began + timedelta(seconds=300)

    observatory.now = began + timedelta(seconds=300)
    after = observatory.settle()
    decision = after.frames[lonely.frame_id]
    assert (decision.state, decision.level, decision.provisional) == ("planned", 1, True)
    first = the(observatory, f"{NIGHT}/1/0010/object")
    assert first.provisional
    assert first.priority is Priority.LIVE

    own_flat = make_frame("MFFFF", 11, field_name="FLD3")
    own_arc = make_frame("MFARC", 12, field_name="FLD3")
    observatory.arrive(own_flat, own_arc)
    meanwhile = observatory.plan()
    assert meanwhile.slots[first.slot] == first.job_key, "the provisional product stands until then"
    last = observatory.settle()
    redone = the(observatory, first.slot)
    assert redone.job_key != first.job_key
    assert (redone.priority, redone.provisional) == (Priority.REDO, False)
    assert last.frames[lonely.frame_id].level == CalibrationLevel.SAME_FIELD
    assert last.slots[first.slot] == redone.job_key


def test_the_next_fields_science_ends_the_wait() -> None:
    observatory = Observatory()
    flat, arc, _ = field_frames()
    lonely = make_frame("MFOBJECT", 10, field_name="FLD3")
    observatory.arrive(flat, arc, lonely)
    assert observatory.settle().frames[lonely.frame_id].state == "waiting"
    observatory.arrive(make_frame("MFOBJECT", 11, field_name="FLD4", plate=1))
    assert observatory.settle().frames[lonely.frame_id].provisional


def test_biases_are_combined_when_the_group_is_complete() -> None:
    observatory = Observatory(policy=MatchPolicy(group_quiet=3))
    biases = [make_frame("BIAS", run) for run in (1, 2, 3)]
    observatory.arrive(*biases[:2])
    observatory.settle()
    assert kinds(observatory.executed.values()) == ["reduce_bias"] * 2, "more may come"
    assert observatory.plan().next_wakeup == observatory.now + timedelta(seconds=3)
    observatory.arrive(biases[2], make_frame("MFFFF", 4))
    observatory.settle()
    combined = the(observatory, f"{NIGHT}/1/combined_bias/s1")
    assert len(combined.inputs) == 3, "a frame of another class ends the group"
    tramlines = the(observatory, f"{NIGHT}/1/0004/tlm")
    assert calibrations(tramlines) == {"bias": tuple(item.frame_id for item in biases)}
    assert kinds(observatory.executed.values()).count("make_tlm") == 1


def test_a_group_that_grows_slowly_is_given_time() -> None:
    observatory = Observatory(policy=MatchPolicy(group_quiet=3))
    for run in (1, 2, 3):
        observatory.arrive(make_frame("BIAS", run))
        observatory.settle(until=observatory.now + timedelta(seconds=39))
        assert "combine_image" not in kinds(observatory.executed.values()), "a bias comes every 40 s"
        observatory.now += timedelta(seconds=40)
    observatory.settle(until=observatory.now + timedelta(seconds=60))
    assert len(the(observatory, f"{NIGHT}/1/combined_bias/s1").inputs) == 3


def test_an_optional_calibration_in_reduction_is_waited_for_only_while_it_moves() -> None:
    observatory = Observatory(policy=MatchPolicy(optional_wait=30))
    bias, flat = make_frame("BIAS", 1), make_frame("MFFFF", 2)
    observatory.arrive(bias, flat)
    assert kinds(observatory.plan().ready) == ["reduce_bias"]
    stuck = dict(observatory.queue)
    observatory.queue.clear()
    assert observatory.plan().next_wakeup == observatory.now + timedelta(seconds=30)

    observatory.now += timedelta(seconds=30)
    plan = observatory.plan()
    assert kinds(plan.ready) == ["make_tlm"]
    assert plan.ready[0].provisional
    assert "still waiting for the bias" in plan.ready[0].reason
    observatory.finish()

    observatory.queue.update(stuck)
    observatory.finish()
    redone = observatory.plan().ready
    assert kinds(redone) == ["make_tlm"]
    assert calibrations(redone[0]) == {"bias": (bias.frame_id,)}


def test_a_failed_flat_gives_way_to_the_next_best() -> None:
    weak, good = make_frame("MFFFF", 1, bright=900.0), make_frame("MFFFF", 2)
    arc, science = make_frame("MFARC", 3), make_frame("MFOBJECT", 4)
    observatory = Observatory(fails=lambda reduction: reduction.slot.endswith("0002/tlm"))
    observatory.arrive(weak, good, arc, science)
    last = observatory.settle()
    assert last.frames[good.frame_id].state == "failed"
    assert "the engine says no" in last.frames[good.frame_id].reason
    assert last.frames[weak.frame_id].state == "planned"
    reduction = the(observatory, f"{NIGHT}/1/0004/object")
    assert calibrations(reduction)["fflat"] == (weak.frame_id,)
    choice = next(item for item in reduction.calibrations if item.role is CalibrationRole.TLM)
    assert choice.refused[0].frame_id == good.frame_id
    assert "the engine says no" in choice.refused[0].reason


def test_junking_a_flat_redoes_what_it_touched_and_taking_it_back_restores_it() -> None:
    observatory = Observatory()
    frames = make_night(fields=1, exposures=2, biases=0, arms=BLUE)
    observatory.arrive(*frames)
    first = observatory.settle()
    good = next(frame for frame in frames if frame.run == 2)
    slot = f"{NIGHT}/1/0004/object"

    observatory.now += timedelta(minutes=1)
    observatory.junk(good)
    second = observatory.settle()
    assert second.frames[good.frame_id].state == "junked"
    assert "clouds" in second.frames[good.frame_id].reason
    assert f"{NIGHT}/1/0002/fflat" not in second.slots, "the junked flat's products are withdrawn"
    assert second.slots[slot] != first.slots[slot]
    assert the(observatory, slot).priority is Priority.REDO

    observatory.now += timedelta(minutes=1)
    observatory.junk(good, junked=False)
    before = len(observatory.executed)
    third = observatory.settle()
    assert third.slots == first.slots
    assert len(observatory.executed) == before, "nothing is made twice"


def test_combined_spectra_grow_with_the_exposures() -> None:
    observatory = Observatory()
    flat, arc, science = field_frames(exposures=3)
    observatory.arrive(flat, arc, *science[:2])
    first = observatory.settle()
    slot = f"{NIGHT}/0/FLD1/580V-s1/combined"
    assert len(the(observatory, slot).inputs) == 2
    observatory.arrive(science[2])
    meanwhile = observatory.plan()
    assert meanwhile.slots[slot] == first.slots[slot], "the first stands until the next is made"
    observatory.settle()
    assert len(the(observatory, slot).inputs) == 3
    assert kinds(observatory.executed.values()).count("combine_spectra") == 2


def test_an_exposure_that_failed_is_left_out_of_the_combined_spectra() -> None:
    observatory = Observatory(fails=lambda reduction: reduction.slot.endswith("0004/object"))
    flat, arc, science = field_frames(exposures=3)
    observatory.arrive(flat, arc, *science)
    last = observatory.settle()
    combined = the(observatory, f"{NIGHT}/0/FLD1/580V-s1/combined")
    assert [item.frame_id for item in science if item.run != 4] == list(combined.subject_frame_ids)
    assert last.frames[science[1].frame_id].state == "failed"
