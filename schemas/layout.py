"""Names of products in the tree that PAWS users know. Pure functions on a `Layout`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from schemas.reductions import Layout
from schemas.vocabulary import ProductKind

_SAFE = re.compile(r"[^A-Za-z0-9.+-]+")

_PREFIX = {
    ProductKind.BIAS: "BIAS",
    ProductKind.DARK: "DARK",
    ProductKind.LFLAT: "LFLAT",
    ProductKind.TLM: "FLAT",
    ProductKind.FFLAT: "FLAT",
    ProductKind.ARC: "ARC",
    ProductKind.SKY: "SKY",
    ProductKind.OBJECT: "OBJ",
}
_COMBINED_CALIBRATION = {
    ProductKind.COMBINED_BIAS: "BIAS",
    ProductKind.COMBINED_DARK: "DARK",
    ProductKind.COMBINED_LFLAT: "LFLAT",
}


OWN = "own/"
"""How slots and paths begin of what somebody asked for beside the night's own plan.

No version of such a slot is current, so it never shows in the tree that people see; it lies in the store alone,
and its path tells it from the night's own product of the same place.
"""


def safe_component(text: str) -> str:
    """Text that may stand as one path component, whatever a header held."""
    return _SAFE.sub("_", text).strip("._")[:80] or "unknown"


def product_path(kind: ProductKind, layout: Layout) -> PurePosixPath:
    """Path of a product, relative to the products folder; below ``own/<variant>`` where the layout names one.

    ``<plate>/<grating>/s<setup>/<night>-<field>-p<plate>/OBJ0011red.fits`` for one arm,
    ``<plate>/spliced/<night>-<field>-p<plate>-<grating>-s<n>-<grating>-s<n>-OBJ0011red.fits`` for both,
    ``calibration/<night>/ccd_<n>/...`` for what belongs to no plate.

    Raises
    ------
    ValueError
        If the layout lacks what the kind of product needs.
    """
    path = _night_path(kind, layout)
    return PurePosixPath(OWN, safe_component(layout.variant), path) if layout.variant else path


def _night_path(kind: ProductKind, layout: Layout) -> PurePosixPath:
    if kind in _COMBINED_CALIBRATION or kind in (ProductKind.BIAS, ProductKind.DARK, ProductKind.LFLAT):
        return _detector_calibration_path(kind, layout)
    if layout.plate is None:
        raise ValueError(f"a product of kind {kind.value} belongs to a plate, but the layout names none")
    plate = f"p{layout.plate}"
    where = f"{layout.night}-{safe_component(layout.field)}-p{layout.plate}"
    if kind in (ProductKind.SPLICED, ProductKind.SPLICED_COMBINED):
        setups = (
            f"{safe_component(layout.grating)}-s{layout.setup}-"
            f"{safe_component(layout.other_grating)}-s{layout.other_setup}"
        )
        tail = (
            "combined_red.fits"
            if kind is ProductKind.SPLICED_COMBINED
            else f"OBJ{_run(kind, layout)}red.fits"
        )
        return PurePosixPath(plate, "spliced", f"{where}-{setups}-{tail}")
    folder = PurePosixPath(plate, safe_component(layout.grating), f"s{layout.setup}", where)
    if kind is ProductKind.COMBINED:
        return folder / "combined_red.fits"
    suffix = "tlm" if kind is ProductKind.TLM else "red"
    return folder / f"{_PREFIX[kind]}{_run(kind, layout)}{suffix}.fits"


def _detector_calibration_path(kind: ProductKind, layout: Layout) -> PurePosixPath:
    if layout.arm is None:
        raise ValueError(f"a product of kind {kind.value} belongs to an arm, but the layout names none")
    folder = PurePosixPath("calibration", layout.night, f"ccd_{layout.arm.ccd}")
    if kind in _COMBINED_CALIBRATION:
        # More than one read-out mode may be used in a night; the planner numbers them.
        prefix = "" if layout.setup == 1 else f"s{layout.setup}_"
        label = safe_component(layout.label) if layout.label else ""
        return folder / f"{prefix}{_COMBINED_CALIBRATION[kind]}combined{label}.fits"
    return folder / f"{_PREFIX[kind]}{_run(kind, layout)}red.fits"


def _run(kind: ProductKind, layout: Layout) -> str:
    if layout.run is None:
        raise ValueError(f"a product of kind {kind.value} needs a run number, but the layout has none")
    return f"{layout.run:04d}"


def own_slot(slot: str, variant: str) -> str:
    """Slot beside the night's own: of some parameters and engine, which `variant` stands for."""
    return f"{OWN}{safe_component(variant)}/{slot}"


def is_own(slot: str) -> bool:
    """Whether a slot lies beside the night's own plan."""
    return slot.startswith(OWN)
