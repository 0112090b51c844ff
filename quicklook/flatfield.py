"""The fibre flat: how each fibre's response differs from the mean fibre's along the spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import uniform_filter1d

from quicklook import nanmath
from quicklook.errors import Failure
from quicklook.types import BoolArray, FloatArray, FloatImage, Spectra

SMOOTHING = 25
"""Half width of the smoothing along the spectrum [pixel]; fibre responses change slowly."""

ENOUGH = 0.2
"""Share of the smoothing's window that must hold light: across longer gaps (a saturated lamp line) nothing is known."""

MIN_FIBRES = 10
FAINT = 0.02
"""A fibre with less than this fraction of the median light is not lit."""


@dataclass(frozen=True, eq=False)
class LampSpectrum:
    """The flat lamp as an arm shows it: its own colour times the sensitivity that all fibres share.

    Attributes
    ----------
    wavelength : ndarray (n,)
        Angstrom, evenly spaced.
    density : ndarray (n,)
        Electrons per Angstrom of the typical fibre; NaN outside the range that fibres see.
    """

    wavelength: FloatArray
    density: FloatArray

    def on(self, wavelength: FloatArray) -> FloatArray:
        """The lamp at other wavelengths."""
        known = np.isfinite(self.density)
        return np.interp(wavelength, self.wavelength[known], self.density[known])


@dataclass(frozen=True, eq=False)
class FibreFlat:
    """A fibre flat.

    Attributes
    ----------
    response : ndarray of float32 (400, 2048)
        Relative response, mean one over the good fibres at every wavelength; NaN where unknown.
    variance : ndarray of float32 (400, 2048)
        Of the response.
    throughput : ndarray of float64 (400,)
        Light of each fibre relative to the median one in the lamp; NaN where not lit.
    lamp : LampSpectrum
        What the typical fibre shows of the lamp.
    smoothed : bool
        Whether single pixels were smoothed along the spectrum.
    history : tuple of str
    figures : dict of str to float
    """

    response: FloatImage
    variance: FloatImage
    throughput: FloatArray
    lamp: LampSpectrum
    smoothed: bool
    history: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def fibre_flat(
    spectra: Spectra, wavelength: FloatArray, good: BoolArray, *, smooth: bool | None = None
) -> FibreFlat:
    """Make the fibre flat from an extracted lamp exposure.

    Each fibre is divided by its median, the good fibres are averaged at equal wavelength, and each fibre is
    divided by that mean: the lamp's colour drops out and what one fibre does differently remains.

    Parameters
    ----------
    spectra : Spectra
        Extracted flat [electron].
    wavelength : ndarray (400, 2048)
        Angstrom.
    good : ndarray of bool (400,)
        Fibres that may make the mean (P and S).
    smooth : bool, optional
        Smooth each response along the spectrum; by default when it shows nothing but photon noise on the
        scale of pixels.

    Raises
    ------
    Failure
        When fewer than `MIN_FIBRES` fibres are lit.
    """
    flux = np.asarray(spectra.flux, dtype=np.float64)
    variance = np.asarray(spectra.variance, dtype=np.float64)
    with np.errstate(all="ignore"):
        known = np.isfinite(flux).mean(axis=1) > 0.2
        level = np.full(len(flux), np.nan)
        level[known] = nanmath.median(flux[known], axis=1)
    bright = level > FAINT * nanmath.median(level[good & known]) if (good & known).any() else good & False
    lit = bright & (level > 0)
    if (lit & good).sum() < MIN_FIBRES:
        raise Failure(
            f"only {int((lit & good).sum())} fibres are lit in the flat where {MIN_FIBRES} are needed; check "
            "that the flat lamp was on and the tramline map belongs to this plate"
        )
    throughput = _throughput(flux, wavelength, lit, lit & good)
    pixel = np.gradient(wavelength, axis=1)
    with np.errstate(all="ignore"):
        density = flux / (throughput[:, np.newaxis] * pixel)
    lamp = _mean_lamp(density, wavelength, lit & good)
    with np.errstate(all="ignore"):
        divisor = np.array([lamp.on(row) for row in wavelength]) * pixel * throughput[:, np.newaxis]
        response = flux / divisor
        noise = variance / divisor**2
    result, error, smoothed, excess = _smooth(response, noise, lit, smooth)
    # The mean response of the good fibres is one by construction of the lamp, but for rounding and gaps.
    result[~lit], error[~lit] = np.nan, np.nan
    return FibreFlat(
        response=result.astype(np.float32),
        variance=error.astype(np.float32),
        throughput=throughput,
        lamp=lamp,
        smoothed=smoothed,
        history=(
            f"Fibre flat from {int(lit.sum())} lit fibres, lamp colour removed"
            + (", smoothed along the spectrum" if smoothed else ""),
        ),
        figures={
            "flat_fibres": float(lit.sum()),
            "flat_level": float(nanmath.median(level[lit])),
            "flat_scatter": float(
                1.48 * nanmath.median(np.abs(throughput[lit] - nanmath.median(throughput[lit])))
            ),
            "flat_pixel_excess": excess,
        },
    )


def _throughput(flux: FloatArray, wavelength: FloatArray, lit: BoolArray, good: BoolArray) -> FloatArray:
    """Light of each fibre relative to the median fibre, from the range that all fibres see."""
    result = np.full(len(flux), np.nan)
    first, last = wavelength[lit, 0].max(), wavelength[lit, -1].min()
    inside = (wavelength > first) & (wavelength < last)
    density = np.where(inside, flux / np.gradient(wavelength, axis=1), np.nan)
    grid = np.linspace(first, last, 400)[1:-1]
    table = np.full((len(flux), grid.size), np.nan)
    for f in np.nonzero(lit)[0]:
        known = np.isfinite(density[f])
        if known.sum() > 50:
            table[f] = np.interp(grid, wavelength[f, known], density[f, known])
            # Do not trust values bridged over long gaps.
            gap = np.interp(grid, wavelength[f], known.astype(float))
            table[f, gap < 0.5] = np.nan
    with np.errstate(all="ignore"):
        reference = nanmath.median(table[good], axis=0)
        ratio = table / reference
        usable = lit & (np.isfinite(ratio).sum(axis=1) > 20)
        result[usable] = nanmath.median(ratio[usable], axis=1)
        return np.asarray(result / nanmath.median(result[good]))


def _mean_lamp(density: FloatArray, wavelength: FloatArray, good: BoolArray) -> LampSpectrum:
    """Mean lamp spectrum per Angstrom of the good fibres."""
    step = float(np.median(np.diff(wavelength, axis=1)))
    grid = np.arange(wavelength.min(), wavelength.max() + step, step)
    table = np.full((int(good.sum()), grid.size), np.nan, dtype=np.float32)
    for i, f in enumerate(np.nonzero(good)[0]):
        known = np.isfinite(density[f])
        if known.sum() > 50:
            row = np.interp(grid, wavelength[f, known], density[f, known], np.nan, np.nan)
            row[np.interp(grid, wavelength[f], known.astype(float), 0.0, 0.0) < 0.99] = np.nan
            table[i] = row
    with np.errstate(all="ignore"):
        count = np.isfinite(table).sum(axis=0)
        some = count > 0
        middle, spread = np.full(grid.size, np.nan), np.zeros(grid.size)
        middle[some] = nanmath.median(table[:, some], axis=0)
        spread[some] = 1.48 * nanmath.median(np.abs(table[:, some] - middle[some]), axis=0)
        clipped = np.where(np.abs(table - middle) <= 4 * spread + 1e-6 * np.abs(middle), table, np.nan)
        mean = np.full(grid.size, np.nan)
        some = np.isfinite(clipped).sum(axis=0) > 0
        mean[some] = nanmath.mean(clipped[:, some], axis=0)
    known = np.isfinite(mean)
    if known.sum() < 50:
        raise Failure("the flat is saturated or empty nearly everywhere; use another flat for this arm")
    inside = np.interp(grid, grid[known], mean[known], np.nan, np.nan)
    return LampSpectrum(grid, inside)


def _smooth(
    response: FloatArray, noise: FloatArray, lit: BoolArray, wanted: bool | None
) -> tuple[FloatArray, FloatArray, bool, float]:
    """Smooth the responses where that loses nothing; bridge bad pixels in any case, but not long gaps of them."""
    good = np.isfinite(response) & np.isfinite(noise) & (noise > 0) & lit[:, np.newaxis]
    smooth, error = local_line(response, noise, good, SMOOTHING)
    for _ in range(2):
        with np.errstate(all="ignore"):
            strange = good & (np.abs(response - smooth) > 6.0 * np.sqrt(noise + error) + 0.02)
        if not strange.any():
            break
        good &= ~strange
        smooth, error = local_line(response, noise, good, SMOOTHING)
    seen = uniform_filter1d(good.astype(np.float64), 2 * SMOOTHING + 1, axis=1, mode="constant")
    smooth, error = np.where(seen < ENOUGH, np.nan, smooth), np.where(seen < ENOUGH, np.nan, error)
    with np.errstate(all="ignore"):
        pull = (response - smooth) / np.sqrt(noise)
        excess = float(1.48 * nanmath.median(np.abs(pull[good]))) if good.any() else 1.0
    if wanted is None:
        wanted = excess < 1.25
    if wanted:
        return smooth, error, True, excess
    return np.where(good, response, smooth), np.where(good, noise, error), False, excess


def local_line(
    values: FloatArray, variance: FloatArray, good: BoolArray, half: int
) -> tuple[FloatArray, FloatArray]:
    """Weighted straight-line fit in a sliding window along the last axis, at its middle.

    Returns value and variance; NaN where the window holds nothing good.
    """
    size = 2 * half + 1
    x = np.arange(values.shape[1], dtype=np.float64)
    weight = np.where(good, 1.0 / np.where(good, variance, 1.0), 0.0)
    y = np.where(good, values, 0.0)

    def total(array: FloatArray) -> FloatArray:
        return np.asarray(uniform_filter1d(array, size, axis=1, mode="constant") * size)

    # Moments about the middle of the chip; shifted to each window's middle below.
    u = (x - x.mean())[np.newaxis, :]
    w0, w1, w2 = total(weight), total(weight * u), total(weight * u * u)
    y0, y1 = total(weight * y), total(weight * u * y)
    w2c, w1c, y1c = w2 - 2 * u * w1 + u * u * w0, w1 - u * w0, y1 - u * y0
    # Running sums leave rounding behind where nothing is: only the number of pixels tells that a window is empty.
    number = np.rint(total(good.astype(np.float64)))
    w0 = np.where(number > 0, w0, np.nan)
    with np.errstate(all="ignore"):
        determinant = w0 * w2c - w1c**2
        sound = (number > 2) & (determinant > 1e-6 * w0 * np.maximum(w2c, 0))
        level = np.where(sound, (w2c * y0 - w1c * y1c) / determinant, y0 / w0)
        error = np.where(sound, w2c / determinant, 1.0 / w0)
    return level, error
