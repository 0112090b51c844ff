"""Whatever the order in which events come, a night ends in the same set of reductions."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from paws.matching.plan import Plan
from schemas.frames import Frame
from schemas.reductions import Reduction
from schemas.vocabulary import FrameClass, ReductionState
from tests.support.nights import LAST_NOON, NIGHT, Observatory, make_frame, make_night

Fails = Callable[[Reduction], bool]
LATER = LAST_NOON + timedelta(days=2)


def frames_of_a_night(darks: bool, sky: bool) -> list[Frame]:
    frames = make_night(fields=2, exposures=2, biases=2)
    run = max(frame.run for frame in frames)
    arms = sorted({frame.arm for frame in frames})
    if darks:
        run += 1
        frames += [make_frame(FrameClass.DARK, run, arm) for arm in arms]
    if sky:
        run += 1
        frames += [make_frame(FrameClass.MFSKY, run, arm) for arm in arms]
    # A field without a flat and an arc of its own, on a plate that has others.
    frames += [make_frame(FrameClass.MFOBJECT, run + 1, arm, field_name="FLD9") for arm in arms]
    return frames


def unlucky(seed: int, percent: int) -> Fails:
    """An engine that fails some reductions: always the same ones, by their keys."""

    def fails(reduction: Reduction) -> bool:
        digest = hashlib.sha256(f"{seed}{reduction.job_key}".encode()).digest()
        return digest[0] < percent * 256 // 100

    return fails


def outcome(observatory: Observatory, last: Plan) -> dict[str, tuple[str, ReductionState]]:
    """What is wanted in the end, and what became of it."""
    finished = observatory.state().finished
    return {slot: (key, finished[key].state) for slot, key in last.wanted.items()}


def play(
    frames: list[Frame], junked: list[Frame], restored: list[Frame], rng: random.Random, fails: Fails
) -> tuple[Observatory, Plan]:
    """Let a night happen in a random order, with repetitions and delays."""
    observatory = Observatory(fails=fails)
    noon = observatory.now
    events = [("arrive", frame) for frame in frames + rng.choices(frames, k=5)]
    events += [("junk", frame) for frame in junked + restored]
    events += [("restore", frame) for frame in restored]
    rng.shuffle(events)
    for what, frame in events:
        observatory.now += timedelta(seconds=rng.choice([0, 0, 0.5, 5, 60, 400]))
        if what == "arrive":
            observatory.arrive(frame)
        else:
            at = noon + timedelta(seconds=2 if what == "restore" else 1)
            observatory.junk(frame, what == "junk", at=at)
        if rng.random() < 0.7:
            observatory.plan()
        while observatory.queue and rng.random() < 0.6:
            observatory.finish([rng.choice(list(observatory.queue))])
    last = observatory.settle(until=LATER)
    return observatory, last


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    percent=st.sampled_from([0, 0, 5, 20]),
    darks=st.booleans(),
    sky=st.booleans(),
    junk=st.integers(0, 3),
)
def test_any_order_ends_in_the_same_reductions(
    seed: int, percent: int, darks: bool, sky: bool, junk: int
) -> None:
    rng = random.Random(seed)
    frames = frames_of_a_night(darks, sky)
    chosen = rng.sample(frames, k=min(len(frames), 2 * junk))
    junked, restored = chosen[:junk], chosen[junk:]
    fails = unlucky(seed, percent)

    observatory, last = play(frames, junked, restored, rng, fails)
    other, other_last = play(frames, junked, restored, rng, fails)

    assert outcome(observatory, last) == outcome(other, other_last)
    assert {i: (d.state, d.job_key, d.level) for i, d in last.frames.items()} == {
        i: (d.state, d.job_key, d.level) for i, d in other_last.frames.items()
    }
    assert last.slots == other_last.slots

    # Nothing is left over: every frame has a final state, every reduction wanted was carried out.
    assert last.next_wakeup is None
    assert all(decision.state != "waiting" for decision in last.frames.values())
    assert set(last.wanted.values()) <= set(observatory.executed)
    assert not last.ready

    # The same key always stands for the same work.
    for key in observatory.executed.keys() & other.executed.keys():
        one, two = observatory.executed[key], other.executed[key]
        assert (one.kind, one.frames, one.inputs) == (two.kind, two.frames, two.inputs)
        assert {(c.role, c.product) for c in one.calibrations} == {
            (c.role, c.product) for c in two.calibrations
        }

    # No junked frame had a part in what is wanted.
    bad = {frame.frame_id for frame in junked}
    for key in last.wanted.values():
        reduction = observatory.executed[key]
        assert not bad & {frame.frame_id for frame in reduction.frames}
        assert not bad & {i for choice in reduction.calibrations for i in choice.source_frame_ids}


def test_a_night_in_its_natural_order_is_reduced_once() -> None:
    observatory = Observatory()
    frames = make_night(fields=2, exposures=3, biases=3)
    for run in sorted({frame.run for frame in frames}):
        observatory.now += timedelta(seconds=60)
        observatory.arrive(*(frame for frame in frames if frame.run == run))
        observatory.settle(until=observatory.now + timedelta(seconds=50))
    last = observatory.settle(until=LATER)

    assert last.night == NIGHT
    assert not any(reduction.provisional for reduction in observatory.executed.values())
    slots = [reduction.slot for reduction in observatory.executed.values()]
    once = [slot for slot in slots if "combined" not in slot]
    assert len(once) == len(set(once)), "every single frame is reduced once"
