"""Parameters that somebody set for a frame: part of the keys of its reductions, and taken back by setting none."""

from __future__ import annotations

from datetime import timedelta

from paws.matching.items import Item, current, decode, fold
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import ParameterMark, in_order
from paws.matching.state import NightState
from paws.matching.task import concerning, merged
from schemas.vocabulary import Arm, ReductionKind
from tests.support.nights import EVENING, NIGHT, Observatory, field_frames, kinds, make_night, the


def mark(minutes: float = 0, **parameters) -> ParameterMark:
    return ParameterMark(
        in_order(parameters), "the sky fibres see a galaxy", "mia", EVENING + timedelta(minutes=minutes)
    )


def test_the_exposure_and_what_is_made_of_it_are_redone_and_nothing_else():
    observatory = Observatory(policy=MatchPolicy(parameters=(("SKYSUB", 1), ("PCANUM", 4))))
    frames = make_night(fields=1, exposures=2, biases=2, arms=(Arm.BLUE,))
    observatory.arrive(*frames)
    observatory.settle()
    before = observatory.plan().slots
    science = frames[-1]
    slot = f"{NIGHT}/1/{science.run:04d}/object"
    done = set(observatory.executed)

    observatory.state().fold_parameters(science.frame_id, mark(skysub=0))
    plan = observatory.settle()
    redone = [observatory.executed[key] for key in observatory.executed.keys() - done]
    assert kinds(redone) == ["combine_spectra", "reduce_object"]
    assert the(observatory, slot).parameters == {"SKYSUB": 0, "PCANUM": 4}
    assert the(observatory, f"{NIGHT}/1/{frames[-2].run:04d}/object").parameters == {"SKYSUB": 1, "PCANUM": 4}
    assert plan.slots[slot] != before[slot]
    (note,) = [text for text in plan.frames[science.frame_id].notes if "SKYSUB" in text]
    assert "galaxy (mia)" in note

    # What was made before is there still: taking it back asks for nothing.
    done = set(observatory.executed)
    observatory.state().fold_parameters(science.frame_id, mark(5))
    plan = observatory.settle()
    assert plan.slots == before
    assert set(observatory.executed) == done


def test_parameters_of_a_flat_reach_all_that_reads_it():
    observatory = Observatory()
    flat, arc, (science,) = field_frames()
    observatory.arrive(flat, arc, science)
    observatory.settle()
    done = set(observatory.executed)
    observatory.state().fold_parameters(flat.frame_id, mark(extr_operation="SUM"))
    observatory.settle()
    redone = [observatory.executed[key] for key in observatory.executed.keys() - done]
    assert kinds(redone) == ["reduce_fflat", "reduce_object"]
    assert [item.kind.value for item in redone if item.parameters == {"EXTR_OPERATION": "SUM"}] == [
        "reduce_fflat"
    ]


def test_kinds_that_a_parameter_does_not_concern_keep_their_keys():
    own = in_order({"EXTR_OPERATION": "SUM", "ARCFITORDER": 3, "OLD_NAME": 1})
    assert dict(concerning(own, ReductionKind.REDUCE_ARC)) == {
        "EXTR_OPERATION": "SUM",
        "ARCFITORDER": 3,
        "OLD_NAME": 1,
    }
    assert dict(concerning(own, ReductionKind.MAKE_TLM)) == {"OLD_NAME": 1}


def test_the_newest_word_counts_in_whatever_order_words_come():
    early, late = mark(0, skysub=0), mark(9, skysub=1)
    for order in ((early, late), (late, early), (late, early, late)):
        state = NightState(NIGHT)
        for one in order:
            state.fold_parameters("f", one)
        assert state.parameters["f"] == late
    assert not state.fold_parameters("f", late)


def test_a_mark_is_kept_as_an_item():
    item = Item(NIGHT, "f", mark(1, pcanum=6, tpmeth="SKYFLUX(MED)"))
    again = decode(item.key, item.encode())
    assert again == item
    state = NightState(NIGHT)
    assert fold(state, again)
    assert current(state, again) == item


def test_own_parameters_stand_before_general_ones():
    assert merged((("skysub", 1), ("PCANUM", 4)), in_order({"SkySub": 0})) == (("PCANUM", 4), ("SKYSUB", 0))
    assert merged((("skysub", 1),), ()) == (("skysub", 1),)
