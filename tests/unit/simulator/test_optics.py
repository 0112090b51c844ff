from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import InvalidPlanError
from simulator.optics import GRATINGS, Setup, setup_for


def real_setup() -> Setup:
    """Angles of a real red frame of 17 December 2015."""
    return Setup("red", GRATINGS["385R"], 7250.0, 7.382, 15.9656133740207, 7.380583, 15.962048)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_real_header_is_reproduced() -> None:
    setup = real_setup()
    assert setup.central_wavelength == pytest.approx(7251.60835456251, abs=1e-9)
    assert setup.blaze_wavelength == pytest.approx(7251.27896648989, abs=1e-9)
    assert setup.dispersion == pytest.approx(1.56784670532429, abs=1e-12)


def test_requested_angles_are_those_the_control_task_chose() -> None:
    setup = setup_for("red", "385R", 7250.0, rng())
    assert setup.requested_grating_angle == pytest.approx(7.380583, abs=2e-5)
    assert setup.requested_camera_angle == pytest.approx(15.962048, abs=2e-5)


def test_slit_ends_see_shorter_wavelengths() -> None:
    setup = real_setup()
    centre, end = setup.wavelength(1024.5, np.array([0.0, 72.5]))
    assert end / centre == pytest.approx(0.9927, abs=1e-4)


@pytest.mark.parametrize("name", sorted(GRATINGS))
def test_every_grating_reaches_its_usual_centre(name: str) -> None:
    grating = GRATINGS[name]
    setup = setup_for(grating.arm, name, None, rng())
    assert abs(setup.central_wavelength - grating.centre) < 6.0
    assert setup.central_wavelength != grating.centre
    along = setup.wavelength(np.arange(1, 2049), 0.0)
    assert np.all(np.diff(along) > 0)
    assert np.gradient(along)[1024] == pytest.approx(setup.dispersion, rel=1e-3)
    assert 2.0 < setup.line_fwhm < 4.5


@pytest.mark.parametrize(
    ("arm", "grating", "centre", "word"),
    [
        ("green", "580V", None, "arm"),
        ("blue", "600X", None, "580V"),
        ("red", "385R", 20000.0, "outside"),
        ("red", "385R", float("nan"), "outside"),
        ("blue", "3200B", 6000.0, "shorter"),
    ],
)
def test_impossible_setups_are_refused(arm: str, grating: str, centre: float | None, word: str) -> None:
    with pytest.raises(InvalidPlanError, match=word):
        setup_for(arm, grating, centre, rng())
