from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from paws.errors import InvalidInputError
from tests.support.explorer_files import CENTRE, LABEL, real_products, write_field
from web.explorer.plate import RIM, Placed, place, project, read_plate


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_field(tmp_path_factory.mktemp("field"), samples=40)


def fibre(number: int, **values: Any) -> Placed:
    return Placed(number, "", "P", number, values.pop("ra", None), values.pop("dec", None), None, **values)


def test_projection_is_astropys() -> None:
    random = np.random.default_rng(3)
    for centre in ((35.4, -28.7), (0.01, -89.2), (359.9, 40.0)):
        ra = (centre[0] + random.uniform(-1, 1, 50) / math.cos(math.radians(centre[1]))) % 360
        dec = np.clip(centre[1] + random.uniform(-1, 1, 50), -90, 90)
        xi, eta = project(ra, dec, centre)
        origin = SkyCoord(*centre, unit="deg").skyoffset_frame()
        offset = SkyCoord(ra, dec, unit="deg").transform_to(origin)
        lon, lat = offset.lon.rad, offset.lat.rad
        np.testing.assert_allclose(xi, np.degrees(np.tan(lon)), atol=1e-9)
        np.testing.assert_allclose(eta, np.degrees(np.tan(lat) / np.cos(lon)), atol=1e-9)


def test_position_behind_the_plane_is_none() -> None:
    xi, eta = project(np.array([200.0]), np.array([30.0]), (20.0, -30.0))
    assert np.isnan(xi[0])
    assert np.isnan(eta[0])


def test_every_fibre_is_placed_and_those_off_the_sky_stand_outside(field: Path) -> None:
    plate = read_plate(field)

    assert [one.fibre for one in plate.fibres] == list(range(1, 401))
    assert {one.type for one in plate.fibres} == set("PSFUN")
    for one in plate.fibres:
        radius = math.hypot(one.xi, one.eta)
        if one.type in "UN":
            assert (one.source, one.ra, one.dec) == ("plate", None, None)
            assert radius == pytest.approx(RIM)
        else:
            assert one.source == "sky"
            assert radius < 1
    assert plate.centre == pytest.approx(CENTRE)
    assert plate.label == LABEL
    assert plate.throughput is not None
    assert plate.throughput.shape == (400,)
    assert {one.comment for one in plate.fibres} == {"LRG", "QSO"}
    assert plate.notes == ()


def test_buttons_place_what_has_no_position_on_the_sky() -> None:
    """The plate is turned by a quarter, as it is at the telescope: x is north, y is east."""
    fibres = [
        fibre(number, ra=35.0 + y / 1e5 / math.cos(math.radians(-28)), dec=-28.0 + x / 1e5, x=x, y=y)
        for number, (x, y) in enumerate(
            [(0.0, 0.0), (50_000.0, 0.0), (0.0, 50_000.0), (40_000.0, 40_000.0)], 1
        )
    ]
    lost = fibre(5, ra=0.0, dec=0.0, x=-30_000.0, y=20_000.0)
    placed = place([*fibres, lost], (35.0, -28.0))[-1]

    assert placed.source == "plate"
    assert (placed.xi, placed.eta) == pytest.approx((0.2, -0.3), abs=5e-3)


def test_fibres_without_any_position_stand_on_the_rim_by_their_pivot() -> None:
    placed = place([fibre(1), fibre(101), fibre(201)], None)

    assert [one.source for one in placed] == ["rim"] * 3
    np.testing.assert_allclose(
        [(one.xi, one.eta) for one in placed], [(0, RIM), (RIM, 0), (0, -RIM)], atol=1e-12
    )


def test_too_few_buttons_prove_nothing() -> None:
    """Three in a row do not tell how the plate is turned."""
    row = [fibre(i, ra=35.0, dec=-28.0 + i / 10, x=i * 1e4, y=0.0) for i in range(1, 4)]
    assert place([*row, fibre(9, x=1.0, y=5e4)], (35.0, -28.0))[-1].source == "rim"


@pytest.mark.parametrize(
    ("removed", "note"),
    [
        ("VARIANCE", "no extension VARIANCE: there is no error band"),
        ("SKY", "no extension SKY: the sky that was subtracted cannot be shown"),
    ],
)
def test_what_is_missing_is_told(field: Path, tmp_path: Path, removed: str, note: str) -> None:
    with fits.open(field) as hdus:
        fits.HDUList([hdu for hdu in hdus if hdu.name != removed]).writeto(tmp_path / "a.fits")
    (told,) = read_plate(tmp_path / "a.fits").notes
    assert note in told


def test_odd_extensions_are_told(field: Path, tmp_path: Path) -> None:
    with fits.open(field) as hdus:
        hdus["SKY"].data = np.zeros((3, 11), np.float32)
        del hdus[0].header["CTYPE1"]
        hdus["THPUT"].data = np.ones(7, np.float32)
        short = fits.BinTableHDU(hdus["FIBRES"].data[:390], hdus["FIBRES"].header)
        hdus["FIBRES"] = short
        hdus.writeto(tmp_path / "a.fits")
    plate = read_plate(tmp_path / "a.fits")

    assert plate.throughput is None
    assert len(plate.fibres) == 400
    assert plate.fibres[-1].source == "rim"
    told = " ".join(plate.notes)
    for part in ("SKY has the shape 11 x 3", "the axis counts pixels", "390 rows for 400 spectra"):
        assert part in told


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda hdus: hdus.pop(), "fibre"),
        (lambda hdus: setattr(hdus[0], "data", np.zeros((2, 3, 4), np.float32)), "no spectra"),
    ],
)
def test_what_holds_no_spectra_is_refused_with_the_reason(tmp_path: Path, spoil: Any, words: str) -> None:
    hdus = fits.HDUList(
        [
            fits.PrimaryHDU(np.zeros((2, 9), np.float32)),
            fits.BinTableHDU.from_columns([fits.Column("NAME", "8A", array=["a", "b"])], name="FIBRES"),
        ]
    )
    spoil(hdus)
    hdus.writeto(tmp_path / "a.fits")
    with pytest.raises(InvalidInputError, match=words):
        read_plate(tmp_path / "a.fits")


def test_centre_falls_back_to_the_telescope_and_to_the_targets(field: Path, tmp_path: Path) -> None:
    with fits.open(field) as hdus:
        del hdus["FIBRES"].header["CENRA"]
        hdus[0].header["MEANRA"], hdus[0].header["MEANDEC"] = 35.5, -28.75
        hdus.writeto(tmp_path / "telescope.fits")
        del hdus[0].header["MEANRA"]
        hdus.writeto(tmp_path / "targets.fits")
    assert read_plate(tmp_path / "telescope.fits").centre == (35.5, -28.75)
    assert read_plate(tmp_path / "targets.fits").centre == pytest.approx(CENTRE, abs=0.15)


@pytest.mark.skipif(not real_products(), reason="no real products of 2dFdr (TEST_REAL_PRODUCTS)")
def test_real_products_are_read() -> None:
    for path in real_products():
        plate = read_plate(path)
        (only,) = plate.fibres
        assert plate.notes == ()
        assert plate.label in ("FLD195_v03", "DES-C1")
        assert (only.type, only.source) == ("P", "sky")
        assert only.x is not None
        assert math.hypot(only.xi, only.eta) < 1
