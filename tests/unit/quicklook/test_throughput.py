"""What is usual among the fibres, and which fibre shows its object and not the sky."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.throughput import TYPICAL_SPREAD, from_sky_lines, true_spread
from tests.unit.quicklook.synthetic import emission, noisy

FIBRES, COLUMNS = 400, 500


@pytest.mark.parametrize("spread", [0.01, 0.03, 0.06])
@pytest.mark.parametrize(
    "worst", [0.005, 0.1], ids=["errors that do not matter", "errors from small to larger than the spread"]
)
@pytest.mark.parametrize("objects", [0, 30])
def test_the_spread_is_what_fibres_have_beyond_their_errors(spread, worst, objects):
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        error = np.geomspace(0.002, worst, FIBRES)
        ratio = 1.0 + rng.normal(0.0, spread, FIBRES) + rng.normal(0.0, error)
        ratio[rng.choice(FIBRES, objects, replace=False)] += 0.4
        found.append(true_spread(ratio, error))
    assert np.mean(found) == pytest.approx(spread, rel=0.35 if objects else 0.03)


def test_no_spread_is_found_where_errors_make_all_of_it_and_few_fibres_tell_none():
    rng = np.random.default_rng(2)
    error = np.full(FIBRES, 0.03)
    assert true_spread(1.0 + rng.normal(0.0, error), error) < 0.01
    assert true_spread(np.ones(5), np.full(5, 0.01)) == TYPICAL_SPREAD


def test_sound_fibres_far_from_their_neighbours_keep_their_own_light_and_a_star_does_not():
    """The lamp is wrong by five per cent at random, and by 15 per cent in some."""
    rng = np.random.default_rng(6)
    wavelength = (
        6000.0 + np.tile(np.arange(COLUMNS, dtype=np.float64), (FIBRES, 1)) + rng.uniform(0, 1, (FIBRES, 1))
    )
    lines = np.sort(rng.uniform(6000.0, 6000.0 + COLUMNS, 25))
    sky = 60.0 + emission(wavelength, lines, rng.uniform(500.0, 3000.0, 25))
    true = np.clip(rng.normal(1.0, 0.1, FIBRES), 0.6, 1.4)
    # Objects that see the sky well are no more alike than others.
    objects = rng.uniform(0.0, 300.0, FIBRES)
    sky_fibres, strays, stars = np.arange(8, FIBRES, 16), np.arange(20, FIBRES, 40), np.arange(30, FIBRES, 40)
    objects[sky_fibres] = 0.0
    wrong = rng.normal(1.0, 0.05, FIBRES)
    wrong[strays] = 1.15 ** rng.choice([-1.0, 1.0], strays.size)
    light = sky + objects[:, np.newaxis]
    # The stars have emission where the sky has: it is not the sky's.
    light[stars] += 1.0 * (sky[stars] - 60.0)
    flux, variance = noisy(true[:, np.newaxis] * light, read=5.0, seed=7)
    found, _ = from_sky_lines(
        flux, variance, wavelength, sky_fibres, np.ones(FIBRES, dtype=bool), true * wrong
    )
    off = found.value / true
    off /= np.median(off)
    assert np.abs(off[strays] - 1.0).max() < 0.04
    # Nothing tells a star's fibre but the lamp: it keeps the lamp's error, not the star's light.
    assert off[stars] == pytest.approx(wrong[stars], abs=0.04)
