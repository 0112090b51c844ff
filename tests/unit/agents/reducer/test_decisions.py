from __future__ import annotations

import pytest

from agents.reducer.intake.service import Known
from agents.reducer.intake.service import decide as decide_intake
from agents.reducer.retry import (
    LONGEST_OUTAGE_WAIT,
    LONGEST_WAIT,
    MOST_ATTEMPTS,
    RetryPolicy,
    Trouble,
    decide,
)
from agents.reducer.runner.service import Situation, start_decision
from agents.reducer.settle import WITHDRAWN, Settlement, settle_decision
from schemas.vocabulary import Outcome, ReductionState

POLICY = RetryPolicy(tries=3, backoff=2.0)


@pytest.mark.parametrize(
    ("outcome", "tries", "action", "wait"),
    [
        (Outcome.RETRIABLE, 1, "retry", 2.0),
        (Outcome.RETRIABLE, 2, "retry", 4.0),
        (Outcome.RETRIABLE, 3, "fail", 0.0),
        (Outcome.RETRIABLE, 4, "fail", 0.0),
        (Outcome.PERMANENT, 1, "fail", 0.0),
        (Outcome.INVALID_INPUT, 1, "fail", 0.0),
        (Outcome.NOT_OURS, 1, "fail", 0.0),
    ],
)
def test_only_what_may_pass_by_itself_is_tried_again(outcome, tries, action, wait):
    decision = decide(Trouble(outcome, tries), POLICY)
    assert (decision.action, decision.wait) == (action, wait)
    assert decision.reason


def test_the_wait_is_bounded():
    assert decide(Trouble(Outcome.RETRIABLE, 19), RetryPolicy(20, 2.0)).wait == LONGEST_WAIT


@pytest.mark.parametrize(
    ("trouble", "action", "wait", "words"),
    [
        (Trouble(Outcome.RETRIABLE, 2, 2, same_end=True), "fail", 0.0, "the same way twice"),
        (Trouble(Outcome.RETRIABLE, 3, 3, counts=False), "retry", 8.0, "does not count"),
        (Trouble(Outcome.RETRIABLE, 1, 40, counts=False), "retry", LONGEST_OUTAGE_WAIT, "does not count"),
        (Trouble(Outcome.RETRIABLE, 3, MOST_ATTEMPTS, counts=False), "fail", 0.0, "3 tries"),
        (Trouble(Outcome.RETRIABLE, 2, MOST_ATTEMPTS, counts=False), "retry", 4.0, "Try 3 of 3"),
        (Trouble(Outcome.INVALID_INPUT, 1, 1, counts=False), "fail", 0.0, "the same way"),
        # Whoever kills engines seldom means the reduction: more tries, and shorter waits.
        (Trouble(Outcome.RETRIABLE, 3, 3, killed=True), "retry", 8.0, "Try 4 of 10"),
        (Trouble(Outcome.RETRIABLE, 9, 9, killed=True), "retry", LONGEST_OUTAGE_WAIT, "Try 10 of 10"),
        (Trouble(Outcome.RETRIABLE, 10, 10, killed=True), "fail", 0.0, "10 tries"),
    ],
)
def test_what_is_nobodys_fault_does_not_count_and_what_repeats_itself_is_given_up(
    trouble, action, wait, words
):
    decision = decide(trouble, POLICY)
    assert (decision.action, decision.wait) == (action, wait)
    assert words in decision.reason


@pytest.mark.parametrize(
    ("state", "force", "wanted", "action"),
    [
        (None, False, True, "queue"),
        (None, False, False, "set_aside"),
        (None, True, False, "queue"),
        ("queued", False, True, "hurry"),
        ("queued", True, True, "hurry"),
        ("running", True, True, "hurry"),
        ("retrying", False, False, "hurry"),
        ("succeeded", False, True, "tell_again"),
        ("succeeded", False, False, "tell_again"),
        ("succeeded", True, True, "queue"),
        ("failed", False, True, "tell_again"),
        ("failed", True, False, "queue"),
        ("cancelled", False, True, "queue"),
        ("cancelled", False, False, "set_aside"),
        ("cancelled", True, False, "queue"),
    ],
)
def test_intake_decision(state, force, wanted, action):
    known = None if state is None else Known(ReductionState(state))
    assert decide_intake(known, force=force, wanted=wanted).action == action


@pytest.mark.parametrize(
    ("state", "forced", "wanted", "tries", "open_inputs", "action"),
    [
        ("queued", False, True, 0, 0, "start"),
        ("retrying", False, True, 2, 0, "start"),
        ("running", False, True, 1, 0, "start"),  # its runner died
        ("running", False, True, 3, 0, "start"),  # its runners died
        ("running", False, True, 10, 0, "fail"),  # all of its runners died
        ("queued", False, False, 0, 0, "cancel"),
        ("queued", True, False, 0, 0, "start"),
        ("queued", False, True, 0, 2, "postpone"),
        ("succeeded", False, True, 1, 0, "place"),
        ("succeeded", False, False, 1, 0, "place"),
        ("failed", False, True, 3, 0, "nothing"),
        ("cancelled", False, True, 0, 0, "nothing"),
    ],
)
def test_start_decision(state, forced, wanted, tries, open_inputs, action):
    situation = Situation(ReductionState(state), forced, wanted, tries, open_inputs)
    assert start_decision(situation, POLICY).action == action


def _product(name, key, version, *, current=False, kind="object"):
    return {"product_id": name, "job_key": key, "kind": kind, "version": version, "current": current}


@pytest.mark.parametrize(
    ("wanted", "products", "current", "superseded"),
    [
        (None, [], (), ()),
        ("a", [_product("A", "a", 1)], ("A",), ()),
        ("a", [_product("A", "a", 1, current=True)], (), ()),
        # The wanted one wins although it is older; a late worse one changes nothing.
        ("a", [_product("A", "a", 1, current=True), _product("B", "b", 2)], (), ()),
        ("b", [_product("A", "a", 1, current=True), _product("B", "b", 2)], ("B",), ("A",)),
        # Nothing of the wanted reduction yet: the newest serves.
        ("c", [_product("A", "a", 1), _product("B", "b", 2)], ("B",), ()),
        (None, [_product("A", "a", 1, current=True), _product("B", "b", 2)], ("B",), ("A",)),
        # Nothing is wanted any more: what ends late does not become current either.
        (WITHDRAWN, [_product("A", "a", 1, current=True), _product("B", "b", 2)], (), ("A",)),
        (WITHDRAWN, [_product("A", "a", 1)], (), ()),
        # Kinds are settled apart.
        ("a", [_product("A", "a", 1), _product("T", "a", 1, kind="tlm")], ("A", "T"), ()),
    ],
)
def test_settlement(wanted, products, current, superseded):
    assert settle_decision(wanted, products) == Settlement(current, superseded)
