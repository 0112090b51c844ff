from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicklook.rebin import common_grid, pixel_edges, scrunch
from quicklook.types import LinearGrid
from tests.unit.quicklook.synthetic import true_wavelengths


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.6, 1.9))
def test_flux_and_variance_are_conserved(seed, step):
    rng = np.random.default_rng(seed)
    wavelength = np.cumsum(rng.uniform(0.9, 1.1, (3, 200)), axis=1) + 5000
    flux = rng.uniform(0, 100, (3, 200)).astype(np.float32)
    grid = LinearGrid(4990.0, step, int(240 / step))
    out, variance = scrunch(flux, flux, wavelength, grid)
    np.testing.assert_allclose(np.nansum(out[:, 2:-2], axis=1), flux.sum(axis=1), rtol=0.02)
    inside = np.isfinite(out)
    assert (variance[inside] <= out[inside] * 1.8 + 1e-3).all()


def test_identity():
    grid = LinearGrid(5000.0, 1.0, 100)
    wavelength = np.broadcast_to(grid.wavelengths, (2, 100)).copy()
    flux = np.arange(200, dtype=np.float32).reshape(2, 100)
    out, variance = scrunch(flux, flux + 1, wavelength, grid)
    np.testing.assert_allclose(out, flux, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(variance, flux + 1, rtol=1e-5)


def test_a_line_keeps_its_wavelength():
    wavelength = true_wavelengths("580V")[::100]
    grid = common_grid(wavelength)
    line = np.exp(-0.5 * ((wavelength - 4800.0) / 1.5) ** 2).astype(np.float32)
    out, _ = scrunch(line, line + 1, wavelength, grid)
    near = np.abs(grid.wavelengths - 4800) < 15
    centre = (out[:, near] * grid.wavelengths[near]).sum(axis=1) / out[:, near].sum(axis=1)
    np.testing.assert_allclose(centre, 4800.0, atol=0.01)


def test_bad_pixels_stay_bad_and_spread_no_further():
    grid = LinearGrid(5000.0, 1.0, 50)
    wavelength = np.broadcast_to(grid.wavelengths + 0.3, (1, 50)).copy()
    flux = np.ones((1, 50), dtype=np.float32)
    flux[0, 20] = np.nan
    out, _ = scrunch(flux, np.ones_like(flux), wavelength, grid)
    assert np.isnan(out[0, 20])
    assert np.isfinite(out[0, [18, 19, 22, 23]]).all()
    np.testing.assert_allclose(out[0, 22:40], 1.0, rtol=1e-5)


def test_arcs_that_differ_by_noise_share_a_grid():
    wavelength = true_wavelengths("385R")
    again = wavelength + np.random.default_rng(2).normal(0, 1e-3, (400, 1))
    first, second = common_grid(wavelength), common_grid(again)
    assert first.step == second.step
    shift = (first.start - second.start) / first.step
    assert shift == pytest.approx(round(shift), abs=1e-6)


def test_edges_lie_between_centres():
    edges = pixel_edges(np.array([[1.0, 2.0, 4.0]]))
    np.testing.assert_allclose(edges, [[0.5, 1.5, 3.0, 5.0]])
