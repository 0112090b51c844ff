"""S/N as exposures add up, on synthetic fields whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from paws.nightwatch.growth import (
    Goal,
    fraction_above,
    goal_in_force,
    goal_magnitude,
    growth,
    is_night,
    snr_at,
    summed,
)
from paws.nightwatch.spectra import Aligned, Spectra, align

GOAL = Goal(3.0, 20.0, 0.5)


def field(
    *speeds: float, minutes: float = 20.0, targets: int = 200, seed: int = 1, slope: float = -0.3
) -> Aligned:
    """A field observed at some speeds: S/N of 1 at 20 mag in 20 minutes at speed 1."""
    random = np.random.default_rng(seed)
    magnitude = random.uniform(17.5, 20.8, targets)
    once = 10 ** (slope * (magnitude - 20.0)) * random.lognormal(0, 0.15, targets)
    snr = np.array([once * np.sqrt(speed * minutes / 20.0) for speed in speeds])
    return Aligned(np.full(len(speeds), minutes * 60.0), magnitude, snr, np.full_like(snr, np.nan))


def test_squares_add_up_and_noise_adds_nothing():
    snr = np.array([[3.0, 0.0, -2.0, np.nan], [4.0, 1.0, 1.0, 2.0]])
    assert np.allclose(summed(snr), [[3, 0, 0, 0], [5, 1, 1, 2]])


def test_snr_at_a_magnitude_is_found_among_scattered_targets():
    data = field(1.0)
    assert snr_at(20.0, data.magnitude, data.snr[0]) == pytest.approx(1.0, rel=0.06)
    assert snr_at(19.0, data.magnitude, data.snr[0]) == pytest.approx(10**0.3, rel=0.06)
    assert snr_at(14.0, data.magnitude, data.snr[0]) is None, "no target is near"
    noise = np.full(200, 0.01)
    assert snr_at(20.0, data.magnitude, noise) is None, "nothing is above noise"


def test_a_steady_field_reaches_its_goal_when_it_is_said_to():
    grown = growth(field(1.0, 1.0, 1.0), GOAL)
    # S/N^2 is 3 after an hour and 9 is wanted: two more hours at 1 in 20 minutes.
    assert grown.minutes_to_goal == pytest.approx(120, rel=0.15)
    low, high = grown.minutes_range
    assert low <= grown.minutes_to_goal <= high
    assert [step.minutes for step in grown.steps] == [20, 40, 60]
    assert grown.steps[-1].at_goal == pytest.approx(3**0.5, rel=0.06)
    longer = growth(field(*[1.0] * 9), GOAL)
    assert longer.minutes_to_goal == pytest.approx(0, abs=25)


def test_the_present_rate_counts_and_the_range_tells_how_it_varied():
    clear, cloudy = growth(field(1.0, 1.0), GOAL), growth(field(1.0, 0.25), GOAL)
    assert cloudy.minutes_to_goal > 3.5 * clear.minutes_to_goal
    low, high = cloudy.minutes_range
    assert high == pytest.approx(cloudy.minutes_to_goal)
    assert low == pytest.approx(high / 4, rel=0.05)


def test_a_field_that_reached_its_goal_needs_no_more():
    grown = growth(field(9.0, 9.0, 9.0), GOAL)
    assert grown.minutes_to_goal == 0
    assert "reached" in grown.reason
    assert grown.steps[-1].fraction >= 0.9


def test_what_cannot_be_told_is_said():
    few = field(1.0, targets=3)
    assert growth(few, GOAL).minutes_to_goal is None
    assert "fewer than" in growth(few, GOAL).reason
    nameless = Aligned(np.array([60.0]), np.full(9, np.nan), np.ones((1, 9)), np.ones((1, 9)))
    assert "magnitude" in growth(nameless, Goal(3, None)).reason
    assert "day" in growth(field(0.01), Goal(30.0, 20.0)).reason
    lost = field(9.0, 9.0)
    lost.snr[:, :150] = 0.0
    assert "fibres lose light" in growth(lost, Goal(3.0, 20.0, 0.8)).reason
    assert growth(Aligned(np.array([]), np.array([20.0]), np.ones((0, 1)), np.ones((0, 1))), GOAL).steps == ()


def test_fraction_counts_targets_down_to_the_magnitude():
    magnitude = np.array([18.0, 19.0, 21.0, np.nan])
    assert fraction_above(GOAL, 20.0, magnitude, np.array([5.0, 1.0, 9.0, 9.0])) == (0.5, 2)
    assert fraction_above(GOAL, 15.0, magnitude, np.ones(4)) == (None, 0)


def test_a_goal_without_magnitude_takes_the_fields_own():
    magnitudes = np.linspace(17, 21, 101)
    assert goal_magnitude(Goal(3, None), magnitudes) == pytest.approx(20.2)
    assert goal_magnitude(GOAL, magnitudes) == 20.0
    assert goal_magnitude(Goal(3, None), np.array([np.nan])) is None


def test_the_newest_goal_that_began_counts():
    goals = [
        Goal(3, None, since="19960101"),
        Goal(5, None, since="20260301"),
        Goal(7, None, since="20260401"),
    ]
    assert goal_in_force(goals, "20260312").signal_to_noise == 5
    assert goal_in_force(goals, "20260401").signal_to_noise == 7
    assert goal_in_force(goals[1:], "20200101") is None


@pytest.mark.parametrize(
    ("text", "right"),
    [("20260312", True), ("20260230", False), ("2026031", False), ("२०२६०३१२", False), ("", False)],
)
def test_nights_are_dates(text, right):
    assert is_night(text) is right


def test_exposures_are_put_into_one_table_by_target():
    def spectra(run: int, names: list[str], magnitude: float) -> Spectra:
        size = len(names)
        return Spectra(
            run,
            60.0,
            tuple(enumerate(names)),
            np.full(size, magnitude),
            np.full(size, float(run)),
            np.full(size, np.nan),
        )

    table = align([spectra(1, ["a", "b"], np.nan), spectra(2, ["a", "x", "c"], 19.0)])
    assert table.snr.shape == (2, 4)
    assert np.isnan(table.snr[0, 2:]).all()
    assert np.isnan(table.snr[1, 1])
    assert table.magnitude[0] == 19.0
    assert np.isnan(table.magnitude[1])
