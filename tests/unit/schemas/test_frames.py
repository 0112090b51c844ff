from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.frames import RAW_NAME, field_label
from tests.support.events import example_frame


@pytest.mark.parametrize(
    ("configuration", "label"),
    [
        ("FLD195_v03_151217_r02_p1.sds", "FLD195_v03"),
        ("DES-C1_p0.sds", "DES-C1"),
        ("plain", "plain"),
        ("../../etc/passwd", "etc_passwd"),
        ("a b\nc_260312_p0.sds", "a_b_c"),
        ("", "unknown"),
    ],
)
def test_field_label(configuration, label):
    assert field_label(configuration) == label


@pytest.mark.parametrize("name", ["12mar10011.fits", "01jan29999.fits"])
def test_raw_names(name):
    assert RAW_NAME.match(name)


@pytest.mark.parametrize(
    "name", ["12mar30011.fits", "12mar10011red.fits", "12mar10011.fits\n", ".12mar10011.fits"]
)
def test_names_that_are_not_raw(name):
    assert not RAW_NAME.fullmatch(name)


def test_a_frame_does_not_change():
    frame = example_frame()
    with pytest.raises(ValidationError):
        frame.run = 12


def test_keys_tell_set_ups_apart():
    frame = example_frame()
    other = frame.model_copy(update={"central_wavelength": 6800})
    assert frame.detector_key == other.detector_key
    assert frame.camera_key != other.camera_key
    assert frame.fibre_key == (1, "FLD195_v03_260312_r02_p1.sds")
