"""Spectra as the Virtual Observatory has them: FITS, VOTable, picture, parts."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits, votable
from PIL import Image

from paws.vo.wavelengths import vacuum_of
from tests.web.conftest import Site

FIBRE = 1


def did(site: Site, fibre: int = FIBRE) -> str:
    return f"ivo://paws.local/spectra?{site.product()}/{fibre}"


async def stored(client, site):
    """Wavelengths in vacuum, and flux, as they lie in the product."""
    answer = await client.get(f"/products/{site.product()}/file")
    with fits.open(BytesIO(answer.content)) as hdus:
        header = hdus[0].header
        pixels = np.arange(header["NAXIS1"])
        air = header["CRVAL1"] + (pixels + 1 - header["CRPIX1"]) * header["CDELT1"]
        return vacuum_of(air), hdus[0].data[FIBRE - 1].astype(np.float32)


async def test_fits_has_the_samples_of_the_product_in_vacuum_and_says_so(client, site):
    answer = await client.get(f"/vo/spectra/{site.product()}/{FIBRE}.fits")
    assert answer.status_code == 200
    wavelength, flux = await stored(client, site)
    with fits.open(BytesIO(answer.content), checksum=True) as hdus:
        table, header = hdus["SPECTRUM"].data, hdus["SPECTRUM"].header
        np.testing.assert_allclose(table["wavelength"], wavelength, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(table["flux"], flux)
        assert header["VOCLASS"] == "SPECTRUM V1.1"
        assert header["AIRORVAC"] == "vacuum"
        assert header["DS_IDPUB"] == did(site)
        assert header["TUTYP1"] == "spec:Data.SpectralAxis.Value"
        assert header["TUCD1"] == "em.wl"
        assert header["TUNIT1"] == "Angstrom"
        assert header["DATALEN"] == len(wavelength)
        assert header["TDMIN1"] == pytest.approx(wavelength[0])
        assert header["OBJECT"]
        assert header["TSTART"] < header["TMID"] < header["TSTOP"]


async def test_in_air_the_wavelengths_are_those_of_the_product(client, site):
    answer = await client.get(f"/vo/spectra/{site.product()}/{FIBRE}.fits", params={"medium": "air"})
    vacuum, _flux = await stored(client, site)
    with fits.open(BytesIO(answer.content)) as hdus:
        assert hdus["SPECTRUM"].header["AIRORVAC"] == "air"
        assert (hdus["SPECTRUM"].data["wavelength"] < vacuum).all()
        np.testing.assert_allclose(vacuum_of(hdus["SPECTRUM"].data["wavelength"]), vacuum, atol=1e-7)


async def test_votable_says_the_same_by_utypes(client, site):
    answer = await client.get(f"/vo/spectra/{site.product()}/{FIBRE}.vot")
    assert answer.headers["content-type"] == "application/x-votable+xml"
    document = votable.parse(BytesIO(answer.content), verify="exception")
    table = document.get_first_table()
    assert [field.utype for field in table.fields] == [
        "spec:Data.SpectralAxis.Value",
        "spec:Data.FluxAxis.Value",
        "spec:Data.FluxAxis.Accuracy.StatError",
        "spec:Data.BackgroundModel.Value",
        "spec:Data.FluxAxis.Quality",
    ]
    wavelength, flux = await stored(client, site)
    np.testing.assert_allclose(table.array["wavelength"].data, wavelength, atol=1e-8)
    np.testing.assert_array_equal(table.array["flux"].filled(np.nan), flux)
    said = {param.utype: param.value for param in document.resources[0].params if param.utype}
    assert said["spec:Curation.PublisherDID"] == did(site)
    assert said["spec:Dataset.DataModel"] == "Spectrum-1.1"
    assert len(said["spec:Char.SpatialAxis.Coverage.Location.Value"]) == 2


async def test_the_picture_is_a_png_with_a_line_in_it(client, site):
    answer = await client.get(f"/vo/spectra/{site.product()}/{FIBRE}.png")
    assert answer.headers["content-type"] == "image/png"
    image = np.asarray(Image.open(BytesIO(answer.content)).convert("RGB")).astype(int)
    assert image.shape == (320, 720, 3)
    blue = (image[..., 2] - image[..., 0] > 60).any(axis=0)
    assert blue[80:700].mean() > 0.9, "the line goes across the picture"


async def test_an_unchanged_spectrum_is_not_sent_again(client, site):
    path = f"/vo/spectra/{site.product()}/{FIBRE}.fits"
    first = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(path, params={"medium": "air"}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


async def test_the_same_tag_is_the_same_bytes(client, site, monkeypatch):
    path = f"/vo/spectra/{site.product()}/{FIBRE}.fits"
    first = await client.get(path)
    # astropy would put this time beside the checksums.
    monkeypatch.setattr(
        "astropy.io.fits.hdu.base._ValidHDU._get_timestamp", lambda _self: "2001-01-01T00:00:00"
    )
    again = await client.get(path)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.content == first.content


async def test_ranges_and_head_are_answered(client, site):
    path = f"/vo/spectra/{site.product()}/{FIBRE}.fits"
    whole = (await client.get(path)).content
    part = await client.get(path, headers={"Range": "bytes=2880-2883"})
    assert (part.status_code, part.content) == (206, whole[2880:2884])
    head = await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole))


@pytest.mark.parametrize(
    "rest", ["0.fits", "401.fits", "-1.fits", "1.exe", "x.fits", "9" * 5000 + ".fits", "\u0661.fits"]
)
async def test_what_does_not_exist_is_not_found(client, site, rest):
    assert (await client.get(f"/vo/spectra/{site.product()}/{rest}")).status_code == 404


async def test_products_that_do_not_exist_or_cannot_are_not_found(client, site):
    for product in ("nothing", "..%2F..", "a%00b", "'"):
        assert (await client.get(f"/vo/spectra/{product}/1.fits")).status_code == 404
    assert (await client.get(f"/vo/spectra/{site.product()}/1.fits?medium=water")).status_code == 400


# ---- Parts --------------------------------------------------------------------------------------------------


async def cut(client, site, **parameters):
    return await client.get("/soda/sync", params={"ID": did(site), **parameters})


async def test_a_part_has_exactly_the_samples_within_the_band(client, site):
    wavelength, flux = await stored(client, site)
    answer = await cut(client, site, BAND="4.5e-7 5.0e-7")
    within = (wavelength >= 4500) & (wavelength <= 5000)
    with fits.open(BytesIO(answer.content)) as hdus:
        np.testing.assert_allclose(hdus["SPECTRUM"].data["wavelength"], wavelength[within], atol=1e-8)
        np.testing.assert_array_equal(hdus["SPECTRUM"].data["flux"], flux[within])
        assert hdus["SPECTRUM"].header["CRETYPE"] == "cutout"
        assert hdus["SPECTRUM"].header["DATALEN"] == within.sum()


@pytest.mark.parametrize(("band", "low", "high"), [("-Inf 4.5e-7", 0, 4500), ("5e-7 +Inf", 5000, 1e9)])
async def test_ends_may_be_open(client, site, band, low, high):
    wavelength, _flux = await stored(client, site)
    answer = await cut(client, site, BAND=band)
    with fits.open(BytesIO(answer.content)) as hdus:
        assert len(hdus["SPECTRUM"].data) == ((wavelength >= low) & (wavelength <= high)).sum()


async def test_without_a_band_a_part_is_the_whole_and_names_have_no_case(client, site):
    answer = await client.get("/soda/sync", params={"id": did(site), "responseformat": "votable"})
    assert len(votable.parse_single_table(BytesIO(answer.content)).array) == len(
        (await stored(client, site))[0]
    )


async def test_nothing_within_the_band_is_no_content(client, site):
    assert (await cut(client, site, BAND="1e-6 2e-6")).status_code == 204


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"BAND": "5e-7"}, 400),
        ({"BAND": "5e-7 4e-7"}, 400),
        ({"BAND": "nan nan"}, 400),
        ({"BAND": "1 2 3"}, 400),
        ({"BAND": "five six"}, 400),
        ({"CIRCLE": "1 2 3"}, 400),
        ({"RESPONSEFORMAT": "application/zip"}, 400),
        ({"ID": ""}, 400),
        ({"ID": "ivo://elsewhere.org/x?y"}, 400),
        ({"ID": "ivo://paws.local/spectra?nothing/1"}, 404),
    ],
)
async def test_a_part_that_cannot_be_made_is_refused(client, site, parameters, status):
    answer = await cut(client, site, **parameters)
    assert answer.status_code == status


async def test_a_part_may_be_asked_for_by_a_form(client, site):
    answer = await client.post("/soda/sync", data={"ID": did(site), "BAND": "4.5e-7 5e-7"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fits"
