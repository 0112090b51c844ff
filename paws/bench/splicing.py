"""The join of the two arms, against the true light that entered the dichroic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paws.bench.field import Arm, opened

FloatArray = NDArray[np.float64]

BESIDE = 150
"""Pixels on either side of the overlap in which the spectra are compared with the truth."""

PIECES = 4
"""Parts into which the overlap is divided."""

NEAREST = 10
"""Pixels around the wavelength where the dichroic halves the light that tell the arms' relative sensitivity."""

MIN_OVERLAP = 40
"""Pixels that both arms must see, and objects that must be there, for the join to be judged."""

MIN_SKY = 2
"""Sky fibres that tell how they scatter."""

STEP_ERROR = 0.005
"""A step that is less certain than this is not known: half of what is to be reached."""

BEYOND_DOUBT = 5.0
"""Errors by which a step must be beyond what is to be reached to be told nevertheless."""


def splice_step(spliced: Path, blue: Arm, red: Arm, truth: Path) -> float:
    """Largest step of the spliced spectra from the blue side over the overlap to the red side, a fraction.

    The spectra of objects that are bright enough, in ranges of some hundred pixels, are divided by the true
    light of both arms together. The dichroic hands to one arm what it keeps from the other; red light counts
    as the blue arm would see it at the wavelength where both get one half. The step is the largest difference,
    in the median of the objects, from what the range on the blue side shows; NaN where the arms hardly
    overlap, the overlap has no such wavelength, or noise of the objects or of the few sky fibres decides
    whether it is small enough.
    """
    with opened(spliced) as product:
        header, flux = product[0].header, product[0].data.astype(np.float64)
        kinds = np.char.strip(product["FIBRES"].data["TYPE"].astype(str))
    start = header["CRVAL1"] + (1.0 - header["CRPIX1"]) * header["CDELT1"]
    grid = start + header["CDELT1"] * np.arange(flux.shape[1])
    blue_light, red_light = (_Light.read(truth / f"{arm.science[0]}.npz", grid) for arm in (blue, red))
    lit = (blue_light.most > 0) & (red_light.most > 0)
    seen = (kinds == "P") & np.isfinite(flux).any(axis=1) & lit
    light, both = _together(blue_light, red_light, seen)
    if len(both) < MIN_OVERLAP or seen.sum() < MIN_OVERLAP:
        return float("nan")
    left = np.arange(max(both[0] - BESIDE, 0), both[0])
    right = np.arange(both[-1] + 1, min(both[-1] + 1 + BESIDE, flux.shape[1]))
    level = np.nanmedian(light[seen][:, both], axis=1)
    bright = np.flatnonzero(seen)[level >= np.median(level)]
    # A fibre of another type than its table says, with an object or without light, tells nothing of the sky's noise.
    blank = (kinds == "S") & blue_light.live & red_light.live & ~lit
    sky = flux[blank & np.isfinite(flux).any(axis=1)]
    flux, light = flux[bright], light[bright]
    inside = np.array_split(both, PIECES)
    reference = _ratio(flux, light, left)
    ratios = [_ratio(flux, light, piece) / reference for piece in (*inside, right)]
    steps = np.array([np.nanmedian(ratio) - 1.0 for ratio in ratios])
    most = int(np.argmax(np.abs(steps)))
    errors = [_sky_error(sky, light, piece) for piece in (left, (*inside, right)[most])]
    error = float(np.linalg.norm([_error_of_median(ratios[most]), *errors]))
    return float(steps[most]) if _is_known(float(steps[most]), error) else float("nan")


def _is_known(step: float, error: float) -> bool:
    """Whether noise leaves open neither how large a step is nor that it is too large."""
    return error < STEP_ERROR or abs(step) - 2.0 * STEP_ERROR > BEYOND_DOUBT * error


def _error_of_median(values: FloatArray) -> float:
    """Standard error of a median, from the spread of the values (Gaussian but for outliers)."""
    known = values[np.isfinite(values)]
    return float(1.2533 * 1.4826 * np.median(np.abs(known - np.median(known))) / np.sqrt(len(known)))


def _sky_error(sky: FloatArray, light: FloatArray, where: NDArray[np.intp]) -> float:
    """What all objects share of the noise of the sky that was subtracted, relative to the typical object's light.

    Zero without two sky fibres there: then there was no sky, or nothing tells.
    """
    there = sky[:, where]
    there = there[np.isfinite(there).any(axis=1)]
    if len(there) < MIN_SKY:
        return 0.0
    means = np.nanmean(there, axis=1)
    return float(means.std(ddof=1) / np.sqrt(len(means)) / np.nanmedian(light[:, where]))


@dataclass(frozen=True, eq=False)
class _Light:
    """True light of the objects in one arm.

    Attributes
    ----------
    density : ndarray (fibres, n)
        Electrons per Angstrom on a grid; NaN outside the arm.
    share : ndarray (fibres, n)
        What the dichroic hands to the arm.
    live : ndarray of bool (fibres,)
        Fibres that receive any light, sky included.
    """

    density: FloatArray
    share: FloatArray
    live: NDArray[np.bool_]

    @classmethod
    def read(cls, path: Path, grid: FloatArray) -> _Light:
        """From the simulator's file."""
        with np.load(path) as stored:
            wave, share = stored["wavelength"], stored["dichroic"].astype(np.float64)
            live = stored["electrons"].any(axis=1)
            light = stored["electrons"].astype(np.float64) - stored["sky_electrons"]

        def brought(table: FloatArray) -> FloatArray:
            rows = zip(wave, table, strict=True)
            return np.stack(
                [np.interp(grid, each, values, left=np.nan, right=np.nan) for each, values in rows]
            )

        return cls(brought(light / np.gradient(wave, axis=1)), brought(share), live)

    @property
    def most(self) -> FloatArray:
        """The brightest pixel of each fibre."""
        return np.asarray(np.nanmax(np.nan_to_num(self.density), axis=1))


def _together(blue: _Light, red: _Light, seen: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.intp]]:
    """Light of both arms together on the blue arm's scale, and the pixels that all chosen fibres see in both."""
    known = np.isfinite(blue.density[seen]).all(axis=0) & np.isfinite(red.density[seen]).all(axis=0)
    both = np.flatnonzero(known)
    if not len(both):
        return blue.density, both
    even = np.abs(np.median(blue.share[seen][:, both], axis=0) - 0.5)
    if even.min() > 0.1:
        return blue.density, both[:0]
    # Red over blue sensitivity: the light itself drops out fibre by fibre.
    before = [(arm.density / arm.share)[seen][:, both] for arm in (blue, red)]
    relative = np.nanmedian(np.log(before[1] / before[0]), axis=0)
    nearest = np.argsort(even)[:NEAREST]
    level = float(np.median(relative[nearest]))
    # Where one arm does not look, it would go on as in the overlap.
    line = np.polyval(np.polyfit(both, relative, 1), np.arange(blue.share.shape[1]))
    share = np.where(np.isfinite(blue.share), blue.share, 1.0 - red.share)
    lost = [np.isnan(blue.density), np.isnan(red.density)]
    with np.errstate(all="ignore"):
        added = np.exp(line - level) * (1.0 - share) / share
        red_light = red.density * np.exp(-level)
        one = np.where(lost[1], blue.density * (1.0 + added), red_light * (1.0 + 1.0 / added))
    return np.where(lost[0] | lost[1], one, blue.density + red_light), both


def _ratio(flux: FloatArray, light: FloatArray, where: NDArray[np.intp]) -> FloatArray:
    """Sum of a range of spectra over the sum of their true light, fibre by fibre."""
    part, true = flux[:, where], light[:, where]
    good = np.isfinite(part) & np.isfinite(true)
    total = np.where(good, true, 0.0).sum(axis=1)
    return np.asarray(np.where(good, part, 0.0).sum(axis=1) / np.where(total > 0, total, np.nan))
