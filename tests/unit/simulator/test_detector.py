from __future__ import annotations

import numpy as np
import pytest

from simulator.detector import (
    DETECTORS,
    PROFILES,
    CosmicRays,
    blemishes,
    digitise,
    pixel_response,
    scattered_light,
    strike,
)

NONE = CosmicRays(np.empty((0, 2), dtype=np.int32), np.empty(0))


@pytest.fixture(scope="module")
def dark_frame() -> np.ndarray:
    image = np.zeros((4098, 2048), dtype=np.float32)
    return digitise("blue", image, 1800.0, NONE, 3, np.random.Generator(np.random.SFC64(1)))


def test_a_frame_has_overscan_that_follows_the_bias(dark_frame: np.ndarray) -> None:
    assert dark_frame.shape == (4098, 2070)
    assert dark_frame.dtype == np.uint16
    data = dark_frame[:, 300:1800].mean(axis=1)
    over = dark_frame[:, 2048:].mean(axis=1)
    slow = [np.convolve(line, np.ones(200) / 200, "valid") for line in (data, over)]
    assert np.ptp(slow[1]) > 3.0
    # What is left between them is the dark current, in counts.
    assert np.std(slow[0] - slow[1]) < 0.2
    detector = DETECTORS["blue"]
    expected = detector.dark_rate * 0.5 / detector.gain + blemishes("blue", 3).pattern[300:1800].mean()
    assert (slow[0] - slow[1]).mean() == pytest.approx(expected, abs=0.4)


def test_read_noise_is_the_header_s(dark_frame: np.ndarray) -> None:
    over = dark_frame[:, 2048:].astype(float)
    detector = DETECTORS["blue"]
    noise = (over - over.mean(axis=1, keepdims=True)).std() * np.sqrt(22 / 21)
    expected = np.hypot(detector.read_noise / detector.gain, np.sqrt(1 / 12))
    assert noise == pytest.approx(expected, rel=0.02)


def test_hot_pixels_are_hot_and_belong_to_the_hardware(dark_frame: np.ndarray) -> None:
    marks = blemishes("blue", 3)
    hottest = np.argsort(marks.hot_rates)[-20:]
    level = dark_frame[marks.hot_rows[hottest], marks.hot_columns[hottest]].astype(float)
    assert np.median(level) > 1500
    assert np.array_equal(blemishes("blue", 3).hot_rows, marks.hot_rows)
    assert not np.array_equal(blemishes("blue", 4).hot_rows, marks.hot_rows)


def test_pixels_differ_by_a_fraction_of_a_percent_and_a_column_is_bad() -> None:
    response = pixel_response("red", 3)
    assert np.median(np.abs(response - 1.0)) * 1.4826 == pytest.approx(0.003, rel=0.02)
    column = blemishes("red", 3).bad_columns[0]
    assert response[:, column].mean() == pytest.approx(0.55, abs=0.01)


def test_cosmic_rays_come_with_time_and_stay_on_the_chip() -> None:
    rng = np.random.default_rng(2)
    short, long = (strike(DETECTORS["red"], seconds, rng) for seconds in (0.0, 3600.0))
    assert 0 < short.electrons.size < long.electrons.size / 20
    assert long.pixels.shape == (long.electrons.size, 2)
    assert long.pixels.min() >= 0
    assert long.pixels[:, 0].max() < 4098
    assert long.pixels[:, 1].max() < 2048
    assert len(np.unique(long.pixels, axis=0)) == len(long.pixels)
    assert np.all(long.electrons > 0)
    assert 300 < np.median(long.electrons) * 10 < 5000


def test_scattered_light_is_faint_and_smooth() -> None:
    image = np.zeros((4098, 2048), dtype=np.float32)
    image[::10] = 1000.0
    haze = scattered_light(PROFILES["red"], image)
    assert haze.mean() == pytest.approx(100.0 * 0.004, rel=0.02)
    assert np.abs(np.diff(haze, axis=1)).max() < 0.01 * haze.mean()
