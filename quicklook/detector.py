"""Verbs for frames without fibres: bias, dark, long-slit flat, and their combination."""

from __future__ import annotations

from quicklook.errors import InvalidInput
from quicklook.headers import card_value
from quicklook.longslit import normalise_long_slit
from quicklook.products import Product, StoredProduct, find_product
from quicklook.quality import write_cards
from quicklook.raw import RawFrame
from quicklook.stack import combine_images
from quicklook.structure import significant_structure
from quicklook.work import Work, image_product

SAME_EXPOSURE = 0.02
"""Darks combined with each other differ at most by this fraction in exposure time."""


def reduce_bias(work: Work) -> None:
    """Reduce a bias frame: overscan removed, in NAMEred.fits."""
    _reduce(work, {"BIAS"}, "a bias")


def reduce_dark(work: Work) -> None:
    """Reduce a dark frame: overscan and bias removed, in NAMEred.fits."""
    _reduce(work, {"DARK"}, "a dark")


def reduce_lflat(work: Work) -> None:
    """Reduce a long-slit flat: relative sensitivity of the pixels, in NAMEred.fits."""
    _reduce(work, {"LFLAT", "DFLAT"}, "a long-slit flat")


def combine_image(work: Work) -> None:
    """Combine reduced biases, darks or long-slit flats into the file COMBINEDFILE."""
    target = work.target("COMBINEDFILE")
    words = work.command.words
    if not words:
        raise InvalidInput('combine_image needs reduced frames; list them in quotes: "A.fits B.fits"')
    products = []
    for word in words:
        product = find_product(work.command.found(word))
        if len(product.data.shape) != 2 or (product.has_fibres and product.data.shape[0] <= 400):
            raise InvalidInput("this is no reduced image; for spectra use combine_spectra", path=product.path)
        work.say(f"Input frame {word}")
        products.append(product)
    _alike(products)
    stack = combine_images([p.data for p in products], [p.variance for p in products])
    names = [p.path.name for p in products]
    header, ndf_class = products[0].header.copy(), products[0].ndf_class
    history = [
        *(f"Combined frame: {name}" for name in names),
        f"Clipped mean, {stack.rejected} pixels left out",
    ]
    data, variance = stack.data, stack.variance
    if ndf_class == "BIAS":
        structure = significant_structure(data, variance)
        data, variance = structure.data, structure.variance
        history.append(
            f"Structure of the bias: columns, rows, slopes, {structure.kept} single pixels, "
            f"{100 * structure.believed:.0f} % of the rest"
        )
        work.figures.update(bias_pixels_kept=structure.kept, bias_rest_believed=structure.believed)
    result = Product(
        data=data,
        variance=variance,
        header=header,
        ndf_class=ndf_class,
        history=history,
    )
    result.header["NCOMBINE"] = (len(names), "exposures combined")
    work.figures.update(frames=len(names), levels=list(stack.levels), rejected=stack.rejected)
    work.write(target, result)
    work.write_quality(target, work.figures)
    work.say(f"Combined {len(names)} frames into {target.name}")


def _reduce(work: Work, classes: set[str], what: str) -> None:
    path = work.one_file()
    raw: RawFrame = work.raw(path)
    if raw.ndf_class not in classes:
        raise InvalidInput(f"this is a {raw.ndf_class} where {what} is needed", path=path)
    image = work.image(raw)
    product = image_product(image, raw.ndf_class)
    work.keep(path, "im", product)
    if classes & {"LFLAT"}:
        product.data, product.variance = normalise_long_slit(image.data, image.variance)
        product.header["BUNIT"] = ("", "relative sensitivity")
        product.history = [*image.history, "Divided by its own smooth light"]
    write_cards(product.header, work.figures)
    target = work.write(work.name(path, "red"), product)
    work.write_quality(target, work.figures)
    work.say(f"Reduced frame {target.name} created.")


def _alike(products: list[StoredProduct]) -> None:
    """Refuse to combine different kinds, arms or exposure times."""
    for key, what in (("SPECTID", "arms"), ("DETECTOR", "detectors"), ("SPEED", "read-out speeds")):
        if len({str(card_value(p.header, key) or "").strip() for p in products}) > 1:
            raise InvalidInput(f"the files are of different {what} ({key}); combine each kind for itself")
    kinds = {p.ndf_class for p in products}
    if len(kinds) > 1:
        raise InvalidInput(f"the files are of different classes ({', '.join(sorted(kinds))})")
    if kinds == {"DARK"}:
        times = [card_value(p.header, "EXPOSED") for p in products]
        known = [float(t) for t in times if isinstance(t, int | float) and not isinstance(t, bool)]
        if known and max(known) > (1 + SAME_EXPOSURE) * min(known):
            raise InvalidInput("the darks differ in exposure time; combine each time for itself")
