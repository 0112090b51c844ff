"""Compile the kernels, or fetch them from numba's cache, on a toy frame: what a warm process does at its start."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from quicklook import verbs
from quicklook.extraction import extract
from quicklook.fibres import N_FIBRES
from quicklook.linefit import fit_lines
from quicklook.profiles import gaussian_profile
from quicklook.rebin import scrunch
from quicklook.skymodel import fit_sky, slit_coordinate
from quicklook.types import Image, LinearGrid, Tramlines

ROWS, COLUMNS, LIT = 300, 256, 24
PITCH = 10.0


def warm_kernels() -> None:
    """Run extraction, line fit, sky model and rebinning on a chip of a few fibres.

    Shapes differ from those of real frames, types do not, and compiled code depends on types alone.
    """
    if not verbs.REDUCTIONS:
        raise RuntimeError("no verbs are defined")
    image, tramlines = _toy_frame()
    spectra = extract(image, tramlines, {"COSRAY_MTHD": "AUTO"})
    wavelength = np.broadcast_to(5000.0 + np.arange(COLUMNS, dtype=np.float64), (N_FIBRES, COLUMNS)).copy()
    scrunch(spectra.flux, spectra.variance, wavelength, LinearGrid(5000.0, 1.0, COLUMNS))
    model = fit_sky(spectra.flux, spectra.variance, wavelength, np.arange(LIT))
    model.evaluate(wavelength, slit_coordinate(N_FIBRES))
    expected = np.full((LIT, 1), 128.0)
    fit_lines(spectra.flux[:LIT], spectra.variance[:LIT], expected, np.array([0]), np.full((LIT, 1), 1.45))


def _toy_frame() -> tuple[Image, Tramlines]:
    rows = np.arange(ROWS, dtype=np.float64)
    places = PITCH * (np.arange(LIT) + 2.5)
    across = np.exp(-0.5 * ((rows[:, np.newaxis] - places) / 1.5) ** 2).sum(axis=1)
    along = 400.0 + 2000.0 * np.exp(-0.5 * ((np.arange(COLUMNS) - 128.0) / 1.45) ** 2)
    data = np.outer(across, along).astype(np.float32)
    nothing = np.zeros(data.shape, dtype=np.bool_)
    image = Image(
        data=data, variance=data + np.float32(16.0), header=fits.Header(), fibres=None, gain=2.0, read_noise=4.0,
        saturated=nothing, cosmic=nothing,
    )  # fmt: skip
    centre = np.broadcast_to(PITCH * (np.arange(N_FIBRES) + 2.5)[:, np.newaxis], (N_FIBRES, COLUMNS)).copy()
    tramlines = Tramlines(
        centre=centre,
        width=np.full(centre.shape, 3.5),
        lit=np.arange(N_FIBRES) < LIT,
        rms=np.full(N_FIBRES, 0.01),
        profile=gaussian_profile(3.5),
        mwidth=3.5,
    )
    return image, tramlines
