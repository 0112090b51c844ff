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

TRUTH_KEYS = {"wavelength", "trace", "electrons", "sky_electrons", "throughput", "cosmic_rays"}


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
        for name in ("wavelength", "trace", "electrons", "sky_electrons"):
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
    """Least squares with the core profile, one column at a time, gives back what was put in."""
    truth = night.truth_of("MFFFF")
    electrons, trace = truth["electrons"].astype(np.float64), truth["trace"]
    image = image_of("red", electrons, trace)
    assert image.sum(dtype=np.float64) == pytest.approx(electrons.sum(), rel=0.003)

    profile = PROFILES["red"]
    lit = np.flatnonzero(electrons.sum(axis=1) > 0)
    for column in (0, 700, 1400, 2047):
        basis = np.zeros((4098, lit.size))
        for number, fibre in enumerate(lit):
            one = np.zeros((4098, 2048), dtype=np.float32) if number == 0 else one  # noqa: F821
            one[:, column] = 0
            spectrum = np.zeros((1, 2048))
            spectrum[0, column] = 1.0
            paint_fibres(one, spectrum, trace[fibre : fibre + 1], profile.core, gaussian_cdf_table_once())
            basis[:, number] = one[:, column]
        found = np.linalg.lstsq(basis, image[:, column].astype(float), rcond=None)[0]
        u = (column - 1024) / 1024
        kept = 1 - profile.near * (1 + 0.35 * u * u) - profile.far
        ratio = found / (electrons[lit, column] * kept)
        # The wings of neighbours add a little under the core.
        assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
        assert np.percentile(np.abs(ratio - 1), 95) < 0.03


_TABLE: list[np.ndarray] = []


def gaussian_cdf_table_once() -> np.ndarray:
    if not _TABLE:
        _TABLE.append(gaussian_cdf_table())
    return _TABLE[0]


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
