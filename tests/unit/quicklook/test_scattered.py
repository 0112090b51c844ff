from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve1d

from quicklook.between import MOST_DOUBT
from quicklook.columns import BEYOND, HALF, spread_beyond, spread_points
from quicklook.extraction import extract
from quicklook.profiles import gaussian_profile, profile_bank
from quicklook.scattered import Survey, fit_background, scattered_light, wide_light
from quicklook.tramlines import find_tramlines
from quicklook.wingkinds import OFFSETS
from tests.unit.quicklook.chip import N_ROWS, as_image, flat_electrons, render

FRACTION, LENGTH = 0.01, 40.0


def spread(light, halos):
    result = np.empty_like(light)
    spread_beyond(light, np.empty(0), np.empty(0), (*halos, 0.0, 0.0), result)
    return result


def with_halo(image):
    kernel = np.exp(-np.abs(np.arange(-400, 401)) / LENGTH)
    return (1 - FRACTION) * image + FRACTION * convolve1d(
        image, kernel / kernel.sum(), axis=0, mode="constant"
    )


def test_the_halo_kernel_spreads_the_fraction_it_is_asked_to():
    light = np.zeros(2001)
    light[1000] = 100.0
    halo = spread(light, (0.0, 12.0, 0.02, LENGTH))
    assert halo.sum() == pytest.approx(2.0, rel=1e-6)
    assert halo[1000 + 40] == pytest.approx(halo[1000] / np.e, rel=1e-6)
    assert np.allclose(halo, halo[::-1])


def test_a_smooth_background_is_found_between_the_fibres_whatever_the_outliers(chip):
    rng = np.random.default_rng(6)
    columns = np.arange(0, chip.n_columns, 2)
    y, x = np.meshgrid(np.linspace(-1, 1, N_ROWS), np.linspace(-1, 1, chip.n_columns))
    truth = 30 + 8 * y - 5 * x**2
    residual = (truth + 4 * rng.standard_normal(truth.shape))[columns].astype(np.float32)
    residual[rng.random(residual.shape) < 0.01] += 3000
    light = np.zeros_like(residual)
    lines = chip.trace[chip.lit]
    fluxes = np.zeros((len(lines), len(columns)))
    grid, _ = fit_background(Survey(columns, lines, fluxes, residual, light, light, 16.0), light, light)
    rows = np.linspace(0, N_ROWS - 1, len(grid))
    found = np.array([np.interp(np.arange(N_ROWS), rows, column) for column in grid.T])
    assert np.abs(found - truth).max() < 2.0
    assert np.std(found - truth) < 0.4


def test_what_the_halo_sends_is_not_background(chip):
    columns = np.arange(0, chip.n_columns, 2)
    light = np.full((len(columns), N_ROWS), 2000.0, dtype=np.float32)
    light[:, 1500:1800] *= 0.3
    halos = (0.004, 12.0, FRACTION, LENGTH, 2e-5, 3e-5)
    lines = chip.trace[chip.lit]
    fluxes = np.full((len(lines), len(columns)), 20000.0)
    wide = wide_light(light, fluxes, columns, lines, halos)
    nothing = np.zeros_like(light)
    grid, _ = fit_background(Survey(columns, lines, fluxes, 12 + wide, light, wide, 16.0), nothing, nothing)
    assert grid == pytest.approx(12.0, abs=0.05)


def test_in_flats_the_light_between_the_fibres_still_counts(chip):
    columns = np.arange(0, chip.n_columns, 2)
    light = np.full((len(columns), N_ROWS), 1e5, dtype=np.float32)
    lines = chip.trace[chip.lit]
    survey = Survey(columns, lines, np.zeros((len(lines), len(columns))), light, light, light, 16.0)
    trusted, doubted = (survey.between(light, light[np.newaxis], (40, 8), doubt)[2] for doubt in (0.0, 2.5))
    assert trusted / np.where(doubted > 0, doubted, 1.0) == pytest.approx(1.0 + MOST_DOUBT)


def found_beside(chip, smooth, width, *, fibres=slice(0, 400), flux=300.0):
    """Error of the scattered light found in a frame of Gaussian fibres, taken for such of 4 pixels: (fibres, columns)."""
    inside = np.zeros(400, dtype=bool)
    inside[fibres] = True
    lines = np.ascontiguousarray(chip.trace[chip.lit & inside])
    frame = smooth + 4 * np.random.default_rng(4).standard_normal(smooth.shape)
    table = gaussian_profile(width).table[0, 0]
    columns = np.arange(chip.n_columns)
    for line in lines:
        for y in np.floor(line).astype(int) + np.arange(-13, 15)[:, np.newaxis]:
            on = (y >= 0) & (y < N_ROWS)
            frame[columns[on], y[on]] += flux * np.interp(y - line, OFFSETS, table)[on]
    model = gaussian_profile(4.0)
    grid, rows, *_ = scattered_light(
        frame.astype(np.float32), np.full((1, 1), 16.0, dtype=np.float32), columns, lines, profile_bank(model),
        (model.row_nodes, model.column_nodes), model.beyond,
    )  # fmt: skip
    y = lines[:, 0]
    here = np.array([np.interp(y, rows, column) for column in grid.T])
    return here - np.array([np.interp(y, np.arange(N_ROWS), column) for column in smooth])


def test_what_the_fibres_take_of_the_scattered_light_is_given_back(chip):
    even = np.full((chip.n_columns, N_ROWS), 200.0)
    assert np.abs(found_beside(chip, even, 4.0)).mean() < 0.25


def test_scattered_light_that_changes_steeply_is_right_at_the_ends_of_the_slit(chip):
    steep = np.tile(500 * np.linspace(-1, 1, N_ROWS) ** 2, (chip.n_columns, 1))
    error = found_beside(chip, steep, 4.0, fibres=slice(8, 392))
    assert abs(error[:, :5].mean()) < 0.4
    assert abs(error[:, -5:].mean()) < 0.4


def test_fibres_that_are_wider_than_their_profile_lift_no_scattered_light(chip):
    even = np.full((chip.n_columns, N_ROWS), 20.0)
    assert abs(found_beside(chip, even, 4.08, flux=3000.0).mean()) < 0.6


def test_two_halos_are_the_sum_of_either():
    light = np.random.default_rng(2).uniform(0, 100, 500)
    one, two = (0.004, 12.0, 0.0, LENGTH), (0.0, 12.0, -0.002, LENGTH)
    both = (0.004, 12.0, -0.002, LENGTH)
    assert spread(light, both) == pytest.approx(spread(light, one) + spread(light, two))


def test_tails_begin_where_the_profile_ends_and_fall_off_as_it_does():
    dark, tails = np.zeros(301), np.zeros(301)
    spread_beyond(dark, np.array([150.0]), np.array([1000.0]), (0.0, 12.0, 0.0, LENGTH, 2e-5, 3e-5), tails)
    assert not tails[150 - HALF : 150 + HALF + 1].any()
    assert tails[150 + BEYOND] == pytest.approx(0.05)
    assert tails[150 + BEYOND + 6] == pytest.approx(0.02 * np.exp(-2.0) + 0.03 * np.exp(-1.0))
    assert tails == pytest.approx(tails[::-1])


@pytest.mark.parametrize("nearest", [0.0, 14.5])
def test_light_from_points_is_exact_at_every_fraction_of_a_pixel(nearest):
    centre, flux = np.array([-3.2, 40.31, 77.77, 120.9]), np.array([5.0, 30.0, 10.0, 20.0])
    offsets = np.abs(np.arange(110)[:, np.newaxis] - centre)
    expected = np.where(offsets > nearest, np.exp(-offsets / 6.0), 0.0) @ flux
    found = np.empty(110)
    spread_points(centre, flux, 6.0, nearest, found)
    assert found == pytest.approx(expected)


def test_far_wings_under_a_steep_lamp_cost_little_flux(chip):
    electrons = flat_electrons(chip) * 10 ** np.linspace(-1.5, 0.7, chip.n_columns)
    image = as_image(with_halo(render(chip, electrons)), chip)
    flux, truth = extract(image, find_tramlines(image)).flux[chip.lit], electrons[chip.lit]
    for part in (slice(0, 40), slice(70, 120), slice(150, 192)):
        assert flux[:, part].sum() == pytest.approx(truth[:, part].sum(), rel=1.5 * FRACTION)
