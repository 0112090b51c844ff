"""The join of the two arms, against what the true light of both says of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paws.bench.field import Arm, opened

FloatArray = NDArray[np.float64]

BESIDE = 150
"""Pixels on either side of the overlap in which the spectra are compared with the truth."""

MARGIN = 10
MIN_OVERLAP = 40
"""Pixels that both arms must see for the join to be judged."""

FACTORS = np.geomspace(0.05, 20.0, 2001)
"""Relative sensitivities of the arms that are tried."""


def splice_step(spliced: Path, blue: Arm, red: Arm, truth: Path) -> float:
    """Step of the spliced spectra across the overlap, a fraction; NaN where the arms hardly overlap.

    What the dichroic takes from one arm it gives to the other: with the right relative sensitivity the sum
    of the true light of both arms is smooth through the overlap. That factor, found without noise, tells
    how much higher or lower the red side ought to be; the step is what the brighter half of the objects
    shows beyond it, in the median.
    """
    with opened(spliced) as product:
        header, flux = product[0].header, product[0].data.astype(np.float64)
        kinds = np.char.strip(product["FIBRES"].data["TYPE"].astype(str))
    start = header["CRVAL1"] + (1.0 - header["CRPIX1"]) * header["CDELT1"]
    grid = start + header["CDELT1"] * np.arange(flux.shape[1])
    lights = [_light(truth / f"{arm.science[0]}.npz", grid) for arm in (blue, red)]
    seen = (kinds == "P") & np.isfinite(flux).any(axis=1) & all_lit(lights)
    both = np.flatnonzero(np.isfinite(lights[0][seen]).all(axis=0) & np.isfinite(lights[1][seen]).all(axis=0))
    if len(both) < MIN_OVERLAP or seen.sum() < MIN_OVERLAP:
        return float("nan")
    level = np.nanmedian(flux[seen], axis=1)
    bright = np.flatnonzero(seen)[level >= np.median(level)]
    one, other = (light[bright][:, both].mean(axis=0) for light in lights)
    factor = FACTORS[np.argmin([_roughness(one + factor * other) for factor in FACTORS])]
    left = slice(max(both[0] - MARGIN - BESIDE, 0), max(both[0] - MARGIN, 1))
    right = slice(both[-1] + MARGIN, both[-1] + MARGIN + BESIDE)
    ratios = [
        _ratio(flux[bright, right], factor * lights[1][bright, right]),
        _ratio(flux[bright, left], lights[0][bright, left]),
    ]
    return float(np.nanmedian(ratios[0] / ratios[1]) - 1.0)


def all_lit(lights: list[FloatArray]) -> NDArray[np.bool_]:
    """Fibres with an object's light in every arm."""
    return np.asarray(np.all([np.nanmax(light, axis=1, initial=0.0) > 0 for light in lights], axis=0))


def _light(path: Path, grid: FloatArray) -> FloatArray:
    """True light of the objects per pixel of a grid, (fibres, n); NaN outside the arm."""
    with np.load(path) as stored:
        wave = stored["wavelength"]
        light = stored["electrons"].astype(np.float64) - stored["sky_electrons"]
    density = light / np.gradient(wave, axis=1)
    return np.stack(
        [
            np.interp(grid, each, values, left=np.nan, right=np.nan)
            for each, values in zip(wave, density, strict=True)
        ]
    )


def _roughness(light: FloatArray) -> float:
    """How far the logarithm of a spectrum is from a parabola."""
    u, y = np.linspace(-1.0, 1.0, len(light)), np.log(np.maximum(light, 1e-12))
    return float(np.std(y - np.polynomial.polynomial.polyval(u, np.polynomial.polynomial.polyfit(u, y, 2))))


def _ratio(flux: FloatArray, light: FloatArray) -> FloatArray:
    """Sum of a range of spectra over the sum of their true light, fibre by fibre."""
    good = np.isfinite(flux) & np.isfinite(light)
    total = np.where(good, light, 0.0).sum(axis=1)
    return np.asarray(np.where(good, flux, 0.0).sum(axis=1) / np.where(total > 0, total, np.nan))
