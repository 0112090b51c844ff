"""What is not as usual: read from words, refused out of range, and seen in the frames' truth."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import plan_night
from simulator.conditions import ORDINARY, Conditions, read_conditions
from simulator.detector import PROFILES, pixel_response, profile_of
from simulator.errors import InvalidPlanError
from simulator.observe import Observatory
from simulator.plan import FrameClass


def seen(frame_class: FrameClass, **conditions: float) -> np.ndarray:
    """Expected electrons of a frame of the red arm; (fibres, columns)."""
    observatory, exposure = taken(frame_class, **conditions)
    geometry = observatory.geometry(exposure, "red")
    return observatory.spectra(exposure, "red", geometry)[0]


def taken(frame_class: FrameClass, **conditions: float):
    plan = plan_night(
        "20260312", exposures=1, arms=["red"], biases=0, darks=0, conditions=Conditions(**conditions)
    )
    return Observatory(plan), next(e for e in plan if e.frame_class is frame_class)


def test_words_become_conditions():
    assert read_conditions([]) == ORDINARY
    assert read_conditions(["sky_fibres=5", " drift_y = -0.5"]) == Conditions(sky_fibres=5, drift_y=-0.5)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("sky_fibres", "NAME=VALUE"),
        ("clouds=1", "NAME is one of broken"),
        ("sky_fibres=few", "a whole number"),
        ("haze=nan", "0 to 100"),
        ("drift_x=1e9", "-20 to 20"),
        ("sky_fibres=41", "0 to 40"),
    ],
)
def test_other_words_are_refused(word, reason):
    with pytest.raises(InvalidPlanError, match=reason):
        read_conditions([word])


def test_the_table_is_wrong_where_it_is_told_to_be():
    observatory, _ = taken(FrameClass.OBJECT, mistyped=4)
    targets = observatory.targets[0]
    wrong = targets.entered != targets.kind
    assert wrong.sum() == 8
    assert sorted(targets.entered[wrong]) == sorted(targets.kind[wrong])
    assert {"PS", "SP", "US", "NP"} <= {
        a + b for a, b in zip(targets.kind[wrong], targets.entered[wrong], strict=True)
    }


def test_fibres_of_the_sky_and_broken_ones_are_counted():
    observatory, exposure = taken(FrameClass.OBJECT, sky_fibres=5, broken=30, exchanged=4)
    assert (observatory.targets[0].kind == "S").sum() == 5
    slit = observatory.slits[exposure.plate]
    assert slit.broken.sum() == 30
    assert (slit.pivot != np.arange(1, 401)).sum() == 80


def test_lamps_and_targets_shine_as_told():
    assert seen(FrameClass.ARC, arc_level=0.1).sum() == pytest.approx(0.1 * seen(FrameClass.ARC).sum())
    assert seen(FrameClass.FLAT, flat_level=3.0).sum() == pytest.approx(3.0 * seen(FrameClass.FLAT).sum())
    assert seen(FrameClass.OBJECT, target_magnitude=-5.0).sum() > 10 * seen(FrameClass.OBJECT).sum()


def test_spectra_jump_after_the_calibrations():
    moved, still = taken(FrameClass.OBJECT, drift_x=0.5, drift_y=-0.5), taken(FrameClass.OBJECT)
    dx, dy = np.subtract(moved[0].drift(moved[1], "red"), still[0].drift(still[1], "red"))
    assert (dx, dy) == pytest.approx((0.5, -0.5))
    arc, same = taken(FrameClass.ARC, drift_x=0.5), taken(FrameClass.ARC)
    assert arc[0].drift(arc[1], "red") == same[0].drift(same[1], "red")


def test_profile_and_detector_change():
    profile = profile_of("red", Conditions(profile_change=3.0, wings=2.0, haze=10.0))
    usual = PROFILES["red"]
    assert (profile.core[[0, 4]] == usual.core[[0, 4]]).all()
    assert profile.core[[1, 2, 3, 5]] == pytest.approx(3.0 * usual.core[[1, 2, 3, 5]])
    assert (profile.near, profile.far, profile.haze) == pytest.approx(
        (2 * usual.near, 2 * usual.far, 10 * usual.haze)
    )
    assert profile_of("red").core == pytest.approx(usual.core)
    dead = pixel_response("red", 1, 3)
    assert 1 <= (dead[-1] == 0).sum() <= 3
    assert not (dead[0] == 0).all()
    assert (pixel_response("red", 1)[-1] > 0).all()
