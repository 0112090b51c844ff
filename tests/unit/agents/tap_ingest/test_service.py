from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from agents.tap_ingest.reading import UnreadableProductError, read_arrays
from agents.tap_ingest.service import (
    Exposure,
    resolving_power,
    spectrum_rows,
    wavelength_scale,
)
from tests.support.reductions import FIBRES, PIXELS, write_spectra_product

EXPOSURES = [Exposure(61111.61, 900.0)]


@pytest.fixture
def arrays(tmp_path):
    write_spectra_product(tmp_path / "x.fits", level=100.0, dead=[2])
    return read_arrays(tmp_path / "x.fits")


def test_a_row_for_every_target_and_sky_that_has_a_spectrum(arrays):
    rows = spectrum_rows(arrays, EXPOSURES)
    assert [(row.fibre, row.fibre_type) for row in rows] == [(1, "P"), (2, "P"), (4, "P"), (5, "S")]
    first = rows[0]
    assert first.target_name == "target 0"
    assert first.pivot == 101
    assert first.ra == pytest.approx(math.degrees(0.61))
    assert first.dec == pytest.approx(math.degrees(-0.51))
    # The scale is 6000 at pixel 20 (from 1), step 1.5; the first pixel has no value.
    assert first.wavelength_min == pytest.approx(6000 + (2 - 20) * 1.5)
    assert first.wavelength_max == pytest.approx(6000 + (PIXELS - 20) * 1.5)
    assert first.signal_to_noise == pytest.approx(10.0 / math.sqrt(1.5), rel=1e-4)
    assert first.flux == pytest.approx(100.0)
    assert (first.mjd_start, first.mjd_end) == (61111.61, pytest.approx(61111.61 + 900 / 86400))


def test_a_combined_product_spans_its_exposures(arrays):
    arrays = replace(arrays, header={**arrays.header, "EXPOSED": 1800.0})
    rows = spectrum_rows(arrays, [Exposure(61111.7, 900.0), Exposure(61111.6, 900.0)])
    assert rows[0].mjd_start == 61111.6
    assert rows[0].mjd_end == pytest.approx(61111.7 + 900 / 86400)
    assert rows[0].exposed == 1800.0


def test_hostile_numbers_become_null(arrays):
    ra, dec, magnitude = arrays.ra.copy(), arrays.dec.copy(), arrays.magnitude.copy()
    ra[0], dec[0], magnitude[0], ra[1] = np.nan, 4.0, np.inf, -0.1
    rows = spectrum_rows(replace(arrays, ra=ra, dec=dec, magnitude=magnitude), EXPOSURES)
    assert (rows[0].ra, rows[0].dec, rows[0].magnitude) == (None, None, None)
    assert rows[1].ra == pytest.approx(360 - math.degrees(0.1))


@pytest.mark.parametrize("broken", [{}, {"CRVAL1": 1.0, "CRPIX1": 1.0, "CDELT1": 0.0}, {"CRVAL1": "x"}])
def test_no_wavelength_scale_is_an_error(broken):
    with pytest.raises(ValueError, match="wavelength scale"):
        wavelength_scale(broken)


def test_no_exposure_is_an_error(arrays):
    with pytest.raises(ValueError, match="no known exposure"):
        spectrum_rows(arrays, [])


def test_what_the_reducer_says_of_each_fibre_stands(arrays):
    rows = spectrum_rows(arrays, EXPOSURES, [7.5, None, 1.0, 8.5, 0.25, 3.0])
    assert [(row.fibre, row.signal_to_noise) for row in rows] == [(1, 7.5), (2, None), (4, 8.5), (5, 0.25)]


@pytest.mark.parametrize("figures", [[7.5], "7.5", {"1": 7.5}])
def test_what_is_no_figure_of_each_fibre_is_not_believed(arrays, figures):
    rows = spectrum_rows(arrays, EXPOSURES, figures)
    assert rows[0].signal_to_noise == pytest.approx(10.0 / math.sqrt(1.5), rel=1e-4)


def test_a_product_that_tells_its_median_has_ratios_that_allow_for_shared_noise(arrays):
    measured = 10.0 / math.sqrt(1.5)
    rows = spectrum_rows(replace(arrays, header={**arrays.header, "QSNR": measured / 1.23}), EXPOSURES)
    assert [row.signal_to_noise for row in rows[:3]] == pytest.approx([measured / 1.23] * 3, rel=1e-4)


def test_resolving_power_of_the_real_set_up():
    # 385R at 7250 A: 5.3 A wide, so R is about 1,300; the angles are those of a real header.
    header = {"GRATANGL": 7.382, "CAMANGL": 15.9656, "NAXIS1": 2048}
    assert 1200 < resolving_power(header, 7250.0, 1.568) < 1500
    assert resolving_power({**header, "NAXIS1": 5037}, 7250.0, 1.04) is None
    assert resolving_power({}, 7250.0, 1.568) is None


@pytest.mark.parametrize("content", [None, b"", b"not FITS", b"SIMPLE  =                    T"])
def test_what_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "x.fits"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableProductError, match=r"x\.fits"):
        read_arrays(path)


def test_fixture_has_the_fibres_it_says(arrays):
    assert arrays.data.shape == (FIBRES, PIXELS)
