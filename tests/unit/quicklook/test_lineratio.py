"""Lines of the sky in each fibre against a model of the sky, and the median that the kernels use."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.lineratio import LineRatio
from quicklook.medians import median_of, middle_of

COLUMNS = 600


@pytest.mark.parametrize("m", [1, 2, 3, 24, 25, 26, 51, 200, 501])
@pytest.mark.parametrize("kinds", [2, 1000])
def test_the_median_is_numpys(m, kinds):
    rng = np.random.default_rng(m)
    for _ in range(10):
        values = rng.integers(0, kinds, m).astype(np.float64)
        assert middle_of(np.r_[values, -1e9], m) == np.median(values)
        assert median_of(np.r_[values, -1e9], m) == np.median(values)


def field(truth, seed=3):
    """A sky of lines as fibres of given throughput see it, each over a continuum of its own; and the sky."""
    rng = np.random.default_rng(seed)
    x = np.arange(COLUMNS)
    sky = 20 + sum(200 * np.exp(-0.5 * ((x - c) / 1.5) ** 2) for c in rng.uniform(0, COLUMNS, 25))
    light = truth[:, np.newaxis] * sky + rng.uniform(0, 300, (len(truth), 1))
    flux = light + rng.standard_normal(light.shape) * np.sqrt(light)
    return flux.astype(np.float32), light.astype(np.float32), np.tile(sky, (len(truth), 1)).astype(np.float32)


def test_throughput_of_lines_whatever_the_continuum():
    truth = np.linspace(0.7, 1.3, 30)
    flux, variance, sky = field(truth)
    ratio, error = LineRatio(flux, variance)(sky)
    pull = (ratio - truth) / error
    assert abs(pull.mean()) < 0.6
    assert 0.6 < pull.std() < 1.4
    assert error.max() < 0.05


def test_hits_are_passed_over():
    truth = np.ones(10)
    flux, variance, sky = field(truth)
    clean, error = LineRatio(flux, variance)(sky)
    flux[:, 100::97] += 5e4
    hit, _ = LineRatio(flux, variance)(sky)
    # Around a hit the window's mean is wrong, which may not count for more than noise.
    assert np.all(np.abs(hit - clean) < 5 * error)


def test_bad_pixels_are_as_if_absent_and_a_fibre_without_good_ones_tells_nothing():
    flux, variance, sky = field(np.ones(6))
    rng = np.random.default_rng(5)
    holes = rng.random(flux.shape) < 0.05
    marked = np.where(holes, np.float32(np.nan), flux)
    marked[2] = np.nan
    marked[3, 5:] = np.nan
    ratio, error = LineRatio(marked, variance)(sky)
    told = [0, 1, 4, 5]
    assert np.all(np.abs(ratio[told] - 1) < 5 * error[told])
    assert np.isnan(ratio[2])
    assert not np.isfinite(error[2:4]).any()


def test_what_was_compared_before_does_not_change_the_answer():
    flux, variance, sky = field(np.linspace(0.8, 1.2, 5))
    less = sky.copy()
    less[:, :50] = np.nan
    used = LineRatio(flux, variance)
    for expected in (sky, less, 2 * sky, sky):
        assert np.array_equal(used(expected), LineRatio(flux, variance)(expected), equal_nan=True)


def test_a_fibre_that_reaches_further_than_the_model_is_measured_where_both_see():
    truth = np.linspace(0.8, 1.2, 24)
    flux, variance, sky = field(truth)
    whole, _ = LineRatio(flux, variance)(sky)
    sky[7, :40], sky[11, -40:] = np.nan, np.nan
    ratio, error = LineRatio(flux, variance)(sky)
    assert np.all(np.abs(ratio - truth) < 5 * error)
    others = np.arange(24)[(np.arange(24) != 7) & (np.arange(24) != 11)]
    assert ratio[others] == pytest.approx(whole[others], abs=0.002)


@pytest.mark.parametrize("what", ["flux", "variance"])
def test_a_value_that_no_light_can_have_counts_as_a_bad_pixel(what):
    flux, variance, sky = field(np.linspace(0.8, 1.2, 24))
    given = {"flux": flux, "variance": variance}
    given[what][3, 50] = np.nan
    expected = LineRatio(**given)(sky)
    given[what][3, 50] = 1e30
    assert np.array_equal(LineRatio(**given)(sky), expected)


def test_the_error_knows_that_lines_of_an_object_lie_together():
    """Where broad lines of the objects are the noise, pixels beside each other are wrong together."""
    truth = np.ones(80)
    _, _, sky = field(truth)
    rng, x = np.random.default_rng(8), np.arange(COLUMNS)
    light = np.empty(sky.shape)
    for f in range(len(truth)):
        lines = zip(
            rng.uniform(0, COLUMNS, 12), rng.uniform(0.1, 0.5, 12), rng.uniform(3, 6, 12), strict=True
        )
        light[f] = sky[f] + 500 * np.prod(
            [1 - d * np.exp(-0.5 * ((x - c) / w) ** 2) for c, d, w in lines], axis=0
        )
    flux = light + rng.standard_normal(light.shape) * np.sqrt(light)
    ratio, error = LineRatio(flux.astype(np.float32), light.astype(np.float32))(sky)
    assert 0.7 < np.std((ratio - 1) / error) < 1.3
    # Photons alone would leave 0.016; pixels that count as if they were independent of each other, 0.07 to 0.09.
    assert np.std(ratio - 1) < 0.045


def test_what_photons_leave_is_reached_where_a_bright_line_is_all_there_is():
    truth, x = np.ones(80), np.arange(COLUMNS)
    light = np.tile(40 + 4000 * np.exp(-0.5 * ((x - 300.3) / 1.5) ** 2), (len(truth), 1))
    rng = np.random.default_rng(9)
    flux = light + rng.standard_normal(light.shape) * np.sqrt(light + 100.0)
    ratio, error = LineRatio(flux.astype(np.float32), (light + 100.0).astype(np.float32))(
        light.astype(np.float32)
    )
    photons = 1.0 / np.sqrt(np.sum((light[0] - 40.0) ** 2 / (light[0] + 100.0)))
    assert 0.8 < np.std(ratio - 1) / photons < 1.3
    assert 0.9 < np.median(error) / photons < 1.35
