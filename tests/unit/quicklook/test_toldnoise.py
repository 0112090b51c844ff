"""The noise of pixels, told so that it may weigh them."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.toldnoise import told_variance

COLUMNS = 1024


def light(fibres=3):
    """A sky of lines over a faint continuum."""
    x = np.arange(COLUMNS)
    lines = sum(4000 * np.exp(-0.5 * ((x - c) / 1.5) ** 2) for c in range(40, COLUMNS, 90))
    return np.tile(30.0 + lines, (fibres, 1))


def noisy_variance(sky, noise=80.0, gain=1.0, seed=4):
    """Variance as light and the noise beside each pixel tell it."""
    rng = np.random.default_rng(seed)
    return noise + gain * (sky + 6.0 * rng.standard_normal(sky.shape))


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.6])
def test_lines_are_as_noisy_as_their_light_makes_them(gain):
    sky = light()
    told = told_variance(noisy_variance(sky, gain=gain), sky, np.ones(sky.shape, dtype=bool))
    assert np.abs(told / (80.0 + gain * sky) - 1.0).max() < 0.05


def test_nothing_of_a_pixels_own_noise_is_in_what_is_told():
    sky = light(25)
    seen = noisy_variance(sky)
    told = told_variance(seen, sky, np.ones(sky.shape, dtype=bool))
    own, left = seen - 80.0 - sky, told - 80.0 - sky
    assert abs(np.mean(own * left)) < 0.02 * np.mean(own**2)


def test_the_continuum_may_become_noisier_along_the_fibre():
    sky = light()
    steep = np.geomspace(1.0, 20.0, COLUMNS)
    told = told_variance(noisy_variance(sky) * steep, 30.0 + 0.0 * sky, np.ones(sky.shape, dtype=bool))
    between = sky[0] < 31.0
    assert np.abs(told / (110.0 * steep) - 1.0)[:, between].max() < 0.25


def test_a_pixel_that_lost_its_profile_is_believed_and_its_neighbours_are_as_before():
    sky = light()
    seen, good = noisy_variance(sky), np.ones(sky.shape, dtype=bool)
    before = told_variance(seen, sky, good)
    seen[1, 300] = 1e8
    after = told_variance(seen, sky, good)
    assert after[1, 300] == 1e8
    others = np.ones(sky.shape, dtype=bool)
    others[1, 300] = False
    assert np.abs(after / before - 1.0)[others].max() < 0.01


def test_bad_pixels_tell_nothing_and_few_good_ones_are_believed():
    sky = light()
    seen, good = noisy_variance(sky), np.ones(sky.shape, dtype=bool)
    good[0, ::7] = False
    good[1, 5:] = False
    good[2] = False
    seen[~good] = np.nan
    told = told_variance(seen, np.where(good, sky, np.nan), good)
    assert np.all(told[~good] == 1.0)
    assert np.abs(told / (80.0 + sky) - 1.0)[0, good[0]].max() < 0.05
    assert np.array_equal(told[1, :5], seen[1, :5])
