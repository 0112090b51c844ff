"""Verbs on reduced frames: combine exposures, splice arms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from quicklook.combine import Combined, Exposure, combine
from quicklook.errors import InvalidInput
from quicklook.fibres import FibreTable, read_fibres
from quicklook.headers import card_value
from quicklook.products import Product, read_product
from quicklook.quality import signal_to_noise, write_cards
from quicklook.rebin import scrunch
from quicklook.redframe import grid_of, red_product
from quicklook.splice import Arm
from quicklook.splice import splice as join
from quicklook.types import LinearGrid
from quicklook.work import Work

MAX_FILES = 500

_DICHROIC = {
    "lamp": "Dichroic as the flat lamp shows it given back",
    "objects": "Dichroic as the objects show it given back",
    "none": "No dichroic seen in the overlap",
}


def combine_spectra(work: Work) -> None:
    """Combine reduced exposures of the same objects into the file COMBINEDFILE."""
    target = work.target("COMBINEDFILE")
    products = _read_all(work, 1)
    grids = [grid_of(p.header, p.data.shape[1]) for p in products]
    arms = {str(card_value(p.header, "SPECTID") or "") for p in products}
    if len(arms) > 1:
        raise InvalidInput("the files are of different arms; combine each arm, then splice")
    exposures = [_exposure(p, g, grids[0]) for p, g in zip(products, grids, strict=True)]
    combined = combine(
        exposures,
        flux_weights=work.settings.word("FLUXWT"),
        clip=work.settings.real("CSIGREJ"),
        by_name=work.settings.on("COMBNAME"),
    )
    table = _merged_table(products, combined)
    header = products[0].header.copy()
    _sum_exposures(header, products)
    names = [p.path.name if p.path else "" for p in products]
    history = ["Combined frames: " + " ".join(names)] if len(" ".join(names)) < 60 else []
    history += [] if history else [f"Combined frame: {name}" for name in names]
    weights = " ".join(f"{w:.4f}" for w in combined.weights)
    history.append(f"Flux weights ({work.settings.word('FLUXWT')}): {weights}")
    history.append(f"Combined by {'object name' if work.settings.on('COMBNAME') else 'fibre'}")
    product = red_product(
        combined.flux, combined.variance, header, grids[0], table, "MFOBJECT", history=history,
        extras=_shared_extras(products, combined),
    )  # fmt: skip
    step = grids[0].step
    snr = signal_to_noise(combined.flux, combined.variance, step, rebinned=True)
    work.figures.update(
        frames=len(products), flux_weights=combined.weights, cosmic_rejected=combined.rejected, snr=snr,
        snr_median=_median_of_objects(snr, table),
    )  # fmt: skip
    work.say(f"Combined {len(products)} frames, flux weights {weights}")
    _finish(work, target, product)


def splice(work: Work) -> None:
    """Join the blue and the red frame of the same fibres into the file OUTPUT_FILE."""
    target = work.target("OUTPUT_FILE")
    products = _read_all(work, 2)
    if len(products) != 2:
        raise InvalidInput(f"splice joins two files, blue then red; {len(products)} given")
    blue, red = sorted(products, key=lambda p: float(np.mean(grid_of(p.header, p.data.shape[1]).wavelengths)))
    blue, red = _same_rows(blue, red)
    objects = _object_rows(blue)
    result = join(_arm(blue), _arm(red), objects, _sky_rows(blue))
    scale = result.scale
    history = [
        f"Blue frame: {blue.path.name if blue.path else ''}",
        f"Red frame: {red.path.name if red.path else ''}",
        f"Spliced between {result.overlap[0]:.1f} and {result.overlap[1]:.1f} Angstrom",
        _DICHROIC[result.dichroic],
        f"Red arm scaled by {scale.plate:.4f}" if scale.error > 0 else "Arms joined without scaling",
    ]
    if scale.measured:
        history.append(
            f"Scale of {scale.measured} fibres measured, scatter {100 * scale.scatter:.2f} per cent"
        )
    if scale.offset_error > 0:
        history.append(f"Sky left in blue over red: {scale.offset:+.2f} +- {scale.offset_error:.2f} a pixel")
    header = blue.header.copy()
    product = red_product(
        result.flux, result.variance, header, result.grid, blue.fibres, blue.ndf_class or "MFOBJECT",
        history=history, extras={} if result.sky is None else {"SKY": result.sky},
    )  # fmt: skip
    for number, part in enumerate((blue, red), start=1):
        product.header[f"GRATID{number}"] = (
            str(card_value(part.header, "GRATID") or ""),
            "grating of the arm",
        )
    product.header["SPLSCALE"] = (round(scale.plate, 5), "factor applied to the red arm")
    product.header["SPECTID"] = ("BR", "both arms")
    snr = signal_to_noise(result.flux, result.variance, result.grid.step, rebinned=True)
    work.figures.update(
        splice_scale=scale.plate, splice_scale_error=scale.error, splice_scale_scatter=scale.scatter,
        splice_offset=scale.offset, splice_offset_error=scale.offset_error, splice_steps=result.steps, splice_dichroic=result.dichroic, overlap=result.overlap, snr=snr,
        snr_median=_median_of_objects(snr, blue.fibres),
    )  # fmt: skip
    _finish(work, target, product)


def _read_all(work: Work, least: int) -> list[Product]:
    words = work.command.words
    if len(words) < least:
        raise InvalidInput(
            f"{work.command.verb} needs at least {least} reduced files, {len(words)} given; "
            'list them in quotes: "A.fits B.fits"'
        )
    if len(words) > MAX_FILES:
        raise InvalidInput(f"{len(words)} files are more than the {MAX_FILES} that are combined at once")
    products = []
    for word in words:
        product = read_product(work.command.found(word))
        if (
            product.data.ndim != 2
            or product.variance is None
            or (product.fibres is None and not _rows(product))
        ):
            raise InvalidInput(
                "this is no reduced frame of spectra with variance and FIBRES", path=product.path
            )
        work.say(f"Input frame {word}")
        products.append(product)
    return products


def _rows(product: Product) -> bool:
    """Whether the product brings a table of its own length, as combined frames of several fields do."""
    table = product.extras.get("FIBRES")
    return isinstance(table, fits.BinTableHDU)


def _variance(product: Product) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert product.variance is not None
    return product.variance.astype(np.float32, copy=False)


def _exposure(product: Product, grid: LinearGrid, common: LinearGrid) -> Exposure:
    """The spectra of a product, brought to the common grid if they have another."""
    flux, variance = product.data.astype(np.float32, copy=False), _variance(product)
    if (
        abs(grid.start - common.start) > 0.02 * common.step
        or abs(grid.step / common.step - 1.0) * grid.n > 0.02
        or grid.n != common.n
    ):
        if grid.wavelengths[-1] < common.start or grid.start > common.wavelengths[-1]:
            raise InvalidInput(
                "the files cover different wavelengths and cannot be combined", path=product.path
            )
        wavelength = np.broadcast_to(grid.wavelengths, flux.shape)
        flux, variance = scrunch(flux, variance, np.ascontiguousarray(wavelength), common)
    assert product.fibres is not None
    return Exposure(flux, variance, list(product.fibres.name), list(product.fibres.type))


def _merged_table(products: list[Product], combined: Combined) -> FibreTable:
    """The fibre table of a combined frame: the first frame's, with rows of further objects at its end."""
    first = products[0].fibres
    assert first is not None
    n = len(first.type)
    if all(e == 0 and f == i for i, (e, f) in enumerate(combined.source)) and len(combined.source) == n:
        return first
    columns = first.hdu.columns
    rows = len(combined.source)
    table = fits.BinTableHDU.from_columns(columns, header=first.hdu.header, nrows=rows, fill=True)
    for i, (e, f) in enumerate(combined.source):
        other = products[e].fibres
        assert other is not None
        for name in columns.names:
            if name in other.hdu.columns.names:
                table.data[name][i] = other.hdu.data[name][f]
    return read_fibres(table)


def _sum_exposures(header: fits.Header, products: list[Product]) -> None:
    times = [card_value(p.header, "EXPOSED") for p in products]
    known = [float(t) for t in times if isinstance(t, int | float) and not isinstance(t, bool)]
    if known:
        header["EXPOSED"] = (sum(known), "sum of the combined exposures (s)")
    header["NCOMBINE"] = (len(products), "exposures combined")


def _shared_extras(
    products: list[Product], combined: Combined
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.floating]]]:
    """Mean sky and flat lamp of the exposures, weighted as they were."""
    result = {}
    for name in ("SKY", "LAMP"):
        lines = [(p.image(name), w) for p, w in zip(products, combined.weights, strict=True)]
        same = [
            (line, w) for line, w in lines
            if line is not None and line.size == combined.flux.shape[1] and w > 0
        ]  # fmt: skip
        if same:
            with np.errstate(all="ignore"):
                total = sum(np.asarray(line, dtype=np.float64).reshape(1, -1) * w for line, w in same)
                result[name] = np.asarray(total / sum(w for _, w in same), dtype=np.float32)
    return result


def _arm(product: Product) -> Arm:
    sky, lamp = (product.image(name) for name in ("SKY", "LAMP"))
    grid = grid_of(product.header, product.data.shape[1])
    lines = [
        None if line is None or line.size != grid.n else line.astype(np.float32).reshape(1, -1)
        for line in (sky, lamp)
    ]
    return Arm(product.data.astype(np.float32, copy=False), _variance(product), grid, *lines)


def _same_rows(blue: Product, red: Product) -> tuple[Product, Product]:
    """Blue and red with the same objects in the same rows."""
    assert blue.fibres is not None
    assert red.fibres is not None
    if len(blue.data) != len(red.data) or (blue.fibres.name != red.fibres.name).any():
        place = {
            (n, t): i for i, (n, t) in enumerate(zip(red.fibres.name, red.fibres.type, strict=True)) if n
        }
        both = [
            (i, place[key])
            for i, key in enumerate(zip(blue.fibres.name, blue.fibres.type, strict=True))
            if key in place
        ]
        if len(both) < 0.5 * len(blue.data) or len(blue.data) != len(red.data):
            raise InvalidInput(
                "the two files are not of the same fibres; splice frames of one field and one configuration"
            )
        data = np.full_like(red.data, np.nan)
        variance = np.full_like(_variance(red), np.nan)
        for i, j in both:
            data[i], variance[i] = red.data[j], _variance(red)[j]
        red.data, red.variance, red.fibres = data, variance, blue.fibres
    return blue, red


def _object_rows(product: Product) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    assert product.fibres is not None
    return np.asarray(product.fibres.objects)


def _sky_rows(product: Product) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    assert product.fibres is not None
    return np.asarray(product.fibres.sky)


def _median_of_objects(
    snr: np.ndarray[tuple[int, ...], np.dtype[np.float64]], table: FibreTable | None
) -> float:
    if table is None:
        return float("nan")
    values = snr[table.objects & np.isfinite(snr)]
    return float(np.median(values)) if values.size else float("nan")


def _finish(work: Work, target: Path, product: Product) -> None:
    write_cards(product.header, work.figures)
    work.write(target, product)
    work.write_quality(target, work.figures)
    work.say(f"Frame {target.name} created.")
