"""Verbs for exposures of the sky: science frames, offset sky and twilight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.errors import InvalidInput
from quicklook.halo import ARC_PARTS, with_halo_of
from quicklook.headers import card_value
from quicklook.lamps import arc_wavelengths, flat_response, lamp_spectrum, live_fibres, output_grid
from quicklook.optics import optical_model
from quicklook.products import Product
from quicklook.quality import signal_to_noise, sky_residuals, write_cards
from quicklook.rebin import scrunch
from quicklook.redframe import heliocentric_velocity, red_product, wavelength_shifts
from quicklook.skycal import LIGHT_SPEED, SkyShift, apply_shift, measure_shift
from quicklook.skyfibres import judge_fibres
from quicklook.skymodel import MIN_SKY_FIBRES, SkyModel, fit_sky, slit_coordinate
from quicklook.skypca import subtract_components
from quicklook.throughput import Throughput, from_sky_flux, from_sky_lines, normalised
from quicklook.types import BoolArray, FloatArray, FloatImage, Image, LinearGrid, Spectra
from quicklook.work import Work, extracted_product, image_product


@dataclass(eq=False)
class _Frame:
    """Spectra on their own pixels on the way to being reduced."""

    flux: FloatArray
    variance: FloatArray
    wavelength: FloatArray
    live: BoolArray
    sky: BoolArray
    lamp: FloatArray
    place: FloatArray
    history: list[str]


def reduce_object(work: Work) -> None:
    """Reduce a science frame: calibrated, sky-subtracted spectra in NAMEred.fits."""
    _reduce(work, twilight=False)


def reduce_sky(work: Work) -> None:
    """Reduce an offset-sky or twilight frame: the fibres' throughput in THPUT of NAMEred.fits."""
    _reduce(work, twilight=True)


def _reduce(work: Work, *, twilight: bool) -> None:
    path = work.one_file()
    raw = work.raw(path)
    allowed = {"MFSKY", "SFLAT", "MFOBJECT"} if twilight else {"MFOBJECT", "MFSKY", "MFFLX"}
    if raw.ndf_class not in allowed:
        raise InvalidInput(f"this is a {raw.ndf_class}, which {work.command.verb} does not reduce", path=path)
    tramlines = work.tramlines()
    arc = work.required(
        "WAVEL_FILENAME", "a reduced arc", "made by reduce_arc from the arc of this field", ARC_PARTS
    )
    flat = work.calibration("USEFFLAT", "FFLAT_FILENAME", "fibre flat", ("VARIANCE", "THPUT", "LAMP"))
    image = work.image(raw, by_columns=not work.settings.on("KEEP_INTERMEDIATE"))
    tramlines = with_halo_of(tramlines, arc)
    spectra, masked = work.spectra(image, tramlines, raw.ndf_class)
    work.keep(path, "im", image_product(masked, raw.ndf_class))
    wavelength = arc_wavelengths(arc)
    work.keep(path, "ex", extracted_product(spectra, image, wavelength, raw.ndf_class))
    fwhm = card_value(arc.header, "SPECFWHM")
    frame, shift = _calibrated(work, spectra, image, wavelength, flat, tramlines.lit, fwhm)
    _believe_light(work, frame)
    grid = output_grid(work, wavelength)
    throughput, sky = _throughput(work, frame, twilight=twilight)
    subtract = work.settings.on("SKYSUB") and not twilight
    product = _red(work, frame, image, grid, throughput, sky, raw.ndf_class, shift, subtract=subtract)
    lamp = lamp_spectrum(flat, grid) if flat is not None else None
    if lamp is not None:
        product.extras["LAMP"] = lamp
    write_cards(product.header, work.figures)
    target = work.write(work.name(path, "red"), product)
    work.write_quality(target, work.figures)
    work.say(f"Reduced frame {target.name} created.")


def _calibrated(
    work: Work,
    spectra: Spectra,
    image: Image,
    wavelength: FloatArray,
    flat: Product | None,
    lit: BoolArray,
    fwhm: object,
) -> tuple[_Frame, SkyShift]:
    """Divide by the fibre flat and follow the drift of the wavelengths since the arc."""
    live = live_fibres(image.fibres) & lit
    assert image.fibres is not None
    flux = np.asarray(spectra.flux, dtype=np.float64)
    variance = np.asarray(spectra.variance, dtype=np.float64)
    live &= np.isfinite(flux).mean(axis=1) > 0.1
    flux[~live], variance[~live] = np.nan, np.nan
    history = list(spectra.history)
    width = float(fwhm) if isinstance(fwhm, int | float) else optical_model(image.header).fwhm
    shift = SkyShift()
    if work.settings.on("SKYSCRUNCH"):
        shift = measure_shift(flux, variance, wavelength, live, width)
        if shift.significant:
            wavelength = apply_shift(wavelength, shift)
            history.append(
                f"Wavelengths shifted by {-shift.pixels:+.3f} pixels to fit {shift.lines} sky lines"
            )
        elif shift.lines:
            history.append(
                f"Wavelengths confirmed by {shift.lines} sky lines, shift {shift.pixels:+.3f} pixels"
            )
    velocity = heliocentric_velocity(image.header)
    work.figures["heliocentric_velocity"] = velocity
    if velocity is not None:
        image.header["HELIOVEL"] = (round(velocity, 4), "heliocentric velocity (km/s)")
        image.header["HELIOCOR"] = (work.settings.on("VELCOR"), "whether it is applied to the wavelengths")
        if work.settings.on("VELCOR"):
            wavelength = wavelength * (1.0 + velocity / LIGHT_SPEED)
            history.append(f"Wavelengths corrected to the Sun by {velocity:+.3f} km/s")
    lamp = np.where(live, 1.0, np.nan)
    if flat is not None:
        response, noise, lamp = flat_response(flat)
        response, noise = _truncated(work, response, noise)
        with np.errstate(all="ignore"):
            response = np.where(response > 0.02, response, np.nan)
            variance = variance / response**2 + (flux / response**2) ** 2 * noise
            flux = flux / response
        name = flat.path.name if flat.path else ""
        history.append(f"Divided by fibre flat: {name}")
    else:
        history.append("Not divided by a fibre flat")
    return _Frame(
        flux, variance, wavelength, live, live & image.fibres.sky, lamp, _plate(image), history
    ), shift


def _believe_light(work: Work, frame: _Frame) -> None:
    """Leave out fibres whose light contradicts the fibre table: dark ones, and sky fibres with an object."""
    verdict = judge_fibres(frame.flux, frame.variance, frame.lamp, frame.live, frame.sky)
    for wrong, what, key in (
        (verdict.dark, "without light, left out", "fibres_dark"),
        (verdict.bright, "brighter than the sky, not used as sky", "sky_fibres_dismissed"),
    ):
        work.figures[key] = int(wrong.sum())
        if wrong.any():
            line = f"Fibres {what}: {', '.join(str(i + 1) for i in np.flatnonzero(wrong)[:12])}"
            frame.history.append(line)
            work.say(f"Warning: {line}")
    frame.live &= ~verdict.dark
    frame.sky &= ~(verdict.dark | verdict.bright)
    frame.flux[verdict.dark] = np.nan
    frame.variance[verdict.dark] = np.nan


def _plate(image: Image) -> FloatArray:
    """Positions of the fibres on the plate, NaN where the table has none; shape (400, 2)."""
    assert image.fibres is not None
    result = np.full((400, 2), np.nan)
    names = image.fibres.hdu.columns.names
    for i, name in enumerate(("X", "Y")):
        if name in names:
            try:
                result[:, i] = image.fibres.hdu.data[name]
            except (TypeError, ValueError):
                continue
    return result


def _truncated(work: Work, response: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
    if not work.settings.on("TRUNCFLAT"):
        return response, noise
    columns = np.arange(1, response.shape[1] + 1)
    outside = (columns < work.settings.whole("USEFLATSTART")) | (columns > work.settings.whole("USEFLATEND"))
    return np.where(outside, 1.0, response), np.where(outside, 0.0, noise)


def _throughput(work: Work, frame: _Frame, *, twilight: bool) -> tuple[Throughput, SkyModel | None]:
    """Relative throughput of the fibres by the method that was asked for, and the sky for unit throughput."""
    method = work.settings.word("TPMETH")
    lamp = normalised(frame.lamp, frame.live)
    lamp = np.where(frame.live & ~np.isfinite(lamp), 1.0, lamp)
    fallback = Throughput(lamp, np.full(400, np.nan), "LAMP", 0)
    sky_fibres = np.nonzero(frame.sky)[0]
    flux = _limited(work, frame)
    if twilight:
        # Everything shines in twilight: all live fibres make the mean.
        everything = np.nonzero(frame.live)[0]
        return from_sky_flux(
            flux, frame.variance, frame.wavelength, everything, frame.live, lamp, frame.place, only_sky=True
        )
    if not work.settings.on("THRUPUT"):
        fallback = Throughput(np.where(frame.live, 1.0, np.nan), np.full(400, np.nan), "NONE", 0)
        method = "LAMP"
    if method in ("OFFSKY", "EXTERN") or (
        work.settings.word("THPUT_FILENAME") and "TPMETH" not in work.settings.given
    ):
        product = work.required(
            "THPUT_FILENAME", "a reduced sky frame for TPMETH OFFSKY", "made by reduce_sky", ("THPUT",)
        )
        table = product.image("THPUT")
        if table is None or table.size != 400:
            raise InvalidInput("the file has no THPUT of 400 fibres; run reduce_sky", path=product.path)
        value = normalised(np.asarray(table, dtype=np.float64).ravel(), frame.live)
        value = np.where(frame.live & ~np.isfinite(value), lamp, value)
        fallback, method = (
            Throughput(value, np.full(400, np.nan), "OFFSKY", int(np.isfinite(value).sum())),
            "LAMP",
        )
    if sky_fibres.size < MIN_SKY_FIBRES:
        if work.settings.on("SKYSUB") and sky_fibres.size:
            fit_sky(frame.flux, frame.variance, frame.wavelength, sky_fibres)
        return fallback, None
    if method.startswith("SKYLINE"):
        return from_sky_lines(
            flux, frame.variance, frame.wavelength, sky_fibres, frame.live, lamp, frame.place
        )
    if method.startswith("SKYFLUX"):
        return from_sky_flux(
            flux, frame.variance, frame.wavelength, sky_fibres, frame.live, lamp, frame.place
        )
    return fallback, fit_sky(frame.flux, frame.variance, frame.wavelength, sky_fibres, fallback.value)


def _limited(work: Work, frame: _Frame) -> FloatArray:
    """The flux between SKYLAM_START and SKYLAM_END."""
    first, last = work.settings.real("SKYLAM_START"), work.settings.real("SKYLAM_END") or np.inf
    if first <= 0 and not np.isfinite(last):
        return frame.flux
    inside = (frame.wavelength >= first) & (frame.wavelength <= last)
    if inside.mean() < 0.02:
        return frame.flux
    return np.where(inside, frame.flux, np.nan)


def _red(
    work: Work, frame: _Frame, image: Image, grid: LinearGrid, throughput: Throughput, sky: SkyModel | None,
    ndf_class: str, shift: SkyShift, *, subtract: bool,
) -> Product:  # fmt: skip
    """Throughput, sky subtraction, rebinning; the product with its extensions and figures."""
    history = frame.history
    with np.errstate(all="ignore"):
        flux = frame.flux / throughput.value[:, np.newaxis]
        variance = frame.variance / throughput.value[:, np.newaxis] ** 2
    history.append(
        f"Throughput calibrated: {throughput.method}, {throughput.measured} fibres measured on the sky"
    )
    with_sky, _ = scrunch(flux, variance, frame.wavelength, grid)
    spline = work.settings.word("SKYCOMBINE") == "SPLINE"
    if subtract and sky is not None and spline:
        native_sky, flux, variance = _subtracted(work, frame, sky, throughput, flux, variance)
        fraction, over_noise = sky_residuals(flux, variance, native_sky, frame.sky)
        work.figures.update(
            sky_residual=fraction, sky_residual_noise=over_noise, sky_fibres=int(sky.used.size)
        )
        history.append(
            f"Sky subtracted: spline through {sky.used.size} sky fibres, residual {fraction:.4f} of lines"
        )
    red, red_variance = scrunch(flux, variance, frame.wavelength, grid)
    if subtract and not spline and frame.sky.sum() >= 1:
        red, red_variance = _mean_sky_subtracted(work, with_sky, red_variance, frame.sky, history)
    elif subtract and sky is None:
        history.append("Sky not subtracted: no sky fibres")
        work.say("Warning: the frame has no usable sky fibres; the sky is not subtracted")
    subtracted = with_sky - red
    if subtract and work.settings.on("PCASKY"):
        red, used = subtract_components(
            red,
            red_variance,
            subtracted,
            frame.sky,
            frame.live,
            work.settings.whole("PCANUM"),
            _pca_window(work, grid),
        )
        history.append(f"Principal components of the sky residuals subtracted: {used}")
    if subtract and not spline:
        snr = signal_to_noise(red, red_variance, grid.step, rebinned=True)
    else:
        snr = signal_to_noise(flux, variance, grid.step)
    objects = frame.live & ~frame.sky
    work.figures.update(
        throughput=throughput.value,
        throughput_method=throughput.method,
        throughput_scatter=_spread(throughput.value[frame.live]),
        snr=snr,
        snr_median=float(nanmath.median(snr[objects])) if np.isfinite(snr[objects]).any() else float("nan"),
        wavelength_drift=shift.pixels if shift.lines else float("nan"),
        wavelength_drift_error=shift.error if shift.lines else float("nan"),
        sky_lines=shift.lines,
        live_fibres=int(frame.live.sum()),
    )
    extras: dict[str, NDArray[np.floating]] = {}
    if subtract:
        with np.errstate(all="ignore"):
            rows = np.isfinite(subtracted)
            mean = np.full(grid.n, np.nan)
            some = rows.any(axis=0)
            mean[some] = nanmath.median(np.where(rows, subtracted, np.nan)[:, some], axis=0)
        extras["SKY"] = mean.astype(np.float32)[np.newaxis, :]
    extras["THPUT"] = throughput.value
    if subtract and work.settings.on("INC_RWSS"):
        extras["RWSS"] = with_sky
    extras["WAVELA"] = frame.wavelength / 10.0
    extras["SHIFTS"] = wavelength_shifts(400, np.full(400, -shift.pixels if shift.significant else 0.0))
    product = red_product(
        red, red_variance, image.header, grid, image.fibres, ndf_class, history=history, extras=extras
    )
    _zero_point_cards(product, shift)
    return product


def _subtracted(
    work: Work, frame: _Frame, sky: SkyModel, throughput: Throughput, flux: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Subtract the sky model on the fibres' own pixels; also return it."""
    model = sky.evaluate(frame.wavelength, slit_coordinate(len(flux)))
    # Cosmic rays that extraction missed stand out against 25 fibres that see the same sky.
    bad = np.zeros(flux.shape, dtype=bool)
    bad[sky.used] = sky.rejected & (flux[sky.used] > model[sky.used])
    work.figures["sky_spikes"] = int(bad.sum())
    subtracted = np.where(bad, np.nan, flux - model)
    noise = np.where(bad, np.nan, variance + sky.evaluate_variance(frame.wavelength))
    return model, subtracted, noise


def _mean_sky_subtracted(
    work: Work, with_sky: FloatImage, variance: FloatImage, sky: BoolArray, history: list[str]
) -> tuple[FloatImage, FloatImage]:
    """Sky as the median or mean of the sky fibres on the common grid."""
    method = work.settings.word("SKYCOMBINE")
    with np.errstate(all="ignore"):
        known = np.isfinite(with_sky[sky])
        some = known.any(axis=0)
        mean = np.full(with_sky.shape[1], np.nan, dtype=np.float32)
        function = nanmath.mean if method == "MEAN" else nanmath.median
        mean[some] = function(with_sky[sky][:, some], axis=0)
        factor = 1.0 if method == "MEAN" else np.pi / 2
        error = np.full(with_sky.shape[1], np.nan, dtype=np.float32)
        error[some] = factor * nanmath.mean(variance[sky][:, some], axis=0) / known[:, some].sum(axis=0)
    history.append(f"Sky subtracted: {method.lower()} of {int(sky.sum())} sky fibres")
    return with_sky - mean, variance + error


def _pca_window(work: Work, grid: LinearGrid) -> BoolArray:
    first, last = work.settings.real("PCALMIN"), work.settings.real("PCALMAX") or np.inf
    return np.asarray((grid.wavelengths >= first) & (grid.wavelengths <= last))


def _spread(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(1.48 * np.median(np.abs(known - np.median(known)))) if known.size else float("nan")


def _zero_point_cards(product: Product, shift: SkyShift) -> None:
    """REDZP*: what remains is zero where the shift was applied; the cards tell what was found."""
    if not shift.lines:
        return
    scale = shift.dispersion / shift.wavelength * LIGHT_SPEED
    product.header["REDZP"] = (round(shift.velocity, 3), "sky lines: zero point found (km/s)")
    product.header["REDZPMAD"] = (round(shift.mad * scale, 3), "sky lines: median deviation (km/s)")
    product.header["REDZPRMS"] = (round(shift.rms * scale, 3), "sky lines: rms (km/s)")
    product.header["REDZPNUM"] = (shift.lines, "sky lines: number used")
    product.header["REDZPAPP"] = (shift.significant, "sky lines: whether the shift was applied")
