from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.obslog.service import FrameOutcome, log_entry, result_text
from schemas.vocabulary import FrameState
from tests.support.events import example_frame


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (FrameOutcome(FrameState.ARRIVED), ""),
        (FrameOutcome(FrameState.WAITING, "waits for an arc"), ""),
        (FrameOutcome(FrameState.QUEUED), ""),
        (FrameOutcome(FrameState.RUNNING), ""),
        (FrameOutcome(FrameState.REDUCED), "reduced"),
        (FrameOutcome(FrameState.REDUCED, provisional=True), "reduced, provisional"),
        (FrameOutcome(FrameState.SET_ASIDE, "run 12 is better"), "set aside: run 12 is better"),
        (FrameOutcome(FrameState.FAILED, "no lines"), "failed: no lines"),
        (FrameOutcome(FrameState.FAILED), "failed"),
        (FrameOutcome(FrameState.JUNKED, "cloud"), "junked: cloud"),
        (FrameOutcome(FrameState.FAILED, "x" * 999), ("failed: " + "x" * 999)[:300]),
    ],
)
def test_result_in_words(outcome: FrameOutcome, text: str) -> None:
    assert result_text(outcome) == text


def test_entry_of_a_frame() -> None:
    entry = log_entry(example_frame(), FrameOutcome(FrameState.REDUCED, level=1, signal_to_noise=7.5))
    assert entry.ut_start.replace(microsecond=0) == datetime(2026, 3, 12, 13, 25, 23, tzinfo=UTC)
    assert (entry.run, entry.arm, entry.plate, entry.grating) == (11, "red", 1, "385R")
    assert (entry.level, entry.signal_to_noise, entry.result) == (1, 7.5, "reduced")


def test_a_planned_level_is_not_logged_before_the_frame_is_reduced() -> None:
    entry = log_entry(example_frame(), FrameOutcome(FrameState.RUNNING, level=1))
    assert (entry.level, entry.signal_to_noise, entry.result) == (None, None, "")
