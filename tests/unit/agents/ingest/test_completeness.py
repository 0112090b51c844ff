from __future__ import annotations

import pytest

from agents.ingest.completeness import Notice, Patience, Step, after_inspection, before_inspection
from agents.ingest.inspect import Inspection, Signature, Verdict

PATIENCE = Patience.of(settle=1.0, growth=600.0)
FOUND, CLOSED, MOVED = Notice.FOUND, Notice.CLOSED, Notice.MOVED


@pytest.mark.parametrize(
    ("name", "notice", "quiet", "step", "wait"),
    [
        ("12mar10011.fits", MOVED, 0.0, Step.INSPECT, 0.0),
        ("12mar10011.fits", CLOSED, 0.0, Step.INSPECT, 0.0),
        ("12mar10011.fits", FOUND, 0.0, Step.WAIT, 1.0),
        ("12mar10011.fits", FOUND, 0.75, Step.WAIT, 0.25),
        ("12mar10011.fits", FOUND, 1.0, Step.INSPECT, 0.0),
        ("12mar10011.fits", FOUND, 1e9, Step.INSPECT, 0.0),
        ("other.fits", CLOSED, 0.0, Step.INSPECT, 0.0),
        (".12mar10011.fits", MOVED, 9.0, Step.IGNORE, 0.0),
        ("12mar10011.fits.part", CLOSED, 9.0, Step.IGNORE, 0.0),
        ("notes.txt", CLOSED, 9.0, Step.IGNORE, 0.0),
    ],
)
def test_before_a_look_inside(name: str, notice: Notice, quiet: float, step: Step, wait: float) -> None:
    decision = before_inspection(name, notice, quiet, PATIENCE)
    assert (decision.step, decision.wait) == (step, pytest.approx(wait))
    assert decision.reason


@pytest.mark.parametrize(
    ("verdict", "notice", "quiet", "step", "wait"),
    [
        (Verdict.FRAME, FOUND, 2.0, Step.READY, 0.0),
        (Verdict.REJECTED, MOVED, 0.0, Step.REJECT, 0.0),
        (Verdict.REJECTED, FOUND, 0.0, Step.REJECT, 0.0),
        (Verdict.NOT_OURS, CLOSED, 0.0, Step.IGNORE, 0.0),
        (Verdict.GONE, CLOSED, 0.0, Step.IGNORE, 0.0),
        (Verdict.CHANGED, CLOSED, 0.0, Step.WAIT, 1.0),
        # renamed into place: nobody writes it any more
        (Verdict.INCOMPLETE, MOVED, 0.0, Step.REJECT, 0.0),
        # closed: perhaps to be opened again for the next piece
        (Verdict.INCOMPLETE, CLOSED, 1.0, Step.WAIT, 4.0),
        (Verdict.INCOMPLETE, CLOSED, 5.0, Step.REJECT, 0.0),
        # no sign at all: it may grow for long
        (Verdict.INCOMPLETE, FOUND, 5.0, Step.WAIT, 595.0),
        (Verdict.INCOMPLETE, FOUND, 600.0, Step.REJECT, 0.0),
    ],
)
def test_after_a_look_inside(verdict: Verdict, notice: Notice, quiet: float, step: Step, wait: float) -> None:
    inspection = Inspection(
        "/raw/x.fits", verdict, Signature(1, 1), code="truncated", reason="It lacks bytes."
    )
    decision = after_inspection(inspection, notice, quiet, PATIENCE)
    assert (decision.step, decision.wait) == (step, pytest.approx(wait))
    assert decision.reason


def test_a_short_growth_deadline_bounds_the_wait_after_a_close() -> None:
    assert Patience.of(settle=1.0, growth=2.0).reopen == 2.0
