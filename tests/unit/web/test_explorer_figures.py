from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.support.explorer_files import write_field
from web.explorer.figures import continuum, figures_of, sky_residual

WAVES = np.arange(2000)
LINES = 500.0 * sum(np.exp(-0.5 * ((WAVES - centre) / 2.0) ** 2) for centre in range(50, 2000, 97))


def test_residual_is_the_part_of_the_lines_that_is_left() -> None:
    random = np.random.default_rng(2)
    sky = (20.0 + LINES).astype(np.float32)
    targets = 100.0 + 0.02 * WAVES
    # A badly subtracted line has either sign: fibres with 2 % and with 10 % of the lines left.
    left = np.array([[0.02], [0.10]]) * LINES * np.sign(np.sin(WAVES * 2.9))
    flux = (targets + left + random.normal(0, 0.05, left.shape)).astype(np.float32)
    small, large = sky_residual(flux, sky[None, :])

    assert large / small == pytest.approx(5.0, rel=0.15)
    assert 0.01 < small < 0.04


def test_residual_of_few_lines_is_measured_where_the_sky_is_brightest() -> None:
    sky = np.full((1, 500), 10.0, np.float32)
    sky[0, 250:260] = 800.0
    flux = np.random.default_rng(4).normal(50, 1, (3, 500)).astype(np.float32)
    flux[2] = np.nan
    residual = sky_residual(flux, np.tile(sky + np.linspace(0, 1, 500, dtype=np.float32), (3, 1)))
    assert np.isfinite(residual[:2]).all()
    assert np.isnan(residual[2])


def test_continuum_follows_what_is_broad_and_passes_over_gaps() -> None:
    flux = (100 + 20 * np.sin(WAVES / 400))[None, :].astype(np.float32)
    spiked = flux.copy()
    spiked[0, 300:304], spiked[0, 700:900] = 9000.0, np.nan
    np.testing.assert_allclose(continuum(spiked)[0, :650], flux[0, :650], atol=2.0)
    assert np.isfinite(continuum(spiked)).all()
    assert np.isnan(continuum(np.full((1, 200), np.nan, np.float32))).all()


def test_figures_of_a_product_agree_with_its_arrays(tmp_path: Path) -> None:
    path = write_field(tmp_path, fibres=60, samples=400)
    found = figures_of(path)
    with fits.open(path) as hdus:
        broken = hdus["FIBRES"].data["TYPE"] == "N"
        step = hdus[0].header["CDELT1"]
        expected = np.nanmedian(
            hdus[0].data[~broken] / np.sqrt(hdus["VARIANCE"].data[~broken]), axis=1
        ) / np.sqrt(step)
        np.testing.assert_array_equal(found.throughput, hdus["THPUT"].data)
    assert found.signal_to_noise is not None
    np.testing.assert_allclose(found.signal_to_noise[~broken], expected, rtol=1e-5)
    assert np.isnan(found.signal_to_noise[broken]).all()
    assert (found.filled[broken] == 0).all()
    assert found.filled[~broken].min() > 0.9


def test_a_product_that_tells_its_median_has_ratios_that_allow_for_shared_noise(tmp_path: Path) -> None:
    path = write_field(tmp_path, fibres=60, samples=400)
    alone = figures_of(path).signal_to_noise
    assert alone is not None
    with fits.open(path, mode="update") as hdus:
        targets = hdus["FIBRES"].data["TYPE"] == "P"
        hdus[0].header["QSNR"] = float(np.nanmedian(alone[targets])) / 1.2
    found = figures_of(path).signal_to_noise
    np.testing.assert_allclose(found, alone / 1.2, rtol=1e-5)


def test_what_a_product_lacks_is_not_measured(tmp_path: Path) -> None:
    path = write_field(tmp_path, "spliced.fits", None, fibres=20, samples=200)
    with fits.open(path, mode="update") as hdus:
        del hdus["SKY"]
        del hdus["VARIANCE"]
    found = figures_of(path)
    assert found.throughput is None
    assert found.sky_residual is None
    assert found.signal_to_noise is None
    assert found.level.shape == (20,)
