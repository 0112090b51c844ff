"""Compile the kernels, or fetch them from numba's cache, on a toy frame: what a warm process does at its start.

``python -m quicklook.warming`` does it once and for all after an installation, in two processes side by side.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from quicklook import verbs
from quicklook.badpixels import find_bad_columns
from quicklook.extraction import extract
from quicklook.fibres import N_FIBRES
from quicklook.geometry import Windows
from quicklook.halo import measure_halo
from quicklook.image import make_image
from quicklook.linefit import fit_lines
from quicklook.lineratio import LineRatio
from quicklook.products import Product
from quicklook.profiles import fit_profile, gaussian_profile
from quicklook.raw import RawFrame
from quicklook.rebin import scrunch
from quicklook.redframe import heliocentric_velocity
from quicklook.scattered import no_background
from quicklook.skymodel import fit_sky, slit_coordinate
from quicklook.stack import combine_images
from quicklook.sweep import sweep
from quicklook.types import FloatArray, FloatImage, Image, LinearGrid, ProfileModel, Tramlines

ROWS, COLUMNS, LIT = 300, 256, 24
OVERSCAN = 22
PITCH = 10.0
COSMICS = {"COSRAY_MTHD": "AUTO"}

EXTRACTION = "extraction"
"""Argument of the process that compiles this part alone, and rebinning: as much as all the rest."""

BESIDE = ("-m", "quicklook.warming", EXTRACTION)
"""That process, for Python."""

DEADLINE = 300.0
"""Seconds that are waited for it after the rest is done."""


def warm_kernels() -> None:
    """Run the steps of a night on a chip of a few fibres.

    Shapes differ from those of real frames, types do not, and compiled code depends on types alone.
    """
    if not verbs.REDUCTIONS:
        raise RuntimeError("no verbs are defined")
    data, centre = _toy_frame()
    image = _image(data)
    tramlines = _tramlines(centre, _profile(image, centre))
    spectra = extract(image, tramlines, COSMICS)
    # What an arc tells of its fibres' wings.
    measure_halo(image, tramlines)
    _rebin(spectra.flux, spectra.variance)
    _reduce(spectra.flux, spectra.variance)


def warm_beside() -> None:
    """As `warm_kernels`, with a process beside this one that takes half of the kernels."""
    beside = subprocess.Popen([sys.executable, *BESIDE])
    try:
        _warm_others()
        failure = _failure(beside)
    finally:
        beside.kill()
        beside.wait()
    if failure:
        sys.stdout.write(f"The process beside this one {failure}; this one does its part.\n")
    # The rest, and whatever the other process could not do.
    warm_kernels()


def _failure(beside: subprocess.Popen[bytes]) -> str:
    """Wait for the other process. How it failed; empty if it did not."""
    try:
        status = beside.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        return f"took longer than {DEADLINE:g} s"
    return f"ended with status {status}" if status else ""


def _warm_others() -> None:
    """Run all that `warm_extraction` does not, as far as it needs no spectra of extraction."""
    data, centre = _toy_frame()
    _profile(_image(data), centre)
    _reduce(*_toy_spectra(data))


def warm_extraction() -> None:
    """Run extraction on a chip that nothing else had to make, and rebin."""
    data, centre = _toy_frame()
    dark = np.zeros(data.shape, dtype=bool)
    noise = np.full(data.shape, 16.0, dtype=np.float32)
    image = Image(data, data + noise, fits.Header(), None, 2.0, 4.0, dark, dark, noise)
    extract(image, _tramlines(centre, gaussian_profile(3.5)), COSMICS)
    _rebin(*_toy_spectra(data))


def _rebin(flux: FloatImage, variance: FloatImage) -> None:
    """Bring spectra to a linear grid."""
    scrunch(flux, variance, _toy_wavelengths(), LinearGrid(5000.0, 1.0, COLUMNS))


def _reduce(flux: FloatImage, variance: FloatImage) -> None:
    """What else becomes of spectra."""
    wavelength = _toy_wavelengths()
    model = fit_sky(flux, variance, wavelength, np.arange(LIT))
    model.evaluate(wavelength, slit_coordinate(N_FIBRES))
    LineRatio(flux, variance)(flux)
    expected = np.full((LIT, 1), 128.0)
    fit_lines(flux[:LIT], variance[:LIT], expected, np.array([0]), np.full((LIT, 1), 1.45))
    heliocentric_velocity(fits.Header({"MEANRA": 0.0, "MEANDEC": 0.0, "UTMJD": 60000.0}))
    # Copying a table is what loads astropy's tables.
    fits.BinTableHDU.from_columns([fits.Column("NAME", "4A", array=np.array([b"MFFF"]))]).copy()


def _toy_frame() -> tuple[FloatImage, FloatArray]:
    """Counts of a few fibres with a line each, and where the fibres are."""
    rows = np.arange(ROWS, dtype=np.float64)
    places = PITCH * (np.arange(LIT) + 2.5)
    across = np.exp(-0.5 * ((rows[:, np.newaxis] - places) / 1.5) ** 2).sum(axis=1)
    along = 400.0 + 2000.0 * np.exp(-0.5 * ((np.arange(COLUMNS) - 128.0) / 1.45) ** 2)
    centre = np.broadcast_to(PITCH * (np.arange(N_FIBRES) + 2.5)[:, np.newaxis], (N_FIBRES, COLUMNS)).copy()
    return np.outer(across, along).astype(np.float32), centre


def _toy_wavelengths() -> FloatArray:
    """A wavelength for every pixel of every fibre."""
    return np.broadcast_to(5000.0 + np.arange(COLUMNS, dtype=np.float64), (N_FIBRES, COLUMNS)).copy()


def _toy_spectra(data: FloatImage) -> tuple[FloatImage, FloatImage]:
    """Flux and variance of all fibres, for steps that care for types alone."""
    flux = np.resize(data, (N_FIBRES, COLUMNS))
    return flux, flux + np.float32(16.0)


def _image(data: FloatImage) -> Image:
    """The toy as raw counts through bias, long-slit flat and all."""
    blank = Product(np.zeros_like(data), fits.Header({"EXPOSED": 1.0}), variance=np.ones_like(data))
    even = Product(np.ones_like(data), fits.Header(), variance=np.zeros_like(data))
    combine_images([blank.data, blank.data], [blank.variance, blank.variance])
    raw = RawFrame(
        path=Path("toy.fits"),
        data=np.pad(data / 2.0 + 300.0, ((0, 0), (0, OVERSCAN)), constant_values=300.0).astype(np.uint16),
        header=fits.Header(), fibres=None, ndf_class="MFFFF", arm="blue", gain=2.0, read_noise=4.0, exposure=1.0,
        windows=Windows(slice(0, COLUMNS), slice(COLUMNS, COLUMNS + OVERSCAN), 1),
    )  # fmt: skip
    make_image(raw, bias=blank, by_columns=True)
    return make_image(raw, bias=blank, lflat=even)


def _profile(image: Image, centre: FloatArray) -> ProfileModel:
    """The profile of the toy's fibres, with the kernels that a flat needs."""
    sweep(image.data, image.variance, 65535.0)
    find_bad_columns(image.data, image.read_noise)
    return fit_profile(
        np.ascontiguousarray(image.data.T), np.ones((1, 1), dtype=np.float32), centre[:LIT], np.arange(COLUMNS),
        np.ones((LIT, COLUMNS)), 3.5, gaussian_profile(3.5), no_background(ROWS, COLUMNS),
    )[0]  # fmt: skip


def _tramlines(centre: FloatArray, profile: ProfileModel) -> Tramlines:
    """The tramline map of the toy."""
    return Tramlines(
        centre=centre,
        width=np.full(centre.shape, 3.5),
        lit=np.arange(N_FIBRES) < LIT,
        rms=np.full(N_FIBRES, 0.01),
        profile=profile,
        mwidth=3.5,
    )


if __name__ == "__main__":
    _started = time.perf_counter()
    if sys.argv[1:] == [EXTRACTION]:
        warm_extraction()
    else:
        warm_beside()
        sys.stdout.write(f"quicklook is warm, {time.perf_counter() - _started:.1f} s\n")
