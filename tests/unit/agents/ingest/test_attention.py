from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.ingest.attention import Attention
from agents.ingest.completeness import Notice
from agents.ingest.folders import Sighting
from agents.ingest.inspect import Inspection, Signature, Verdict

T0 = datetime(2026, 3, 12, tzinfo=UTC)
WALL = T0.timestamp()


def seen(size: int, mtime: float = WALL, changed: int = 1) -> Sighting:
    return Sighting("/raw/x.fits", Signature(size, int(mtime * 1e9)), changed)


def test_a_file_found_long_after_its_last_change_has_been_quiet_for_long() -> None:
    attention = Attention("/raw/x.fits")
    attention.observe(seen(10, WALL - 3600), now=100.0)
    assert attention.quiet(100.0, WALL) == 3600
    assert attention.quiet(105.0, WALL + 5) == 3605


def test_a_file_whose_time_lies_in_the_future_is_timed_by_our_own_clock() -> None:
    attention = Attention("/raw/x.fits")
    attention.observe(seen(10, WALL + 3600), now=100.0)
    assert attention.quiet(103.0, WALL + 3) == 3


def test_a_seen_change_restarts_the_quiet_time_whatever_the_file_s_time_says() -> None:
    attention = Attention("/raw/x.fits")
    attention.observe(seen(10, WALL - 3600), now=100.0)
    attention.observe(seen(20, WALL - 3600), now=110.0)
    assert attention.quiet(112.0, WALL) == 2


def test_a_change_voids_the_notice_and_the_inspection_of_the_older_content() -> None:
    attention = Attention("/raw/x.fits")
    attention.notify(Notice.CLOSED, T0)
    attention.observe(seen(10), now=1.0)
    attention.inspection = Inspection("/raw/x.fits", Verdict.INCOMPLETE, Signature(10, 0))
    assert (attention.notice, attention.noticed_at) == (Notice.CLOSED, T0)
    attention.observe(seen(20), now=2.0)
    assert (attention.notice, attention.noticed_at, attention.inspection) == (Notice.FOUND, None, None)


def test_a_weaker_notice_of_the_same_content_does_not_count() -> None:
    attention = Attention("/raw/x.fits")
    attention.notify(Notice.MOVED, T0)
    attention.notify(Notice.FOUND, T0 + timedelta(seconds=1))
    attention.observe(seen(10), now=1.0)
    attention.notify(Notice.FOUND, T0 + timedelta(seconds=2))
    attention.observe(seen(10), now=2.0)
    assert (attention.notice, attention.noticed_at) == (Notice.MOVED, T0)


def test_changed_permissions_are_a_reason_to_look_again() -> None:
    attention = Attention("/raw/x.fits")
    attention.observe(seen(10, changed=1), now=1.0)
    attention.inspection = Inspection("/raw/x.fits", Verdict.REJECTED, Signature(10, 0))
    attention.observe(seen(10, changed=2), now=2.0)
    assert attention.inspection is None
    assert attention.changed_at == 1.0
