"""Compiled loops: spectral lines onto pixels, fibres onto the chip, light into counts.

All of them release the interpreter lock, so frames are rendered in threads side by side.
"""

from __future__ import annotations

from math import ceil, erf, exp, floor, sqrt
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CDF_REACH = 6.0
CDF_STEPS_PER_SIGMA = 1024
POISSON_LIMIT = 50.0

_SQRT2 = sqrt(2.0)
# A fibre's spot is not Gaussian: a little of its light lies under a broader foot.
_FOOT_FRACTION = 0.03
_FOOT_WIDTH = 2.2
_LINE_REACH = 9.0


def gaussian_cdf_table() -> NDArray[np.float64]:
    """Cumulative unit Gaussian from -`CDF_REACH` to `CDF_REACH`, `CDF_STEPS_PER_SIGMA` to a sigma.

    Linear interpolation in it is good to 3e-8, which is why the profile loop needs no ``erf``.
    """
    steps = int(2 * CDF_REACH * CDF_STEPS_PER_SIGMA) + 2
    return np.array(
        [0.5 * (1.0 + erf((i / CDF_STEPS_PER_SIGMA - CDF_REACH) / _SQRT2)) for i in range(steps)],
        dtype=np.float64,
    )


@njit(cache=True, nogil=True, inline="always")
def _line_cdf(u: float) -> float:
    core = 0.5 * (1.0 + erf(u / _SQRT2))
    foot = 0.5 * (1.0 + erf(u / (_FOOT_WIDTH * _SQRT2)))
    return (1.0 - _FOOT_FRACTION) * core + _FOOT_FRACTION * foot


@njit(cache=True, nogil=True)
def _add_line(
    spectrum: Any, wavelength: Any, centre: float, flux: float, lsf: float, intrinsic: float
) -> None:
    columns = wavelength.shape[0]
    i = min(max(int(np.searchsorted(wavelength, centre)), 1), columns - 1)
    step = wavelength[i] - wavelength[i - 1]
    position = i - 1 + (centre - wavelength[i - 1]) / step
    x = (position - 0.5 * (columns - 1)) / (0.5 * columns)
    width = lsf * (1.0 + 0.05 * x * x + 0.02 * x)
    sigma = sqrt(width * width + (intrinsic / step) ** 2)
    first = max(floor(position - _LINE_REACH * sigma), 0)
    last = min(ceil(position + _LINE_REACH * sigma), columns - 1)
    if last < 0 or first >= columns or first > last:
        return
    below = _line_cdf((first - 0.5 - position) / sigma)
    for column in range(first, last + 1):
        above = _line_cdf((column + 0.5 - position) / sigma)
        spectrum[column] += flux * (above - below)
        below = above


@njit(cache=True, nogil=True)
def add_common_lines(
    spectra: Any, wavelength: Any, scale: Any, centres: Any, fluxes: Any, lsf: float
) -> None:
    """Add the same unresolved lines to every fibre with its own scale.

    Parameters
    ----------
    spectra : float64 array, shape (fibres, columns)
        Added to in place; flux per pixel.
    wavelength : float64 array, shape (fibres, columns)
        Angstrom, increasing.
    scale : float64 array, shape (fibres,)
        Zero skips the fibre.
    centres, fluxes : float64 arrays, shape (lines,)
        Angstrom, and integrated flux.
    lsf : float
        Gaussian sigma of an unresolved line, pixels, at the centre of the chip.
    """
    for fibre in range(spectra.shape[0]):
        if scale[fibre] <= 0.0:
            continue
        for line in range(centres.shape[0]):
            _add_line(spectra[fibre], wavelength[fibre], centres[line], fluxes[line] * scale[fibre], lsf, 0.0)


@njit(cache=True, nogil=True)
def add_own_lines(
    spectra: Any, wavelength: Any, fibres: Any, centres: Any, fluxes: Any, widths: Any, lsf: float
) -> None:
    """Add one line per entry, each to its own fibre, with its own intrinsic width.

    Parameters are those of `add_common_lines`; `fibres` (int64) names the row of each line and `widths`
    its intrinsic sigma in Angstrom.
    """
    for line in range(fibres.shape[0]):
        fibre = fibres[line]
        _add_line(spectra[fibre], wavelength[fibre], centres[line], fluxes[line], lsf, widths[line])


@njit(cache=True, nogil=True)
def absorb_lines(spectra: Any, wavelength: Any, fibres: Any, centres: Any, depths: Any, widths: Any) -> None:
    """Multiply Gaussian absorption lines into spectra, one per entry.

    Parameters
    ----------
    spectra, wavelength : float64 arrays, shape (fibres, columns)
        Changed in place; Angstrom.
    fibres : int64 array, shape (lines,)
        Row of each line.
    centres, depths, widths : float64 arrays, shape (lines,)
        Angstrom; central depth between 0 and 1; sigma in Angstrom, the instrument's included.
    """
    columns = wavelength.shape[1]
    for line in range(fibres.shape[0]):
        row = wavelength[fibres[line]]
        first = np.searchsorted(row, centres[line] - 5.0 * widths[line])
        last = np.searchsorted(row, centres[line] + 5.0 * widths[line])
        for column in range(first, min(last, columns)):
            u = (row[column] - centres[line]) / widths[line]
            spectra[fibres[line], column] *= 1.0 - depths[line] * exp(-0.5 * u * u)


@njit(cache=True, nogil=True, inline="always")
def _core_cdf(table: Any, u: float) -> float:
    t = (u + CDF_REACH) * CDF_STEPS_PER_SIGMA
    if t <= 0.0:
        return 0.0
    if t >= 2.0 * CDF_REACH * CDF_STEPS_PER_SIGMA:
        return 1.0
    i = int(t)
    value: float = table[i] + (t - i) * (table[i + 1] - table[i])
    return value


@njit(cache=True, nogil=True)
def paint_fibres(image: Any, spectra: Any, trace: Any, profile: Any, table: Any) -> None:
    """Spread every spectrum over the rows of its trace.

    The core of the profile is two equal-width Gaussians side by side, unequal in weight: flat-topped and
    slightly lopsided, as the image of a fibre's end is. Its centroid is the trace.

    Parameters
    ----------
    image : float32 array, shape (rows, columns)
        Added to in place; electrons.
    spectra, trace : float64 arrays, shape (fibres, columns)
        Electrons per pixel of dispersion, and the row of the profile's centroid.
    profile : float64 array, shape (6,)
        Sigma of each Gaussian (pixels), its change along x, along y and with their product, the
        separation of the two (pixels), and the lopsidedness.
    table : float64 array
        From `gaussian_cdf_table`.
    """
    rows, columns = image.shape
    for fibre in range(spectra.shape[0]):
        for column in range(columns):
            flux = spectra[fibre, column]
            if flux <= 0.0:
                continue
            centre = trace[fibre, column]
            u = (column - 0.5 * columns) / (0.5 * columns)
            v = (centre - 0.5 * rows) / (0.5 * rows)
            sigma = profile[0] * (1.0 + profile[1] * u + profile[2] * v + profile[3] * (u * u + v * v))
            balance = 0.5 + profile[5] * u * v + 0.3 * profile[5] * v
            low = centre - (1.0 - balance) * profile[4]
            high = centre + balance * profile[4]
            reach = 5.0 * sigma + profile[4]
            first = max(floor(centre - reach), 0)
            last = min(ceil(centre + reach), rows - 1)
            below = balance * _core_cdf(table, (first - 0.5 - low) / sigma)
            below += (1.0 - balance) * _core_cdf(table, (first - 0.5 - high) / sigma)
            for row in range(first, last + 1):
                above = balance * _core_cdf(table, (row + 0.5 - low) / sigma)
                above += (1.0 - balance) * _core_cdf(table, (row + 0.5 - high) / sigma)
                image[row, column] += np.float32(flux * (above - below))
                below = above


@njit(cache=True, nogil=True)
def spread_wings(image: Any, near: float, near_length: float, far: float, far_length: float) -> None:
    """Move a little of the light of every pixel into exponential wings along the column, in place.

    Two recursive passes make the two-sided exponential, so the cost does not grow with its length. The
    near wings are stronger towards the ends of the spectra.

    Parameters
    ----------
    image : float32 array, shape (rows, columns)
        Light.
    near, far : float
        Fractions of the light in the two wings.
    near_length, far_length : float
        Their e-folding lengths, pixels.
    """
    rows, columns = image.shape
    keep1 = exp(-1.0 / near_length)
    keep2 = exp(-1.0 / far_length)
    norm1 = (1.0 - keep1) / (1.0 + keep1)
    norm2 = (1.0 - keep2) / (1.0 + keep2)
    gain1 = np.empty(columns, dtype=np.float32)
    for column in range(columns):
        u = (column - 0.5 * columns) / (0.5 * columns)
        gain1[column] = near * (1.0 + 0.35 * u * u)
    wing = np.empty((rows, columns), dtype=np.float32)
    run1 = np.zeros(columns, dtype=np.float64)
    run2 = np.zeros(columns, dtype=np.float64)
    for row in range(rows):
        for column in range(columns):
            light = image[row, column]
            run1[column] = keep1 * run1[column] + light * gain1[column]
            run2[column] = keep2 * run2[column] + light * far
            wing[row, column] = norm1 * run1[column] + norm2 * run2[column]
    run1[:] = 0.0
    run2[:] = 0.0
    for row in range(rows - 1, -1, -1):
        for column in range(columns):
            light = image[row, column]
            spread = wing[row, column] + norm1 * run1[column] + norm2 * run2[column]
            run1[column] = keep1 * (run1[column] + light * gain1[column])
            run2[column] = keep2 * (run2[column] + light * far)
            image[row, column] = light * (1.0 - gain1[column] - far) + spread


@njit(cache=True, nogil=True)
def _poisson(expected: float, uniform: float) -> float:
    term = exp(-expected)
    total = term
    count = 0
    while uniform > total and count < 200:
        count += 1
        term *= expected / count
        total += term
    return float(count)


@njit(cache=True, nogil=True)
def read_out(
    counts: Any,
    light: Any,
    haze: Any,
    response: Any,
    normal: Any,
    uniform: Any,
    first: int,
    pedestal: Any,
    pattern: Any,
    dark: float,
    gain: float,
    read_noise: float,
) -> None:
    """Turn expected light of a band of rows into what the converter writes.

    Below `POISSON_LIMIT` electrons the number is Poisson's own; above, a normal deviate carries photon
    and read noise together.

    Parameters
    ----------
    counts : uint16 array, shape (band, data columns)
        Result.
    light : float32 array, shape (rows, data columns)
        Expected electrons, of which rows `first` and following are read.
    haze : float32 array, shape (knots, data columns)
        Scattered light at equally spaced knots of the whole height.
    response : float32 array, shape (rows, data columns)
        Pixel sensitivity, about 1.
    normal, uniform : float32 arrays, shape (band, data columns)
        Random deviates.
    first : int
        First row of the band.
    pedestal : float64 array, shape (rows,)
        Bias level of each row, counts.
    pattern : float64 array, shape (data columns,)
        Bias structure along a row, counts.
    dark : float
        Dark electrons per pixel at the middle of the chip.
    gain, read_noise : float
        Electrons per count, and electrons.
    """
    rows = light.shape[0]
    knots = haze.shape[0]
    for line in range(counts.shape[0]):
        row = first + line
        place = row * (knots - 1) / (rows - 1.0)
        knot = min(int(place), knots - 2)
        share = place - knot
        glow = dark * (1.0 + 0.4 * (row / rows - 0.5))
        for column in range(counts.shape[1]):
            expected = light[row, column]
            expected += haze[knot, column] * (1.0 - share) + haze[knot + 1, column] * share
            expected = expected * response[row, column] + glow
            if expected > POISSON_LIMIT:
                electrons = expected + normal[line, column] * sqrt(expected + read_noise * read_noise)
            else:
                electrons = _poisson(expected, uniform[line, column]) + normal[line, column] * read_noise
            value = floor(electrons / gain + pedestal[row] + pattern[column] + 0.5)
            counts[line, column] = np.uint16(min(max(value, 0.0), 65535.0))
