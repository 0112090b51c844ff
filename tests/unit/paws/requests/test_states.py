"""State of a request, from the states of its reductions: a table of cases."""

from __future__ import annotations

import pytest

from paws.requests.states import PartState, Situation, derive
from schemas.vocabulary import ReductionState as R
from schemas.vocabulary import RequestState as S


def part(state, result=True, reused=False, error=""):
    return PartState(state, result, reused, error)


@pytest.mark.parametrize(
    ("parts", "missing", "state", "reason"),
    [
        ([], {}, S.FAILED, "nothing could be reduced"),
        ([], {"12mar10003": "there is no arc"}, S.FAILED, "there is no arc"),
        ([part(None)], {}, S.QUEUED, "1 reduction waits for a free runner"),
        ([part(R.QUEUED), part(None)], {}, S.QUEUED, "2 reductions wait for a free runner"),
        (
            [part(R.SUCCEEDED, reused=True), part(R.QUEUED)],
            {},
            S.QUEUED,
            "1 reduction waits for a free runner",
        ),
        ([part(R.RUNNING), part(None)], {}, S.RUNNING, "0 of 2 reductions done, 1 at work"),
        ([part(R.RETRYING)], {}, S.RUNNING, "0 of 1 reductions done, 1 at work"),
        ([part(R.SUCCEEDED), part(R.QUEUED)], {}, S.RUNNING, "1 of 2 reductions done"),
        ([part(R.FAILED), part(R.QUEUED)], {}, S.RUNNING, "0 of 2 reductions done"),
        ([part(R.SUCCEEDED)], {}, S.FINISHED, "everything is done"),
        ([part(R.SUCCEEDED, reused=True)], {}, S.FINISHED, "everything was done before"),
        (
            [part(R.SUCCEEDED), part(R.FAILED, error="no lines")],
            {},
            S.FINISHED,
            "1 of 2 parts failed: no lines",
        ),
        ([part(R.SUCCEEDED)], {"x": "no arc"}, S.FINISHED, "1 of 2 parts failed: no arc"),
        ([part(R.SUCCEEDED, result=False), part(R.FAILED, error="no lines")], {}, S.FAILED, "no lines"),
    ],
)
def test_state_follows_from_the_parts(parts, missing, state, reason):
    found = derive(Situation(True, False, tuple(parts), missing))
    assert (found.state, found.reason) == (state, reason)
    assert found.partly is (state is S.FINISHED and "failed" in reason)


def test_counts_are_of_reductions_and_of_what_cannot_be_made():
    parts = (part(R.SUCCEEDED, reused=True), part(R.SUCCEEDED), part(R.FAILED), part(R.QUEUED))
    found = derive(Situation(True, False, parts, {"x": "y"}))
    assert (found.parts, found.done, found.failed, found.reused) == (5, 2, 2, 1)


def test_not_planned_yet_and_cancelled():
    assert derive(Situation(False, False)).state is S.INITIALISED
    assert derive(Situation(True, True, (part(R.RUNNING),))).state is S.CANCELLED
