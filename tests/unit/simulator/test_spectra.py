from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import InvalidPlanError
from simulator.linelists import arc_lines, sky_lines
from simulator.observe import Observatory
from simulator.optics import GRATINGS
from simulator.plan import FrameClass, Illumination, NightPlan, plan_night
from simulator.throughput import arm_efficiency, atmosphere


@pytest.mark.parametrize("wavelength", [5577.338, 5889.95, 5895.924, 6300.304, 6363.776, 4358.335, 5460.75])
def test_known_sky_lines_are_at_their_air_wavelengths(wavelength: float) -> None:
    assert np.abs(sky_lines().wavelength - wavelength).min() < 0.001


@pytest.mark.parametrize(
    "wavelength",
    [
        *(5105.541, 5218.202, 4764.865, 4965.080, 4545.052, 5187.746, 6965.431, 7635.106, 7723.761),
        *(8115.311, 6402.246, 5875.62, 6678.151, 7065.19, 8377.607, 8521.442, 8667.944),
    ],
)
def test_known_arc_lines_are_at_their_air_wavelengths(wavelength: float) -> None:
    assert np.abs(arc_lines().wavelength - wavelength).min() < 0.02


def test_line_tables_are_in_order() -> None:
    for lines in (arc_lines(), sky_lines()):
        assert np.all(np.diff(lines.wavelength) > 0)
        assert np.all(lines.strength > 0)
    assert set(arc_lines().species) == {"ArI", "ArII", "CuI", "NeI", "HeI", "FeI"}


def test_dichroic_splits_the_light() -> None:
    blue, red = (arm_efficiency(arm, "X5700", np.array([4800.0, 5700.0, 7200.0])) for arm in ("blue", "red"))
    assert blue[0] > 0.08
    assert red[0] < 1e-4
    assert blue[2] < 1e-4
    assert red[2] > 0.1
    assert blue[1] > 0.03
    assert red[1] > 0.03
    with pytest.raises(InvalidPlanError, match="X6700"):
        arm_efficiency("blue", "X1", np.array([5000.0]))


def test_air_takes_more_from_the_blue_and_at_the_a_band() -> None:
    blue, red, band = atmosphere(np.array([3800.0, 7500.0, 7600.0]), 1.2)
    assert blue < red
    assert band < 0.6 * red


def lamp(plan: NightPlan, arm: str, frame_class: FrameClass, exposed_for: str = "") -> np.ndarray:
    observatory = Observatory(plan)
    exposure = next(e for e in plan if e.frame_class is frame_class and e.exposed_for == exposed_for)
    electrons, _ = observatory.spectra(exposure, arm, observatory.geometry(exposure, arm))
    return electrons[electrons.sum(axis=1) > 0]


@pytest.mark.parametrize("grating", sorted(GRATINGS))
def test_every_grating_has_enough_arc_lines(grating: str) -> None:
    arm = GRATINGS[grating].arm
    plan = plan_night("20260312", exposures=0, biases=0, darks=0, arms=[arm], gratings={arm: grating})
    spectrum = lamp(plan, arm, FrameClass.ARC)[190]
    peak = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] >= spectrum[2:]) & (spectrum[1:-1] > 1000)
    assert peak.sum() >= (25 if grating in {"580V", "385R"} else 15)


def test_each_flat_suits_its_arm() -> None:
    plan = plan_night("20260312", exposures=0, biases=0, darks=0)
    saturation = 65535 * 1.95 / 0.25
    medians = {
        (arm, meant): float(np.median(lamp(plan, arm, FrameClass.FLAT, meant)))
        for arm in ("blue", "red")
        for meant in ("blue", "red")
    }
    assert 2e4 < medians["blue", "blue"] < 0.5 * saturation
    assert 2e4 < medians["red", "red"] < 0.5 * saturation
    assert medians["red", "blue"] > saturation
    assert 1e3 < medians["blue", "red"] < 1e4


@pytest.mark.parametrize("grating", sorted(GRATINGS))
def test_flats_are_well_exposed_with_every_grating(grating: str) -> None:
    arm = GRATINGS[grating].arm
    plan = plan_night("20260312", exposures=0, biases=0, darks=0, arms=[arm], gratings={arm: grating})
    spectrum = np.median(lamp(plan, arm, FrameClass.FLAT, arm), axis=0)
    assert 1.5e4 < np.median(spectrum) < 9e4


def test_arms_agree_where_they_meet() -> None:
    """An object's photons before the dichroic are the same whichever arm saw them."""
    plan = plan_night("20260312", exposures=1, biases=0, darks=0)
    observatory = Observatory(plan)
    exposure = next(e for e in plan if e.light is Illumination.TARGETS)
    slit = observatory.slits[exposure.plate]
    assert exposure.field is not None
    fibres = np.flatnonzero(observatory.targets[0].kind == "P")
    found = {}
    for arm in plan.arms:
        geometry = observatory.geometry(exposure, arm)
        electrons, sky = observatory.spectra(exposure, arm, geometry)
        wave = geometry.wavelength[fibres]
        tint = 1 + slit.colour[fibres, None] * (
            wave - np.ptp(geometry.wavelength) / 2 - geometry.wavelength.min()
        ) / (np.ptp(geometry.wavelength))
        photons = (electrons - sky)[fibres] / (
            arm_efficiency(arm, plan.dichroic, wave)
            * slit.throughput[fibres, None]
            * tint
            * geometry.step[fibres]
        )
        found[arm] = np.array([np.interp(5700.0, w, p) for w, p in zip(wave, photons, strict=True)])
    assert np.median(np.abs(found["blue"] / found["red"] - 1)) < 0.005


def test_twilight_has_the_sun_s_lines() -> None:
    plan = plan_night("20260312", exposures=0, biases=0, darks=0, twilight=True, arms=["blue"])
    observatory = Observatory(plan)
    geometry = observatory.geometry(plan[0], "blue")
    electrons, sky = observatory.spectra(plan[0], "blue", geometry)
    assert np.array_equal(electrons, sky)
    fibre = np.flatnonzero(electrons.sum(axis=1))[150]
    at = {
        line: np.interp(line, geometry.wavelength[fibre], electrons[fibre])
        for line in (4861.33, 4830.0, 3933.66, 4010.0)
    }
    assert at[4861.33] < 0.8 * at[4830.0]
    assert at[3933.66] < 0.45 * at[4010.0]


def test_drifts_are_small_and_slow() -> None:
    for seed in range(20):
        plan = plan_night("20260312", fields=3, exposures=4, seed=seed)
        observatory = Observatory(plan)
        for arm in plan.arms:
            drift = np.array([observatory.drift(exposure, arm) for exposure in plan])
            assert np.abs(drift).max() < 0.3
            hours = np.diff([(each.start.timestamp() + each.seconds / 2) / 3600 for each in plan])
            assert (np.abs(np.diff(drift, axis=0)) / hours[:, None]).max() < 0.13
            assert np.ptp(drift[:, 0]) > 0.01


def test_another_night_has_the_same_instrument_and_another_sky() -> None:
    first, second = (
        Observatory(plan_night(night, exposures=1, seed=4)) for night in ("20260312", "20260313")
    )
    assert np.array_equal(first.slits[0].row, second.slits[0].row)
    assert first.night.setups == second.night.setups
    assert first.cameras == second.cameras
    assert first.night.fields[0].label != second.night.fields[0].label
    assert not np.array_equal(first.targets[0].ra, second.targets[0].ra)
    assert not np.array_equal(first.targets[0].magnitude, second.targets[0].magnitude)
    drifts = [each.drift(each.night[-1], "red") for each in (first, second)]
    assert drifts[0] != drifts[1]
