"""The join of the two arms, against the true light that entered the dichroic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paws.bench.field import Arm, opened

FloatArray = NDArray[np.float64]

BESIDE = 150
"""Pixels on either side of the overlap in which the spectra are compared with the truth."""

PIECES = 4
"""Parts into which the overlap is divided."""

MIN_OVERLAP = 40
"""Pixels that both arms must see, and objects that must be there, for the join to be judged."""


def splice_step(spliced: Path, blue: Arm, red: Arm, truth: Path) -> float:
    """Largest step of the spliced spectra from the blue side over the overlap to the red side, a fraction.

    The spectra of the brighter half of the objects, in ranges of some hundred pixels, are divided by the
    true light before the dichroic, on the scale of the blue arm throughout. The step is the largest
    difference, in the median of the objects, from what the range on the blue side shows; NaN where the
    arms hardly overlap.
    """
    with opened(spliced) as product:
        header, flux = product[0].header, product[0].data.astype(np.float64)
        kinds = np.char.strip(product["FIBRES"].data["TYPE"].astype(str))
    start = header["CRVAL1"] + (1.0 - header["CRPIX1"]) * header["CDELT1"]
    grid = start + header["CDELT1"] * np.arange(flux.shape[1])
    lights = [_light(truth / f"{arm.science[0]}.npz", grid) for arm in (blue, red)]
    lit = np.all([np.nanmax(np.nan_to_num(light), axis=1) > 0 for light in lights], axis=0)
    seen = (kinds == "P") & np.isfinite(flux).any(axis=1) & lit
    both = np.flatnonzero(np.isfinite(lights[0][seen]).all(axis=0) & np.isfinite(lights[1][seen]).all(axis=0))
    if len(both) < MIN_OVERLAP or seen.sum() < MIN_OVERLAP:
        return float("nan")
    level = np.nanmedian(flux[seen], axis=1)
    bright = np.flatnonzero(seen)[level >= np.median(level)]
    flux, lights = flux[bright], [light[bright] for light in lights]
    # Where both arms see the light, its ratio is that of the arms' sensitivities.
    lights[1] *= float(np.median(lights[0][:, both] / lights[1][:, both]))
    inside = np.array_split(both, PIECES)
    left = np.arange(max(both[0] - BESIDE, 0), both[0])
    right = np.arange(both[-1] + 1, min(both[-1] + 1 + BESIDE, flux.shape[1]))
    reference = _ratio(flux, lights[0], left)
    ratios = [*(_ratio(flux, lights[0], piece) for piece in inside), _ratio(flux, lights[1], right)]
    steps = np.array([np.nanmedian(ratio / reference) - 1.0 for ratio in ratios])
    return float(steps[np.argmax(np.abs(steps))])


def _light(path: Path, grid: FloatArray) -> FloatArray:
    """True light of the objects before the dichroic, per pixel of a grid, (fibres, n); NaN outside the arm."""
    with np.load(path) as stored:
        wave = stored["wavelength"]
        light = stored["electrons"].astype(np.float64) - stored["sky_electrons"]
        density = light / np.gradient(wave, axis=1) / stored["dichroic"]
    rows = zip(wave, density, strict=True)
    return np.stack([np.interp(grid, each, values, left=np.nan, right=np.nan) for each, values in rows])


def _ratio(flux: FloatArray, light: FloatArray, where: NDArray[np.intp]) -> FloatArray:
    """Sum of a range of spectra over the sum of their true light, fibre by fibre."""
    part, true = flux[:, where], light[:, where]
    good = np.isfinite(part) & np.isfinite(true)
    total = np.where(good, true, 0.0).sum(axis=1)
    return np.asarray(np.where(good, part, 0.0).sum(axis=1) / np.where(total > 0, total, np.nan))
