"""Differences that are put in are measured."""

from __future__ import annotations

import numpy as np
import pytest

from agents.compare.measure import MOST_SHIFT, compare_images, compare_positions, compare_spectra, pixel_noise
from tests.unit.agents.compare.spectra import FIBRES, PIXELS, STEP, WAVELENGTH, light, spectra


def test_the_same_spectra_do_not_differ():
    a = spectra(light(noise=5.0))
    found = compare_spectra(a, a)
    assert found.flux_ratio == pytest.approx(1.0)
    assert found.shift == pytest.approx(0.0, abs=1e-9)
    assert found.noise_ratio == pytest.approx(1.0)
    assert found.claimed == pytest.approx(1.0)
    assert found.correlation == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [0.5, 0.97, 1.0, 1.2])
def test_flux_ratio(scale):
    found = compare_spectra(spectra(light(noise=5.0)), spectra(light(scale=scale, noise=5.0, own=2)))
    assert found.flux_ratio == pytest.approx(scale, abs=0.003)


def test_flux_ratio_does_not_suffer_from_a_shift_or_a_cosmic():
    moved = light(shift=0.6, scale=1.1)
    moved[3, 100:103] += 1e5
    found = compare_spectra(spectra(light()), spectra(moved))
    assert found.flux_ratio == pytest.approx(1.1, abs=0.002)


@pytest.mark.parametrize("shift", [-5.3, -0.4, 0.02, 0.25, 0.5, 3.75])
def test_shift(shift):
    found = compare_spectra(spectra(light(noise=5.0)), spectra(light(shift=shift, noise=5.0, own=2)))
    assert found.shift == pytest.approx(shift * STEP, abs=0.02)


def test_swapping_the_sides_turns_the_shift_round():
    a, b = spectra(light()), spectra(light(shift=0.3, scale=1.2))
    assert compare_spectra(b, a).shift == pytest.approx(-compare_spectra(a, b).shift, abs=0.005)
    assert compare_spectra(b, a).flux_ratio == pytest.approx(1.0 / 1.2, abs=0.002)


def test_another_wavelength_scale_is_no_shift():
    """The same light on pixels that lie elsewhere and are wider."""
    other = 5990.0 + 1.7 * np.arange(PIXELS)
    pixels = (other - WAVELENGTH[0]) / STEP
    fine = light()
    moved = np.vstack([np.interp(pixels, np.arange(PIXELS), row, left=np.nan, right=np.nan) for row in fine])
    found = compare_spectra(spectra(fine), spectra(moved, wavelength=other))
    assert found.shift == pytest.approx(0.0, abs=0.03)
    assert found.flux_ratio == pytest.approx(1.0, abs=0.01)


def test_a_wrong_wavelength_scale_is_a_shift():
    found = compare_spectra(spectra(light()), spectra(light(), wavelength=WAVELENGTH + 0.7))
    assert found.shift == pytest.approx(0.7, abs=0.02)


def test_a_shift_beyond_what_is_looked_for_is_not_told():
    found = compare_spectra(spectra(light()), spectra(light(shift=3.0 * MOST_SHIFT)))
    assert np.isnan(found.shift).all()


def test_spectra_without_anything_in_common_have_no_shift():
    found = compare_spectra(spectra(light(seed=1)), spectra(light(seed=2)))
    assert np.isnan(found.shift).all()


def test_noise_and_signal_to_noise():
    a, b = spectra(light(noise=4.0)), spectra(light(noise=8.0, own=2), variance=100.0)
    found = compare_spectra(a, b)
    assert np.median(found.noise_ratio) == pytest.approx(2.0, rel=0.15)
    assert np.median(found.sn_a / found.sn_b) == pytest.approx(2.0, rel=0.15)
    assert found.claimed == pytest.approx(2.0, rel=0.01)


def test_noise_of_a_pixel_is_that_of_the_gauss_it_has():
    flux = 7.0 * np.random.default_rng(3).standard_normal((4, 4000))
    assert pixel_noise(flux) == pytest.approx(7.0, rel=0.06)


def test_dead_fibres_are_told_and_do_not_spoil_the_others():
    flux = light()
    dead = flux.copy()
    dead[2] = np.nan
    dead[5, 100:110] = np.nan
    found = compare_spectra(spectra(flux), spectra(dead))
    assert list(np.flatnonzero(found.alive_a & ~found.alive_b)) == [2]
    assert np.isnan(found.flux_ratio[2])
    assert np.delete(found.flux_ratio, 2) == pytest.approx(1.0)


def test_faint_fibres_have_no_flux_ratio():
    noise = np.random.default_rng(4).standard_normal((FIBRES, PIXELS))
    found = compare_spectra(spectra(0.02 * noise, variance=1.0), spectra(0.02 * noise[::-1], variance=1.0))
    assert np.isnan(found.flux_ratio).all()


def test_another_number_of_fibres_cannot_be_compared():
    with pytest.raises(ValueError, match="12 fibres, the other 6"):
        compare_spectra(spectra(light()), spectra(light()[:6]))


def test_tramlines_are_compared_as_positions():
    positions = np.add.outer(10.0 * np.arange(FIBRES), np.linspace(0, 3, PIXELS))
    found = compare_positions(spectra(positions), spectra(positions + 0.25))
    assert found.shift == pytest.approx(0.25)


def test_detector_frames_are_compared_by_their_noise():
    rng = np.random.default_rng(5)
    quiet, loud = rng.standard_normal((30, 2000)), 1.5 * rng.standard_normal((30, 2000))
    assert np.median(compare_images(spectra(quiet), spectra(loud)).noise_ratio) == pytest.approx(
        1.5, rel=0.05
    )
    with pytest.raises(ValueError, match="shapes"):
        compare_images(spectra(quiet), spectra(loud[:20]))
