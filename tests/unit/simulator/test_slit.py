from __future__ import annotations

import numpy as np
import pytest

from simulator.optics import setup_for
from simulator.slit import FIBRES, ROWS, Camera, Slit, make_camera, make_slit, trace_rows, wavelengths


def slit(seed: int, plate: int = 0) -> Slit:
    return make_slit(plate, np.random.default_rng(seed))


def camera(seed: int, arm: str = "blue") -> Camera:
    return make_camera(arm, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(20))
def test_pivots_are_in_order_but_for_two_slitlets(seed: int) -> None:
    pivot = slit(seed).pivot
    assert sorted(pivot) == list(range(1, FIBRES + 1))
    moved = np.flatnonzero(pivot != np.arange(1, FIBRES + 1))
    assert moved.size == 20
    assert len(set(moved // 10)) == 2


@pytest.mark.parametrize("seed", range(20))
def test_guides_and_broken_fibres_pass_no_light(seed: int) -> None:
    made = slit(seed)
    assert made.guide.sum() == 8
    assert set(made.pivot[made.guide]) == {50 * k for k in range(1, 9)}
    assert 3 <= made.broken.sum() <= 8
    assert not (made.broken & made.guide).any()
    dead = made.broken | made.guide
    assert np.all(made.throughput[dead] == 0)
    assert made.throughput[~dead].mean() == pytest.approx(1.0)
    assert made.throughput[~dead].min() > 0.3


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("arm", ["blue", "red"])
def test_traces_stay_on_the_chip_and_apart(seed: int, arm: str) -> None:
    trace = trace_rows(slit(seed), camera(seed, arm), 0.3)
    assert trace.shape == (FIBRES, 2048)
    assert trace.min() > 4
    assert trace.max() < ROWS - 5
    assert np.diff(trace, axis=0).min() > 8.5


def test_slitlets_are_separated_by_wider_gaps() -> None:
    step = np.diff(trace_rows(slit(1), camera(1), 0.0)[:, 1024])
    between = np.arange(9, FIBRES - 1, 10)
    within = np.delete(step, between)
    assert np.median(step[between]) - np.median(within) == pytest.approx(1.0, abs=0.25)


def test_outer_traces_bend_by_tens_of_pixels_in_opposite_senses() -> None:
    trace = trace_rows(slit(2), camera(2), 0.0)
    sag = trace[:, [0, -1]].mean(axis=1) - trace[:, 1024]
    assert sag[0] * sag[-1] < 0
    assert 8 < abs(sag[0]) < 40
    assert abs(sag[200]) < 1.5


def test_drifts_move_traces_and_lines_by_what_they_say() -> None:
    made, lens = slit(3), camera(3)
    assert np.allclose(trace_rows(made, lens, 0.25) - trace_rows(made, lens, 0.0), 0.25)
    setup = setup_for("blue", "580V", None, np.random.default_rng(1))
    still, moved = wavelengths(made, lens, setup, 0.0), wavelengths(made, lens, setup, 0.2)
    shift = (still - moved) / np.gradient(still, axis=1)
    assert np.allclose(shift, 0.2, atol=1e-3)


def test_wavelength_follows_the_optics_to_a_few_pixels_and_curves_along_the_slit() -> None:
    made, lens = slit(4), camera(4)
    setup = setup_for("blue", "580V", None, np.random.default_rng(1))
    wave = wavelengths(made, lens, setup, 0.0)
    assert np.all(np.diff(wave, axis=1) > 0)
    height = (made.row - 2049.0) / 2049.0 * 72.5
    ideal = setup.wavelength(np.arange(1.0, 2049.0), height[:, None])
    shift = (wave - ideal) / setup.dispersion
    assert 0 < np.abs(shift).max() < 9
    curve = wave[[0, 200, 399], 1024]
    assert 20 < (curve[1] - 0.5 * (curve[0] + curve[2])) / setup.dispersion < 40
