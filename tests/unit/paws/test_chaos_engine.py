"""The light aaorun: whole products, the same for the same inputs, behaving as the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from agents.reducer.check import check_product
from agents.reducer.markers import is_exit_marker
from paws.chaos import light_aaorun
from paws.chaos.products import content_of
from schemas.vocabulary import ProductKind


def aaorun(folder, *arguments):
    command = [sys.executable, "-I", "-S", str(Path(light_aaorun.__file__)), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def raw(tmp_path):
    fits.PrimaryHDU(np.arange(100, dtype=np.int16).reshape(10, 10)).writeto(tmp_path / "a.fits")
    return tmp_path


@pytest.mark.parametrize(
    ("verb", "kind", "name"),
    [
        ("reduce_bias", ProductKind.BIAS, "ared.fits"),
        ("make_tlm", ProductKind.TLM, "atlm.fits"),
        ("reduce_object", ProductKind.OBJECT, "ared.fits"),
    ],
)
def test_its_products_pass_as_real_ones(raw, verb, kind, name):
    done = aaorun(raw, verb, "a.fits", "-USEBIASIM", "0")
    assert done.returncode == 0, done.stdout
    assert is_exit_marker(done.stdout.splitlines()[-1])
    check_product(raw / name, kind, 0.0)
    with fits.open(raw / name) as hdus:
        hdus.verify("exception")


def test_combining_names_its_file(raw):
    assert aaorun(raw, "reduce_bias", "a.fits").returncode == 0
    assert aaorun(raw, "combine_image", "ared.fits", "-COMBINEDFILE", "BIAScombined.fits").returncode == 0
    check_product(raw / "BIAScombined.fits", ProductKind.COMBINED_BIAS, 0.0)


def test_the_same_inputs_give_the_same_product_whatever_their_headers_say(raw):
    aaorun(raw, "reduce_arc", "a.fits")
    first = content_of(raw / "ared.fits")
    with fits.open(raw / "a.fits", mode="update") as hdus:
        hdus[0].header["PAWSTRY"] = 7
    aaorun(raw, "reduce_arc", "a.fits")
    assert content_of(raw / "ared.fits") == first
    with fits.open(raw / "a.fits", mode="update") as hdus:
        hdus[0].data[0, 0] += 1
    aaorun(raw, "reduce_arc", "a.fits")
    assert content_of(raw / "ared.fits") != first


def test_a_calibration_counts_as_input(raw):
    aaorun(raw, "make_tlm", "a.fits")
    aaorun(raw, "reduce_object", "a.fits", "-TLMAP_FILENAME", "atlm.fits")
    with_map = content_of(raw / "ared.fits")
    aaorun(raw, "reduce_object", "a.fits")
    assert content_of(raw / "ared.fits") != with_map


def test_a_missing_input_fails_without_a_marker(raw):
    done = aaorun(raw, "reduce_object", "b.fits")
    assert done.returncode == 1
    assert "Error" in done.stdout
    assert not any(is_exit_marker(line) for line in done.stdout.splitlines())
