"""Products for the explorer: a whole field with plate positions, parked and broken fibres, and real ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from schemas.vocabulary import Arm, ProductKind
from tests.support.night_files import write_product_file

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("TEST_REAL_PRODUCTS") or ROOT.parent / "shared" / "data")
"""Folder of products that 2dFdr wrote, which are not kept with the sources."""
LABEL = "FLD195_v03"
CENTRE = (35.4954, -28.7511)
"""Of the field, degrees."""


def real_products() -> list[Path]:
    """Real products of 2dFdr, where there are any."""
    return sorted(REAL.glob("*.fits")) if REAL.is_dir() else []


def write_field(
    folder: Path,
    name: str = "OBJ0008red.fits",
    arm: Arm | None = Arm.BLUE,
    *,
    fibres: int = 400,
    samples: int = 600,
    names: str = "D{:07d}",
) -> Path:
    """Write a product of a whole field.

    Parameters
    ----------
    arm
        None writes a spliced product, which has no throughput and no spectra with sky.
    names
        Pattern of the targets' names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    kind = ProductKind.OBJECT if arm else ProductKind.SPLICED_COMBINED
    write_product_file(path, kind, arm, 8, fibres, samples)
    random = np.random.default_rng(9)
    with fits.open(path, mode="update") as hdus:
        _place(hdus["FIBRES"], random, fibres)
        hdus["FIBRES"] = _with_plate(hdus["FIBRES"], fibres, names)
        header = hdus[0].header
        header["SOURCE"], header["UTDATE"] = "plate 1", "2026:03:12"
        header["GRATID"] = "580V" if arm is Arm.BLUE else "385R"
        if arm:
            header["SPECTID"] = "BL" if arm is Arm.BLUE else "RD"
            throughput = random.normal(1, 0.13, fibres).astype(np.float32)
            hdus.append(fits.ImageHDU(throughput, name="THPUT"))
            hdus.append(fits.ImageHDU((hdus[0].data + hdus["SKY"].data).astype(np.float32), name="RWSS"))
    return path


def _place(table: Any, random: np.random.Generator, fibres: int) -> None:
    """Positions within the field; parked and broken fibres have none."""
    radius, angle = np.sqrt(random.uniform(0, 1, fibres)) * 0.97, random.uniform(0, 2 * np.pi, fibres)
    ra = np.radians(CENTRE[0] + radius * np.sin(angle) / np.cos(np.radians(CENTRE[1])))
    dec = np.radians(CENTRE[1] + radius * np.cos(angle))
    away = np.isin(table.data["TYPE"], ["U", "N"])
    ra[away], dec[away] = 0.0, 0.0
    table.data["RA"], table.data["DEC"] = ra, dec


def _with_plate(table: Any, fibres: int, names: str) -> Any:
    """The table with the buttons' positions: x to the north, y to the east, parked ones around the plate."""
    ra, dec = np.degrees(table.data["RA"]), np.degrees(table.data["DEC"])
    scale = 3600 / 15.3 * 1000
    x = (dec - CENTRE[1]) * scale
    y = (ra - CENTRE[0]) * np.cos(np.radians(CENTRE[1])) * scale
    away = np.isin(table.data["TYPE"], ["U", "N"])
    turn = 2 * np.pi * np.arange(fibres) / fibres
    x[away], y[away] = 280_000 * np.cos(turn[away]), 280_000 * np.sin(turn[away])
    named = np.array([names.format(index * 7919 + 1000) for index in range(fibres)])
    more = [
        fits.Column("NAME", "80A", array=named),
        fits.Column("X", "1J", array=x.astype(int)),
        fits.Column("Y", "1J", array=y.astype(int)),
        fits.Column("COMMENT", "80A", array=np.array(["LRG", "QSO"] * fibres)[:fibres]),
    ]
    kept = [
        fits.Column(one.name, one.format, array=table.data[one.name])
        for one in table.columns
        if one.name != "NAME"
    ]
    result = fits.BinTableHDU.from_columns([*kept, *more], name="FIBRES")
    result.header["CENRA"], result.header["CENDEC"] = (float(np.radians(part)) for part in CENTRE)
    result.header["LABEL"] = LABEL
    return result
