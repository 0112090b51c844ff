from __future__ import annotations

import numpy as np
import pytest

from quicklook.errors import Failure
from quicklook.flatfield import fibre_flat
from quicklook.linelists import faint_sky_lines, sky_lines
from quicklook.skycal import apply_shift, measure_shift, usable_lines
from quicklook.skymodel import fit_sky, slit_coordinate
from quicklook.throughput import from_sky_flux, from_sky_lines
from quicklook.types import Spectra
from tests.unit.quicklook.synthetic import emission, noisy, true_wavelengths

SKY = np.arange(8, 400, 16)


@pytest.fixture(scope="module")
def night():
    """A red-arm exposure: sky everywhere, faint smooth objects, fibres of different throughput."""
    rng = np.random.default_rng(11)
    wavelength = true_wavelengths("385R", seed=5)
    lines = sky_lines().within(wavelength.min() - 20, wavelength.max() + 20)
    sky = 60.0 + emission(wavelength, lines.wavelength, lines.intensity * 3.0)
    throughput = np.clip(rng.normal(1.0, 0.12, 400), 0.5, 1.5)
    objects = rng.uniform(0, 150, 400)
    objects[SKY] = 0.0
    flux, variance = noisy(throughput[:, None] * (sky + objects[:, None]), read=8.0, seed=12)
    return flux, variance, wavelength, throughput, sky


def test_sky_fibres_are_left_with_noise(night):
    flux, variance, wavelength, throughput, sky = night
    model = fit_sky(flux, variance, wavelength, SKY, throughput)
    fitted = model.evaluate(wavelength, slit_coordinate(400)) * throughput[:, None]
    residual = (flux - fitted)[SKY] / np.sqrt(variance[SKY])
    line = (sky > 300)[SKY]
    assert 0.85 < np.std(residual[line]) < 1.1
    assert np.abs(np.nanmedian((fitted / throughput[:, None] / sky)[sky > 300]) - 1) < 0.01


def test_five_sky_fibres_are_enough_and_two_are_not(night):
    flux, variance, wavelength, throughput, sky = night
    model = fit_sky(flux, variance, wavelength, SKY[::5], throughput)
    fitted = model.evaluate(wavelength, slit_coordinate(400))
    bright = sky > 300
    assert np.nanmedian(np.abs(fitted[bright] / sky[bright] - 1)) < 0.05
    with pytest.raises(Failure, match="sky fibres"):
        fit_sky(flux, variance, wavelength, SKY[:2], throughput)


def test_five_sky_fibres_follow_the_width_of_the_lines_along_the_slit():
    fibres = np.arange(0, 400, 8)
    wavelength = true_wavelengths("385R", seed=5)[fibres]
    lines = sky_lines().within(6900, 8000)
    slit = slit_coordinate(len(fibres))
    sky = 60.0 + np.concatenate(
        [
            emission(
                wavelength[f : f + 1], lines.wavelength, lines.intensity * 8, sigma=1.4 + 0.2 * slit[f] ** 2
            )
            for f in range(len(fibres))
        ]
    )
    flux, variance = noisy(sky, read=8.0, seed=14)
    model = fit_sky(flux, variance, wavelength, np.array([4, 14, 25, 36, 46]))
    off = model.evaluate(wavelength, slit) - sky
    bright = sky > 1000
    assert np.std(off[bright] / np.sqrt(sky[bright])) < 1.15


def test_the_sky_is_no_wilder_at_the_ends_of_the_spectrum_than_its_noise():
    worst, inside = [], []
    for seed in range(8):
        shift = np.random.default_rng(seed).uniform(-5, 5, 50)
        wavelength = 5500.0 + np.arange(200.0) + shift[:, np.newaxis]
        flux, variance = noisy(np.full(wavelength.shape, 40.0), read=8.0, seed=seed)
        model = fit_sky(flux, variance, wavelength, np.arange(5), constant=True)
        off = model.evaluate(wavelength, slit_coordinate(50)) - 40.0
        worst.append(np.nanmax(np.abs(off)))
        inside.append(np.nanstd(off[:, 20:-20]))
    # A free spline had errors of 800 electrons half a pixel beyond the last samples, of 10 electrons of noise each.
    assert max(worst) < 60.0
    assert np.mean(inside) < 3.9


@pytest.mark.parametrize("fibres", [5, 25])
def test_the_noise_of_the_sky_is_as_told(fibres):
    shift = np.random.default_rng(3).uniform(-5, 5, 60)
    wavelength = 5500.0 + np.arange(200.0) + shift[:, np.newaxis]
    sky = 40.0 + emission(wavelength, np.array([5577.34, 5610.0]), np.array([8000.0, 900.0]))
    off, told = [], []
    for seed in range(30):
        flux, variance = noisy(sky, read=8.0, seed=seed)
        model = fit_sky(flux, variance, wavelength, np.arange(fibres), constant=True)
        off.append((model.evaluate(wavelength, slit_coordinate(60)) - sky)[25:, 20:-20])
        told.append(model.evaluate_variance(wavelength)[25:, 20:-20])
    bright = sky[25:, 20:-20] > 100
    for part in (bright, ~bright):
        assert 0.85 < np.mean(np.square(off)[:, part]) / np.mean(np.array(told)[:, part]) < 1.15


def test_a_cosmic_ray_in_one_sky_fibre_does_not_reach_the_others(night):
    flux, variance, wavelength, throughput, _ = night
    hit = flux.copy()
    hit[SKY[3], 1000:1003] += 5000.0
    with_ray = fit_sky(hit, variance, wavelength, SKY, throughput)
    without = fit_sky(flux, variance, wavelength, SKY, throughput)
    difference = with_ray.evaluate(wavelength, slit_coordinate(400)) - without.evaluate(
        wavelength, slit_coordinate(400)
    )
    assert np.nanmax(np.abs(difference)) < 40.0
    assert with_ray.rejected[3, 1000:1003].all()


@pytest.mark.parametrize("variance_there", [np.inf, 1e25])
def test_a_variance_that_no_light_can_have_does_not_reach_its_neighbours(night, variance_there):
    flux, variance, wavelength, throughput, _ = night
    hit = np.asarray(variance, dtype=np.float64).copy()
    hit[SKY[3], 300] = variance_there
    without = fit_sky(flux, variance, wavelength, SKY, throughput)
    with_hit = fit_sky(flux, hit, wavelength, SKY, throughput)
    slit = slit_coordinate(400)
    sky, expected = with_hit.evaluate(wavelength, slit), without.evaluate(wavelength, slit)
    assert np.array_equal(np.isfinite(sky), np.isfinite(expected))
    # One pixel fewer among 25 fibres: less than the noise that the model has anyway.
    assert np.nanmax(np.abs(sky / expected - 1.0)) < 0.02


def test_sky_fibres_without_any_sound_value_are_none(night):
    flux, _, wavelength, throughput, _ = night
    with pytest.raises(Failure, match="only 0 sky fibres have data"):
        fit_sky(flux, np.full(flux.shape, 1e12), wavelength, SKY, throughput)


def test_throughput_from_sky_lines_despite_objects_and_a_tilted_lamp(night):
    flux, variance, wavelength, throughput, _ = night
    lamp = throughput * (1.0 + 0.05 * np.linspace(-1, 1, 400))
    live = np.ones(400, dtype=bool)
    found, _ = from_sky_lines(flux, variance, wavelength, SKY, live, lamp)
    ratio = found.value / throughput
    ratio /= np.median(ratio)
    assert np.std(ratio) < 0.01
    assert found.method == "SKYLINE"
    assert found.measured > 350


@pytest.mark.parametrize("sky_fibres", [SKY, SKY[::5]], ids=["25", "5"])
def test_without_lines_the_sky_fibres_tell_how_the_lamp_lights_the_plate(sky_fibres):
    rng = np.random.default_rng(21)
    wavelength = true_wavelengths("1500V", seed=5)
    angle, radius = rng.uniform(0, 2 * np.pi, 400), 2.3e5 * np.sqrt(rng.uniform(0, 1, 400))
    place = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    throughput = np.clip(rng.normal(1.0, 0.12, 400), 0.5, 1.5)
    lamp = throughput * (1.0 + 0.04 * place[:, 0] / 2.3e5 - 0.02 * place[:, 1] / 2.3e5)
    objects = rng.uniform(0, 150, 400)
    objects[sky_fibres] = 0.0
    flux, variance = noisy(np.repeat(throughput * (60.0 + objects), 2048).reshape(400, 2048), read=8.0)
    live = np.ones(400, dtype=bool)
    found, _ = from_sky_lines(flux, variance, wavelength, sky_fibres, live, lamp, place)
    assert found.method == "SKYFLUX(SKY)"
    assert found.measured == len(sky_fibres)
    before, after = (np.std(v / throughput / np.median(v / throughput)) for v in (lamp, found.value))
    assert after < (0.3 if len(sky_fibres) > 10 else 0.8) * before


@pytest.mark.parametrize("slope", [0.0, 0.06])
def test_a_faint_offset_sky_tells_what_the_lamp_got_wrong_and_no_more(slope):
    rng = np.random.default_rng(21)
    wavelength = true_wavelengths("580V", seed=5)
    lamp = np.clip(rng.normal(1.0, 0.12, 400), 0.5, 1.5)
    place = rng.uniform(-2e5, 2e5, (400, 2))
    true = lamp * (1.0 + slope * place[:, 0] / 2e5)
    flux, variance = noisy(true[:, None] * np.full(wavelength.shape, 15.0), read=8.0, seed=22)
    live = np.ones(400, dtype=bool)
    throughput, _ = from_sky_flux(
        flux, variance, wavelength, np.arange(400), live, lamp, place, only_sky=True
    )
    off = throughput.value / true
    # A fibre's own light tells its throughput to 1.4 %; lamp and slope together tell better.
    assert np.std(off / np.median(off)) < 0.006


@pytest.mark.parametrize("drift", [0.0, 0.5, -0.3])
def test_drift_since_the_arc_is_measured_and_undone(night, drift):
    flux, variance, wavelength, _, _ = night
    arc = wavelength + drift * np.gradient(wavelength, axis=1)
    shift = measure_shift(flux, variance, arc, np.ones(400, dtype=bool), 3.4)
    assert shift.pixels == pytest.approx(drift, abs=0.03)
    assert shift.significant == (drift != 0.0)
    corrected = apply_shift(arc, shift) if shift.significant else arc
    assert np.median(np.abs(corrected - wavelength)) / np.median(np.diff(wavelength)) < 0.03


@pytest.mark.parametrize("grating", ["1000R", "385R"])
def test_faint_lines_beside_the_strong_ones_do_not_pull_the_wavelengths(grating):
    fibres = np.arange(0, 400, 20)
    wavelength = true_wavelengths(grating, seed=6)[fibres]
    ends = (wavelength.min() - 20, wavelength.max() + 20)
    sky = np.full_like(wavelength, 30.0)
    for lines in (sky_lines().within(*ends), faint_sky_lines().within(*ends)):
        sky += emission(wavelength, lines.wavelength, lines.intensity * 3.0)
    flux, variance = noisy(sky, read=8.0, seed=13)
    shift = measure_shift(flux, variance, wavelength, np.ones(len(fibres), dtype=bool), 3.4)
    assert shift.lines >= 4
    assert shift.pixels == pytest.approx(0.0, abs=0.008)
    assert shift.rms < 0.035


def test_one_line_is_enough_to_correct_a_small_drift():
    fibres = np.arange(0, 400, 10)
    wavelength = true_wavelengths("580V", seed=7)[fibres]
    flux, variance = noisy(
        30.0 + emission(wavelength, np.array([5577.338]), np.array([1e4])), read=8.0, seed=15
    )
    arc = wavelength + 0.07 * np.gradient(wavelength, axis=1)
    shift = measure_shift(flux, variance, arc, np.ones(len(fibres), dtype=bool), 3.4)
    assert shift.lines == 1
    assert shift.significant
    assert shift.pixels == pytest.approx(0.07, abs=0.015)


def test_sodium_is_no_line_to_measure_by_where_it_is_blended_with_hydroxyl():
    def near_sodium(fwhm):
        lines, targets = usable_lines(5700.0, 6900.0, fwhm)
        return np.abs(lines.wavelength[targets] - 5889.95).min() < 0.1

    assert near_sodium(0.6)
    assert not near_sodium(1.9)


def test_no_sky_lines_means_no_shift(night):
    _, variance, wavelength, _, _ = night
    shift = measure_shift(np.full_like(variance, 50.0), variance, wavelength, np.ones(400, dtype=bool), 3.4)
    assert shift.lines == 0
    assert not shift.significant


def test_fibre_flat_removes_the_lamp_and_keeps_the_fibres():
    wavelength = true_wavelengths("580V", seed=2)
    u = np.linspace(-1, 1, 2048)
    rng = np.random.default_rng(4)
    throughput = rng.uniform(0.7, 1.3, 400)
    shape = 1.0 + 0.05 * rng.normal(size=(400, 1)) * u
    lamp = 3e4 * np.exp(-0.5 * ((wavelength - 5200) / 700) ** 2)
    flux, variance = noisy(lamp * throughput[:, None] * shape * np.gradient(wavelength, axis=1), seed=5)
    flux[100], variance[100] = np.nan, np.nan
    flux[200, 900:940] = np.nan
    good = np.ones(400, dtype=bool)
    good[100] = False
    flat = fibre_flat(Spectra(flux, variance), wavelength, good)
    ratio = flat.response[good] / (shape / np.median(shape, axis=1, keepdims=True))[good]
    ratio /= np.nanmedian(ratio, axis=1, keepdims=True)
    assert np.nanmedian(np.abs(ratio - 1)) < 0.005
    assert np.isfinite(flat.response[200, 900:940]).all()
    assert np.isnan(flat.response[100]).all()
    assert (
        np.std(flat.throughput[good] / throughput[good] / np.median(flat.throughput[good] / throughput[good]))
        < 0.02
    )
    assert np.isnan(flat.throughput[100])


def test_a_dark_flat_fails():
    flux, variance = noisy(np.zeros((400, 2048)))
    with pytest.raises(Failure, match="flat lamp"):
        fibre_flat(
            Spectra(np.full_like(flux, np.nan), variance), true_wavelengths("580V"), np.ones(400, dtype=bool)
        )


def test_a_variance_that_follows_the_noise_beside_it_does_not_pull_the_sky(night):
    flux, variance, wavelength, throughput, sky = night
    # Extraction tells a pixel's photon noise from the light of the columns beside it.
    told = variance.copy()
    noise = (flux - throughput[:, None] * sky)[SKY]
    beside = np.zeros_like(noise)
    beside[:, 1:-1] = 0.5 * (noise[:, 2:] + noise[:, :-2])
    told[SKY] = np.maximum(told[SKY] + beside, 0.3 * told[SKY])
    model = fit_sky(flux, told, wavelength, SKY, throughput)
    fitted = model.evaluate(wavelength, slit_coordinate(400)) * throughput[:, None]
    residual = (flux - fitted)[SKY][(sky < 300)[SKY]]
    assert abs(residual.mean()) < 0.15, "electrons; a third of one with weights averaged over three columns"
