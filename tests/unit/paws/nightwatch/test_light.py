from __future__ import annotations

import numpy as np
import pytest

from paws.nightwatch.light import FIBRE, GOOD_SEEING, WORST_SEEING, in_fibre, light_of, seeing_at_most
from paws.nightwatch.spectra import Aligned


def field(*light: float, seed: int = 3, scatter: float = 0.03) -> Aligned:
    """A field of which each exposure got some of the light; magnitudes are wrong by half a magnitude."""
    random = np.random.default_rng(seed)
    magnitude = random.uniform(16, 19, 150)
    rate = 10 ** (-0.4 * (magnitude + random.normal(0, 0.5, 150) - 25.0))
    seconds = np.array([600.0 * (1 + row % 2) for row in range(len(light))])
    flux = np.array(
        [rate * part * s * random.lognormal(0, scatter, 150) for part, s in zip(light, seconds, strict=True)]
    )
    return Aligned(seconds, magnitude, np.full_like(flux, 10.0), flux)


def test_the_same_targets_tell_what_was_lost_whatever_their_magnitudes():
    found = light_of(field(0.6, 1.0, 0.35))
    assert [item.relative for item in found] == pytest.approx([0.6, 1.0, 0.35], rel=0.02)
    assert found[1].scatter < 0.1
    assert found[1].zero_point == pytest.approx(25.0, abs=0.15)
    assert found[1].zero_point - found[2].zero_point == pytest.approx(-2.5 * np.log10(0.35), abs=0.03)


def test_fibres_beside_their_targets_show_as_scatter():
    data = field(1.0, 1.0)
    data.flux[1, ::2] *= 0.4
    assert light_of(data)[1].scatter > 0.35


def test_too_few_targets_tell_nothing():
    data = field(1.0, 0.5)
    data.snr[1, 5:] = 0.5
    first, second = light_of(data)
    assert first.relative == 1.0
    assert (second.relative, second.zero_point, second.seeing_at_most) == (None, None, None)
    none = light_of(
        Aligned(np.array([60.0]), np.full(20, np.nan), np.full((1, 20), 9.0), np.full((1, 20), np.nan))
    )
    assert none[0].relative is None


@pytest.mark.parametrize("seeing", [1.5, 2.0, 3.0, 5.0])
def test_seeing_at_most_is_the_seeing_when_seeing_alone_takes_light(seeing):
    assert seeing_at_most(in_fibre(seeing) / in_fibre(GOOD_SEEING)) == pytest.approx(seeing)


def test_limits_of_the_seeing():
    assert seeing_at_most(1.0) == pytest.approx(GOOD_SEEING)
    assert seeing_at_most(1.2) == pytest.approx(GOOD_SEEING)
    assert seeing_at_most(0.0) == WORST_SEEING


def test_light_in_a_fibre_is_that_of_a_gaussian_seen_by_it():
    random = np.random.default_rng(5)
    places = random.normal(0, 2.5 / 2.35482, (2, 200_000))
    assert in_fibre(2.5) == pytest.approx((np.hypot(*places) < FIBRE / 2).mean(), abs=0.004)
