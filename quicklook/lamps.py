"""Verbs for lamp exposures: tramline map, arc and fibre flat."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quicklook.arcs import solve_arc
from quicklook.errors import InvalidInput
from quicklook.fibres import FibreTable
from quicklook.flatfield import fibre_flat
from quicklook.halo import ARC_PARTS, measure_halo, remember_halo, with_halo_of
from quicklook.headers import card_value
from quicklook.optics import predict_wavelengths
from quicklook.products import Product
from quicklook.quality import write_cards
from quicklook.raw import RawFrame
from quicklook.rebin import common_grid, scrunch
from quicklook.redframe import red_product
from quicklook.types import FloatArray, FloatImage, Image, LinearGrid, Spectra, Tramlines
from quicklook.work import Work, extracted_product, image_product, no_shifts

LAMP_CLASSES = frozenset({"MFFFF", "SFLAT", "MFSKY"})


def make_tlm(work: Work) -> None:
    """Make the tramline map of a flat: NAMEtlm.fits."""
    path = work.one_file()
    raw = work.raw(path)
    _expect(raw, LAMP_CLASSES, "a fibre flat (MFFFF)")
    image = work.image(raw)
    work.keep(path, "im", image_product(image, raw.ndf_class))
    target = work.target("TLMAP_FILENAME") if work.settings.word("TLMAP_FILENAME") else work.name(path, "tlm")
    work.make_tramlines(image, target)
    work.say("Only creating tlm this pass")
    work.write_quality(target, work.figures)


def make_im(work: Work) -> None:
    """Make the image of a frame (overscan, bias, dark, long-slit flat): NAMEim.fits."""
    path = work.one_file()
    raw = work.raw(path)
    image = work.image(raw)
    target = work.write(work.name(path, "im"), image_product(image, raw.ndf_class))
    work.say(f"Image data frame {target.name} created.")
    work.write_quality(target, work.figures)


def make_ex(work: Work) -> None:
    """Extract the spectra of a frame: NAMEex.fits."""
    path = work.one_file()
    raw = work.raw(path)
    tramlines = work.tramlines()
    image = work.image(raw)
    spectra, _ = work.spectra(image, tramlines, raw.ndf_class)
    predicted = predict_wavelengths(raw.header, tramlines.centre)
    target = work.write(work.name(path, "ex"), extracted_product(spectra, image, predicted, raw.ndf_class))
    work.say(f"Extracted spectra {target.name} created.")
    work.write_quality(target, work.figures)


def reduce_arc(work: Work) -> None:
    """Reduce an arc: wavelengths of every pixel in WAVELA of NAMEred.fits."""
    path = work.one_file()
    raw = work.raw(path)
    _expect(raw, frozenset({"MFARC"}), "an arc (MFARC)")
    tramlines = work.tramlines()
    image = work.image(raw)
    work.keep(path, "im", image_product(image, raw.ndf_class))
    spectra, _ = work.spectra(image, tramlines, raw.ndf_class)
    predicted = predict_wavelengths(raw.header, tramlines.centre)
    work.keep(path, "ex", extracted_product(spectra, image, predicted, raw.ndf_class))
    lamp = str(card_value(raw.header, "LAMPNAME") or "").strip()
    solution = solve_arc(spectra, raw.header, predicted, lamp, work.settings)
    work.figures.update(solution.figures)
    for line in solution.history:
        work.say(line)
    halo = measure_halo(image, tramlines, spectra.centre)
    if halo.known:
        work.figures.update(halo_fraction=halo.fraction, halo_error=halo.error)
        work.say(f"Halo of the fibres: {100 * halo.fraction:.2f} +- {100 * halo.error:.2f} % of their light")
    grid = output_grid(work, solution.wavelength)
    flux, variance = scrunch(spectra.flux, spectra.variance, solution.wavelength, grid)
    product = red_product(
        flux, variance, image.header, grid, image.fibres, raw.ndf_class,
        history=[*spectra.history, *solution.history],
        extras={
            "WAVELA": solution.wavelength / 10.0,
            "SHIFTS": no_shifts(len(flux)),
            "ARCFIT": np.vstack([solution.rms, solution.lines_used.astype(np.float64)]),
        },
    )  # fmt: skip
    product.extra_headers["ARCFIT"] = {"ROW1": "rms (Angstrom)", "ROW2": "lines used"}
    product.header["SPECFWHM"] = (solution.figures["spectral_fwhm_pixels"], "spectral resolution (pixel)")
    remember_halo(halo, product)
    figures = work.figures | {"arc_rms_fibres": solution.rms, "arc_lines_fibres": solution.lines_used}
    _finish(work, work.name(path, "red"), product, figures)


def reduce_fflat(work: Work) -> None:
    """Reduce a fibre flat: tramline map (DO_TLMAP), spectra (DO_EXTRA), response (DO_REDFL) in NAMEred.fits."""
    path = work.one_file()
    raw = work.raw(path)
    _expect(raw, LAMP_CLASSES, "a fibre flat (MFFFF)")
    image = work.image(raw)
    work.keep(path, "im", image_product(image, raw.ndf_class))
    tramlines = _flat_tramlines(work, image, path.stem)
    if not (work.settings.on("DO_EXTRA") or work.settings.on("DO_REDFL")):
        work.say("Only creating tlm this pass")
        return
    arc = (
        work.required("WAVEL_FILENAME", "a reduced arc", "made by reduce_arc", ARC_PARTS)
        if work.settings.on("DO_REDFL")
        else None
    )
    if arc is not None:
        tramlines = with_halo_of(tramlines, arc)
    spectra, _ = work.spectra(image, tramlines, raw.ndf_class)
    wavelength = arc_wavelengths(arc) if arc else predict_wavelengths(raw.header, tramlines.centre)
    work.keep(path, "ex", extracted_product(spectra, image, wavelength, raw.ndf_class))
    if arc is not None:
        _write_flat(work, work.name(path, "red"), image, spectra, wavelength, tramlines, arc)


def output_grid(work: Work, wavelength: FloatArray) -> LinearGrid:
    """The common grid of an arc, or what WAVE_START and WAVE_END (nm) ask for."""
    grid = common_grid(wavelength)
    first, last = work.settings.real("WAVE_START") * 10.0, work.settings.real("WAVE_END") * 10.0
    if first <= 0.0 and last <= 0.0:
        return grid
    begin = first if first > 0.0 else grid.start
    end = last if last > 0.0 else grid.wavelengths[-1]
    low, high = wavelength.min(), wavelength.max()
    if not (begin < end and begin < high and end > low):
        raise InvalidInput(
            f"WAVE_START and WAVE_END ask for {begin:.0f} to {end:.0f} Angstrom, but the arc covers "
            f"{low:.0f} to {high:.0f}; both are in nm"
        )
    step = (end - begin) / (wavelength.shape[1] - 1)
    return LinearGrid(begin, step, wavelength.shape[1])


def arc_wavelengths(arc: Product) -> FloatArray:
    """Wavelengths [Angstrom] of a reduced arc."""
    table = arc.image("WAVELA")
    if table is None or table.shape != (400, 2048) or not (np.diff(table, axis=1) > 0).all():
        raise InvalidInput("this is no reduced arc (it lacks a sound WAVELA); run reduce_arc", path=arc.path)
    return np.asarray(table, dtype=np.float64) * 10.0


def flat_response(flat: Product) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Response, its variance, and lamp throughput of a reduced fibre flat."""
    lamp = flat.image("THPUT")
    if flat.data.shape != (400, 2048) or flat.variance is None or lamp is None or lamp.size != 400:
        raise InvalidInput("this is no reduced fibre flat of quicklook; run reduce_fflat", path=flat.path)
    return (
        np.asarray(flat.data, dtype=np.float64),
        np.asarray(flat.variance, dtype=np.float64),
        np.asarray(lamp, dtype=np.float64).ravel(),
    )


def lamp_spectrum(flat: Product, grid: LinearGrid) -> FloatImage | None:
    """The flat lamp as the typical fibre shows it, per pixel of a grid (1, n); None when the flat does not tell.

    Only the shape has a meaning: its median is one. A frame that was divided by the flat has this response,
    but for the lamp's colour.
    """
    table = flat.image("LAMP")
    if table is None or table.ndim != 2 or table.shape[0] != 2 or table.shape[1] < 2:
        return None
    wavelength, density = (np.asarray(row, dtype=np.float64) for row in table)
    known = np.isfinite(wavelength) & np.isfinite(density)
    if known.sum() < 2 or not (np.diff(wavelength[known]) > 0).all():
        return None
    result = np.interp(grid.wavelengths, wavelength[known], density[known], np.nan, np.nan)
    middle = float(np.median(result[np.isfinite(result)])) if np.isfinite(result).any() else 0.0
    return (result / middle).astype(np.float32)[np.newaxis, :] if middle > 0 else None


def live_fibres(table: FibreTable | None) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Fibres that carry objects or sky; an InvalidInput when there is no fibre table."""
    if table is None:
        raise InvalidInput("the frame has no FIBRES table; copy it from the archive again")
    return np.asarray(table.live_in_science)


def _flat_tramlines(work: Work, image: Image, stem: str) -> Tramlines:
    name = work.settings.word("TLMAP_FILENAME")
    given = work.settings.given
    if not work.settings.on("DO_TLMAP"):
        return work.tramlines()
    if name and "DO_TLMAP" not in given:
        existing = [f / name for f in (work.command.folder, work.command.output) if (f / name).is_file()]
        if existing:
            return work.tramlines()
    target = work.target("TLMAP_FILENAME") if name else work.command.output / f"{stem}tlm.fits"
    target.parent.mkdir(parents=True, exist_ok=True)
    tramlines = work.make_tramlines(image, target)
    work.write_quality(target, work.figures)
    return tramlines


def _write_flat(
    work: Work,
    target: Path,
    image: Image,
    spectra: Spectra,
    wavelength: FloatArray,
    tramlines: Tramlines,
    arc: Product,
) -> None:
    smooth = {"AUTO": None, "1": True, "0": False}[work.settings.word("BSSMOOTH")]
    flat = fibre_flat(spectra, wavelength, live_fibres(image.fibres) & tramlines.lit, smooth=smooth)
    work.figures.update(flat.figures)
    header = image.header.copy()
    header["BUNIT"] = ("", "relative response")
    header["WAVFILE"] = (arc.path.name if arc.path else "", "arc that gave the wavelengths")
    product = Product(
        data=flat.response,
        variance=flat.variance,
        header=header,
        fibres=image.fibres,
        ndf_class="MFFFF",
        extras={
            "THPUT": flat.throughput,
            "WAVELA": wavelength / 10.0,
            "LAMP": np.vstack([flat.lamp.wavelength, flat.lamp.density]),
        },
        extra_headers={
            "LAMP": {"ROW1": "wavelength (Angstrom)", "ROW2": "lamp of the typical fibre (electron/Angstrom)"}
        },
        history=[*spectra.history, *flat.history],
    )
    _finish(work, target, product, work.figures | {"throughput": flat.throughput})


def _finish(work: Work, target: Path, product: Product, figures: dict[str, object]) -> None:
    write_cards(product.header, figures)
    work.write(target, product)
    work.write_quality(target, figures)
    work.say(f"Reduced frame {target.name} created.")


def _expect(raw: RawFrame, classes: frozenset[str], what: str) -> None:
    if raw.ndf_class not in classes:
        raise InvalidInput(f"this is a {raw.ndf_class} where {what} is needed", path=raw.path)
