from __future__ import annotations

import numpy as np
import pytest

from quicklook.quality import signal_to_noise
from quicklook.rebin import scrunch
from quicklook.types import LinearGrid


def test_signal_to_noise_is_per_angstrom_and_the_same_before_and_after_rebinning():
    rng = np.random.default_rng(1)
    wavelength = np.broadcast_to(5000.0 + 0.7996 * np.arange(2048.0), (8, 2048)).copy()
    flux = 100.0 + 10.0 * rng.standard_normal(wavelength.shape)
    variance = np.full(wavelength.shape, 100.0)
    before = signal_to_noise(flux, variance, 0.8)
    grid = LinearGrid(5001.0, 0.8, 2040)
    after = signal_to_noise(*scrunch(flux, variance, wavelength, grid), grid.step, rebinned=True)
    assert before == pytest.approx(10.0 / np.sqrt(0.8), rel=0.02)
    assert np.median(after / before) == pytest.approx(1.0, abs=0.05)


def test_a_spectrum_without_values_has_none():
    assert np.isnan(signal_to_noise(np.full((1, 100), np.nan), np.ones((1, 100)), 1.0)).all()
