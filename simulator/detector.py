"""The two CCDs: gain, noise, bias structure, sensitivity, hot pixels, cosmic rays and the read-out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from simulator.conditions import ORDINARY, Conditions
from simulator.kernels import gaussian_cdf_table, paint_fibres, read_out, spread_wings
from simulator.optics import COLUMNS
from simulator.slit import ROWS

OVERSCAN_COLUMNS = 22
READOUT_SECONDS = 120.0
_BAND = 256
_HAZE_BLOCK = (128, 64)
_TABLE = gaussian_cdf_table()
_TRACK_STEP = 0.5
# Charge of a track diffuses into the four neighbours of each pixel it crosses.
_DIFFUSION_ROWS = np.array([0, 1, -1, 0, 0])
_DIFFUSION_COLUMNS = np.array([0, 0, 0, 1, -1])
_DIFFUSION_SHARES = np.array([0.88, 0.03, 0.03, 0.03, 0.03])


@dataclass(frozen=True)
class Detector:
    """One CCD with its controller.

    Parameters
    ----------
    arm, name : str
        ``blue`` or ``red``; DETECTOR keyword.
    ccd : int
        Digit of the file name.
    gain, read_noise : float
        RO_GAIN (electrons per count) and RO_NOISE (electrons).
    bias_level : float
        Mean pedestal, counts.
    dark_rate : float
        Electrons per pixel and hour.
    cosmic_rate : float
        Cosmic-ray hits per hour.
    """

    arm: str
    name: str
    ccd: int
    gain: float
    read_noise: float
    bias_level: float
    dark_rate: float
    cosmic_rate: float


DETECTORS = {
    "blue": Detector("blue", "E2V2A", 1, 1.88, 3.61, 372.0, 1.6, 1300.0),
    "red": Detector("red", "E2V3A", 2, 1.99, 4.25, 458.0, 2.2, 1900.0),
}


@dataclass(frozen=True)
class Profile:
    """Shape of a fibre's image across the dispersion: core coefficients and wings.

    `core` is explained at `simulator.kernels.paint_fibres`; `near` and `far` are the fractions of light
    in exponential wings of `near_length` and `far_length` pixels; `haze` is the fraction that reaches
    the whole chip as scattered light, over and above what the spectra hold.
    """

    core: NDArray[np.float64]
    near: float
    near_length: float
    far: float
    far_length: float
    haze: float


PROFILES = {
    "blue": Profile(np.array([1.13, 0.020, -0.015, 0.035, 1.72, 0.06]), 0.011, 3.5, 0.0035, 35.0, 0.003),
    "red": Profile(np.array([1.17, -0.015, 0.020, 0.045, 1.78, -0.07]), 0.010, 4.2, 0.0045, 45.0, 0.004),
}


@dataclass(frozen=True)
class Blemishes:
    """What the silicon does by itself, the same on every night.

    Parameters
    ----------
    hot_rows, hot_columns : ndarray of int, shape (n,)
        Places of hot pixels, 0-based.
    hot_rates : ndarray, shape (n,)
        Electrons per hour.
    bad_columns : ndarray of int
        Columns of low sensitivity.
    pattern : ndarray, shape (2048,)
        Bias structure along a row, counts.
    """

    hot_rows: NDArray[np.int64]
    hot_columns: NDArray[np.int64]
    hot_rates: NDArray[np.float64]
    bad_columns: NDArray[np.int64]
    pattern: NDArray[np.float64]


@lru_cache(maxsize=4)
def blemishes(arm: str, seed: int) -> Blemishes:
    """Draw the blemishes of an arm's detector."""
    rng = np.random.Generator(np.random.PCG64([seed, DETECTORS[arm].ccd, 101]))
    hot = 350
    x = np.arange(COLUMNS)
    # The first columns after the serial register starts are high; the rest ripples a little.
    pattern = 2.5 * np.exp(-x / 60.0) + 0.6 * np.sin(x / 173.0 + rng.uniform(0.0, 6.0))
    pattern += gaussian_filter(rng.normal(0.0, 1.5, COLUMNS), 4.0)
    return Blemishes(
        hot_rows=rng.integers(0, ROWS, hot),
        hot_columns=rng.integers(0, COLUMNS, hot),
        hot_rates=10.0 ** rng.uniform(1.8, 4.3, hot),
        bad_columns=rng.integers(100, COLUMNS - 100, 1),
        pattern=pattern,
    )


@lru_cache(maxsize=2)
def pixel_response(arm: str, seed: int, dead_columns: int = 0) -> NDArray[np.float32]:
    """Relative sensitivity of every pixel, shape (4098, 2048): 0.3 % rms, a bad column, and dead ones."""
    rng = np.random.Generator(np.random.SFC64([seed, DETECTORS[arm].ccd, 102]))
    response = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    response *= np.float32(0.003)
    response += np.float32(1.0)
    for column in blemishes(arm, seed).bad_columns:
        response[:, column] *= np.float32(0.55)
    for column in rng.integers(20, COLUMNS - 20, dead_columns):
        response[int(rng.integers(0, ROWS // 2)) :, column] = 0.0
    response.flags.writeable = False
    return response


@dataclass(frozen=True)
class CosmicRays:
    """Charge left by particles.

    Parameters
    ----------
    pixels : ndarray of int32, shape (n, 2)
        Row and column of every pixel touched, 0-based.
    electrons : ndarray, shape (n,)
        Charge in each.
    """

    pixels: NDArray[np.int32]
    electrons: NDArray[np.float64]


def strike(detector: Detector, seconds: float, rng: np.random.Generator) -> CosmicRays:
    """Draw the cosmic rays of an exposure; half the read-out counts as exposed.

    A hit is a straight track of random length and direction with an energy per pixel that scatters
    widely, plus a little charge diffused into neighbours.
    """
    hits = int(rng.poisson(detector.cosmic_rate * (seconds + 0.5 * READOUT_SECONDS) / 3600.0))
    length = np.minimum(rng.exponential(3.0, hits) + 0.5, 40.0)
    angle = rng.uniform(0.0, 2.0 * np.pi, hits)
    density = rng.lognormal(6.6, 0.8, hits)
    start_row, start_column = rng.uniform(0, ROWS, hits), rng.uniform(0, COLUMNS, hits)

    steps = np.ceil(length / _TRACK_STEP).astype(np.int64)
    hit = np.repeat(np.arange(hits), steps)
    along = _TRACK_STEP * (np.arange(hit.size) - np.repeat(np.cumsum(steps) - steps, steps))
    charge = _TRACK_STEP * density[hit] * rng.uniform(0.5, 1.5, hit.size)
    row = np.floor(start_row[hit] + along * np.sin(angle[hit])).astype(np.int64)
    column = np.floor(start_column[hit] + along * np.cos(angle[hit])).astype(np.int64)

    near_rows = (row[:, None] + _DIFFUSION_ROWS).ravel()
    near_columns = (column[:, None] + _DIFFUSION_COLUMNS).ravel()
    deposit = (charge[:, None] * _DIFFUSION_SHARES).ravel()
    inside = (near_rows >= 0) & (near_rows < ROWS) & (near_columns >= 0) & (near_columns < COLUMNS)
    place = near_rows[inside] * COLUMNS + near_columns[inside]
    touched, index = np.unique(place, return_inverse=True)
    electrons = np.bincount(index, weights=deposit[inside], minlength=touched.size).astype(np.float64)
    pixels = np.stack([touched // COLUMNS, touched % COLUMNS], axis=1).astype(np.int32)
    return CosmicRays(pixels, electrons)


def profile_of(arm: str, conditions: Conditions = ORDINARY) -> Profile:
    """Profile of an arm's fibres."""
    usual = PROFILES[arm]
    # Width and separation of the core stay what they are in the middle of the chip.
    change = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0]) * (conditions.profile_change - 1.0)
    change[0] = 0.0
    return Profile(
        core=usual.core * (1.0 + change),
        near=usual.near * conditions.wings,
        near_length=usual.near_length,
        far=usual.far * conditions.wings,
        far_length=usual.far_length,
        haze=usual.haze * conditions.haze,
    )


def image_of(
    profile: Profile, spectra: NDArray[np.float64], trace: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Expected light on the chip, without scattered light, blemishes or noise.

    Parameters
    ----------
    profile : Profile
        Of the fibres, from `profile_of`.
    spectra, trace : ndarray, shape (fibres, 2048)
        Electrons per spectral pixel (summed over the profile), and its row.

    Returns
    -------
    ndarray of float32, shape (4098, 2048)
        Electrons.
    """
    image = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    paint_fibres(image, spectra, trace, profile.core, _TABLE)
    if spectra.any():
        spread_wings(image, profile.near, profile.near_length, profile.far, profile.far_length)
    return image


def scattered_light(profile: Profile, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth light that reaches every pixel, at knots along y, shape (knots, 2048), electrons."""
    tall, wide = _HAZE_BLOCK
    knots = ROWS // tall
    blocks = image[: knots * tall].reshape(knots, tall, COLUMNS // wide, wide)
    coarse = blocks.mean(axis=(1, 3), dtype=np.float64)
    smooth = gaussian_filter(coarse, (6.0, 6.0), mode="nearest") * profile.haze
    centres = np.arange(COLUMNS // wide) * wide + 0.5 * (wide - 1)
    columns = np.arange(COLUMNS)
    return np.stack([np.interp(columns, centres, row) for row in smooth]).astype(np.float32)


def digitise(
    arm: str,
    image: NDArray[np.float32],
    seconds: float,
    cosmics: CosmicRays,
    hardware_seed: int,
    rng: np.random.Generator,
    conditions: Conditions = ORDINARY,
) -> NDArray[np.uint16]:
    """Expose and read out: blemishes, dark current, noise, bias, saturation and overscan.

    Parameters
    ----------
    arm : str
        ``blue`` or ``red``.
    image : ndarray of float32, shape (4098, 2048)
        Expected electrons; hot pixels and cosmic rays are added to it in place.
    seconds : float
        Exposure time.
    cosmics : CosmicRays
        From `strike`.
    hardware_seed : int
        Decides the blemishes.
    rng : numpy.random.Generator
        Noise.
    conditions : Conditions
        Scattered light and dead columns.

    Returns
    -------
    ndarray of uint16, shape (4098, 2070)
        Counts.
    """
    detector = DETECTORS[arm]
    marks = blemishes(arm, hardware_seed)
    haze = scattered_light(profile_of(arm, conditions), image)
    np.add.at(image, (marks.hot_rows, marks.hot_columns), marks.hot_rates * seconds / 3600.0)
    image[cosmics.pixels[:, 0], cosmics.pixels[:, 1]] += cosmics.electrons

    rows = np.arange(ROWS)
    pedestal = detector.bias_level + float(rng.normal(0.0, 1.2))
    trend = 8.0 * np.exp(-rows / 350.0) + 6.0 * (rows / ROWS - 0.5) + 2.0 * np.sin(rows / 900.0)
    level = pedestal + trend
    response = pixel_response(arm, hardware_seed, conditions.dead_columns)
    dark = detector.dark_rate * seconds / 3600.0

    counts = np.empty((ROWS, COLUMNS + OVERSCAN_COLUMNS), dtype=np.uint16)
    for first in range(0, ROWS, _BAND):
        band = counts[first : first + _BAND]
        shape = (band.shape[0], COLUMNS)
        normal = rng.standard_normal(shape, dtype=np.float32)
        uniform = rng.random(shape, dtype=np.float32)
        read_out(
            band[:, :COLUMNS],
            image,
            haze,
            response,
            normal,
            uniform,
            first,
            level,
            marks.pattern,
            dark,
            detector.gain,
            detector.read_noise,
        )
    noise = rng.standard_normal((ROWS, OVERSCAN_COLUMNS)) * (detector.read_noise / detector.gain)
    counts[:, COLUMNS:] = np.floor(level[:, None] + noise + 0.5)
    return counts
