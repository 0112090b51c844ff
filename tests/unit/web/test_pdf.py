"""Spectra on paper: what can be found and read there, and that nothing in a file can spoil it."""

from __future__ import annotations

import io
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pypdf
import pytest
from astropy.io import fits
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agents.tap_ingest.reading import read_arrays
from agents.tap_ingest.service import Exposure, spectrum_rows
from paws.errors import InvalidInputError
from schemas.vocabulary import Arm, ProductKind
from tests.support.night_files import write_product_file
from web.pdf.curves import envelope, polyline, spread, tick_text
from web.pdf.make import draw, make_pdf
from web.pdf.panels import PER_PAGE, facts_of, sexagesimal
from web.pdf.paper import Ink, Paper, fitted, width_of
from web.pdf.reading import read_sheet
from web.pdf.sky import MARKS, bright, within
from web.pdf_command import pdf
from web.spectra import FibreRow
from web.ticks import ticks

EXPOSURE = Exposure(61111.61, 900.0)
HOSTILE = "(\\) Tj ET <script>alert(1)</script> é漢\u202e"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pdf") / "OBJ0008red.fits"
    write_product_file(path, ProductKind.OBJECT, Arm.BLUE, 8, 40, 1500)
    return path


def product_of(path: Path, names: list[str], flux: np.ndarray, **cards: object) -> Path:
    """A product whose names and values a test chooses."""
    header = fits.Header({"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CTYPE1": "Wavelength", **cards})
    columns = [
        fits.Column("NAME", "80A", array=np.array([name.encode("latin-1", "replace") for name in names])),
        fits.Column("RA", "1D", array=np.linspace(0.1, 0.2, len(names))),
        fits.Column("DEC", "1D", array=np.linspace(-0.5, -0.4, len(names))),
        fits.Column("TYPE", "1A", array=np.array(["P"] * len(names))),
        fits.Column("MAGNITUDE", "1D", array=np.linspace(17, 20, len(names))),
    ]
    fits.HDUList(
        [
            fits.PrimaryHDU(flux.astype(np.float32), header),
            fits.ImageHDU(np.ones_like(flux, np.float32), name="VARIANCE"),
            fits.BinTableHDU.from_columns(columns, name="FIBRES"),
        ]
    ).writeto(path)
    return path


def read_pdf(path: Path) -> tuple[pypdf.PdfReader, str]:
    content, _printed = draw(read_sheet(path))
    reader = pypdf.PdfReader(io.BytesIO(content), strict=True)
    return reader, "\n".join(page.extract_text() for page in reader.pages)


@pytest.fixture(scope="module")
def printed(product: Path) -> tuple[pypdf.PdfReader, str]:
    return read_pdf(product)


def test_every_spectrum_is_there_by_name(product: Path, printed: tuple[pypdf.PdfReader, str]) -> None:
    sheet = read_sheet(product)
    reader, text = printed

    assert sheet.filled.sum() == 39
    for fibre in sheet.fibres:
        assert fibre.name in text
    # A summary, six spectra a page, and what has no spectrum.
    assert len(reader.pages) == 1 + math.ceil(39 / PER_PAGE) + 1
    assert "Fibres without a spectrum" in reader.pages[-1].extract_text()
    marks = [item.title for item in reader.outline]
    assert marks[0] == "Summary"
    assert len(marks) == 1 + 39 + 1
    assert reader.get_destination_page_number(reader.outline[7]) == 2, "the seventh is on the third page"


def test_what_is_said_beside_a_spectrum(product: Path, printed: tuple[pypdf.PdfReader, str]) -> None:
    sheet = read_sheet(product)
    fibre, ratio = sheet.fibres[0], sheet.signal_to_noise[0]
    reader, _text = printed
    page = reader.pages[1].extract_text()

    for part in (
        sexagesimal(fibre.ra, fibre.dec),
        f"mag {fibre.magnitude:.2f}",
        f"S/N {ratio:.1f}",
        "target",
        "pivot 1",
    ):
        assert part in page
    assert "[O I] 5577" in "".join(
        form.get_object().get_data().decode("latin-1")
        for form in reader.pages[1]["/Resources"]["/XObject"].values()
    )


def test_summary_has_the_numbers(product: Path, printed: tuple[pypdf.PdfReader, str]) -> None:
    sheet = read_sheet(product)
    reader, _text = printed
    summary = reader.pages[0].extract_text()
    ratios = [
        value
        for fibre, value in zip(sheet.fibres, sheet.signal_to_noise, strict=True)
        if fibre.type == "P" and np.isfinite(value)
    ]

    assert f"{np.median(ratios):.2f}" in summary
    assert "S/N against magnitude" in summary
    assert "40 fibres" in summary
    assert reader.metadata is not None
    assert "OBJ0008red.fits" in (reader.metadata.title or "")


def test_drawing_is_vector(printed: tuple[pypdf.PdfReader, str]) -> None:
    reader, _text = printed

    assert not any(page.images for page in reader.pages)
    page = reader.pages[1].get_contents()
    assert page is not None
    assert page.get_data().count(b" l\n") > 4000


def test_same_product_gives_the_same_bytes(product: Path) -> None:
    assert draw(read_sheet(product))[0] == draw(read_sheet(product))[0]


@pytest.mark.parametrize("name", ["2dflens-spliced-row.fits", "ozdes-spliced-row.fits"])
def test_real_products_of_2dfdr(name: str) -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / name
    if not path.is_file():
        pytest.skip("the real products are not beside the project here")
    reader, text = read_pdf(path)

    assert len(reader.pages) == 2
    assert {"2dflens": "D0221394-2854323", "ozdes": "SVA1_COADD-2939496406"}[name.split("-")[0]] in text


def test_nothing_in_a_file_spoils_the_page(tmp_path: Path) -> None:
    flux = np.random.default_rng(1).normal(5, 1, (7, 800))
    flux[1] = np.nan
    flux[2, ::2] = np.nan
    flux[3] = 1e38
    flux[4, 5] = np.inf
    flux[5] = 0.0
    flux[6, :] = 3.0
    names = [HOSTILE, "%", "a" * 80, "(((", "\\", "", "endstream endobj"]
    path = product_of(tmp_path / "x.fits", names, flux, OBJECT="(unbalanced \\ <<", UTDATE=")(", RUN=float(5))
    reader, text = read_pdf(path)

    assert "(unbalanced \\ <<" in text
    assert "<script>" in text
    assert "(((" in text
    assert len(reader.pages) == 3, "two of seven have no spectrum"
    for page in reader.pages:
        contents = page.get_contents()
        assert contents is not None
        drawn = contents.get_data()
        assert b"nan" not in drawn.lower().replace(b"alert", b"")
        numbers = [abs(int(value)) for value in re.findall(rb"(-?\d+) [lm]\n", drawn)]
        assert all(value < 20_000 for value in numbers)


def test_axes_of_every_kind(tmp_path: Path) -> None:
    flux = np.tile(np.arange(500.0), (2, 1))
    falling = product_of(tmp_path / "falling.fits", ["a", "b"], flux, CDELT1=-1.0)
    pixels = product_of(tmp_path / "pixels.fits", ["a", "b"], flux, CTYPE1="PIXEL")
    nm = tmp_path / "nm.fits"
    with fits.open(pixels) as hdus:
        waves = np.linspace(500, 550, 500) + np.array([[0.0], [0.05]])
        fits.HDUList([*hdus, fits.ImageHDU(waves, name="WAVELA")]).writeto(nm)

    low = read_sheet(falling)
    assert (low.low, low.high) == (4500.5, 5000.5)
    assert low.flux[0, 0] == 499
    assert read_sheet(pixels).axis == "pixel"
    even = read_sheet(nm)
    assert even.axis == "wavelength"
    assert (even.low, even.high) == (pytest.approx(5000), pytest.approx(5500.5))
    assert np.nanmax(np.abs(np.diff(even.flux[0]) - 1)) <= 1, "to the nearest sample, none left out"
    for path in (falling, pixels, nm):
        assert len(read_pdf(path)[0].pages) == 2


def test_products_that_cannot_be_printed_say_so(tmp_path: Path) -> None:
    image = tmp_path / "bias.fits"
    fits.PrimaryHDU(np.zeros((5, 5), np.float32)).writeto(image)
    torn = tmp_path / "torn.fits"
    whole = product_of(tmp_path / "whole.fits", ["a"], np.ones((1, 900)))
    torn.write_bytes(whole.read_bytes()[:2880])
    for path, words in ((image, "no spectra"), (torn, "torn.fits"), (tmp_path / "none.fits", "gone")):
        with pytest.raises(InvalidInputError, match=words):
            make_pdf(path, tmp_path / "out.pdf")
    with pytest.raises(InvalidInputError, match="cannot be written"):
        make_pdf(whole, tmp_path / "no" / "folder.pdf")
    assert not list(tmp_path.glob("*.pdf"))


def test_command_prints(product: Path, tmp_path: Path) -> None:
    out = tmp_path / "spectra.pdf"
    found = CliRunner().invoke(pdf, [str(product), "--out", str(out)])

    assert found.exit_code == 0, found.output
    assert "39 spectra on 9 pages" in found.output
    assert [path.name for path in tmp_path.iterdir()] == ["spectra.pdf"], "nothing half-written is left"
    assert CliRunner().invoke(pdf, [str(product), "--out", "/nowhere/x.pdf"]).exit_code == 2


@given(
    values=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(50, 400)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    places=st.integers(3, 20),
)
@settings(max_examples=50, deadline=None)
def test_no_spike_is_lost(values: np.ndarray, places: int) -> None:
    found = envelope(values, 500.0, places)

    assert (np.diff(found.x) >= 0).all()
    assert found.y.shape == (len(values), len(found.x))
    assert np.array_equal(found.y.max(axis=1), values.max(axis=1))
    assert np.array_equal(found.y.min(axis=1), values.min(axis=1))


def test_curve_is_broken_where_there_are_no_values() -> None:
    y = np.array([1, 2, np.nan, 3, np.nan, 4, 5, 6], np.float32)
    drawn = polyline(np.arange(8) * 10, y, 0.0, 10.0, 100.0).decode()

    assert drawn.count(" m\n") == 3
    assert drawn.startswith("0 100 m\n10 200 l\n28 300 m\n32 300 l\n50 400 m\n")
    assert polyline(np.arange(2), np.full(2, np.nan, np.float32), 0, 1, 10) == b""


def test_range_shows_emission_lines_and_hides_leftovers() -> None:
    random = np.random.default_rng(3)
    flux = (100 + random.normal(0, 3, (1, 2000))).astype(np.float32)
    flux[0, 500:508] += 120  # a line of the target
    flux[0, 1000:1004] += 5000  # what is left of a line of the sky
    left_out = np.zeros(2000, bool)
    left_out[995:1010] = True
    ((low, high),) = spread(flux, left_out)

    assert low <= 0
    assert 180 < high < 400
    nothing = spread(np.full((1, 50), np.nan, np.float32), np.zeros(50, bool))
    assert nothing.tolist() == [pytest.approx([-1.14, 1.14])]


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (-1.2, 3.1, 4, [0, 2]),
        (3753, 8980, 14, [4000, 4500, 5000, 5500, 6000, 6500, 7000, 7500, 8000, 8500]),
        (5, 5, 4, []),
        (float("nan"), 5, 4, []),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, found: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(found)


def test_numbers_at_ticks() -> None:
    assert [tick_text(value) for value in (0.0, -0.0, 200.0, 0.05, 250000.0)] == [
        "0",
        "0",
        "200",
        "0.05",
        "2.5e5",
    ]


@pytest.mark.parametrize(
    ("ra", "dec", "text"),
    [
        (35.41427, -28.90896, "02:21:39.42 -28:54:32.3"),
        (359.999999, 0.0, "00:00:00.00 +00:00:00.0"),
        (0.0, -0.00001, "00:00:00.00 -00:00:00.0"),
        (-1.0, 89.99999999, "23:56:00.00 +90:00:00.0"),
        (10.0, None, ""),
        (10.0, 91.0, ""),
    ],
)
def test_positions(ra: float, dec: float | None, text: str) -> None:
    assert sexagesimal(ra, dec) == text


def test_facts_leave_out_what_is_not_known() -> None:
    assert facts_of(FibreRow(3, "", "S", None, None, None, None), float("nan")) == "sky"
    assert facts_of(FibreRow(3, "", "X", 4, None, None, 99.0), 2.04) == "X   S/N 2.0   pivot 4"


def test_long_names_are_made_to_fit() -> None:
    for text in ("short", "W" * 80, "x" * 400):
        found, size = fitted(text, 8.5, 200.0, bold=True)
        assert width_of(found, size, bold=True) <= 200.01
    assert fitted("short", 8.5, 200.0) == ("short", 8.5)


def test_widths_are_those_of_the_font() -> None:
    assert width_of("0123456789", 10) == pytest.approx(55.6)
    assert width_of("WiW", 10) == pytest.approx(21.1)
    assert width_of("WiW", 10, bold=True) == pytest.approx(21.66)


def test_marks_of_the_sky() -> None:
    assert [mark.name for mark in within(5500, 5600)] == ["[O I] 5577"]
    assert bright(np.array([5577.0, 5600.0, 7600.0])).tolist() == [True, False, False]
    assert all(mark.low < mark.high for mark in MARKS)


@pytest.mark.parametrize("shared", [None, 1.2])
def test_signal_to_noise_is_that_of_the_database(product: Path, tmp_path: Path, shared: float | None) -> None:
    path = tmp_path / "told.fits"
    shutil.copy(product, path)
    alone = read_sheet(path).signal_to_noise
    if shared is not None:
        with fits.open(path, mode="update") as hdus:
            targets = hdus["FIBRES"].data["TYPE"] == "P"
            hdus[0].header["QSNR"] = float(np.nanmedian(alone[targets])) / shared
    sheet, kept = read_sheet(path), {row.fibre: row for row in spectrum_rows(read_arrays(path), [EXPOSURE])}

    np.testing.assert_allclose(sheet.signal_to_noise, alone / (shared or 1.0), rtol=1e-5)
    assert len(kept) > 25
    for fibre, row in kept.items():
        assert sheet.signal_to_noise[fibre - 1] == pytest.approx(row.signal_to_noise, rel=1e-4, abs=1e-5)


def test_without_wavelengths_no_median_per_angstrom_is_taken(tmp_path: Path) -> None:
    path = product_of(tmp_path / "pixels.fits", ["a", "b"], np.full((2, 60), 8.0), CTYPE1="Pixel", QSNR=6.6)
    np.testing.assert_allclose(read_sheet(path).signal_to_noise, 8.0)


def test_paper_without_marks_is_a_pdf_too() -> None:
    paper = Paper("t", "s", "20260312143020")
    ink = Ink()
    ink.text(10, 10, "turned", turned=True, align="centre")
    paper.add_page(ink)
    out = io.BytesIO()
    paper.write(out)
    reader = pypdf.PdfReader(out, strict=True)
    assert reader.metadata is not None
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.year == 2026
