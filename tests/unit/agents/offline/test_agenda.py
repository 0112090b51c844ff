"""What is left to reduce: the same as the live system comes to, in an order that can be carried out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from agents.offline.agenda import Agenda, Ending
from paws.matching.policy import MatchPolicy
from schemas.frames import Frame
from schemas.reductions import Reduction, input_keys
from schemas.vocabulary import FrameClass, FrameState, ReductionKind
from tests.support.nights import LAST_NOON, NIGHT, Observatory, make_frame, make_night

POLICY = MatchPolicy()


def ending_of(reduction: Reduction, error: str = "") -> Ending:
    return Ending(reduction.night, reduction.job_key, reduction.slot, reduction.kind, error)


def work_off(
    agenda: Agenda,
    jobs: int = 2,
    fails: Callable[[Reduction], bool] = lambda _: False,
    shuffle: random.Random | None = None,
    done: Iterable[Ending] = (),
) -> dict[str, Reduction]:
    """Let an engine work until nothing is left; what it did, by key."""
    made: dict[str, Reduction] = {}
    succeeded = {item.job_key for item in done}
    running: list[Reduction] = []
    while True:
        running += agenda.next(jobs - len(running))
        if not running:
            return made
        if shuffle:
            shuffle.shuffle(running)
        reduction = running.pop(0)
        assert reduction.job_key not in made, "asked for twice"
        assert {item.job_key for item in input_keys(reduction)} <= succeeded, "asked for too early"
        made[reduction.job_key] = reduction
        failed = fails(reduction)
        if not failed:
            succeeded.add(reduction.job_key)
        agenda.take(ending_of(reduction, "the engine says no" if failed else ""))


def live(frames: Iterable[Frame]) -> Observatory:
    """The live system after a night."""
    observatory = Observatory()
    observatory.arrive(*frames)
    observatory.settle(until=LAST_NOON)
    return observatory


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_it_wants_what_the_live_system_has_in_the_end(jobs):
    frames = make_night()
    agenda = Agenda(frames, [], POLICY)
    made = work_off(agenda, jobs, shuffle=random.Random(jobs))
    assert {reduction.slot: key for key, reduction in made.items()} == live(frames).plan().slots
    assert agenda.progress == (len(made), len(made))
    assert not any(reduction.provisional for reduction in made.values())


def test_every_frame_comes_to_an_end_with_a_reason():
    agenda = Agenda(make_night(fields=1), [], POLICY)
    work_off(agenda)
    states = [item.state for item in agenda.outcomes()]
    assert set(states) == {FrameState.REDUCED, FrameState.SET_ASIDE}
    assert states.count(FrameState.SET_ASIDE) == 2  # the worse of two flats, in each arm
    assert all(item.reason for item in agenda.outcomes())


def test_what_was_done_before_is_not_done_again():
    frames = make_night(fields=1)
    made = work_off(Agenda(frames, [], POLICY))
    again = Agenda(frames, [ending_of(item) for item in made.values()], POLICY)
    assert work_off(again) == {}
    assert again.progress == (len(made), len(made))
    assert {item.state for item in again.outcomes()} == {FrameState.REDUCED, FrameState.SET_ASIDE}


def test_only_what_is_missing_is_done():
    frames = make_night(fields=1)
    made = work_off(Agenda(frames, [], POLICY))
    lost = next(item for item in made.values() if item.kind is ReductionKind.REDUCE_ARC)
    kept = [ending_of(item) for item in made.values() if item is not lost]
    assert list(work_off(Agenda(frames, kept, POLICY), done=kept)) == [lost.job_key]


def test_new_frames_redo_what_depends_on_them():
    frames = make_night(fields=1, exposures=2)
    made = work_off(Agenda(frames, [], POLICY))
    third = make_frame(FrameClass.MFOBJECT, frames[-1].run + 1)
    done = [ending_of(item) for item in made.values()]
    added = work_off(Agenda([*frames, third], done, POLICY), done=done)
    assert sorted(item.kind.value for item in added.values()) == [
        "combine_spectra",
        "reduce_object",
        "splice",
    ]
    assert {item.night for item in added.values()} == {NIGHT}


def test_a_failure_is_told_and_the_rest_goes_on():
    agenda = Agenda(make_night(fields=1), [], POLICY)
    made = work_off(agenda, fails=lambda item: item.slot == f"{NIGHT}/1/0007/object")
    failed = [item for item in agenda.outcomes() if item.state is FrameState.FAILED]
    assert [(item.frame.name, item.reason) for item in failed] == [
        ("12mar10007.fits", "its reduction failed: the engine says no")
    ]
    combined = [item for item in made.values() if item.kind is ReductionKind.COMBINE_SPECTRA]
    assert sorted(len(item.inputs) for item in combined) == [2, 3]


def test_another_flat_serves_when_the_best_one_fails():
    frames = make_night(fields=1, exposures=1)
    best = next(
        item for item in work_off(Agenda(frames, [], POLICY)).values() if item.kind.value == "make_tlm"
    )
    agenda = Agenda(frames, [], POLICY)
    work_off(agenda, fails=lambda item: item.job_key == best.job_key)
    states = {item.frame.frame_id: item.state for item in agenda.outcomes()}
    assert states[best.frames[0].frame_id] is FrameState.FAILED
    assert list(states.values()).count(FrameState.FAILED) == 1
    assert FrameState.WAITING not in states.values()


def test_science_without_calibrations_fails_since_nothing_more_comes():
    agenda = Agenda([make_frame(FrameClass.MFOBJECT, 1)], [], POLICY)
    assert work_off(agenda) == {}
    (outcome,) = agenda.outcomes()
    assert outcome.state is FrameState.FAILED
    assert "tramline map" in outcome.reason
    assert "the night is over" in outcome.reason


def test_a_night_may_lean_on_its_neighbour():
    # The second night has science alone.
    frames = [
        *make_night(fields=1, exposures=1, night="20260311"),
        make_frame(FrameClass.MFOBJECT, 9, night="20260312"),
    ]
    agenda = Agenda(frames, [], POLICY)
    made = work_off(agenda, jobs=3)
    (science,) = [item for item in made.values() if item.night == "20260312"]
    assert {choice.level.label for choice in science.calibrations if choice.role.mandatory} == {"L2"}


def test_the_times_of_files_do_not_matter():
    frames = make_night(fields=1)
    moved = [item.model_copy(update={"completed_at": LAST_NOON.replace(year=2031)}) for item in frames]
    assert work_off(Agenda(frames, [], POLICY)).keys() == work_off(Agenda(moved, [], POLICY)).keys()


@pytest.mark.parametrize("policy", [replace(POLICY, match_wait=1e7), replace(POLICY, optional_wait=0.0)])
def test_nothing_is_waited_for_and_nothing_is_provisional(policy):
    agenda = Agenda(make_night(fields=1), [], policy)
    made = work_off(agenda)
    assert not any(item.provisional for item in made.values())
    assert {item.state for item in agenda.outcomes()} == {FrameState.REDUCED, FrameState.SET_ASIDE}
