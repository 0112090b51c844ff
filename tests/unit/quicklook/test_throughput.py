"""Which fibre is as it is, and which shows its object and not the sky."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.throughput import from_sky_lines
from tests.unit.quicklook.synthetic import emission, noisy

FIBRES, COLUMNS = 400, 500


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
