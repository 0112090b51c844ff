"""Whether a process that ended is started again: a table of cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paws.embedded.restart import (
    Ending,
    RestartAction,
    RestartPolicy,
    decide_restart,
    describe_status,
)

POLICY = RestartPolicy(max_failures=3, first_delay=0.5, max_delay=1.5, healthy_after=30.0)
ONCE = RestartPolicy(enabled=False, done_codes=frozenset({0}))


@pytest.mark.parametrize(
    ("policy", "ending", "stopping", "action", "delay", "failures", "words"),
    [
        (POLICY, Ending(1, 5, True), False, "restart", 0.5, 1, "ended with status 1"),
        (POLICY, Ending(1, 5, True, failures_before=1), False, "restart", 1.0, 2, "again in 1 s"),
        (POLICY, Ending(1, 5, True, failures_before=2), False, "restart", 1.5, 3, "again in 1.5 s"),
        # What works and then ends is started again for ever: the night goes on.
        (POLICY, Ending(1, 5, True, failures_before=99), False, "restart", 1.5, 100, "again in 1.5 s"),
        # What cannot even begin is not.
        (POLICY, Ending(1, 5, False), False, "restart", 0.5, 1, "failed start 1 of 3"),
        (POLICY, Ending(1, 5, False, False, 3, 3), False, "give up", 0, 4, "failed start 4 in a row"),
        (POLICY, Ending(-11, 5, False, False, 3, 3), False, "give up", 0, 4, "killed by SIGSEGV"),
        (POLICY, Ending(-9, 60, False, True, 3, 3), False, "give up", 0, 4, "before its deadline"),
        # A long healthy life forgets what was before it; a long life without readiness does not.
        (POLICY, Ending(-9, 31, True, failures_before=3), False, "restart", 0.5, 1, "killed by SIGKILL"),
        # Whoever kills it while it starts cannot make us give up.
        (POLICY, Ending(-9, 31, False, False, 3, 3), False, "restart", 1.5, 3, "killed by SIGKILL"),
        # Nor does it make the pause longer.
        (POLICY, Ending(-9, 5, True, failures_before=1), False, "restart", 0.5, 1, "killed by SIGKILL"),
        # Nothing else ends by itself with status 0 unless it was told so.
        (POLICY, Ending(0, 5, True), False, "restart", 0.5, 1, "ended with status 0"),
        (ONCE, Ending(0, 5, True), False, "leave", 0, 0, "its work is done"),
        (ONCE, Ending(1, 5, True), False, "give up", 0, 1, "only once"),
        (POLICY, Ending(2, 0.1, False), False, "give up", 0, 1, "cannot change"),
        (POLICY, Ending(78, 0.1, False), False, "give up", 0, 1, "cannot change"),
        (POLICY, Ending(126, 0.1, False), False, "give up", 0, 1, "cannot change"),
        # A process that was ended because it was late may leave with any status.
        (POLICY, Ending(2, 60, False, overdue=True), False, "restart", 0.5, 1, "before its deadline"),
        (ONCE, Ending(0, 60, False, overdue=True), False, "give up", 0, 1, "before its deadline"),
        (POLICY, Ending(1, 5, True), True, "leave", 0, 0, "everything is being stopped"),
        (POLICY, Ending(2, 5, True), True, "leave", 0, 0, "everything is being stopped"),
    ],
)
def test_decision(policy, ending, stopping, action, delay, failures, words):
    decision = decide_restart(policy, ending, stopping=stopping)

    assert (decision.action, decision.delay, decision.failures) == (RestartAction(action), delay, failures)
    assert words in decision.reason


@given(
    st.integers(0, 9999),
    st.integers(0, 200),
    st.integers(-64, 255),
    st.floats(0, 1e6),
    st.booleans(),
    st.booleans(),
)
def test_failed_starts_end_and_pauses_stay_bounded(failures, starts, status, lifetime, was_ready, overdue):
    ending = Ending(status, lifetime, was_ready, overdue, failures, starts)
    decision = decide_restart(POLICY, ending, stopping=False)

    assert 0 <= decision.delay <= POLICY.max_delay
    if decision.action is RestartAction.RESTART:
        assert decision.failed_starts <= POLICY.max_failures
    assert decision.reason


def test_unknown_signal_has_a_description():
    assert describe_status(-63) == "was killed by signal 63"
