from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agents.notifier.messages import failure_message, field_message, one_line, rejections_message
from agents.notifier.service import Failure, RejectedFile
from schemas.vocabulary import FrameState
from tests.unit.agents.notifier.test_service import field, science

FAILURE = Failure(
    job_key="a" * 64,
    night="20260312",
    kind="reduce_arc",
    slot="20260312/1/0004/arc",
    wanted=True,
    frames=("12mar10004.fits",),
    code="engine_failed",
    error="Too few lines were found.",
    attempts=3,
    log_path="/data/logs/reductions/20260312/aaaa-3.log",
)


def test_a_failure_says_which_why_and_what_next() -> None:
    message = failure_message("id", FAILURE)
    assert message.subject == "[PAWS Live] Failed: reduce arc of 12mar10004.fits"
    for part in (
        "after 3 tries",
        "Reason (engine_failed): Too few lines were found.",
        FAILURE.log_path,
        "paws reprocess 12mar10004 --night 20260312 --force",
        "paws junk 12mar10004 --night 20260312",
    ):
        assert part in message.body


def test_a_failure_of_which_little_is_known() -> None:
    message = failure_message("id", replace(FAILURE, frames=(), code="", error="", log_path="", attempts=1))
    assert "of 20260312/1/0004/arc failed after 1 try." in message.body
    assert "paws reprocess 20260312" in message.body


def test_a_digest_names_every_file_with_its_reason_up_to_a_bound() -> None:
    files = [
        RejectedFile(
            f"/raw/{n}.fits", f"{n}.fits", n, "truncated", f"Reason {n}.", datetime(2026, 3, 12, tzinfo=UTC)
        )
        for n in range(250)
    ]
    message = rejections_message("id", "20260312", files)
    assert message.subject == "[PAWS Live] 250 files rejected in night 20260312"
    assert "/raw/199.fits (truncated)\n    Reason 199." in message.body
    assert "/raw/200.fits" not in message.body
    assert "50 more" in message.body


def test_a_field_is_summed_up_in_a_table() -> None:
    progress = field(
        science(12, arm="red", signal_to_noise=None, state=FrameState.FAILED, reason="no\nlines", level=None),
        science(11, provisional=True, level=2),
        products=("p1/385R/s1/20260312-FLD-p1/combined_red.fits",),
    )
    body = field_message("id", progress).body
    lines = [line.split() for line in body.splitlines()]
    assert ["12mar10011", "blue", "900", "s", "5.0", "L2", "reduced,", "provisional"] in lines
    assert ["12mar10012", "red", "900", "s", "-", "-", "failed:", "no", "lines"] in lines
    assert body.index("12mar10011") < body.index("12mar10012")
    assert "combined_red.fits" in body
    assert "again by themselves" in body
    assert "1 of 2 are reduced" in body


@given(st.text())
def test_a_subject_is_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 150
