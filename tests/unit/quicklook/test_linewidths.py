from __future__ import annotations

import numpy as np
import pytest

from quicklook.lineratio import LineRatio
from quicklook.linewidths import along_the_chip, widened, widths
from quicklook.throughput import from_sky_lines
from tests.unit.quicklook.synthetic import emission, noisy

FIBRES = 80
WAVELENGTH = (
    6000.0 + np.broadcast_to(np.arange(600.0), (FIBRES, 600)) + np.linspace(0.0, 3.0, FIBRES)[:, np.newaxis]
)
LINES = np.array([6060.0, 6190.0, 6300.0, 6371.0, 6450.0, 6540.0])
LIGHT = np.array([3e4, 8e4, 5e4, 2e4, 6e4, 4e4])
SLIT = np.linspace(-1.0, 1.0, FIBRES)


def _sky(widths):
    return 40.0 + np.concatenate(
        [emission(WAVELENGTH[f : f + 1], LINES, LIGHT, sigma=width) for f, width in enumerate(widths)]
    )


def test_lines_that_are_wider_at_the_ends_of_the_slit_hold_no_less_light():
    rng = np.random.default_rng(3)
    passed = rng.normal(1.0, 0.1, FIBRES)
    flux, variance = noisy(passed[:, np.newaxis] * _sky(1.4 + 0.25 * SLIT**2), read=8.0, seed=4)
    everywhere_alike = _sky(np.full(FIBRES, 1.45))
    ratio, error = LineRatio(flux.astype(np.float32), variance.astype(np.float32))(
        everywhere_alike.astype(np.float32)
    )
    off = ratio / passed
    assert np.std(off / np.median(off)) < 0.006
    assert abs(np.polyfit(SLIT**2, off, 1)[0]) < 0.006
    assert np.median(error) < 0.008


def test_fibres_out_of_focus_pass_no_less_light():
    rng = np.random.default_rng(11)
    passed, focus = rng.normal(1.0, 0.1, FIBRES), rng.normal(1.0, 0.05, FIBRES)
    flux, variance = noisy(passed[:, np.newaxis] * _sky(1.45 * focus), read=8.0, seed=12)
    expected = _sky(np.full(FIBRES, 1.45)).astype(np.float32)
    ratio, error = LineRatio(flux.astype(np.float32), variance.astype(np.float32))(expected)
    off = ratio / passed
    assert np.std(off / np.median(off)) < 0.0035
    assert np.median(error) < 0.008


def test_a_fibre_is_believed_against_the_others_as_far_as_it_knows():
    rng = np.random.default_rng(13)
    true = rng.normal(0.0, 0.03, FIBRES)
    error = np.where(np.arange(FIBRES) % 2, 0.003, 0.3)
    found, doubt = widths(true + rng.normal(0.0, error), error)
    assert np.std((found - true)[1::2]) < 0.004
    # Who knows nothing of its own keeps what the others say.
    assert np.abs(found[::2]).max() < 0.04
    assert 0.7 < np.std(((found - true) / doubt)[1::2]) < 1.4
    assert 0.7 < np.std(((found - true) / doubt)[::2]) < 1.4


def test_a_fibre_that_knows_nothing_is_out_of_focus_as_its_slitlet_is():
    rng = np.random.default_rng(15)
    slitlets = rng.normal(0.0, 0.05, 40)
    true = np.repeat(slitlets, 10) + rng.normal(0.0, 0.01, 400)
    error = np.where(np.arange(400) % 5, 0.01, 0.5)
    found, doubt = widths(true + rng.normal(0.0, error), error)
    unsure = error > 0.1
    assert np.std((found - true)[unsure]) < 0.015
    assert 0.7 < np.std(((found - true) / doubt)[unsure]) < 1.4


def test_what_few_fibres_say_of_widths_is_not_believed():
    change, error = np.full(FIBRES, 0.3), np.full(FIBRES, np.inf)
    error[:10] = 0.01
    assert not np.any(widths(change, error))
    error[:] = 0.01
    assert widths(change, error)[0] == pytest.approx(np.full(FIBRES, 0.3))


def test_a_few_strange_fibres_do_not_bend_the_widths():
    rng = np.random.default_rng(5)
    change = 0.2 * SLIT**2 + rng.normal(0.0, 0.02, FIBRES)
    change[::9] = 1.2
    assert widths(change, np.full(FIBRES, 0.02))[0] == pytest.approx(0.2 * SLIT**2, abs=0.02)


def test_features_of_an_object_make_its_throughput_uncertain():
    flux, variance = noisy(_sky(np.full(FIBRES, 1.45)), read=8.0, seed=6)
    rng = np.random.default_rng(7)
    star = 3e4 * (1 - emission(WAVELENGTH[:1], rng.uniform(6000, 6600, 60), np.full(60, 0.8), sigma=2.0))
    flux[5] += star[0]
    variance[5] += star[0]
    expected = _sky(np.full(FIBRES, 1.45)).astype(np.float32)
    ratio, error = LineRatio(flux.astype(np.float32), variance.astype(np.float32))(expected)
    assert abs(ratio[5] - 1) < 3 * error[5]
    assert error[5] > 5 * np.median(error)


def test_a_line_of_an_object_upon_the_only_line_of_the_sky_is_not_taken_for_throughput():
    one = 40.0 + emission(WAVELENGTH, np.array([6300.0]), np.array([2e4]))
    objects = np.zeros_like(one)
    objects[33] = emission(WAVELENGTH[33:34], np.array([6300.5]), np.array([9e3]))[0]
    passed = np.random.default_rng(8).normal(1.0, 0.03, FIBRES)
    flux, variance = noisy(passed[:, np.newaxis] * one + objects, read=8.0, seed=9)
    live = np.ones(FIBRES, dtype=bool)
    found, _ = from_sky_lines(flux, variance, WAVELENGTH, np.arange(2, FIBRES, 6), live, np.ones(FIBRES))
    assert found.method == "SKYLINE"
    assert abs(found.value[33] - 1) < 0.1
    assert np.std(np.delete(found.value / passed, 33)) < 0.015


def test_lines_whose_width_changes_along_the_fibre_too_hold_no_less_light():
    passed = np.random.default_rng(3).normal(1.0, 0.1, FIBRES)
    dispersion = np.linspace(-1.0, 1.0, WAVELENGTH.shape[1])
    focus = 0.3 * np.outer(SLIT, 1.0 - dispersion)
    alike = _sky(np.full(FIBRES, 1.45))
    # Each line is as wide as its place says: lines lie far enough apart to be made one by one.
    sky = np.full_like(alike, 40.0)
    for line, light in zip(LINES, LIGHT, strict=True):
        column = int(line - 6000.0)
        sigma = np.sqrt(1.45**2 + 2.0 * focus[:, column])
        for f in range(FIBRES):
            sky[f] += emission(WAVELENGTH[f : f + 1], np.array([line]), np.array([light]), sigma=sigma[f])[0]
    flux, variance = noisy(passed[:, np.newaxis] * sky, read=8.0, seed=4)
    ratio, _ = LineRatio(flux.astype(np.float32), variance.astype(np.float32))(alike.astype(np.float32))
    off = ratio / passed
    # With one width for all lines of a fibre 0.0053 and 0.0034.
    assert np.std(off / np.median(off)) < 0.004
    assert abs(np.polyfit(SLIT, off, 1)[0]) < 0.0015


def test_the_surface_over_the_chip_is_found_whatever_single_pieces_say():
    rng = np.random.default_rng(6)
    fibres, columns, piece = np.arange(0, 400, 4), 2048, 32
    slit, at = np.linspace(-1, 1, 400), np.linspace(-1, 1, columns)
    truth = 0.1 * np.outer(slit, 1.0 - at) - 0.05 * slit[:, np.newaxis] ** 2
    middle = truth.reshape(400, -1, piece).mean(axis=2)[fibres]
    power = rng.uniform(0.0, 400.0, middle.shape)
    power[rng.random(middle.shape) < 0.5] = 0.0
    with np.errstate(divide="ignore"):
        seen = middle + rng.standard_normal(middle.shape) / np.sqrt(power)
    seen[5, 3], power[5, 3] = 40.0, 1e4
    found = along_the_chip(seen, power, fibres, piece, (400, columns))
    assert np.abs(found - truth).max() < 0.03
    assert not along_the_chip(seen[:15], power[:15], fibres[:15], piece, (400, columns)).any()


def test_a_wider_line_holds_the_same_light_and_what_is_unknown_stays_so():
    x = np.arange(60.0)
    line = np.exp(-0.5 * ((x - 30.3) / 1.5) ** 2).astype(np.float32)
    light = np.tile(line, (2, 1))
    light[1, :20] = np.nan
    wide = widened(light, np.full_like(light, 0.1))
    expected = 1.5 / np.sqrt(1.5**2 + 0.2) * np.exp(-0.5 * (x - 30.3) ** 2 / (1.5**2 + 0.2))
    assert np.abs(wide[0] - expected).max() < 0.005
    assert wide[0].sum() == pytest.approx(line.sum(), rel=1e-5)
    assert np.isnan(wide[1, :20]).all()
    assert np.array_equal(wide[1, 22:], wide[0, 22:])
