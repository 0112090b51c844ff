from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from quicklook.errors import InvalidInput, UnsupportedFrame
from quicklook.image import make_image
from quicklook.products import Product
from quicklook.raw import read_raw
from tests.unit.quicklook.chip import fibre_table

TYPES = np.full(400, "P")


def raw_file(path, *, data=None, keys=None, drop=(), table=True, ndf_class="MFOBJECT"):
    if data is None:
        rng = np.random.default_rng(1)
        data = (400 + 30 * np.linspace(0, 1, 4098)[:, None] + rng.normal(0, 2.2, (4098, 2070))).round()
        data[:, :2048] += 50
    header = fits.Header()
    header.update(
        INSTRUME="AAOMEGA-2dF", SPECTID="RD", RO_GAIN=2.0, RO_NOISE=4.4, EXPOSED=900.0, NDFCLASS=ndf_class,
        WINDOW="AAOMEGA_2DF", XPIXSIZE=15.0, XEFFSIZE=15.0, YPIXSIZE=15.0, YEFFSIZE=15.0, WINDOXS1=1,
        WINDOXE1=2048, OBJECT="a field",
    )  # fmt: skip
    header.update(keys or {})
    for key in drop:
        del header[key]
    hdus = fits.HDUList([fits.PrimaryHDU(data.astype(np.uint16), header)])
    if table:
        hdus.append(fibre_table(TYPES))
    hdus.writeto(path, overwrite=True)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return raw_file(tmp_path_factory.mktemp("raw") / "12mar20008.fits")


def test_a_sound_frame(good):
    raw = read_raw(good)
    assert raw.data.dtype == np.uint16
    assert raw.data.shape == (4098, 2070)
    assert (raw.arm, raw.ndf_class, raw.gain, raw.read_noise) == ("red", "MFOBJECT", 2.0, 4.4)
    assert raw.fibres is not None
    assert raw.fibres.objects.all()


def test_counts_become_electrons_above_the_overscan(good):
    image = make_image(read_raw(good))
    assert image.data.mean() == pytest.approx(100.0, abs=0.2)
    # The slope of the bias level along the rows is gone.
    assert abs(image.data[:300].mean() - image.data[-300:].mean()) < 0.5
    assert np.median(image.variance) == pytest.approx(4.4**2 + 100, rel=0.05)
    assert image.figures["overscan_noise"] == pytest.approx(4.4, rel=0.05)
    assert "BZERO" not in image.header


@pytest.mark.parametrize(("method", "order"), [("FIT", "3"), ("POLYEXP", 2), ("spline", None)])
def test_every_way_to_fit_the_overscan(good, method, order):
    image = make_image(read_raw(good), params={"FITOVERSCAN": method, "OVERSCANORDER": order})
    assert image.data.mean() == pytest.approx(100.0, abs=0.2)


@pytest.mark.parametrize("params", [{"FITOVERSCAN": "GUESS"}, {"FITOVERSCAN": "FIT", "OVERSCANORDER": 99}])
def test_impossible_overscan_parameters_are_refused(good, params):
    with pytest.raises(InvalidInput, match="OVERSCAN"):
        make_image(read_raw(good), params=params)


def test_saturated_pixels_and_their_four_neighbours_are_bad(tmp_path):
    data = np.full((4098, 2070), 400)
    data[100, 100] = 65535
    image = make_image(read_raw(raw_file(tmp_path / "12mar20009.fits", data=data)))
    assert image.saturated.sum() == 5
    assert np.isnan(image.data).sum() == 5
    assert not image.saturated[101, 101]


def test_bias_dark_and_long_slit_flat_are_applied_with_their_noise(good):
    raw = read_raw(good)
    header = fits.Header()
    header["EXPOSED"] = 1800.0
    ones = np.ones((4098, 2048), dtype=np.float32)
    image = make_image(
        raw,
        bias=Product(10 * ones, fits.Header(), 2 * ones),
        dark=Product(20 * ones, header, 4 * ones),
        lflat=Product(0.5 * ones, fits.Header()),
    )
    assert image.data.mean() == pytest.approx((100 - 10 - 10) / 0.5, abs=0.5)
    assert image.floor is not None
    # Dark current leaves its shot noise behind; what the bias shows is no charge and leaves none.
    assert image.floor.mean() == pytest.approx(4.4**2 + 2 + 1 + 10, rel=0.02)
    assert image.floor.std() < 0.01
    assert image.variance.mean() == pytest.approx((4.4**2 + 90 + 2 + 1) / 0.25, rel=0.05)


def test_a_frame_by_columns_is_the_same_frame(tmp_path):
    rng = np.random.default_rng(2)
    counts = rng.integers(300, 60000, (4098, 2070))
    counts[:, 2048:] = 300
    # Saturated in a corner, at an edge, where two tiles meet, and beside a pixel that the bias knows nothing of.
    counts[[0, 4097, 63, 64, 900], [0, 1000, 63, 64, 2047]] = 65535
    raw = read_raw(raw_file(tmp_path / "12mar20010.fits", data=counts))
    offset = rng.normal(0, 3, (4098, 2048)).astype(np.float32)
    offset[900, 2046], offset[5, 5] = np.nan, 1e9
    bias = Product(offset, fits.Header(), rng.uniform(0, 2, offset.shape).astype(np.float32))
    for calibration in (bias, None):
        image = make_image(raw, bias=calibration)
        turned = make_image(raw, bias=calibration, by_columns=True)
        assert turned.data.flags.f_contiguous
        np.testing.assert_array_equal(turned.data, image.data)
        np.testing.assert_array_equal(turned.saturated, image.saturated)
        assert (turned.floor is None) == (image.floor is None)
        if turned.floor is not None and image.floor is not None:
            np.testing.assert_array_equal(turned.floor, image.floor)
        assert (turned.figures, turned.history) == (image.figures, image.history)
        assert np.isnan(turned.variance).all()
        assert not turned.cosmic.any()


def test_a_calibration_of_another_size_is_refused(good):
    with pytest.raises(InvalidInput, match="same read-out"):
        make_image(read_raw(good), bias=Product(np.zeros((10, 10)), fits.Header()))
    with pytest.raises(InvalidInput, match="same read-out"):
        make_image(read_raw(good), bias=Product(np.zeros((10, 10)), fits.Header()), by_columns=True)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"keys": {"INSTRUME": "HERMES-2dF"}}, UnsupportedFrame, "INSTRUME"),
        ({"keys": {"INSTRUME": "AAOMEGA-KOALA"}}, UnsupportedFrame, "integral-field"),
        ({"keys": {"WINDOW": "AAOMEGA_BIN2"}}, UnsupportedFrame, "binned"),
        ({"keys": {"XEFFSIZE": 30.0}}, UnsupportedFrame, "binned"),
        ({"keys": {"WINDOXE1": 1024}}, UnsupportedFrame, "windowed"),
        ({"data": np.zeros((2049, 1035))}, UnsupportedFrame, "1035 x 2049"),
        ({"drop": ("RO_GAIN",)}, InvalidInput, "RO_GAIN is missing"),
        ({"keys": {"RO_NOISE": "NaN"}}, InvalidInput, "finite"),
        ({"keys": {"EXPOSED": "long"}}, InvalidInput, "EXPOSED"),
        ({"keys": {"RO_GAIN": -1.0}}, InvalidInput, "range"),
        ({"keys": {"RO_GAIN": True}}, InvalidInput, "number belongs"),
        ({"keys": {"SPECTID": "XX"}}, InvalidInput, "SPECTID"),
        ({"keys": {"NDFCLASS": "POEM"}}, UnsupportedFrame, "POEM"),
        ({"drop": ("NDFCLASS",)}, InvalidInput, "NDFCLASS"),
        ({"table": False}, InvalidInput, "FIBRES"),
    ],
)
def test_what_cannot_be_reduced_is_refused_with_the_reason(tmp_path, change, error, words):
    path = raw_file(tmp_path / "12mar20010.fits", **change)
    with pytest.raises(error, match=words) as caught:
        read_raw(path)
    assert str(caught.value).startswith("12mar20010.fits: ")


@pytest.mark.parametrize("size", [0, 100, 5000, 9_000_000])
def test_truncated_files_are_refused(tmp_path, good, size):
    path = tmp_path / "12mar20011.fits"
    path.write_bytes(good.read_bytes()[:size])
    with pytest.raises(InvalidInput):
        read_raw(path)


def test_other_things_are_refused(tmp_path):
    (tmp_path / "text.fits").write_text("no frame at all " * 1000)
    for name in ("text.fits", "absent.fits", "."):
        with pytest.raises(InvalidInput):
            read_raw(tmp_path / name)


def test_a_bias_needs_no_fibres(tmp_path):
    assert read_raw(raw_file(tmp_path / "a.fits", table=False, ndf_class="BIAS")).fibres is None


def test_the_class_extension_comes_before_the_keyword(tmp_path):
    path = raw_file(tmp_path / "a.fits", ndf_class="MFOBJECT")
    with fits.open(path, mode="append") as hdus:
        column = fits.Column("NAME", "8A", array=np.array(["MFSKY"]))
        hdus.append(fits.BinTableHDU.from_columns([column], name="STRUCT.MORE.NDF_CLASS"))
    assert read_raw(path).ndf_class == "MFSKY"
