"""One spectrum in every format: the same numbers, what is known of it, and nothing that harms its readers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.table import Table

from schemas.vocabulary import Arm, ProductKind
from tests.support.night_files import write_product_file
from web.spectra import FibreRow, FibreSpectrum, SpectraLayout, read_spectrum
from web.spectrum_files import SpectrumFormat, facts_of, file_name, write_spectrum

PRODUCT: dict[str, Any] = {
    "product_id": "0123456789abcdef0123-object",
    "path": "p1/580V/s1/20260312-FLD195-p1/OBJ0008red.fits",
    "checksum": "0" * 64,
    "version": 2,
    "night": "20260312",
    "field": "FLD195",
    "plate": 1,
    "arm": "blue",
    "grating": "580V",
    "level": 0,
    "provisional": False,
    "provenance": {"engine": "builtin", "engine_version": "0.1.0", "made_at": "2026-03-12T14:30:20+00:00"},
}


@pytest.fixture(scope="module")
def spectrum(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpectraLayout, FibreSpectrum]:
    path = tmp_path_factory.mktemp("one") / "OBJ0008red.fits"
    write_product_file(path, ProductKind.OBJECT, Arm.BLUE, 8, 6, 300)
    return read_spectrum(path, 2)


def written(kind: SpectrumFormat, spectrum: tuple[SpectraLayout, FibreSpectrum], **more: Any) -> bytes:
    return write_spectrum(kind, *spectrum, facts_of(*spectrum, PRODUCT | more, 7.25))


def read_back(kind: SpectrumFormat, content: bytes) -> Table:
    if kind is SpectrumFormat.FITS:
        with fits.open(io.BytesIO(content), checksum=True) as hdus:
            hdus.verify("exception")
            return Table(hdus["SPECTRUM"].data)
    if kind is SpectrumFormat.VOTABLE:
        return votable.parse_single_table(io.BytesIO(content), verify="exception").to_table()
    if kind is SpectrumFormat.ECSV:
        return Table.read(content.decode(), format="ascii.ecsv")
    return Table.read(content.decode(), format="ascii.commented_header", header_start=-1)


@pytest.mark.parametrize("kind", list(SpectrumFormat))
def test_numbers_are_the_products(
    kind: SpectrumFormat, spectrum: tuple[SpectraLayout, FibreSpectrum]
) -> None:
    layout, found = spectrum
    table = read_back(kind, written(kind, spectrum))

    assert table.colnames == ["wavelength", "flux", "error", "sky", "mask"]
    assert layout.start is not None
    assert layout.step is not None
    flux, error = (np.ma.filled(table[name].astype(float), np.nan) for name in ("flux", "error"))
    np.testing.assert_allclose(
        np.asarray(table["wavelength"]), layout.start + layout.step * np.arange(300), rtol=0, atol=6e-5
    )
    np.testing.assert_allclose(flux, found.flux, rtol=1e-5)
    np.testing.assert_allclose(error, found.sigma, rtol=1e-5)
    assert np.asarray(table["mask"]).tolist() == np.where(np.isfinite(found.flux), 0, 1).tolist()
    assert 0 < np.asarray(table["mask"]).sum() < 300


def test_fits_says_all_that_is_known(spectrum: tuple[SpectraLayout, FibreSpectrum]) -> None:
    with fits.open(io.BytesIO(written(SpectrumFormat.FITS, spectrum))) as hdus:
        header = hdus["SPECTRUM"].header
        assert hdus[0].header["OBJECT"] == spectrum[1].row.name
        assert (header["AIRORVAC"], header["TUNIT1"], header["TUNIT2"]) == ("air", "Angstrom", "electron")
        assert header["RA"] == pytest.approx(spectrum[1].row.ra)
        assert (header["SNR"], header["FIBTYPE"], header["PRODVERS"]) == (7.25, "P", 2)
        assert (header["ENGINE"], header["PRODSUM"]) == ("builtin", "0" * 64)
        assert header["PROVISIO"] is False


def test_votable_says_all_that_is_known(spectrum: tuple[SpectraLayout, FibreSpectrum]) -> None:
    content = written(SpectrumFormat.VOTABLE, spectrum)
    table = votable.parse_single_table(io.BytesIO(content))

    told = {param.name: param.value for param in table.params}
    assert told["OBJECT"] == spectrum[1].row.name
    assert told["AIRORVAC"] == "air"
    assert told["SNR"] == 7.25
    assert [field.ucd for field in table.fields][:2] == ["em.wl", "phot.flux.density;em.wl"]
    assert b'unit="Angstrom"' in content
    assert "electron" in table.fields[1].description


def test_texts_say_all_that_is_known(spectrum: tuple[SpectraLayout, FibreSpectrum]) -> None:
    ecsv = Table.read(written(SpectrumFormat.ECSV, spectrum).decode(), format="ascii.ecsv")
    assert ecsv.meta["AIRORVAC"]["value"] == "air"
    assert str(ecsv["wavelength"].unit) == "Angstrom"
    text = written(SpectrumFormat.TXT, spectrum).decode()
    assert '# AIRORVAC = "air"' in text
    assert "# column wavelength: wavelength in air [Angstrom]" in text


@pytest.mark.parametrize("kind", list(SpectrumFormat))
@pytest.mark.parametrize(
    "name", ["]]><x/>&\"'", "a\nb: c", "=cmd()", "'" * 60, "x" * 200, "é漢", "!!python/object:os.system"]
)
def test_hostile_names_stay_text(
    kind: SpectrumFormat, name: str, spectrum: tuple[SpectraLayout, FibreSpectrum]
) -> None:
    layout, found = spectrum
    row = FibreRow(2, name, "P", None, None, float("nan"), None)
    hostile = FibreSpectrum(row, found.x, found.flux, found.sigma, found.sky)
    content = write_spectrum(
        kind, layout, hostile, facts_of(layout, hostile, PRODUCT | {"field": name}, None)
    )

    table = read_back(kind, content)
    assert len(table) == 300
    if kind is SpectrumFormat.ECSV:
        assert table.meta["OBJECT"]["value"].split() == name.split()
    if kind is SpectrumFormat.TXT:
        assert all(line.startswith("# ") for line in content.decode().splitlines()[:-300])


def test_what_is_not_there_is_left_out(spectrum: tuple[SpectraLayout, FibreSpectrum]) -> None:
    layout, found = spectrum
    bare = FibreSpectrum(FibreRow(2, "", "", None, None, None, None), None, found.flux, None, None)
    facts = facts_of(layout, bare, {}, None)

    assert {fact.keyword for fact in facts} == {"FIBRE", "AIRORVAC", "ARM", "TELESCOP", "INSTRUME"}
    for kind in SpectrumFormat:
        assert read_back(kind, write_spectrum(kind, layout, bare, facts)).colnames == [
            "wavelength",
            "flux",
            "mask",
        ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("p1/OBJ0008red.fits", "20260312-OBJ0008red-fibre007.vot"),
        ('p1/a"; b\r\n.fits', "20260312-a_b-fibre007.vot"),
        ("../..", "20260312--fibre007.vot"),
    ],
)
def test_names_of_files(path: str, name: str) -> None:
    assert file_name("20260312", path, 7, SpectrumFormat.VOTABLE) == name


def test_real_product_of_2dfdr() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "ozdes-spliced-row.fits"
    if not path.is_file():
        pytest.skip("the real products are not beside the project here")
    layout, found = read_spectrum(path, 1)
    table = read_back(
        SpectrumFormat.FITS,
        write_spectrum(SpectrumFormat.FITS, layout, found, facts_of(layout, found, {}, None)),
    )
    assert len(table) == 4938
    # CRVAL1 at CRPIX1.
    assert table["wavelength"][2468] == pytest.approx(6294.435546875)
