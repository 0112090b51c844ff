from __future__ import annotations

import pytest

from paws.figures import FrameTimes, ReductionTimes, crowded, latency, overlap, percentile, union


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([], []),
        ([(0, 1), (2, 3)], [(0, 1), (2, 3)]),
        ([(2, 3), (0, 2.5)], [(0, 3)]),
        ([(0, 10), (1, 2)], [(0, 10)]),
        ([(1, 1)], []),
    ],
)
def test_union(intervals, expected):
    assert union(intervals) == expected


@pytest.mark.parametrize(
    ("intervals", "slots", "expected"),
    [
        ([(0, 4), (2, 6)], 2, [(2, 4)]),
        ([(0, 4), (4, 6)], 2, []),
        ([(0, 4), (2, 6)], 1, [(0, 6)]),
        ([(0, 4), (1, 3), (2, 5)], 2, [(1, 4)]),
    ],
)
def test_crowded(intervals, slots, expected):
    assert crowded(intervals, slots) == expected


def test_overlap_counts_only_what_lies_within():
    assert overlap([(0, 2), (3, 5), (8, 9)], 1, 4) == 2


def test_overhead_leaves_out_the_engine_for_the_frame_and_its_calibrations():
    reductions = {
        "object": ReductionTimes("object", (6.0, 8.0), ("flat",)),
        "flat": ReductionTimes("flat", (3.0, 5.0), ("tlm",)),
        "tlm": ReductionTimes("tlm", (0.0, 1.5)),
        "other": ReductionTimes("other", (8.0, 8.5)),
    }
    figure = latency(FrameTimes("object", completed=1.0, announced=9.0), reductions, slots=2)
    assert figure.total == 8.0
    assert figure.overhead == pytest.approx(8.0 - 2.0 - 2.0 - 0.5)


def test_overhead_leaves_out_a_full_runner():
    reductions = {
        "object": ReductionTimes("object", (4.0, 5.0)),
        "one": ReductionTimes("one", (0.0, 4.0)),
        "two": ReductionTimes("two", (1.0, 3.0)),
    }
    figure = latency(FrameTimes("object", completed=0.0, announced=5.0), reductions, slots=2)
    assert figure.overhead == pytest.approx(5.0 - 2.0 - 1.0)


def test_a_circle_of_needs_ends():
    reductions = {"a": ReductionTimes("a", (0, 1), ("b",)), "b": ReductionTimes("b", (1, 2), ("a",))}
    assert latency(FrameTimes("a", 0, 2), reductions, 8).overhead == 0


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [([], 0.5, None), ([3, 1, 2], 0.5, 2), ([1, 2, 3, 4], 0.95, 4), ([7], 0.5, 7)],
)
def test_percentile(values, part, expected):
    assert percentile(values, part) == expected
