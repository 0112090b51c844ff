from __future__ import annotations

from datetime import UTC, datetime

import pytest

from paws.clock import from_mjd, from_nanoseconds, night_of, nights_apart

SIDING_SPRING = 149.0661


@pytest.mark.parametrize(
    ("moment", "night"),
    [
        (datetime(2026, 3, 12, 4, 0, tzinfo=UTC), "20260312"),  # afternoon calibrations
        (datetime(2026, 3, 12, 13, 40, tzinfo=UTC), "20260312"),  # before local midnight
        (datetime(2026, 3, 12, 19, 0, tzinfo=UTC), "20260312"),  # morning twilight, the next civil day
        (datetime(2026, 3, 13, 1, 55, tzinfo=UTC), "20260312"),  # just before local noon
        (datetime(2026, 3, 13, 2, 10, tzinfo=UTC), "20260313"),  # just after
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), "20261231"),
    ],
)
def test_nights_change_at_local_noon(moment, night):
    assert night_of(moment, SIDING_SPRING) == night


def test_times_of_files_are_cut_not_rounded():
    # As a floating number of seconds this count ends at 104827 microseconds.
    assert from_nanoseconds(1795351521104826_999).microsecond == 104826
    assert from_nanoseconds(0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_mjd_of_a_real_header():
    assert from_mjd(57373.5592960397).replace(microsecond=0) == datetime(2015, 12, 17, 13, 25, 23, tzinfo=UTC)


def test_nights_apart_counts_over_months():
    assert nights_apart("20260228", "20260301") == 1
    assert nights_apart("20260301", "20260228") == -1
