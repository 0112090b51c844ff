"""Product files with plausible spectra, in a moment."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from schemas.vocabulary import Arm, ProductKind
from tests.support.night_plan import RA_DEC

WAVELENGTHS = {Arm.BLUE: (3740.0, 5820.0), Arm.RED: (5650.0, 8850.0), None: (3740.0, 8850.0)}
"""Angstrom in air, by arm; None is both."""


def write_product_file(
    path: Path, kind: ProductKind, arm: Arm | None, seed: int, fibres: int, samples: int
) -> list[tuple[Any, ...]]:
    """Write a product with plausible spectra; gives the rows of the table ``spectrum``."""
    random = np.random.default_rng(seed)
    if kind in (ProductKind.BIAS, ProductKind.DARK, ProductKind.LFLAT):
        fits.PrimaryHDU(random.normal(0, 2, (fibres, samples)).astype(np.float32)).writeto(path)
        return []
    low, high = WAVELENGTHS[arm]
    waves = np.linspace(low, high, samples)
    step = waves[1] - waves[0]
    sky: NDArray[np.float64] = 60 + 30 * np.sin(waves / 900)
    for line, strength in (
        (5577.338, 2600.0),
        (6300.304, 900.0),
        (7276.4, 700.0),
        (7964.6, 1100.0),
        (8399.2, 1500.0),
    ):
        sky = sky + strength * np.exp(-0.5 * ((waves - line) / (2.2 + step / 2)) ** 2)
    types = np.array(["P"] * fibres)
    types[3::13], types[7::29], types[11::37] = "S", "U", "N"
    types[fibres // 8 - 1 :: max(2, fibres // 8)] = "F"
    magnitudes = random.uniform(17.2, 20.9, fibres)
    redshifts = random.uniform(0.02, 0.35, fibres)
    continuum = (
        10 ** (-0.4 * (magnitudes[:, None] - 20)) * 40 * (waves / 6000) ** random.normal(0, 0.8, (fibres, 1))
    )
    flux = continuum.copy()
    for line, strength in ((3727.4, 3.0), (4861.3, 1.2), (5006.8, 2.4), (6562.8, 4.0)):
        centres = line * (1 + redshifts[:, None])
        flux += (
            strength * continuum.mean(axis=1, keepdims=True) * np.exp(-0.5 * ((waves - centres) / 4.5) ** 2)
        )
    flux[types != "P"] = 0
    variance = flux + sky + 12.0
    data = flux + random.normal(0, 1, flux.shape) * np.sqrt(variance)
    data[:, : samples // 60] = np.nan
    data[types == "N"] = np.nan
    ratio = np.nan_to_num(
        np.nanmedian(np.where(np.isfinite(data), data, 0) / np.sqrt(variance), axis=1)
    ) / np.sqrt(step)
    header = fits.Header(
        {
            "CRVAL1": low,
            "CDELT1": step,
            "CRPIX1": 1.0,
            "CTYPE1": "Wavelength",
            "CUNIT1": "Angstroms",
            "BUNIT": "electron",
        }
    )
    names = [f"D{seed:02d}{index:05d}-2854{index % 60:02d}" for index in range(fibres)]
    ra, dec = (
        np.radians(RA_DEC[0][0] + random.normal(0, 0.5, fibres)),
        np.radians(-28.7 + random.normal(0, 0.5, fibres)),
    )
    columns = [
        fits.Column("NAME", "80A", array=np.array(names)),
        fits.Column("RA", "1D", array=ra),
        fits.Column("DEC", "1D", array=dec),
        fits.Column("TYPE", "1A", array=types),
        fits.Column("PIVOT", "1I", array=np.arange(1, fibres + 1)),
        fits.Column("MAGNITUDE", "1D", array=magnitudes),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="FIBRES")
    hdus = [
        fits.PrimaryHDU(data.astype(np.float32), header),
        fits.ImageHDU(variance.astype(np.float32), name="VARIANCE"),
        table,
        fits.ImageHDU(sky.astype(np.float32)[None, :], name="SKY"),
    ]
    fits.HDUList(hdus).writeto(path)
    return [
        (index + 1, names[index], str(types[index]), math.degrees(ra[index]), math.degrees(dec[index]),
         float(magnitudes[index]), float(ratio[index]))
        for index in range(fibres)
        if types[index] == "P"
    ]  # fmt: skip
