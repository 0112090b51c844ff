from __future__ import annotations

import numpy as np
import pytest

from simulator.detector import PROFILES
from simulator.kernels import (
    absorb_lines,
    add_common_lines,
    add_own_lines,
    gaussian_cdf_table,
    paint_fibres,
    read_out,
    spread_wings,
)

TABLE = gaussian_cdf_table()
WAVE = np.linspace(5000.0, 6000.0, 1001)[None, :]


@pytest.mark.parametrize("centre", [5500.0, 5500.37, 5120.9, 5899.5])
@pytest.mark.parametrize("sigma", [0.9, 1.45, 3.0])
def test_a_line_keeps_its_flux_and_its_place(centre: float, sigma: float) -> None:
    spectra = np.zeros_like(WAVE)
    add_common_lines(spectra, WAVE, np.ones(1), np.array([centre]), np.array([1000.0]), sigma)
    assert spectra.sum() == pytest.approx(1000.0, rel=1e-4)
    assert (spectra * WAVE).sum() / spectra.sum() == pytest.approx(centre, abs=1e-3)


def test_lines_beyond_the_ends_shed_only_their_wings() -> None:
    spectra = np.zeros_like(WAVE)
    add_common_lines(spectra, WAVE, np.ones(1), np.array([4999.5, 6500.0, 3000.0]), np.full(3, 100.0), 1.5)
    assert spectra.sum() == pytest.approx(50.0, rel=0.01)
    assert spectra[0, 20:].sum() == 0


def test_fibres_without_light_stay_dark() -> None:
    spectra = np.zeros((3, 1001))
    waves = np.repeat(WAVE, 3, axis=0)
    add_common_lines(spectra, waves, np.array([1.0, 0.0, 2.0]), np.array([5500.0]), np.array([10.0]), 1.5)
    assert spectra.sum(axis=1) == pytest.approx([10.0, 0.0, 20.0], rel=1e-4)


def test_own_lines_add_their_width_in_quadrature() -> None:
    spectra = np.zeros_like(WAVE)
    args = (np.zeros(1, dtype=np.int64), np.array([5500.0]), np.array([1.0]))
    add_own_lines(spectra, WAVE, *args, np.array([6.0]), 1.5)
    variance = (spectra * (WAVE - 5500.0) ** 2).sum() / spectra.sum()
    # The foot under the core carries 3 % at 2.2 times the width.
    assert variance == pytest.approx((36.0 + 2.25) * (0.97 + 0.03 * 2.2**2), rel=0.02)


def test_absorption_removes_the_equivalent_width_asked_for() -> None:
    spectra = np.ones_like(WAVE)
    sigma, width = 4.0, 3.0
    depth = np.array([width / (np.sqrt(2 * np.pi) * sigma)])
    absorb_lines(spectra, WAVE, np.zeros(1, dtype=np.int64), np.array([5400.0]), depth, np.array([sigma]))
    assert (1 - spectra).sum() == pytest.approx(width, rel=1e-4)


@pytest.mark.parametrize("arm", ["blue", "red"])
def test_painting_conserves_light_and_centres_it_on_the_trace(arm: str) -> None:
    rng = np.random.default_rng(1)
    spectra = rng.uniform(10.0, 1000.0, (3, 64))
    trace = np.array([30.0, 60.0, 90.0])[:, None] + rng.uniform(-0.5, 0.5, (3, 64))
    image = np.zeros((121, 64), dtype=np.float32)
    paint_fibres(image, spectra, trace, PROFILES[arm].core, TABLE)
    rows = np.arange(121)[:, None]
    for fibre, bottom in enumerate((15, 45, 75)):
        strip = image[bottom : bottom + 30]
        assert strip.sum(axis=0) == pytest.approx(spectra[fibre], rel=1e-5)
        centroid = (strip * rows[bottom : bottom + 30]).sum(axis=0) / strip.sum(axis=0)
        assert centroid == pytest.approx(trace[fibre], abs=1e-4)


def test_the_profile_is_not_a_gaussian_and_has_the_width_of_a_fibre() -> None:
    trace = np.full((1, 8), 40.0)
    image = np.zeros((81, 8), dtype=np.float32)
    paint_fibres(image, np.ones((1, 8)), trace, PROFILES["red"].core, TABLE)
    profile, u = image[:, 4].astype(float), np.arange(81) - 40.0
    variance = (profile * u**2).sum()
    kurtosis = (profile * u**4).sum() / variance**2
    assert 1.3 < np.sqrt(variance) < 1.8
    assert kurtosis < 2.95


def test_fibres_at_the_edge_lose_what_falls_off_and_nothing_else() -> None:
    image = np.zeros((40, 8), dtype=np.float32)
    paint_fibres(image, np.full((1, 8), 100.0), np.full((1, 8), -0.5), PROFILES["red"].core, TABLE)
    assert image.sum(axis=0) == pytest.approx(np.full(8, 50.0), rel=0.1)


def test_wings_conserve_light_and_reach_far() -> None:
    image = np.zeros((801, 16), dtype=np.float32)
    image[400] = 1e6
    spread_wings(image, 0.01, 4.0, 0.004, 40.0)
    assert image.sum(axis=0) == pytest.approx(np.full(16, 1e6), rel=1e-4)
    middle = image[:, 8].astype(float)
    assert middle[400] == pytest.approx(1e6 * (1 - 0.014), rel=0.003)
    assert middle[:400][::-1] == pytest.approx(middle[401:], rel=1e-3)
    # Ten rows away the near wing leads, a hundred rows away only the far one is left.
    assert middle[410] == pytest.approx(
        1e6 * (0.01 * np.exp(-2.5) / 8 + 0.004 * np.exp(-0.25) / 80), rel=0.02
    )
    assert middle[500] == pytest.approx(1e6 * 0.004 * np.exp(-2.5) / 80, rel=0.02)


def expose(level: float, gain: float = 2.0, noise: float = 4.0, pedestal: float = 500.0) -> np.ndarray:
    rng = np.random.default_rng(11)
    shape = (300, 400)
    counts = np.empty(shape, dtype=np.uint16)
    flat = np.ones(shape, dtype=np.float32)
    read_out(
        counts, flat * np.float32(level), np.zeros((2, 400), dtype=np.float32), flat,
        rng.standard_normal(shape, dtype=np.float32), rng.random(shape, dtype=np.float32),
        0, np.full(300, pedestal), np.zeros(400), 0.0, gain, noise,
    )  # fmt: skip
    return counts


@pytest.mark.parametrize("level", [0.0, 0.5, 5.0, 30.0, 49.9, 50.1, 300.0, 20000.0])
def test_read_out_has_the_mean_and_the_variance_of_photons_and_amplifier(level: float) -> None:
    electrons = (expose(level).astype(float) - 500.0) * 2.0
    # Counts are whole numbers of two electrons: rounding adds 4/12.
    variance = level + 16.0 + 4.0 / 12.0
    error = np.sqrt(variance / electrons.size)
    assert electrons.mean() == pytest.approx(level, abs=5 * error)
    assert electrons.var() == pytest.approx(variance, rel=5 * np.sqrt(2.0 / electrons.size) + 0.003)


def test_faint_light_is_skewed_as_poisson_is() -> None:
    electrons = (expose(3.0, gain=0.05, noise=1e-3).astype(float) - 500.0) * 0.05
    third = ((electrons - electrons.mean()) ** 3).mean()
    assert third == pytest.approx(3.0, rel=0.05)
    assert np.abs(electrons - np.rint(electrons)).max() < 0.06


def test_the_converter_saturates() -> None:
    assert np.all(expose(1e6) == 65535)
    around_zero = expose(0.0, pedestal=0.0)
    assert around_zero.min() == 0
    assert around_zero.max() < 30
