"""Looking back gives what the live night would give in the end."""

from __future__ import annotations

import pytest

from paws.matching.policy import MatchPolicy
from paws.matching.retrospect import look_back, seen_afterwards
from paws.matching.sighting import JunkMark
from paws.matching.state import NightState
from schemas.frames import Frame
from schemas.vocabulary import Arm, CalibrationLevel, CalibrationRole, FrameClass
from tests.support.nights import EVENING, LAST_NOON, NIGHT, Observatory, make_frame, make_night

POLICY = MatchPolicy()


def states(*frames: Frame) -> dict[str, NightState]:
    known: dict[str, NightState] = {}
    for frame in frames:
        state = known.setdefault(frame.night, NightState(frame.night))
        state.fold_frame(seen_afterwards(frame, POLICY, subject=frame.night == NIGHT))
    return known


def test_looking_back_chooses_what_the_night_chose() -> None:
    frames = make_night(fields=3, exposures=2)
    observatory = Observatory()
    observatory.arrive(*frames)
    observatory.settle()
    observatory.now = LAST_NOON
    decided = observatory.plan().frames
    found = look_back(states(*frames), NIGHT, POLICY)
    assert found.prospects.keys() == decided.keys()
    for frame_id, prospect in found.prospects.items():
        choices = {
            choice["role"]: (choice["source_frame_ids"], choice["level"])
            for choice in decided[frame_id].document()["choices"]
        }
        assert {
            item.role.value: ([one.frame_id for one in item.chosen.sources], int(item.chosen.level))
            for item in prospect.decisions
            if item.chosen
        } == choices
        assert bool(prospect.aside) == (decided[frame_id].state == "set_aside")
    assert len(decided) == len(frames)


def test_what_is_missing_is_told_and_where_it_could_be() -> None:
    science = make_frame(FrameClass.MFOBJECT, 9)
    flat = make_frame(FrameClass.MFFFF, 5)
    (prospect,) = [
        one
        for one in look_back(states(flat, science), NIGHT, POLICY).prospects.values()
        if one.sighting.frame == science
    ]
    assert [item.role for item in prospect.lacks] == [CalibrationRole.ARC, CalibrationRole.FFLAT]
    arc = make_frame(FrameClass.MFARC, 3, night="20260313")
    found = look_back(states(flat, science, arc), NIGHT, POLICY)
    roles = {item.role: item for item in found.prospects[science.frame_id].decisions}
    chosen = roles[CalibrationRole.ARC].chosen
    assert chosen is not None
    assert chosen.level is CalibrationLevel.ADJACENT_NIGHT
    assert found.looks_abroad >= {FrameClass.MFARC, FrameClass.BIAS}


@pytest.mark.parametrize("junked", [False, True])
def test_frames_that_take_no_part_say_why(junked: bool) -> None:
    frames = make_night(fields=1, exposures=1, arms=(Arm.BLUE,))
    known = states(*frames)
    flat = next(
        frame for frame in frames if frame.frame_class is FrameClass.MFFFF and frame.exposure.bright > 1000
    )
    known[NIGHT].fold_junk(flat.frame_id, JunkMark(junked, "cloud", "mia", EVENING))
    prospects = look_back(known, NIGHT, POLICY).prospects
    science = next(one for one in prospects.values() if one.sighting.frame.frame_class.is_science)
    tramlines = next(item for item in science.decisions if item.role is CalibrationRole.TLM)
    assert tramlines.chosen is not None
    assert (tramlines.chosen.frame_id == flat.frame_id) is not junked
    assert [item.frame_id for item in tramlines.refused] == ([flat.frame_id] if junked else [])
    assert prospects[flat.frame_id].aside == ("junked by mia: cloud" if junked else "")
