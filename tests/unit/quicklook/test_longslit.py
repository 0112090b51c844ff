from __future__ import annotations

import numpy as np
import pytest

from quicklook.errors import InvalidInput
from quicklook.longslit import normalise_long_slit


def test_the_lamp_goes_and_the_pixels_stay():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:400, 0:300]
    lamp = 30000 * (1 + 0.3 * np.sin(y / 150) + 0.2 * x / 300)
    response = 1 + 0.02 * rng.standard_normal(lamp.shape)
    response[:, 120] = 0.6
    data = rng.poisson(lamp * response).astype(np.float32)
    data[50, 60] = np.nan
    flat, variance = normalise_long_slit(data, data)
    inside = (slice(40, -40), slice(20, -20))
    good = np.isfinite(flat[inside])
    error = (flat - response)[inside][good]
    assert np.std(error) < 0.008
    assert np.median(flat[40:-40, 120]) == pytest.approx(0.6, abs=0.02)
    assert np.isnan(flat[50, 60])
    assert np.nanmedian(variance) == pytest.approx(1 / np.median(lamp), rel=0.15)


def test_too_little_light_is_refused():
    with pytest.raises(InvalidInput, match="combine more"):
        normalise_long_slit(np.full((100, 100), 20.0, np.float32), np.full((100, 100), 20.0, np.float32))
    with pytest.raises(InvalidInput, match="combine more"):
        normalise_long_slit(*[np.full((100, 100), np.nan, np.float32)] * 2)
