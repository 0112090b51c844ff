"""What may be done with a job in which phase."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from paws.vo.uws import (
    Phase,
    ask_phase,
    ask_wait,
    bounded_destruction,
    bounded_duration,
    read_moment,
    refuse_setting,
)

NOW = datetime(2026, 3, 13, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("current", "wanted", "to"),
    [
        (Phase.PENDING, "RUN", Phase.QUEUED),
        (Phase.PENDING, "run", Phase.QUEUED),
        (Phase.PENDING, "ABORT", Phase.ABORTED),
        (Phase.QUEUED, "ABORT", Phase.ABORTED),
        (Phase.EXECUTING, "ABORT", Phase.ABORTED),
        # Asked twice, done once.
        (Phase.QUEUED, "RUN", None),
        (Phase.EXECUTING, "RUN", None),
        (Phase.COMPLETED, "ABORT", None),
        (Phase.ABORTED, "ABORT", None),
        (Phase.ERROR, "ABORT", None),
    ],
)
def test_phases_follow_what_is_asked(current, wanted, to):
    change = ask_phase(current, wanted)
    assert (change.phase, change.refusal) == (to, "")


@pytest.mark.parametrize(
    ("current", "wanted"),
    [(Phase.COMPLETED, "RUN"), (Phase.ABORTED, "RUN"), (Phase.ERROR, "RUN"), (Phase.PENDING, "COMPLETED")],
)
def test_what_cannot_be_done_is_refused_with_the_reason(current, wanted):
    change = ask_phase(current, wanted)
    assert change.phase is None
    assert change.refusal


@pytest.mark.parametrize("phase", Phase)
def test_parameters_are_set_before_the_job_runs(phase):
    assert (refuse_setting(phase, "QUERY") is None) == (phase is Phase.PENDING)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-13T02:00:00Z", NOW),
        ("2026-03-13T02:00:00.000Z", NOW),
        ("2026-03-13T02:00:00", NOW),
        ("2026-03-13T13:00:00+11:00", NOW),
        ("2026-03-13", NOW - timedelta(hours=2)),
    ],
)
def test_moments_are_read_in_utc(text, moment):
    assert read_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow", "2026-13-01", "2026-03-13T25:00:00Z", "99999-01-01", "٢٠٢٦-٠٣-١٣"),
        # In UTC they lie outside the calendar.
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, the service has words of its own
        read_moment(text)


def test_times_are_bounded():
    assert bounded_destruction(NOW + timedelta(days=400), NOW, 86_400) == NOW + timedelta(days=1)
    assert bounded_destruction(NOW, NOW, 86_400) == NOW
    assert [bounded_duration(seconds, 100) for seconds in (0, -1, 5, 1000)] == [100, 100, 5, 100]


@pytest.mark.parametrize(
    ("phase", "seconds", "named", "waits"),
    [
        (Phase.EXECUTING, "10", None, 10),
        (Phase.EXECUTING, "10", "EXECUTING", 10),
        (Phase.EXECUTING, "-1", None, 60),
        (Phase.EXECUTING, "1000", None, 60),
        (Phase.EXECUTING, "9" * 400, None, 60),
        (Phase.PENDING, "5", None, 5),
        (Phase.EXECUTING, "10", "QUEUED", None),
        (Phase.COMPLETED, "10", None, None),
        (Phase.EXECUTING, "0", None, None),
        (Phase.EXECUTING, None, None, None),
    ],
)
def test_a_question_waits_while_the_job_is_in_its_phase(phase, seconds, named, waits):
    wait = ask_wait(phase, seconds, named, 60.0)
    assert (wait.seconds if wait else None) == waits


@pytest.mark.parametrize(("seconds", "named"), [("soon", None), ("1", "SLEEPING")])
def test_a_wait_that_is_none_is_refused(seconds, named):
    with pytest.raises(ValueError, match=r"WAIT|PHASE"):
        ask_wait(Phase.EXECUTING, seconds, named, 60.0)
