from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from quicklook.errors import InvalidInput
from quicklook.optics import optical_model, predict_wavelengths


def real_header() -> fits.Header:
    """The angles of a real red frame (2dFLenS, 17 December 2015)."""
    header = fits.Header()
    header["GRATANGL"] = 7.382
    header["CAMANGL"] = 15.9656133740207
    header["GRATLPMM"] = 383.0
    header["ORDER"] = 1
    header["LAMBDAC"] = 7251.60835456251
    header["DISPERS"] = 1.56784670532429
    return header


def test_model_reproduces_the_control_systems_own_numbers():
    model = optical_model(real_header())
    assert model.central_wavelength == pytest.approx(7251.60835456251, rel=1e-12)
    assert model.dispersion == pytest.approx(1.56784670532429, rel=1e-12)


def test_without_angles_the_wavelengths_give_the_same_model():
    header = real_header()
    expected = optical_model(header)
    del header["GRATANGL"], header["CAMANGL"]
    model = optical_model(header)
    assert model.grating_angle == pytest.approx(expected.grating_angle, abs=1e-9)
    assert model.camera_minus_grating == pytest.approx(expected.camera_minus_grating, abs=1e-9)


def test_slit_ends_see_shorter_wavelengths():
    wavelength = predict_wavelengths(real_header(), np.array([0.0, 2048.0, 4096.0] + [2048.0] * 397)[:, None])
    ratio = wavelength[0] / wavelength[1]
    assert ratio == pytest.approx(np.cos(2048 * 72.5 / 2049 / 598.5), rel=1e-9)
    np.testing.assert_allclose(wavelength[0], wavelength[2])
    assert (np.diff(wavelength, axis=1) > 0).all()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"GRATLPMM": "many"}, "GRATLPMM"),
        ({"GRATLPMM": 0.0}, "GRATLPMM"),
        ({"CAMANGL": 170.0, "GRATANGL": 85.0}, "CAMANGL"),
        ({"GRATANGL": None, "LAMBDAC": None}, "LAMBDAC"),
    ],
)
def test_headers_of_no_spectrograph_are_refused_with_the_keyword(changes, word):
    header = real_header()
    for key, value in changes.items():
        if value is None:
            del header[key]
        else:
            header[key] = value
    with pytest.raises(InvalidInput, match=word):
        optical_model(header)


def test_the_curve_of_a_tramline_is_the_cameras_and_changes_no_wavelength():
    rows = np.broadcast_to(np.linspace(40.0, 4050.0, 400)[:, None], (400, 2048))
    curved = rows + 30.0 * (np.arange(2048) / 1024.0 - 1.0) ** 2
    assert (
        predict_wavelengths(real_header(), curved) == predict_wavelengths(real_header(), rows[:, :1])
    ).all()
