from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.support.explorer_files import write_field
from web.explorer.arrays import decode, encode
from web.spectra import read_spectrum


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_field(tmp_path_factory.mktemp("field"), fibres=20, samples=77)


def test_spectrum_comes_back_in_single_precision(field: Path) -> None:
    layout, found = read_spectrum(field, 3)
    header, arrays = decode(encode("x", layout, found))

    assert header["planes"] == ["flux", "sigma", "sky", "raw"]
    assert (header["fibre"], header["samples"], header["raw"]) == (3, 77, "RWSS")
    assert (header["start"], header["step"]) == (layout.start, layout.step)
    assert found.sigma is not None
    assert found.sky is not None
    np.testing.assert_array_equal(arrays["flux"], found.flux.astype(np.float32))
    np.testing.assert_array_equal(arrays["sigma"], found.sigma.astype(np.float32))
    np.testing.assert_allclose(arrays["raw"], found.flux + found.sky, rtol=1e-5)


@pytest.mark.parametrize("name", ["", "a", "Lyα ☃", "x" * 80])
def test_arrays_are_aligned_whatever_the_header_says(field: Path, name: str) -> None:
    layout, found = read_spectrum(field, 1)
    found = dataclasses.replace(found, row=dataclasses.replace(found.row, name=name))
    body = encode("id", layout, found)
    assert (8 + int.from_bytes(body[4:8], "little")) % 8 == 0
    assert decode(body)[0]["name"] == name


def test_spectrum_with_sky_is_made_again_where_the_product_kept_none(field: Path) -> None:
    layout, found = read_spectrum(field, 2)
    header, arrays = decode(encode("x", layout, dataclasses.replace(found, raw=None)))
    assert header["raw"] == "flux + sky"
    assert found.sky is not None
    np.testing.assert_allclose(arrays["raw"], found.flux + found.sky, rtol=1e-6)
    header, arrays = decode(encode("x", layout, dataclasses.replace(found, raw=None, sky=None)))
    assert header["planes"] == ["flux", "sigma"]
    assert header["raw"] is None


def test_axis_of_its_own_travels_in_double_precision(field: Path) -> None:
    layout, found = read_spectrum(field, 2)
    own = np.linspace(4000, 5000, 77) ** 1.001
    header, arrays = decode(encode("x", layout, dataclasses.replace(found, x=own)))
    assert header["planes"][0] == "x"
    np.testing.assert_array_equal(arrays["x"], own)
    np.testing.assert_array_equal(arrays["flux"], found.flux.astype(np.float32))


def test_what_is_no_spectrum_is_refused(field: Path) -> None:
    body = encode("x", *read_spectrum(field, 1))
    for spoilt in (b"", b"<html>", body[:-4], body + b"\0"):
        with pytest.raises(ValueError, match=r"expected|buffer"):
            decode(spoilt)
