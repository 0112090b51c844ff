"""The judgement on a disturbed night: it finds what is lost, doubled, changed and unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from paws.chaos.faults import Fault, FaultKind
from paws.chaos.feed import Told, is_visible
from paws.chaos.products import Product
from paws.chaos.strikes import Strike
from paws.chaos.verdict import Verdict, judge, tabulate

AT = datetime(2026, 3, 12, 13, 0, tzinfo=UTC)
NIGHT = tuple(
    Product(
        f"1/385R/s1/{number}red.fits", "object", f"20260312/2/{number}/object", f"key{number}", f"c{number}"
    )
    for number in range(3)
)


def test_the_same_products_are_a_good_night():
    verdict = judge(NIGHT, tuple(reversed(NIGHT)))
    assert verdict.good
    assert verdict.problems() == []


def changed(**values):
    return (*NIGHT[:2], replace(NIGHT[2], **values))


@pytest.mark.parametrize(
    ("found", "losses", "doubles", "field"),
    [
        (NIGHT[:2], 1, 0, "lost"),
        (changed(content="other"), 1, 0, "changed"),
        (changed(job_key="other"), 1, 1, "foreign"),
        ((*NIGHT, NIGHT[0]), 0, 2, "duplicated"),
        ((*NIGHT, replace(NIGHT[0], job_key="again", path="elsewhere")), 0, 2, "duplicated"),
        ((*NIGHT, replace(NIGHT[0], slot="another", job_key="again")), 0, 2, "duplicated"),
    ],
    ids=["lost", "other values", "other work", "twice", "two versions of a slot", "two of one path"],
)
def test_what_is_not_as_it_should_be_is_found(found, losses, doubles, field):
    verdict = judge(NIGHT, found)
    assert not verdict.good
    assert (verdict.losses, verdict.doubles) == (losses, doubles)
    assert getattr(verdict, field)


@pytest.mark.parametrize("field", ["broken", "unsettled", "left"])
def test_what_is_left_makes_a_night_bad(field):
    verdict = judge(NIGHT, NIGHT, **{field: ["a finding"]})
    assert verdict.problems() == [f"{field}: a finding"]


def strike(kind, target, pid=0, **more):
    return Strike(Fault(1, 1.0, kind, target), AT, pid, done=True, **more)


def told(subject, state, seconds=1.0, entity="notice", **payload):
    return Told(entity, subject, state, AT + timedelta(seconds=seconds), payload)


KILL, PAUSE = FaultKind.KILL, FaultKind.PAUSE


@pytest.mark.parametrize(
    ("done", "row", "visible"),
    [
        (strike(KILL, "worker", 7), told("process:worker", "ended", pid=7), True),
        (strike(KILL, "worker", 7), told("process:worker", "ended", pid=8), False),
        (strike(KILL, "worker", 7), told("process:runner", "ended", pid=7), False),
        (strike(KILL, "worker", 7), told("process:worker", "ready", pid=7), False),
        (strike(KILL, "worker", 7), told("process:worker", "ended", -5, pid=7), False),
        (strike(KILL, "worker", 7), told("process:worker", "held back", -5, pid=7), True),
        # Its supervisor was killed before it could tell; the next one tells that all had ended.
        (strike(KILL, "worker", 7), told("system", "started again", 9), True),
        (strike(KILL, "worker", 7), told("system", "started again", 99), False),
        (strike(KILL, "system", 7), told("system", "started again", 9), True),
        (strike(PAUSE, "web", 7), told("process:web", "paused", pid=7), True),
        (strike(PAUSE, "web", 7), told("process:web", "resumed", pid=7), False),
        (strike(KILL, "engine"), told("key", "retrying", entity="reduction", error_code="engine_died"), True),
        (strike(KILL, "engine"), told("key", "retrying", entity="reduction", error_code="disk_full"), False),
        # While it was starting: its runner ends with it.
        (strike(KILL, "engine"), told("process:runner", "ended", 5, pid=7), True),
        (strike(KILL, "engine"), told("process:runner", "ended", 99, pid=7), False),
        (strike(FaultKind.DISK_FULL, "work folder"), told("disk:work:here/2/9", "full"), True),
        (strike(FaultKind.DISK_FULL, "work folder"), told("disk:work:here/2/9", "room"), False),
        (strike(FaultKind.DISK_FULL, "work folder"), told("disk:products:here/2/9", "full"), False),
        (strike(FaultKind.DISK_FULL, "products"), told("disk:products:here/2/9", "full"), True),
        (strike(FaultKind.DISK_FULL, "database"), told("disk:database", "full"), True),
        (strike(FaultKind.FOLDER_AWAY, "raw folder"), told("raw_folder:/raw", "away"), False),
        (strike(FaultKind.CLOCK_STEP, "runner"), told("clock:runner", "wrong", -3600), True),
        (strike(FaultKind.CLOCK_STEP, "runner"), told("clock:ingest", "wrong"), False),
        (strike(FaultKind.REPEATED, "events"), told("repeats:worker", "recognised"), True),
        (
            strike(FaultKind.NETWORK_CUT, "far runner", mark="far1"),
            told("runner:far1-40/2/9", "taken back"),
            True,
        ),
        (
            strike(FaultKind.NETWORK_CUT, "far runner", mark="far1"),
            told("runner:near-40/2/9", "taken back"),
            False,
        ),
    ],
)
def test_the_feed_tells_or_does_not(done, row, visible):
    assert is_visible(done, [row]) is visible


def test_the_table_counts_by_kind_and_charges_losses_to_the_night():
    quick = strike(KILL, "runner", recovery=1.0, visible=True)
    slow = strike(KILL, "runner", recovery=9.0, visible=True)
    never = strike(PAUSE, "web", visible=False)
    table = tabulate(
        [
            ([quick, slow], Verdict()),
            ([never], Verdict(lost=("a",), duplicated=("b", "c"))),
            ([quick], Verdict()),
        ]
    )
    kills, pauses = table
    assert (kills.kind, kills.done, kills.lost, kills.duplicated) == ("kill: runner", 3, 0, 0)
    assert (kills.recovery_median, kills.recovery_longest, kills.unrecovered) == (1.0, 9.0, 0)
    assert (pauses.kind, pauses.lost, pauses.duplicated) == ("pause: web", 1, 2)
    assert (pauses.recovery_median, pauses.unrecovered, pauses.unseen) == (None, 1, 1)
