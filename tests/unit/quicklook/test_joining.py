from __future__ import annotations

import numpy as np
import pytest

from quicklook.combine import Exposure, combine, match
from quicklook.errors import InvalidInput
from quicklook.splice import splice
from quicklook.types import LinearGrid

NAMES = [f"obj{i}" for i in range(40)]
TYPES = ["P"] * 36 + ["S"] * 4


def exposure(weight: float, seed: int, names=NAMES, level: float = 200.0) -> Exposure:
    rng = np.random.default_rng(seed)
    truth = weight * level * (1 + np.arange(40)[:, None] / 40) * np.ones((40, 1000))
    truth[36:] = 0.0
    variance = truth + 100.0
    flux = truth + rng.normal(0, 1, truth.shape) * np.sqrt(variance)
    return Exposure(flux.astype(np.float32), variance.astype(np.float32), names, TYPES)


def test_equal_exposures_gain_the_square_root():
    single, parts = exposure(1.0, 0), [exposure(1.0, i) for i in range(4)]
    combined = combine(parts)
    snr = combined.flux[:36] / np.sqrt(combined.variance[:36])
    one = single.flux[:36] / np.sqrt(single.variance[:36])
    assert np.median(snr) / np.median(one) == pytest.approx(2.0, rel=0.03)
    truth = 200.0 * (1 + np.arange(36)[:, None] / 40)
    pull = (combined.flux[:36] - truth) / np.sqrt(combined.variance[:36])
    assert np.std(pull) == pytest.approx(1.0, abs=0.05)


def test_weights_follow_the_light():
    combined = combine([exposure(1.0, 1), exposure(0.6, 2), exposure(0.85, 3)])
    np.testing.assert_allclose(combined.weights, [1.0, 0.6, 0.85], rtol=0.02)
    truth = 200.0 * (1 + np.arange(36)[:, None] / 40)
    assert np.median(combined.flux[:36] / truth) == pytest.approx(1.0, rel=0.01)


def test_a_cosmic_ray_is_left_out():
    parts = [exposure(1.0, i) for i in range(3)]
    parts[1].flux[5, 300:303] += 5000.0
    combined = combine(parts)
    assert np.abs(combined.flux[5, 300:303] - 225).max() < 150
    assert combined.rejected >= 3


def test_objects_are_found_again_on_other_fibres_and_new_ones_appended():
    moved = [*NAMES[1:36], "new", *NAMES[36:]]
    rows = match([exposure(1, 0), exposure(1, 1, names=moved)])
    assert rows[1] == [(0, 1), (1, 0)]
    assert rows[0] == [(0, 0)]
    assert rows[-1] == [(1, 35)]
    assert len(rows) == 41


def test_different_grids_are_refused():
    short = Exposure(np.ones((40, 10), np.float32), np.ones((40, 10), np.float32), NAMES, TYPES)
    with pytest.raises(InvalidInput, match="wavelength"):
        combine([exposure(1, 0), short])


def arms(red_throughput: float, width: float = 25.0):
    """Blue and red arms of flat sources with a dichroic at 5700 Angstrom."""
    rng = np.random.default_rng(3)
    blue, red = LinearGrid(3740.0, 1.03, 2048), LinearGrid(5630.0, 1.57, 2048)
    level = rng.uniform(200, 600, 40)[:, None]
    passed = 1.0 / (1.0 + np.exp((blue.wavelengths - 5720) / width))
    kept = red_throughput / (1.0 + np.exp(-(red.wavelengths - 5720) / width))
    made = []
    for grid, response in ((blue, passed), (red, kept)):
        truth = level * grid.step * response
        variance = truth + 40.0
        flux = truth + rng.normal(size=truth.shape) * np.sqrt(variance)
        made.append((flux.astype(np.float32), variance.astype(np.float32), grid))
    return made, level


@pytest.mark.parametrize("red_throughput", [1.0, 1.7, 0.6])
def test_arms_join_without_a_step(red_throughput):
    (blue, red), level = arms(red_throughput)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    wavelength = joined.grid.wavelengths
    assert joined.grid.step == blue[2].step
    scaled = joined.flux / (level * 1.03)
    left = np.nanmedian(scaled[:, (wavelength > 5300) & (wavelength < 5550)])
    right = np.nanmedian(scaled[:, (wavelength > 5900) & (wavelength < 6200)])
    assert left == pytest.approx(1.0, abs=0.01)
    assert right == pytest.approx(1.0, abs=0.02)
    assert joined.scale == pytest.approx(1 / red_throughput, rel=0.02)
    pieces = [(wavelength > w) & (wavelength < w + 20) for w in range(5500, 6000, 20)]
    middle = np.array([np.nanmedian(scaled[:, piece]) for piece in pieces])
    assert np.abs(middle - 1.0).max() < 0.06
    assert np.abs(np.diff(middle)).max() < 0.02


def test_exchanged_arms_and_other_fields_are_refused():
    (blue, red), _ = arms(1.0)
    with pytest.raises(InvalidInput, match="blue"):
        splice(red, blue, np.ones(40, dtype=bool))
    with pytest.raises(InvalidInput, match="spectra"):
        splice(blue, (red[0][:20], red[1][:20], red[2]), np.ones(40, dtype=bool))


@pytest.mark.parametrize("red_throughput", [1.0, 0.6])
def test_what_the_dichroic_takes_is_given_back_where_one_arm_is_not_seen(red_throughput):
    (blue, red), level = arms(red_throughput, width=45.0)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    wavelength = joined.grid.wavelengths
    scaled = joined.flux / (level * 1.03)
    pieces = [(wavelength > w) & (wavelength < w + 20) for w in range(5400, 6100, 20)]
    middle = np.array([np.nanmedian(scaled[:, piece]) for piece in pieces])
    assert np.abs(middle - 1.0).max() < 0.02
    assert joined.scale == pytest.approx(1 / red_throughput, rel=0.02)


def test_arms_without_a_dichroic_between_them_are_joined_as_they_are():
    (blue, red), level = arms(1.0, width=1e6)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    assert joined.scale == pytest.approx(1.0, rel=0.01)
    scaled = joined.flux / (0.5 * level * 1.03)
    assert np.nanmedian(scaled, axis=0)[8:-20] == pytest.approx(1.0, abs=0.1)
