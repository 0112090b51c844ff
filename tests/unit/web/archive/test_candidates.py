"""The narrow index keeps whatever the rules of matching could choose."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from paws.matching.policy import MatchPolicy
from paws.matching.retrospect import look_back, seen_afterwards
from paws.matching.sighting import JunkMark
from paws.matching.state import NightState
from schemas.frames import Frame
from schemas.vocabulary import Arm, FrameClass
from tests.support.nights import EVENING, NIGHT, make_frame
from web.archive.candidates import abroad, frame_index, of_the_night
from web.archive.prospects import document_of

POLICY = MatchPolicy()
NIGHTS = ("20260309", "20260311", NIGHT, "20260313", "20260320")


def index_row(frame: Frame, junked: bool, replaced: bool = False) -> dict[str, Any]:
    return {
        **{name: getattr(frame, name) for name in ("frame_id", "night", "run", "plate", "grating")},
        **{name: getattr(frame, name) for name in ("central_wavelength", "utmjd", "completed_at")},
        "arm": frame.arm.value,
        "frame_class": frame.frame_class.value,
        "junked": junked,
        "replaced": replaced,
    }


def is_replaced(frame: Frame, frames: list[Frame], junked: set[str]) -> bool:
    """What the database says of frames of other nights."""
    return frame.night != NIGHT and any(
        (other.night, other.run, other.arm) == (frame.night, frame.run, frame.arm)
        and (other.completed_at, other.frame_id) > (frame.completed_at, frame.frame_id)
        for other in frames
        if other.frame_id not in junked
    )


def states_of(frames: list[Frame], junked: set[str], wanted: set[str]) -> dict[str, NightState]:
    found = {NIGHT: NightState(NIGHT)}
    for frame in frames:
        state = found.setdefault(frame.night, NightState(frame.night))
        state.fold_frame(seen_afterwards(frame, POLICY, subject=frame.frame_id in wanted))
        if frame.frame_id in junked:
            state.fold_junk(frame.frame_id, JunkMark(True, "cloud", "mia", EVENING))
    return found


def documents(states: dict[str, NightState]) -> dict[str, dict[str, Any]]:
    return {name: document_of(one) for name, one in look_back(states, NIGHT, POLICY).prospects.items()}


def some_frames(chance: random.Random) -> list[Frame]:
    """Frames of some nights, many of one run: rivals, other set-ups, other plates."""
    found = {}
    for _ in range(chance.randint(4, 30)):
        late = chance.randint(0, 3)
        frame = make_frame(
            chance.choice(list(FrameClass)),
            chance.randint(1, 12),
            chance.choice(list(Arm)),
            night=chance.choice((*NIGHTS, NIGHT, NIGHT)),
            field_name=chance.choice(("FLD1", "FLD2")),
            plate=chance.randint(0, 1),
            bright=chance.choice((500.0, 20000.0)),
            content=str(late),
            completed_at=EVENING + timedelta(hours=late),
        )
        found[frame.frame_id] = frame
    return list(found.values())


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_out_would_change_nothing(seed: int) -> None:
    chosen = 0
    for part in range(12):
        chance = random.Random(100 * seed + part)
        frames = some_frames(chance)
        junked = {frame.frame_id for frame in frames if chance.random() < 0.15}
        wanted = {frame.frame_id for frame in frames if frame.night == NIGHT and frame.frame_class.is_science}
        whole = documents(states_of(frames, junked, wanted))
        index = frame_index(
            index_row(frame, frame.frame_id in junked, is_replaced(frame, frames, junked)) for frame in frames
        )
        read = set(of_the_night(index, NIGHT, wanted))
        read |= set(abroad(index, NIGHT, wanted, [one for one in FrameClass if not one.is_science]))
        kept = [frame for frame in frames if frame.frame_id in read]
        assert documents(states_of(kept, junked, wanted)) == whole
        chosen += sum(role["level"] is not None for one in whole.values() for role in one["roles"])
    assert chosen > 10


def test_other_plates_arms_and_set_ups_are_left_out() -> None:
    science = make_frame(FrameClass.MFOBJECT, 9, plate=1)
    near = [
        make_frame(FrameClass.MFARC, 1, night="20260311", plate=1),
        make_frame(FrameClass.BIAS, 2, night="20260311"),
        make_frame(FrameClass.BIAS, 4, night="20260313"),
    ]
    far = [
        make_frame(FrameClass.MFARC, 1, night="20260313", plate=0),
        make_frame(FrameClass.MFARC, 2, Arm.RED, night="20260313", plate=1),
        make_frame(FrameClass.MFARC, 3, night="20260313", plate=1, grating="1500V"),
        make_frame(FrameClass.MFFFF, 5, night="20260313", plate=1),
    ]
    index = frame_index(index_row(frame, False) for frame in [science, *near, *far])
    kept = abroad(index, NIGHT, [science.frame_id], [FrameClass.MFARC, FrameClass.BIAS])
    assert set(kept) == {frame.frame_id for frame in near}


def test_the_nearest_come_first() -> None:
    science = make_frame(FrameClass.MFOBJECT, 9)
    arcs = [
        make_frame(FrameClass.MFARC, run, night=night)
        for run, night in ((3, "20260309"), (1, "20260313"), (9, "20260311"))
    ]
    index = frame_index(index_row(frame, False) for frame in [science, *arcs])
    kept = abroad(index, NIGHT, [science.frame_id], [FrameClass.MFARC])
    assert kept == [arcs[1].frame_id, arcs[2].frame_id, arcs[0].frame_id]
