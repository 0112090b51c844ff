"""Frames on disk against their truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from simulator.detector import PROFILES, image_of
from simulator.kernels import gaussian_cdf_table, paint_fibres
from simulator.linelists import arc_lines
from tests.unit.simulator.conftest import Night

TRUTH_KEYS = {"wavelength", "trace", "electrons", "sky_electrons", "throughput", "dichroic", "cosmic_rays"}


def apertures(image: np.ndarray, trace: np.ndarray, half: int = 5) -> np.ndarray:
    """Sum of rows within half a fibre spacing of each trace, shape (fibres, columns)."""
    rows = np.rint(trace).astype(int)[:, None, :] + np.arange(-half, half + 1)[None, :, None]
    inside = (rows >= 0) & (rows < image.shape[0])
    columns = np.arange(image.shape[1])[None, None, :]
    return (image[np.clip(rows, 0, image.shape[0] - 1), columns] * inside).sum(axis=1)


def test_files_are_where_the_telescope_puts_them(night: Night) -> None:
    files = sorted(path.relative_to(night.raw).as_posix() for path in night.raw.rglob("*.*"))
    assert files == [f"260312/ccd_2/12mar2000{run}.fits" for run in (1, 2, 3, 4)]


@pytest.mark.parametrize("frame_class", ["BIAS", "MFFFF", "MFARC", "MFOBJECT"])
def test_files_are_sound_fits(night: Night, frame_class: str) -> None:
    frame = night.frame(frame_class)
    assert frame.path.stat().st_size == frame.size
    assert frame.size % 2880 == 0
    with fits.open(frame.path) as hdus:
        hdus.verify("exception")
        assert hdus[0].data.shape == (4098, 2070)
        assert hdus[0].data.dtype == np.uint16
        assert hdus[0].header["NDFCLASS"] == frame_class
        assert hdus["STRUCT.MORE.NDF_CLASS"].data["NAME"][0] == frame_class
        assert ("STRUCT.MORE.FIBRES" in hdus) == (frame_class != "BIAS")


def test_truth_has_the_keys_and_shapes_promised(night: Night) -> None:
    for frame in night.frames:
        truth = night.truth_of(frame.frame_class)
        assert set(truth) == TRUTH_KEYS
        for name in ("wavelength", "trace", "electrons", "sky_electrons", "dichroic"):
            assert truth[name].shape == (400, 2048)
        assert truth["throughput"].shape == (400,)
        assert truth["cosmic_rays"].ndim == 2


def test_targets_table_matches_the_fibre_table(night: Night) -> None:
    truth = Table.read(night.truth / "targets.ecsv")
    with fits.open(night.frame("MFOBJECT").path) as hdus:
        fibres = Table(hdus["STRUCT.MORE.FIBRES"].data)
    program = fibres[fibres["TYPE"] == "P"]
    assert list(truth["name"]) == [name.strip() for name in program["NAME"]]
    assert np.allclose(truth["ra"], np.rad2deg(program["RA"]))
    assert np.array_equal(truth["fibre"] - 1, np.flatnonzero(fibres["TYPE"] == "P"))
    assert np.array_equal(truth["pivot"], program["PIVOT"])
    assert np.isfinite(truth["redshift"]).all()


def test_a_noiseless_image_holds_the_true_electrons(night: Night) -> None:
    """Fitting the core profile to fibres far apart gives back what was put in, less the wings."""
    truth = night.truth_of("MFFFF")
    electrons = truth["electrons"].astype(np.float64)
    whole = image_of(PROFILES["red"], electrons, truth["trace"])
    assert whole.sum(dtype=np.float64) == pytest.approx(electrons.sum(), rel=0.003)

    some = np.flatnonzero(electrons.sum(axis=1) > 0)[::20]
    trace = truth["trace"][some]
    image = image_of(PROFILES["red"], electrons[some], trace)
    core = np.zeros_like(image)
    profile = PROFILES["red"]
    paint_fibres(core, np.ones_like(trace), trace, profile.core, gaussian_cdf_table())
    found = apertures(core * image, trace, half=8) / apertures(core**2, trace, half=8)
    u = (np.arange(2048) - 1024) / 1024
    kept = 1 - profile.near * (1 + 0.35 * u**2) - profile.far
    ratio = found / (electrons[some] * kept)
    # A little of the near wing lies under the core.
    assert 1.0 < np.median(ratio) < 1.008
    assert np.ptp(ratio) < 0.004


def test_the_raw_flat_holds_the_true_electrons(night: Night) -> None:
    truth = night.truth_of("MFFFF")
    measured = apertures(night.electrons_of("MFFFF"), truth["trace"])
    lit = truth["electrons"].sum(axis=1) > 0
    ratio = measured[lit][:, 200:1800] / truth["electrons"][lit][:, 200:1800]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.012)
    per_fibre = np.median(ratio, axis=1)
    assert per_fibre.std() < 0.01
    # Photon noise, 0.5 % here, and pixels that differ by 0.3 %.
    assert np.median(np.abs(ratio / per_fibre[:, None] - 1)) < 0.008


def test_dark_fibres_are_dark(night: Night) -> None:
    truth = night.truth_of("MFFFF")
    with fits.open(night.frame("MFFFF").path) as hdus:
        kind = hdus["STRUCT.MORE.FIBRES"].data["TYPE"].copy()
    assert np.array_equal(truth["throughput"] == 0, np.isin(kind, ["F", "N"]))
    assert np.array_equal(truth["electrons"].sum(axis=1) == 0, np.isin(kind, ["F", "N"]))
    science = night.truth_of("MFOBJECT")
    assert np.array_equal(science["electrons"].sum(axis=1) == 0, np.isin(kind, ["F", "N", "U"]))
    measured = apertures(night.electrons_of("MFFFF"), truth["trace"], half=2)
    level = np.median(measured[:, 500:1500], axis=1)
    assert level[truth["throughput"] == 0].max() < 0.02 * np.median(level)


def test_the_science_frame_scatters_about_the_truth_as_photons_do(night: Night) -> None:
    truth = night.truth_of("MFOBJECT")
    image = night.electrons_of("MFOBJECT")
    bad = np.zeros(image.shape, dtype=bool)
    bad[truth["cosmic_rays"][:, 0], truth["cosmic_rays"][:, 1]] = True
    lit = truth["electrons"].sum(axis=1) > 0
    columns = slice(300, 1700)
    measured = apertures(image, truth["trace"])[lit][:, columns]
    hit = apertures(bad.astype(float), truth["trace"])[lit][:, columns] > 0
    expected = truth["electrons"][lit][:, columns]
    sigma = np.sqrt(expected + 11 * 4.25**2)
    pull = ((measured - expected) / sigma)[~hit]
    # Wings of neighbours and dark current lift the sum slightly.
    assert 0 < np.median(pull) < 1.0
    assert 0.9 < 1.4826 * np.median(np.abs(pull - np.median(pull))) < 1.25
    assert (measured - expected)[hit].mean() > 100


def test_sky_fibres_see_sky_only_and_targets_see_more(night: Night) -> None:
    truth = night.truth_of("MFOBJECT")
    with fits.open(night.frame("MFOBJECT").path) as hdus:
        kind = hdus["STRUCT.MORE.FIBRES"].data["TYPE"].copy()
    above = truth["electrons"] - truth["sky_electrons"]
    assert np.abs(above[kind == "S"]).max() < 1e-3
    assert np.all(above[kind == "P"].sum(axis=1) > 0)
    sky = truth["sky_electrons"][kind == "S"][:, 1000] / truth["throughput"][kind == "S"]
    assert sky.std() / sky.mean() < 0.4


def test_arc_lines_lie_where_the_truth_says(night: Night) -> None:
    truth = night.truth_of("MFARC")
    measured = apertures(night.electrons_of("MFARC"), truth["trace"])
    lines = arc_lines()
    isolated = [6965.431, 7383.981, 7635.106, 7948.176]
    lit = np.flatnonzero(truth["electrons"].sum(axis=1) > 0)
    errors = []
    for line in isolated:
        assert np.abs(lines.wavelength - line).min() < 0.01
        for fibre in lit[5::40]:
            column = int(np.argmin(np.abs(truth["wavelength"][fibre] - line)))
            window = slice(column - 6, column + 7)
            light = measured[fibre, window]
            centroid = (light * truth["wavelength"][fibre, window]).sum() / light.sum()
            errors.append((centroid - line) / 1.57)
    assert abs(np.median(errors)) < 0.05
    assert np.percentile(np.abs(errors), 80) < 0.2


def test_cosmic_rays_are_where_the_truth_says(night: Night) -> None:
    truth = night.truth_of("BIAS")
    image = night.electrons_of("BIAS")
    rows, columns = truth["cosmic_rays"].T
    struck = image[rows, columns]
    assert np.percentile(struck, 80) > 100
    image[rows, columns] = 0
    assert (image > 60).sum() < 20
