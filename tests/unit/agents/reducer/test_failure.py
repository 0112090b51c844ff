"""What failed tries mean, class by class."""

from __future__ import annotations

import pytest

from agents.reducer.check import (
    BadProductError,
    NoExitMarkerError,
    ReductionFailedError,
    ReductionRefusedError,
)
from agents.reducer.engines.base import (
    EngineAwayError,
    EngineDeadlineError,
    EngineDiedError,
    EngineOutOfMemoryError,
)
from agents.reducer.runner.failure import classify, ends_alike, report
from agents.reducer.runner.workfolder import InputChangedError, InputGoneError, InputNotRegisteredError
from agents.reducer.store import DiskFullError
from schemas.vocabulary import Outcome

COMMAND = ("reduce_arc", "12mar10003.fits", "-TLMAP_FILENAME", "a b.fits")
TAIL = [f"line {number}" for number in range(9)]


@pytest.mark.parametrize(
    ("error", "outcome", "code", "counts"),
    [
        (ReductionFailedError("x"), Outcome.RETRIABLE, "engine_failed", True),
        (ReductionRefusedError("x"), Outcome.INVALID_INPUT, "engine_refused", True),
        (NoExitMarkerError("x"), Outcome.RETRIABLE, "no_exit_marker", True),
        (BadProductError("x"), Outcome.RETRIABLE, "bad_product", True),
        (EngineDiedError("x"), Outcome.RETRIABLE, "engine_died", True),
        (EngineOutOfMemoryError("x"), Outcome.RETRIABLE, "engine_out_of_memory", True),
        (EngineDeadlineError("x"), Outcome.RETRIABLE, "engine_deadline", True),
        (EngineAwayError("x"), Outcome.RETRIABLE, "engine_away", False),
        (DiskFullError("x"), Outcome.RETRIABLE, "disk_full", False),
        (InputGoneError("x"), Outcome.RETRIABLE, "input_gone", False),
        (InputNotRegisteredError("x"), Outcome.RETRIABLE, "input_not_registered", True),
        (OSError(28, "No space left on device"), Outcome.RETRIABLE, "disk_full", False),
        (InputChangedError("x"), Outcome.INVALID_INPUT, "input_changed", True),
        (OSError(5, "Input/output error"), Outcome.RETRIABLE, "file_system", True),
        (ZeroDivisionError("x"), Outcome.PERMANENT, "internal", True),
    ],
)
def test_classes_of_failure_are_told_apart(error, outcome, code, counts):
    failure = classify(error)
    assert (failure.outcome, failure.code, failure.counts) == (outcome, code, counts)


def test_a_report_names_the_command_its_last_lines_and_its_log():
    told = report(classify(EngineDiedError("It died", command=COMMAND, tail=TAIL)), "Again.", "logs/a.log")
    assert told.splitlines() == [
        "It died. Again.",
        "Command: aaorun reduce_arc 12mar10003.fits -TLMAP_FILENAME 'a b.fits'",
        "Last lines:",
        *(f"  {line}" for line in TAIL[-5:]),
        "Log: logs/a.log",
    ]


def test_a_report_holds_nothing_that_the_database_cannot_keep():
    told = report(classify(EngineDiedError("It\x00 died", tail=["a\x00b"])), "Again.", "a.log")
    assert told == "It died. Again.\nLast lines:\n  ab\nLog: a.log"


@pytest.mark.parametrize(
    ("error", "alike"),
    [
        (ReductionFailedError("reduce_arc failed with status 1: no lines"), True),
        (ReductionFailedError("reduce_arc failed with status 1: no room"), False),
        (ReductionFailedError("reduce_arc failed with status 1: no"), False),
        (BadProductError("reduce_arc failed with status 1: no lines"), False),
    ],
)
def test_the_same_end_is_recognised_in_what_was_recorded(error, alike):
    before = classify(ReductionFailedError("reduce_arc failed with status 1: no lines", command=COMMAND))
    told = report(before, "Try 2 of 3 follows in 2 s.", "a.log")
    assert ends_alike(classify(error), before.code, told) is alike
    assert not ends_alike(classify(error), None, None)


def test_a_crash_that_repeats_itself_is_no_proof():
    before = classify(EngineDiedError("It died."))
    assert not ends_alike(before, before.code, report(before, "Again.", "a.log"))
