from __future__ import annotations

import numpy as np
import pytest

from quicklook.flatfield import fibre_flat, local_line
from quicklook.types import Spectra
from tests.unit.quicklook.synthetic import noisy, true_wavelengths

GAP = slice(900, 1150)


@pytest.fixture(scope="module")
def saturated():
    """A flat of which one fibre is saturated over 250 columns, but for single pixels between."""
    wavelength = true_wavelengths("385R", seed=2)
    lamp = 3e5 * np.exp(-0.5 * ((wavelength - 7200) / 900) ** 2)
    flux, variance = noisy(lamp, seed=5)
    flux[200, GAP] = np.nan
    flux[200, 905], variance[200, 905] = lamp[200, 905], lamp[200, 905]
    return fibre_flat(Spectra(flux, variance), wavelength, np.ones(400, dtype=bool))


def test_what_a_saturated_stretch_hides_is_not_made_up(saturated):
    assert np.isnan(saturated.response[200, 930:1120]).all()
    known = np.isfinite(saturated.response)
    assert known[200].mean() > 0.88
    assert known[np.arange(400) != 200].all()
    assert np.abs(saturated.response[known] - 1.0).max() < 0.05


def test_every_response_has_a_variance(saturated):
    known = np.isfinite(saturated.response)
    assert (saturated.variance[known] > 0).all()
    assert np.isnan(saturated.variance[~known]).all()


def test_an_empty_window_has_no_line():
    values = np.linspace(1e3, 2e3, 600)[np.newaxis] ** 2
    good = np.ones(values.shape, dtype=bool)
    good[0, 200:300] = False
    level, error = local_line(values, np.full(values.shape, 1e-7), good, 20)
    assert np.isnan(level[0, 221:279]).all()
    assert np.isnan(error[0, 221:279]).all()
    assert (error[np.isfinite(level)] > 0).all()
