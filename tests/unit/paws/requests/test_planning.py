"""Which reductions a request needs, on invented nights: the rules of the live night, asked for some frames."""

from __future__ import annotations

import random

import pytest

from paws.matching.plan import plan
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import JunkMark, Sighting
from paws.matching.state import Finished, NightState
from paws.requests.planning import beside, long_after, plan_request
from paws.requests.wish import Options, Wish
from schemas.layout import is_own, product_path
from schemas.vocabulary import Arm, CalibrationLevel, FrameClass, ReductionKind, ReductionState
from tests.support.nights import EVENING, NIGHT, make_frame, make_night

SITE = MatchPolicy()


def states_of(frames, wanted):
    states: dict[str, NightState] = {}
    for frame in frames:
        state = states.setdefault(frame.night, NightState(frame.night))
        state.fold_frame(Sighting(frame, SITE.ends_at(frame.night), wanted(frame)))
    return states


def science(frame):
    return frame.frame_class.is_science


def carry_out(states, nights, wish, fails=()):
    """Plan and end what is ready, until nothing is."""
    ended = []
    for _ in range(40):
        made = plan_request(states, nights, wish, SITE)
        if not made.ready:
            return made, ended
        for reduction in made.ready:
            state = ReductionState.FAILED if reduction.kind in fails else ReductionState.SUCCEEDED
            states[reduction.night].fold_finished(
                reduction.job_key, Finished(reduction.slot, state, EVENING, "bad")
            )
            states[reduction.night].standing.clear()
            ended.append(reduction)
    raise AssertionError("it does not come to an end")


def wish(parameters=None, **options):
    return Wish("builtin", "test", parameters or {}, Options(**options))


def test_keys_are_those_of_the_live_night():
    frames = make_night(fields=1)
    made, ended = carry_out(states_of(frames, science), [NIGHT], wish())
    live = NightState(NIGHT)
    for frame in frames:
        live.fold_frame(Sighting(frame, EVENING))
    wanted = plan({NIGHT: live}, NIGHT, long_after([NIGHT], SITE), SITE).wanted
    assert {part.job_key for part in made.parts} <= set(wanted.values())
    assert len({item.job_key for item in ended}) == len(ended) == len(made.parts)
    assert all(wanted[part.slot] == part.job_key for part in made.parts)


def test_parameter_changes_what_it_concerns_alone():
    frames = make_night(fields=1)
    usual, _ = carry_out(states_of(frames, science), [NIGHT], wish())
    changed, _ = carry_out(states_of(frames, science), [NIGHT], wish({"SKYSUB": False}))
    before = {part.slot: part for part in usual.parts}
    for part in changed.parts:
        same = part.job_key == before[part.slot].job_key
        assert same == (
            part.kind
            not in (ReductionKind.REDUCE_OBJECT, ReductionKind.COMBINE_SPECTRA, ReductionKind.SPLICE)
        )


@pytest.mark.parametrize(
    ("options", "without"),
    [
        ({}, set()),
        ({"combine": False}, {ReductionKind.COMBINE_SPECTRA}),
        ({"splice": False}, {ReductionKind.SPLICE}),
        ({"without": ("bias",)}, {ReductionKind.REDUCE_BIAS, ReductionKind.COMBINE_IMAGE}),
    ],
)
def test_options_leave_kinds_out(options, without):
    every = {
        *(
            ReductionKind.REDUCE_BIAS,
            ReductionKind.COMBINE_IMAGE,
            ReductionKind.MAKE_TLM,
            ReductionKind.REDUCE_ARC,
        ),
        *(
            ReductionKind.REDUCE_FFLAT,
            ReductionKind.REDUCE_OBJECT,
            ReductionKind.COMBINE_SPECTRA,
            ReductionKind.SPLICE,
        ),
    }
    frames = [
        frame
        for frame in make_night(fields=1)
        if not ("bias" in options.get("without", ()) and frame.frame_class is FrameClass.BIAS)
    ]
    made, _ = carry_out(states_of(frames, science), [NIGHT], wish(**options))
    assert {part.kind for part in made.parts} == every - without


def test_only_what_was_asked_for_is_combined():
    frames = make_night(fields=1, exposures=3, arms=(Arm.BLUE,))
    chosen = [frame.frame_id for frame in frames if science(frame)][:2]
    made, _ = carry_out(states_of(frames, lambda frame: frame.frame_id in chosen), [NIGHT], wish())
    (combined,) = [part for part in made.parts if part.kind is ReductionKind.COMBINE_SPECTRA]
    assert combined.label.endswith("2 frames")
    assert set(made.frames) == set(chosen)


def test_calibrations_of_other_nights_serve_and_are_parts_too():
    tonight = [frame for frame in make_night(fields=1) if frame.frame_class is not FrameClass.MFARC]
    before = make_night(fields=1, night="20260311")
    states = states_of([*tonight, *before], lambda frame: frame.night == NIGHT and science(frame))
    made, _ = carry_out(states, [NIGHT], wish())
    arcs = [part for part in made.parts if part.kind is ReductionKind.REDUCE_ARC]
    assert {part.night for part in arcs} == {"20260311"}
    assert {decision.level for decision in made.frames.values()} == {CalibrationLevel.ADJACENT_NIGHT}
    strict = plan_request(states, [NIGHT], wish(max_level=1), SITE)
    assert len(strict.missing) >= len(made.frames)
    assert all("arc" in item.reason for item in strict.missing if item.label.startswith("12mar"))


def test_failed_calibration_is_replaced_or_named():
    frames = make_night(fields=1, arms=(Arm.BLUE,))
    made, _ = carry_out(states_of(frames, science), [NIGHT], wish(), fails={ReductionKind.REDUCE_ARC})
    assert [part for part in made.parts if part.result] == []
    assert {item.label for item in made.missing} == {frame.stem for frame in frames if science(frame)}


def test_junked_frame_is_named():
    frames = make_night(fields=1, arms=(Arm.BLUE,))
    states = states_of(frames, science)
    junk = next(frame for frame in frames if science(frame))
    states[NIGHT].fold_junk(junk.frame_id, JunkMark(True, "cloud", "mia", EVENING))
    made = plan_request(states, [NIGHT], wish(), SITE)
    assert [(item.label, item.reason) for item in made.missing] == [(junk.stem, "junked by mia: cloud")]


def test_calibrations_may_be_asked_for_themselves():
    frames = make_night(fields=1, arms=(Arm.BLUE,))
    made, _ = carry_out(
        states_of(frames, lambda frame: frame.frame_class is FrameClass.MFARC), [NIGHT], wish()
    )
    assert [part.kind for part in made.parts if part.result] == [ReductionKind.REDUCE_ARC]


def test_order_of_frames_and_ends_does_not_matter():
    frames = make_night(fields=2)
    keys = set()
    for seed in range(4):
        random.Random(seed).shuffle(frames)
        made, _ = carry_out(states_of(frames, science), [NIGHT], wish())
        keys.add(frozenset(part.job_key for part in made.parts))
    assert len(keys) == 1


def test_what_was_asked_for_is_not_asked_for_again():
    frames = make_night(fields=1, biases=0, arms=(Arm.BLUE,))
    states = states_of(frames, science)
    (first,) = plan_request(states, [NIGHT], wish(), SITE).ready
    states[NIGHT].requested[first.job_key] = EVENING
    assert plan_request(states, [NIGHT], wish(), SITE).ready == ()


def test_place_beside_the_plan_is_its_own():
    frames = make_night(fields=1, biases=0, arms=(Arm.BLUE,))
    (reduction,) = plan_request(states_of(frames, science), [NIGHT], wish(), SITE).ready
    own = beside(reduction, wish({"SKYSUB": False}).variant)
    assert is_own(own.slot)
    assert own.job_key == reduction.job_key
    kind = reduction.products[0]
    assert product_path(kind, own.layout).parts[2:] == product_path(kind, reduction.layout).parts


def test_variant_follows_from_engine_and_parameters():
    variants = {
        wish().variant,
        wish({"SKYSUB": False}).variant,
        Wish("builtin", "other").variant,
        Wish("2dfdr-8.0", "test").variant,
    }
    assert len(variants) == 4
    assert wish(combine=False).variant == wish().variant, "what is made does not change how"


def test_frame_of_nothing_known_does_no_harm():
    frame = make_frame(FrameClass.MFOBJECT, 1)
    made = plan_request(states_of([frame], science), [NIGHT], wish(), SITE)
    assert [item.label for item in made.missing] == [frame.stem]
