"""The wavelength solution: from an extracted arc to the wavelength of every spectral pixel.

The optical model gives the shape, correlation brings it to a fraction of a pixel (`quicklook.arcmatch`), and then
every line is measured in every fibre. One smooth surface over chip and slit is fitted to all of them, so that a
fibre with few lines borrows the shape from its neighbours; what a fibre shows beyond that surface is added as far
as its own lines prove it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.io import fits
from scipy.signal import find_peaks

from quicklook import nanmath
from quicklook.arcfit import fit_surface
from quicklook.arclines import CLEAR_ERROR, line_width, measure, select
from quicklook.arcmatch import Alignment, align
from quicklook.arcmodel import Shapes
from quicklook.errors import Failure
from quicklook.linelists import ALL_SPECIES, LineList, arc_lines, blended, lamp_species
from quicklook.optics import optical_model
from quicklook.types import BoolArray, FloatArray, Spectra, WavelengthSolution

ROUNDS = 6
WIDTH_ROUNDS = 2
"""Rounds in which the lines' width is measured anew."""

SETTLED = 0.005
"""A scale that a round changes by less is final [pixel, rms]."""


def solve_arc(
    spectra: Spectra,
    header: fits.Header,
    predicted: FloatArray,
    lamp: str,
    params: Mapping[str, object] | None = None,
) -> WavelengthSolution:
    """Find the wavelength of every spectral pixel from an arc.

    Parameters
    ----------
    spectra : Spectra
        Extracted arc; saturated pixels are NaN.
    header : fits.Header
        With the grating's angles.
    predicted : ndarray (400, 2048)
        Predicted wavelengths, best with the rows of the real tramlines [Angstrom].
    lamp : str
        As in LAMPNAME; other lamps that shine as well are recognised.
    params : mapping, optional
        ARCFITORDER (0 = found from the arc itself), ARCMAXSHIFT [pixel].

    Raises
    ------
    Failure
        When the arc does not look like the lamp, or too few lines remain.
    """
    params = params or {}
    fwhm = optical_model(header).fwhm
    lines, alignment, extra = _recognise(spectra, predicted, lamp, fwhm, params)
    width = line_width(spectra, alignment.wavelength, lines, fwhm)
    wavelength = alignment.wavelength
    base = _moved(predicted, alignment.wavelength)
    fitted, order = None, 0
    asked = int(str(params.get("ARCFITORDER", 0)) or 0)
    # How strong a line's neighbours are rests on the scale, and the scale on them. What is fitted is always the
    # whole difference from the optical model: a bend that correlation or an early round got wrong does not stay.
    for i in range(ROUNDS):
        present, strength, chosen = select(spectra, wavelength, lines, width)
        if i < WIDTH_ROUNDS:
            width = line_width(spectra, wavelength, present, fwhm, strength, chosen)
        measured = measure(spectra, wavelength, present, strength, chosen, width, base)
        order, fitted = fit_surface(measured, asked)
        before, wavelength = wavelength, base + _correction(base, fitted)
        if np.sqrt(np.mean((wavelength - before) ** 2)) < SETTLED * np.median(np.diff(wavelength, axis=1)):
            break
    assert fitted is not None
    return _solution(wavelength, fitted, measured.noise < CLEAR_ERROR, alignment, order, width, lamp, extra)


def _recognise(
    spectra: Spectra, predicted: FloatArray, lamp: str, fwhm: float, params: Mapping[str, object]
) -> tuple[LineList, Alignment, tuple[str, ...]]:
    """Lines of the named lamp and of any other that plainly shines too, and the first wavelength scale."""
    max_shift = float(str(params.get("ARCMAXSHIFT", 100.0)))
    step = float(np.median(np.diff(predicted, axis=1)))
    named = lamp_species(lamp)
    reach = (predicted.min() - 120 * step, predicted.max() + 120 * step)
    try:
        first = align(spectra.flux, spectra.variance, predicted, arc_lines(named).within(*reach), fwhm=fwhm,
                      max_shift=max_shift)  # fmt: skip
        failure = None
    except Failure as error:
        first, failure = None, error
    everything = align(spectra.flux, spectra.variance, predicted, arc_lines().within(*reach), fwhm=fwhm,
                       max_shift=max_shift) if first is None else first  # fmt: skip
    if first is None and everything.correlation < 0.3 and failure is not None:
        raise failure
    present = list(named)
    for species in ALL_SPECIES:
        if species not in named and species != "CuAr" and _shines(everything, species, fwhm, step):
            present.append(species)
    lines = arc_lines(tuple(present)).within(everything.wavelength.min(), everything.wavelength.max())
    # Closer than a tenth of a resolution element: the same line in two tables.
    lines = blended(lines, 0.08 * fwhm * step)
    return lines, everything, tuple(s for s in present if s not in named)


def _shines(alignment: Alignment, species: str, fwhm: float, step: float) -> bool:
    """Whether the stronger lines of a species fall on peaks of the stacked arc more often than chance has it."""
    lines = arc_lines((species,)).within(alignment.grid[60], alignment.grid[-60])
    if len(lines) < 2:
        return False
    strongest = lines.only(np.sort(np.argsort(-lines.intensity, kind="stable")[:30]))
    at = np.interp(strongest.wavelength, alignment.grid, np.arange(alignment.grid.size))
    peaks, _ = find_peaks(alignment.stack, prominence=0.3)
    on_peak = np.zeros(alignment.grid.size)
    for peak in peaks:
        on_peak[max(0, int(np.ceil(peak - 0.4 * fwhm))) : int(peak + 0.4 * fwhm) + 1] = 1.0
    hits = on_peak[np.round(at).astype(int)].mean()
    elsewhere = [on_peak[np.round(at + d).astype(int)].mean() for d in range(-50, 51) if abs(d) > 2 * fwhm]
    chance, spread = float(np.mean(elsewhere)), float(np.std(elsewhere))
    return bool(hits >= 0.5 and hits > chance + max(3.0 * spread, 0.15))


def _moved(predicted: FloatArray, aligned: FloatArray) -> FloatArray:
    """The optical model, moved and stretched in pixels to where correlation has each fibre.

    What the camera adds to the model is nearly the same in all fibres, and so told by those that show the lines for
    it. Bends that correlation makes on its way are not: they differ from end to end of the slit.
    """
    slope = np.gradient(predicted, axis=1, edge_order=2)
    u = np.arange(predicted.shape[1]) / 1023.5 - 1.0
    line = np.polynomial.polynomial.polyfit(u, ((aligned - predicted) / slope).T, 1)
    for _ in range(2):
        pixels = np.polynomial.polynomial.polyval(u, line)
        moved = predicted + pixels * (slope + 0.5 * pixels * np.gradient(slope, axis=1, edge_order=2))
        line = line + np.polynomial.polynomial.polyfit(u, ((aligned - moved) / slope).T, 1)
    return np.asarray(moved)


def _correction(wavelength: FloatArray, shapes: Shapes) -> FloatArray:
    """What was fitted as a correction in Angstrom at every pixel."""
    pixels = shapes.at(np.arange(wavelength.shape[1]) / 1023.5 - 1.0)
    return np.asarray(pixels * np.gradient(wavelength, axis=1, edge_order=2))


def _solution(
    wavelength: FloatArray,
    surface: Shapes,
    clear: BoolArray,
    alignment: Alignment,
    order: int,
    width: FloatArray,
    lamp: str,
    extra: tuple[str, ...],
) -> WavelengthSolution:
    keep = surface.keep & clear
    used = keep.sum(axis=1)
    dispersion = np.median(np.diff(wavelength, axis=1), axis=1)
    with np.errstate(all="ignore"):
        squares = np.where(keep, surface.residual**2, 0.0).sum(axis=1)
        rms = np.where(used >= 3, np.sqrt(squares / np.maximum(used, 1)) * dispersion, np.nan)
    lines = int(surface.keep.any(axis=0).sum())
    typical = float(nanmath.median(rms)) if np.isfinite(rms).any() else float("nan")
    if not (np.diff(wavelength, axis=1) > 0).all():
        raise Failure("the fitted wavelengths do not increase along the chip; the arc was misread: report it")
    splines = " and splines" if surface.intervals else ""
    history = [
        f"Wavelengths from {lines} arc lines ({lamp or 'CuAr'}), order {order}{splines} along the chip",
        f"Arc shifted by {alignment.shift:.2f} pixels from the prediction, rms {typical:.4f} Angstrom",
    ]
    if extra:
        history.append(f"Lines of lamps not in LAMPNAME used as well: {' '.join(extra)}")
    pixel = float(np.median(dispersion))
    return WavelengthSolution(
        wavelength=wavelength,
        rms=rms,
        lines_used=used.astype(np.int64),
        history=tuple(history),
        figures={
            "arc_lines": float(lines),
            "arc_rms": typical,
            "arc_rms_pixels": typical / pixel,
            "arc_order": float(order),
            "arc_shift_pixels": alignment.shift,
            "arc_correlation": alignment.correlation,
            "arc_fibres_lost": float((used < 3).sum()),
            "spectral_fwhm_pixels": float(2.355 * width[0, 0]),
        },
    )
