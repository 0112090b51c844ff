from __future__ import annotations

from datetime import UTC, datetime, timedelta

from paws.nightwatch.timeline import Taken, gaps, idle, present, visits

DUSK = datetime(2026, 3, 12, 10, tzinfo=UTC)


def taken(
    run: int,
    minutes: float,
    seconds: float = 600,
    kind: str = "MFOBJECT",
    field: str = "F1",
    arm: str = "blue",
):
    return Taken(f"{run}{arm}", run, arm, kind, field, DUSK + timedelta(minutes=minutes), seconds, "reduced")


def test_gaps_lie_between_exposures_of_either_arm():
    frames = [taken(1, 0), taken(1, 0, arm="red"), taken(2, 11), taken(3, 40, arm="red")]
    (gap,) = gaps(frames, DUSK, None)
    assert gap.start == DUSK + timedelta(minutes=21)
    assert gap.minutes == 19


def test_time_before_dark_and_after_dawn_is_no_gap():
    frames = [taken(1, -200, 10, "BIAS", ""), taken(2, 5), taken(3, 700)]
    dawn = DUSK + timedelta(minutes=600)
    found = gaps(frames, DUSK, dawn)
    assert [gap.minutes for gap in found] == [5]
    assert gaps([], DUSK, dawn) == []
    assert gaps([taken(1, 0), taken(2, 60)], None, None)[0].minutes == 50


def test_a_long_exposure_covers_shorter_ones_of_the_other_arm():
    frames = [taken(1, 0, 3600), taken(2, 5, 60, arm="red"), taken(3, 61)]
    assert gaps(frames, DUSK, None) == []


def test_an_open_gap_is_told_while_it_is_dark():
    frames = [taken(1, 0)]
    now = DUSK + timedelta(minutes=30)
    assert idle(frames, now, DUSK, DUSK + timedelta(hours=9)).minutes == 20
    assert idle(frames, now, DUSK, DUSK + timedelta(minutes=20)) is None
    assert idle(frames, DUSK + timedelta(minutes=11), DUSK, None) is None
    assert idle([], now, DUSK, None) is None


def test_fields_in_the_order_in_which_they_were_observed():
    frames = [
        taken(1, 0, 10, "MFFFF"), taken(2, 2, 30, "MFARC"), taken(3, 4), taken(3, 4, arm="red"),
        taken(4, 20, 10, "BIAS", ""), taken(5, 30, field="F2"), taken(6, 45),
    ]  # fmt: skip
    found = visits(frames)
    assert [visit.field for visit in found] == ["F1", "F2", "F1"]
    assert found[0].science_seconds == 600, "both arms are one exposure"
    assert found[0].end == DUSK + timedelta(minutes=14)


def test_a_night_with_a_clock_of_its_own_has_a_present_of_its_own():
    later = DUSK + timedelta(minutes=5)
    assert present(later, DUSK, DUSK + timedelta(minutes=2)) == later
    arrived = DUSK + timedelta(days=200)
    assert present(arrived + timedelta(minutes=3), DUSK, arrived) == DUSK + timedelta(minutes=3)
