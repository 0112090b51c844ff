from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from quicklook.errors import InvalidInput
from quicklook.fibres import read_fibres
from quicklook.headers import number, passed_on, text
from quicklook.products import Product, find_product, read_product, write_product
from tests.unit.quicklook.chip import fibre_table


def product(**changes):
    header = fits.Header()
    header["OBJECT"] = ("a field", "its name")
    values = {
        "data": np.arange(400 * 30, dtype=np.float64).reshape(400, 30),
        "header": header,
        "variance": np.ones((400, 30), dtype=np.float32),
        "fibres": read_fibres(fibre_table(np.array(["P", "S"] * 200))),
        "ndf_class": "MFOBJECT",
        "arguments": {"SKYSUB": "1", "EXTR_OPERATION": "OPTEX"},
        "extras": {"SKY": np.ones(30), "WAVELA": np.full((400, 30), 512.3456789012)},
        "extra_headers": {"WAVELA": {"BUNIT": "nm"}},
        "history": ["first", "naïve"],
    }
    return Product(**(values | changes))


def test_the_layout_that_readers_expect(tmp_path):
    path = write_product(tmp_path / "12mar20008red.fits", product())
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert [h.name for h in hdus] == [
            "PRIMARY", "VARIANCE", "FIBRES", "NDF_CLASS", "REDUCTION_ARGS", "SKY", "WAVELA",
        ]  # fmt: skip
        assert hdus[0].data.dtype == np.dtype(">f4")
        assert hdus["WAVELA"].data.dtype == np.dtype(">f8")
        assert hdus["NDF_CLASS"].data["NAME"][0] == "MFOBJECT"
        assert list(hdus[0].header["HISTORY"]) == ["first", "na?ve"]
        assert hdus[2].data["RA"].dtype == np.dtype(">f8")


def test_what_is_written_is_read_back(tmp_path):
    again = read_product(write_product(tmp_path / "a.fits", product()))
    before = product()
    assert np.array_equal(again.data, before.data)
    assert np.array_equal(again.variance, before.variance)
    assert again.arguments == before.arguments
    assert again.ndf_class == "MFOBJECT"
    assert np.array_equal(again.fibres.type, before.fibres.type)
    assert np.array_equal(again.image("wavela"), before.extras["WAVELA"])
    assert again.extra_headers["WAVELA"]["BUNIT"] == "nm"
    assert again.image("RWSS") is None


def test_writing_again_replaces_in_one_step_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.fits"
    write_product(path, product())
    write_product(path, product(data=np.zeros((400, 30))))
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]
    assert not read_product(path).data.any()


def test_a_failed_write_leaves_the_old_product(tmp_path):
    path = write_product(tmp_path / "a.fits", product())
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"."):
        write_product(path, product(extras={"SKY": np.array(["no", "numbers"])}))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_headers_are_passed_on_without_what_describes_the_array():
    header = fits.Header()
    for key in ("BSCALE", "BZERO", "AVGVALUE", "NAXIS1"):
        header[key] = 1
    header["UTMJD"] = (57373.5592960397, "mjd")
    header["CFG_FILE"] = "a field.sds"
    passed = passed_on(header)
    assert list(passed) == ["UTMJD", "CFG_FILE"]
    assert passed.comments["UTMJD"] == "mjd"


def test_cards_that_cannot_be_parsed_become_comments_and_do_no_harm(tmp_path):
    header = fits.Header()
    header["GOOD"] = 1
    header.append(fits.Card.fromstring("BAD     = 'no end of this string"))
    header.append(fits.Card.fromstring("BLUR    = NaN / not a FITS number"))
    passed = passed_on(header)
    assert passed["GOOD"] == 1
    path = write_product(tmp_path / "a.fits", product(header=header))
    with fits.open(path) as hdus:
        hdus.verify("exception")


@pytest.mark.parametrize("value", ["abc", True, float("inf"), "nan", 1e9])
def test_a_number_must_be_one(value):
    header = fits.Header()
    header["GAIN"] = str(value) if isinstance(value, float) else value
    with pytest.raises(InvalidInput, match="GAIN"):
        number(header, "GAIN", high=100)


def test_absent_keywords_have_defaults_or_are_refused():
    header = fits.Header()
    assert number(header, "GAIN", default=2.0) == 2.0
    assert text(header, "NAME", "none") == "none"
    with pytest.raises(InvalidInput, match="missing"):
        number(header, "GAIN")
    with pytest.raises(InvalidInput, match="missing"):
        text(header, "NAME")


def test_products_that_are_none_are_refused(tmp_path):
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(InvalidInput, match="no image"):
        read_product(tmp_path / "empty.fits")
    write_product(tmp_path / "a.fits", product(variance=np.ones((3, 3))))
    with pytest.raises(InvalidInput, match="shape"):
        read_product(tmp_path / "a.fits")
    with pytest.raises(InvalidInput, match="no such file"):
        read_product(tmp_path / "absent.fits")


@pytest.mark.parametrize(("drop", "rows", "words"), [("TYPE", 400, "no TYPE"), (None, 399, "399 rows")])
def test_fibre_tables_that_cannot_be_used_are_refused(drop, rows, words):
    table = fibre_table(np.full(rows, "P"))
    if drop:
        table = fits.BinTableHDU.from_columns([c for c in table.columns if c.name != drop], name="FIBRES")
    with pytest.raises(InvalidInput, match=words):
        read_fibres(table)


def test_absent_columns_are_tolerated():
    table = fibre_table(np.full(400, "P"))
    table = fits.BinTableHDU.from_columns(
        [c for c in table.columns if c.name in ("TYPE", "RA")], name="FIBRES"
    )
    fibres = read_fibres(table)
    assert np.isnan(fibres.magnitude).all()
    assert fibres.ra[-1] == pytest.approx(0.2)


def test_a_table_with_a_card_that_fits_forbids_is_written_without_it(tmp_path):
    spoilt = product()
    spoilt.fibres.hdu.header.append(fits.Card.fromstring("BAD?KEY = 'abc'".ljust(80)), end=True)
    path = write_product(tmp_path / "x.fits", spoilt)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert not any(card.keyword.startswith("BAD") for card in hdus["FIBRES"].header.cards)
    assert list(read_product(path).fibres.type) == ["P", "S"] * 200


def test_bands_of_a_stored_image_are_those_of_the_image(tmp_path):
    data = np.arange(60, dtype=np.float32).reshape(12, 5)
    path = write_product(
        tmp_path / "a.fits", Product(data, fits.Header(), variance=data + 1.0, ndf_class="BIAS")
    )
    found = find_product(path)
    assert (found.ndf_class, found.has_fibres) == ("BIAS", False)
    assert found.data.shape == (12, 5)
    for band in (slice(0, 4), slice(4, 12), slice(10, 99)):
        np.testing.assert_array_equal(found.data[band], data[band])
        np.testing.assert_array_equal(found.variance[band], data[band] + 1.0)
    assert found.data[0:4].dtype.isnative


def test_an_image_of_scaled_integers_is_read_as_such(tmp_path):
    hdu = fits.PrimaryHDU(np.arange(6, dtype=np.int16).reshape(2, 3))
    hdu.writeto(tmp_path / "a.fits")
    found = find_product(tmp_path / "a.fits")
    np.testing.assert_array_equal(found.data[0:1], [[0, 1, 2]])
    assert found.variance is None


def test_a_file_cut_short_while_it_is_combined_is_refused(tmp_path):
    path = write_product(tmp_path / "a.fits", Product(np.ones((2000, 50), np.float32), fits.Header()))
    found = find_product(path)
    with path.open("r+b") as stream:
        stream.truncate(6000)
    with pytest.raises(InvalidInput, match="shorter"):
        found.data[1500:1600]
    path.unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        found.data[0:10]
