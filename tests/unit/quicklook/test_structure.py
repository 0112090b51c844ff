from __future__ import annotations

import numpy as np
import pytest

from quicklook.structure import significant_structure

SHAPE, NOISE = (640, 512), 1.2


def bias(*, extra=0.0, seed=3):
    """Columns, rows, a slope, hot pixels and a trail: truth, and what a stack of ten read-outs shows of it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = 4.0 * np.exp(-x / 60.0) + rng.normal(0, 1.5, SHAPE[1]) + 2.0 * (y / SHAPE[0]) * (x / SHAPE[1])
    truth = truth + rng.normal(0, 0.8, (SHAPE[0], 1)) + extra * rng.standard_normal(SHAPE)
    truth[100, 200] += 40.0
    truth[300:428, 77] += 3.0
    seen = truth + NOISE * rng.standard_normal(SHAPE)
    return truth, seen.astype(np.float32), np.full(SHAPE, NOISE**2, dtype=np.float32)


def test_structure_stays_and_noise_goes():
    truth, seen, variance = bias()
    found = significant_structure(seen, variance)
    error = found.data - truth
    assert np.std(error) < 0.15 * NOISE
    assert abs(error[100, 200]) < 4 * NOISE
    assert abs(error[310:420, 77].mean()) < 0.5
    assert np.median(found.variance) < 0.05 * NOISE**2
    assert found.believed < 0.05


def test_pixels_that_differ_truly_are_believed_in_proportion():
    truth, seen, variance = bias(extra=2.4)
    found = significant_structure(seen, variance)
    assert found.believed == pytest.approx(0.8, abs=0.03)
    assert np.std(found.data - truth) < np.std(seen - truth)
    assert np.median(found.variance) == pytest.approx(0.8 * NOISE**2, rel=0.1)


def test_bad_pixels_stay_bad_and_harm_no_others():
    truth, seen, variance = bias()
    seen[50:60, 10], seen[7] = np.nan, np.nan
    found = significant_structure(seen, variance)
    assert np.isnan(found.data[50:60, 10]).all()
    assert np.isnan(found.data[7]).all()
    assert np.isfinite(found.data).sum() == np.isfinite(seen).sum()
    assert np.nanstd(found.data - truth) < 0.2 * NOISE


def test_an_image_too_small_to_tell_is_left_alone():
    data, variance = np.ones((40, 40), dtype=np.float32), np.ones((40, 40), dtype=np.float32)
    found = significant_structure(data, variance)
    assert found.data is data
    assert found.believed == 1.0
