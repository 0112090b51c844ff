from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from paws.errors import InvalidInputError
from web.spectra import layout_of, read_spectrum


def product(path: Path, shape: tuple[int, ...] = (4, 30), **changes: Any) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(5)
    data = random.normal(100, 10, shape).astype(changes.get("dtype", np.float32))
    header = fits.Header(
        {"CRVAL1": 5000.0, "CRPIX1": 10.0, "CDELT1": 1.5, "CTYPE1": "Wavelength", "BUNIT": "electron"}
    )
    header.update(changes.get("header", {}))
    rows = shape[0] if len(shape) == 2 else 1
    columns = [
        fits.Column("NAME", "80A", array=np.array([f"OBJ{i}" for i in range(rows)])),
        fits.Column("TYPE", "1A", array=np.array(list("PSFN" * rows)[:rows])),
        fits.Column("RA", "1D", array=np.full(rows, np.pi / 2)),
        fits.Column("DEC", "1D", array=np.full(rows, -np.pi / 6)),
    ]
    hdus = [
        fits.PrimaryHDU(data, header),
        fits.ImageHDU(np.full(shape, 4.0, dtype=np.float32), name="VARIANCE"),
        fits.BinTableHDU.from_columns(columns, name=changes.get("table", "FIBRES")),
        fits.ImageHDU(changes.get("sky", np.arange(30, dtype=np.float32)[None, :]), name="SKY"),
        *changes.get("more", []),
    ]
    fits.HDUList(hdus).writeto(path)
    return data


def test_row_is_what_astropy_reads(tmp_path: Path) -> None:
    data = product(tmp_path / "a.fits")
    layout, spectrum = read_spectrum(tmp_path / "a.fits", 3)

    np.testing.assert_array_equal(spectrum.flux, data[2])
    assert spectrum.sigma is not None
    np.testing.assert_array_equal(spectrum.sigma, 2.0)
    assert (spectrum.row.name, spectrum.row.type) == ("OBJ2", "F")
    assert spectrum.row.ra == pytest.approx(90.0)
    assert spectrum.row.dec == pytest.approx(-30.0)
    assert (layout.axis, layout.unit) == ("wavelength", "electron")
    assert layout.start == pytest.approx(5000.0 - 9 * 1.5)
    assert layout.step == 1.5


def test_one_sky_serves_all_rows_and_own_skies_serve_their_row(tmp_path: Path) -> None:
    product(tmp_path / "one.fits")
    own = np.arange(120, dtype=np.float32).reshape(4, 30)
    product(tmp_path / "own.fits", sky=own)

    one = read_spectrum(tmp_path / "one.fits", 4)[1].sky
    many = read_spectrum(tmp_path / "own.fits", 4)[1].sky
    assert one is not None
    assert many is not None
    np.testing.assert_array_equal(one, np.arange(30))
    np.testing.assert_array_equal(many, own[3])


def test_sky_of_another_length_is_left_out(tmp_path: Path) -> None:
    product(tmp_path / "a.fits", sky=np.zeros((1, 7), np.float32))

    assert read_spectrum(tmp_path / "a.fits", 1)[1].sky is None


def test_scaled_integers_are_scaled_back(tmp_path: Path) -> None:
    data = product(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus[0].scale("int16", bscale=0.5, bzero=100.0)
        hdus.writeto(tmp_path / "b.fits")

    np.testing.assert_allclose(read_spectrum(tmp_path / "b.fits", 2)[1].flux, data[1], atol=0.26)


def test_wavelength_of_each_fibre_comes_from_wavela(tmp_path: Path) -> None:
    waves = np.linspace(500, 600, 120).reshape(4, 30)
    product(tmp_path / "a.fits", header={"CTYPE1": "Pixel"}, more=[fits.ImageHDU(waves, name="WAVELA")])
    layout, spectrum = read_spectrum(tmp_path / "a.fits", 2)

    assert (layout.axis, layout.start) == ("wavelength", None)
    assert spectrum.x is not None
    np.testing.assert_allclose(spectrum.x, waves[1] * 10)


def test_without_wavelengths_the_axis_counts_pixels(tmp_path: Path) -> None:
    product(tmp_path / "a.fits", header={"CTYPE1": "Pixel"})
    layout, _ = read_spectrum(tmp_path / "a.fits", 2)

    assert (layout.axis, layout.start, layout.step) == ("pixel", 1.0, 1.0)


def test_single_spectrum_is_one_fibre(tmp_path: Path) -> None:
    data = product(tmp_path / "a.fits", shape=(30,), sky=np.zeros(30, np.float32))
    layout, spectrum = read_spectrum(tmp_path / "a.fits", 1)

    assert len(layout.fibres) == 1
    np.testing.assert_array_equal(spectrum.flux, data)


@pytest.mark.parametrize("fibre", [0, -1, 5])
def test_absent_fibre_is_told(tmp_path: Path, fibre: int) -> None:
    product(tmp_path / "a.fits")
    with pytest.raises(InvalidInputError, match="1 to 4"):
        read_spectrum(tmp_path / "a.fits", fibre)


def test_detector_image_has_no_spectra(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((5, 5), np.float32)).writeto(tmp_path / "bias.fits")
    with pytest.raises(InvalidInputError, match="no spectra"):
        layout_of(tmp_path / "bias.fits")


@pytest.mark.parametrize("content", [b"", b"not fits at all", b"SIMPLE  =                    T"])
def test_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"a\.fits"):
        layout_of(tmp_path / "a.fits")


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="gone"):
        layout_of(tmp_path / "a.fits")


def test_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    product(path)
    assert layout_of(path).step == 1.5
    path.unlink()
    product(path, shape=(6, 30), header={"CDELT1": 2.0})

    assert layout_of(path).step == 2.0
    assert len(layout_of(path).fibres) == 6


def test_fibres_without_a_row_in_the_table_stay_visible(tmp_path: Path) -> None:
    product(tmp_path / "a.fits", shape=(4, 30))
    with fits.open(tmp_path / "a.fits") as hdus:
        table = fits.BinTableHDU(hdus["FIBRES"].data[:2], name="FIBRES")
        fits.HDUList([hdus[0], hdus[1], table]).writeto(tmp_path / "b.fits")

    assert [fibre.fibre for fibre in layout_of(tmp_path / "b.fits").fibres] == [1, 2, 3, 4]
