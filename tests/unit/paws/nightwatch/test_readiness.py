"""Readiness of the field being observed, by the matcher's own rules."""

from __future__ import annotations

from datetime import timedelta

from paws.matching.sighting import JunkMark
from paws.nightwatch.readiness import RoleState, readiness
from schemas.frames import Frame
from schemas.vocabulary import Arm, CalibrationLevel, CalibrationRole
from tests.support.nights import EVENING, NIGHT, Observatory, make_frame

BOTH = (Arm.BLUE, Arm.RED)


def asked(observatory: Observatory):
    junk = observatory.state().junk
    frames: list[Frame] = [
        item.frame
        for name, item in observatory.state().frames.items()
        if name not in junk or not junk[name].junked
    ]
    return readiness(observatory.nights, frames, observatory.now, observatory.policy)


def roles(found, arm: Arm):
    (one,) = [item for item in found.arms if item.arm is arm]
    return {item.role: item for item in one.roles}


def take(observatory: Observatory, kind: str, run: int, **where) -> list[Frame]:
    frames = [make_frame(kind, run, arm, **where) for arm in BOTH]
    observatory.arrive(*frames)
    return frames


def test_nothing_is_observed_before_the_first_frame_through_fibres():
    observatory = Observatory()
    observatory.state()
    assert asked(observatory) is None
    take(observatory, "BIAS", 1)
    assert asked(observatory) is None


def test_what_is_missing_is_asked_for_once_for_both_arms():
    observatory = Observatory()
    take(observatory, "MFFFF", 1)
    found = asked(observatory)
    assert (found.field, found.plate) == ("FLD1", 0)
    assert [arm.level for arm in found.arms] == [None, None]
    assert roles(found, Arm.RED)[CalibrationRole.ARC].state is RoleState.MISSING
    flat = roles(found, Arm.RED)[CalibrationRole.FFLAT]
    assert (flat.state, flat.action) == (RoleState.WAITS, ""), "it was taken, and waits for its arc"
    assert flat.reason.count("there is no arc") == 1
    assert found.actions[0] == "Take an arc of this field before the telescope moves (blue and the red arm)."
    assert "biases" in found.actions[-1]


def test_a_field_with_its_own_calibrations_is_ready_as_soon_as_they_are_reduced():
    observatory = Observatory()
    take(observatory, "BIAS", 1)
    take(observatory, "MFFFF", 2)
    take(observatory, "MFARC", 3)
    coming = asked(observatory)
    assert roles(coming, Arm.BLUE)[CalibrationRole.ARC].state is RoleState.COMES
    assert coming.actions == ()
    observatory.settle()
    found = asked(observatory)
    assert [arm.level for arm in found.arms] == [CalibrationLevel.SAME_FIELD] * 2
    arc = roles(found, Arm.BLUE)[CalibrationRole.ARC]
    assert (arc.state, arc.level, len(arc.sources)) == (RoleState.READY, CalibrationLevel.SAME_FIELD, 1)
    assert arc.age_hours < 0


def test_the_next_field_has_those_of_the_plate_until_its_own_come():
    observatory = Observatory()
    for run, kind in enumerate(("MFFFF", "MFARC", "MFOBJECT"), start=1):
        take(observatory, kind, run)
    observatory.settle()
    observatory.now += timedelta(hours=1)
    take(observatory, "MFARC", 20, field_name="FLD9")
    observatory.settle()
    found = asked(observatory)
    assert found.field == "FLD9"
    assert [arm.level for arm in found.arms] == [CalibrationLevel.SAME_PLATE] * 2
    flat = roles(found, Arm.RED)[CalibrationRole.FFLAT]
    assert (flat.state, flat.level) == (RoleState.FAR, CalibrationLevel.SAME_PLATE)
    assert found.actions[0].startswith(
        "Take a fibre flat of this field, exposed for the blue and the red arm"
    )
    take(observatory, "MFFFF", 21, field_name="FLD9")
    assert roles(asked(observatory), Arm.RED)[CalibrationRole.FFLAT].state is RoleState.BETTER_COMES


def test_a_junked_arc_is_missing_again_and_the_reason_is_told():
    observatory = Observatory()
    for run, kind in enumerate(("MFFFF", "MFARC", "MFOBJECT"), start=1):
        take(observatory, kind, run)
    observatory.settle()
    for item in list(observatory.state().frames.values()):
        if item.frame.frame_class == "MFARC":
            mark = JunkMark(True, "wrong lamp", "mia", EVENING + timedelta(hours=1))
            observatory.state().fold_junk(item.frame_id, mark)
    found = asked(observatory)
    arc = roles(found, Arm.BLUE)[CalibrationRole.ARC]
    assert arc.state is RoleState.MISSING
    assert "wrong lamp" in arc.reason
    assert [arm.level for arm in found.arms] == [None, None]


def test_asking_changes_nothing():
    observatory = Observatory()
    for run, kind in enumerate(("MFFFF", "MFARC"), start=1):
        take(observatory, kind, run)
    observatory.settle()
    before = observatory.plan()
    asked(observatory)
    after = observatory.plan()
    assert after.frames == before.frames
    assert after.slots == before.slots
    assert not observatory.queue
    assert len(observatory.state(NIGHT).frames) == 4
