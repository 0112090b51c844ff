"""Lines beside others: what their neighbours do to their place and width."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.arclines import line_width, select, sigma_at
from quicklook.linefit import fit_lines
from quicklook.linelists import arc_lines
from quicklook.types import Spectra

SIGMA = 1.45
COLUMNS = np.arange(60.0)


def lines(places, heights, *, fibres=300, noise=10.0, seed=2):
    """Spectra of Gaussian lines; (flux, variance)."""
    rng = np.random.default_rng(seed)
    light = sum(h * np.exp(-0.5 * ((COLUMNS - p) / SIGMA) ** 2) for p, h in zip(places, heights, strict=True))
    flux = light + noise * rng.standard_normal((fibres, len(COLUMNS)))
    return flux, np.full(flux.shape, noise**2)


@pytest.mark.parametrize("beside", [2.6, -3.4, 5.0])
def test_a_neighbour_of_known_strength_does_not_draw_a_faint_line_aside(beside):
    places, heights = sorted([30.0, 30.0 + beside]), np.array([100.0, 60.0])
    heights = heights if beside > 0 else heights[::-1]
    flux, variance = lines(places, heights)
    target = places.index(30.0)
    expected = np.broadcast_to(np.array(places) + 0.15, (300, 2))
    sigma = np.full((300, 1), SIGMA)
    tied = fit_lines(flux, variance, expected, np.array([target]), sigma, strength=heights)
    free = fit_lines(flux, variance, expected, np.array([target]), sigma)
    off = tied.centre[:, 0] - 30.0
    assert np.isfinite(off).mean() > 0.98
    assert abs(np.nanmedian(off)) < 0.03
    assert np.nanstd(off) < 1.15 * np.nanstd(free.centre[:, 0])
    assert np.nanstd(off) == pytest.approx(np.nanmedian(tied.error), rel=0.3)


def test_noise_is_what_differs_between_fibres_and_error_what_may_be_wrong_beside():
    rng = np.random.default_rng(8)
    light = 4e4 * np.exp(-0.5 * ((COLUMNS - 30.2) / SIGMA) ** 2)
    flux = light + np.sqrt(light + 100.0) * rng.standard_normal((400, len(COLUMNS)))
    fit = fit_lines(flux, light + np.full(flux.shape, 100.0), np.full((400, 1), 30.0), np.array([0]),
                    np.full((400, 1), SIGMA))  # fmt: skip
    assert np.std(fit.centre) == pytest.approx(np.median(fit.noise), rel=0.15)
    assert np.median(fit.error) > 2.5 * np.median(fit.noise)


def test_lines_of_no_strength_are_no_neighbours():
    flux, variance = lines([30.0], [100.0])
    expected = np.broadcast_to(np.array([28.0, 30.0, 31.5]), (300, 3))
    sigma = np.full((300, 1), SIGMA)
    alone = fit_lines(flux, variance, expected[:, 1:2], np.array([0]), sigma)
    among = fit_lines(flux, variance, expected, np.array([1]), sigma, strength=np.array([0.0, 1.0, 0.0]))
    # Tied lines are carried on from pixel to pixel, others told pixel by pixel.
    for one, near in (("centre", 1e-10), ("error", 1e-12), ("amplitude", 1e-8)):
        np.testing.assert_allclose(getattr(among, one), getattr(alone, one), rtol=0.0, atol=near)


def test_lines_at_one_side_of_the_chip_say_little_of_the_other():
    wavelength = np.broadcast_to(5000.0 + np.arange(2048.0), (400, 2048))
    rng = np.random.default_rng(5)
    chosen = arc_lines().only(np.arange(6))
    places = np.linspace(60.0, 420.0, 6)
    chosen.wavelength[:] = 5000.0 + places
    x = np.arange(2048.0)
    light = sum(400.0 * np.exp(-0.5 * ((x - p) / SIGMA) ** 2) for p in places)
    flux = light + 10.0 * rng.standard_normal((400, 2048))
    width = line_width(Spectra(flux, np.full(flux.shape, 100.0)), wavelength, chosen, 3.4)
    everywhere = sigma_at(width, np.broadcast_to(np.linspace(0.0, 2047.0, 9), (400, 9)))
    assert np.abs(everywhere[:, :2] - SIGMA).max() < 0.05
    assert np.abs(everywhere - SIGMA).max() < 0.25


def test_flanks_of_bright_lines_do_not_pass_for_faint_lines_that_are_listed_there():
    wavelength = np.broadcast_to(5000.0 + np.arange(2048.0), (100, 2048)).copy()
    rng = np.random.default_rng(6)
    places = np.linspace(60.3, 1990.0, 30)
    x = np.arange(2048.0)

    def shape(offset):
        return 0.97 * np.exp(-0.5 * (offset / SIGMA) ** 2) + 0.03 * np.exp(-0.5 * (offset / (2 * SIGMA)) ** 2)

    faint = places[4] + 2.7
    light = 2e4 * sum(shape(x - p) for p in places) + 400.0 * shape(x - faint)
    flux = light + np.sqrt(light + 100.0) * rng.standard_normal((100, 2048))
    listed = np.sort(np.append(places, places + 2.7))
    lines = arc_lines().only(np.arange(listed.size))
    lines.wavelength[:] = 5000.0 + listed
    width = np.zeros((3, 3))
    width[0, 0] = SIGMA
    variance = np.broadcast_to(light + 100.0, flux.shape)
    shining, strength, chosen = select(Spectra(flux, variance), wavelength, lines, width)
    bright = strength[strength > 1e4]
    imagined = strength[(strength <= 1e4) & (np.abs(shining.wavelength - 5000.0 - faint) > 0.1)]
    real = strength[np.abs(shining.wavelength - 5000.0 - faint) < 0.1]
    assert len(bright) == 30
    assert imagined.sum() < 30 * 0.003 * bright.mean()
    assert real == pytest.approx(400.0, rel=0.4)
    fit = fit_lines(flux, variance, np.broadcast_to(shining.wavelength - 5000.0, (100, len(strength))), chosen,
                    np.full((100, len(chosen)), SIGMA), strength=strength)  # fmt: skip
    off = np.median(fit.centre, axis=0) + 5000.0 - shining.wavelength[chosen]
    assert abs(np.median(off[strength[chosen] > 1e4])) < 0.003
