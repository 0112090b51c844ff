"""One signal to noise: what the reducer tells of a product, and what is made of its arrays agrees with it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from paws.signal import allowing_for, of_pixels, recorded, row_medians
from quicklook.quality import signal_to_noise as reducers
from quicklook.rebin import scrunch
from quicklook.types import LinearGrid

STEP = 0.8
TARGETS = np.array([True] * 6 + [False] * 2)


@pytest.fixture(scope="module")
def rebinned():
    """Flux and sigma on a grid, the reducer's ratios before rebinning, and true ratios of sums over an Angstrom."""
    rng = np.random.default_rng(1)
    level = np.array([[40.0, 60, 80, 100, 120, 140, 10, 0]]).T
    wavelength = np.broadcast_to(5000.0 + 0.7983 * np.arange(2048.0), (8, 2048)).copy()
    flux = level + 10.0 * rng.standard_normal(wavelength.shape)
    variance = np.full(wavelength.shape, 100.0)
    grid = LinearGrid(5001.0, STEP, 2000)
    after, noise = scrunch(flux, variance, wavelength, grid)
    return after, np.sqrt(noise), reducers(flux, variance, STEP), level[:, 0] / 10.0 / math.sqrt(STEP)


def test_medians_are_numpys():
    values = np.random.default_rng(1).normal(0, 3, (6, 31)).astype(np.float32)
    values[0, ::2], values[1], values[2, 5], values[3, :4] = np.nan, np.nan, np.inf, -np.inf
    with warnings.catch_warnings(action="ignore"):
        expected = np.nanmedian(np.where(np.isfinite(values), values, np.nan), axis=1)
    np.testing.assert_allclose(row_medians(values), expected, rtol=1e-6)


def test_it_is_per_angstrom_whichever_way_the_axis_runs():
    flux, sigma = np.full((3, 100), 20.0, np.float32), np.full((3, 100), 5.0, np.float32)
    sigma[1], sigma[2, :60] = np.nan, 0.0
    for step in (4.0, -4.0):
        ratio = of_pixels(flux, sigma, step)
        assert ratio[0] == ratio[2] == pytest.approx(2.0)
        assert np.isnan(ratio[1])


def test_what_neighbours_share_is_allowed_for(rebinned):
    flux, sigma, before, true = rebinned
    alone = of_pixels(flux, sigma, STEP)
    assert np.median(alone[TARGETS] / true[TARGETS]) == pytest.approx(math.sqrt(1.5), rel=0.03)
    quoted = float(np.median(before[TARGETS]))
    found = allowing_for(quoted, alone, TARGETS)
    assert np.median(found[TARGETS]) == pytest.approx(quoted, rel=1e-6)
    np.testing.assert_allclose(found[:6], before[:6], rtol=0.04)
    np.testing.assert_allclose(found, true, rtol=0.04, atol=0.1)


@pytest.mark.parametrize("quoted", [0.5, 0.0, -3.0, 1e9])
def test_a_median_of_other_light_is_not_believed_but_the_allowance_made(rebinned, quoted):
    flux, sigma, _, true = rebinned
    found = allowing_for(quoted, of_pixels(flux, sigma, STEP), TARGETS)
    np.testing.assert_allclose(found, true, rtol=0.05, atol=0.1)


@pytest.mark.parametrize("quoted", [None, True, "4.2", math.nan, math.inf])
def test_who_tells_nothing_is_left_alone(quoted):
    ratios = np.array([3.0, np.nan])
    assert allowing_for(quoted, ratios, np.array([True, True])) is ratios


def test_without_targets_the_usual_allowance_is_made():
    found = allowing_for(4.0, np.array([3.0, np.nan]), np.array([False, True]))
    assert found[0] == pytest.approx(3.0 / math.sqrt(1.5))
    assert np.isnan(found[1])


def test_what_an_engine_writes_is_judged():
    found = recorded([1.5, None, 2, "3", True, 1e300, {}], 7)
    assert found is not None
    np.testing.assert_array_equal(found, [1.5, np.nan, 2.0, np.nan, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("figures", [None, 4.0, "x", {"a": 1}, [], [1.0]])
def test_what_is_no_list_for_all_fibres_tells_nothing(figures):
    assert recorded(figures, 2) is None
