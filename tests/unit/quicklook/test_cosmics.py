"""Spikes in spectra: what no line can be."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.cosmics import SHARPEST, sharp_spikes

LEVEL, NOISE = 100.0, 10.0
PEAK = 20


def spectrum(height, beside):
    """One spectrum with a peak so much above its continuum, and its variance."""
    flux = np.full((1, 40), LEVEL)
    flux[0, PEAK - 1 : PEAK + 2] += beside, height, beside
    return flux, np.full_like(flux, NOISE**2)


def test_noise_on_a_weak_line_is_no_spike():
    height = 55.0
    flux, variance = spectrum(height + 2 * NOISE, height / SHARPEST - NOISE)
    assert not sharp_spikes(flux, variance).any()


@pytest.mark.parametrize(("height", "beside"), [(80.0, 0.0), (500.0, 100.0), (5000.0, 1500.0)])
def test_what_is_sharper_than_any_line_is_a_spike(height, beside):
    assert np.argwhere(sharp_spikes(*spectrum(height, beside))).tolist() == [[0, PEAK]]


@pytest.mark.parametrize("height", [50.0, 500.0, 50000.0])
def test_the_sharpest_line_is_none(height):
    assert not sharp_spikes(*spectrum(height, height / SHARPEST)).any()
