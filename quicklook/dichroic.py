"""What the dichroic takes from either arm, and the arms' relative sensitivity, from summed spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

FloatArray = NDArray[np.float64]

TERMS = 3
"""Of the polynomial that the logarithm of the summed light follows around the overlap."""

SMALLEST_CHANGE = 1.0
"""A dichroic changes the logarithm of the arms' ratio by at least this over the overlap."""

REACH = 4.0
"""Natural logarithm of the largest relative sensitivity of the arms."""

OUTLIER = 4.0


@dataclass(frozen=True, eq=False)
class Summed:
    """Logarithm of the summed light of many spectra around the overlap of two arms.

    Attributes
    ----------
    pixels : tuple of ndarray
        Places left of the overlap, where blue is known, and right of it, where red is.
    logs, weights : tuple of ndarray
        Logarithm of the light there, and the inverse of its error.
    start, stop : int
        The overlap.
    blue, red : ndarray (stop - start,)
        Smooth logarithm of the light that each arm shows in the overlap.
    """

    pixels: tuple[FloatArray, FloatArray]
    logs: tuple[FloatArray, FloatArray]
    weights: tuple[FloatArray, FloatArray]
    start: int
    stop: int
    blue: FloatArray
    red: FloatArray


@dataclass(frozen=True, eq=False)
class Dichroic:
    """Shares of the arms.

    Attributes
    ----------
    scale, error : float
        Sensitivity of blue over that of red, the dichroic apart.
    log_ratio : ndarray (pixels,)
        Logarithm of red over blue light, scaled, at every pixel asked for.
    """

    scale: float
    error: float
    log_ratio: FloatArray

    @property
    def blue(self) -> FloatArray:
        """Factors that give blue what the dichroic took from it."""
        return np.asarray(1.0 + np.exp(np.clip(self.log_ratio, -50.0, 50.0)))

    @property
    def red(self) -> FloatArray:
        """Factors that give red what the dichroic took from it."""
        return np.asarray(1.0 + np.exp(np.clip(-self.log_ratio, -50.0, 50.0)))


def find_dichroic(summed: Summed, n_pixels: int) -> Dichroic | None:
    """Measure the arms' relative sensitivity, and how the light is shared between them.

    A dichroic hands to one arm what it keeps from the other. With the right relative sensitivity the light
    of both arms together is therefore as smooth through the overlap as beside it. Beyond the overlap, where
    one arm is not seen, the logarithm of the arms' ratio goes on as a straight line.

    Parameters
    ----------
    summed : Summed
    n_pixels : int
        Pixels for which the ratio is wanted.

    Returns
    -------
    Dichroic or None
        None when the arms' ratio does not change over the overlap as a dichroic makes it.
    """
    ratio = _continued(summed.red - summed.blue, summed.start, n_pixels)
    if ratio is None:
        return None
    inside = np.arange(summed.start, summed.stop)
    x = np.concatenate([summed.pixels[0], inside, summed.pixels[1]])
    known = np.median(np.concatenate(summed.weights))
    weight = np.concatenate([summed.weights[0], np.full(len(inside), known), summed.weights[1]])
    g = [ratio[pixels.astype(np.int64)] for pixels in summed.pixels]
    basis = np.polynomial.chebyshev.chebvander(2.0 * (x - x.min()) / np.ptp(x) - 1.0, TERMS - 1)

    def light(log_scale: float) -> FloatArray:
        return np.concatenate(
            [
                summed.logs[0] + np.logaddexp(0.0, log_scale + g[0]),
                np.logaddexp(summed.blue, log_scale + summed.red),
                summed.logs[1] + log_scale + np.logaddexp(0.0, -log_scale - g[1]),
            ]
        )

    def roughness(log_scale: float) -> float:
        return _misfit(basis, light(log_scale), weight)

    trials = np.linspace(-REACH, REACH, 81)
    first = float(trials[int(np.argmin([roughness(trial) for trial in trials]))])
    found = minimize_scalar(roughness, bounds=(first - 0.1, first + 0.1), method="bounded")
    log_scale = float(found.x)
    step = 0.02
    bend = (roughness(log_scale + step) - 2.0 * float(found.fun) + roughness(log_scale - step)) / step**2
    scatter = max(float(found.fun) / len(x), 1.0)
    scale = float(np.exp(log_scale))
    error = scale * float(np.sqrt(2.0 * scatter / bend)) if bend > 0 else scale
    return Dichroic(scale, max(error, 1e-6), ratio + log_scale)


def _continued(inside: FloatArray, start: int, n_pixels: int) -> FloatArray | None:
    """Logarithm of a ratio known in the overlap, with straight lines from its halves on either side."""
    n = len(inside)
    half, x = n // 2, np.arange(n, dtype=np.float64)
    slopes = [float(np.polyfit(x[part], inside[part], 1)[0]) for part in (slice(0, half), slice(half, n))]
    if min(slopes) <= 0 or inside[-1] - inside[0] < SMALLEST_CHANGE:
        return None
    at = np.arange(n_pixels, dtype=np.float64) - start
    left = inside[0] + slopes[0] * np.minimum(at, 0.0)
    right = inside[-1] + slopes[1] * np.maximum(at - (n - 1), 0.0)
    return np.asarray(np.where(at < 0, left, np.where(at > n - 1, right, np.interp(at, x, inside))))


def _misfit(basis: FloatArray, y: FloatArray, weight: FloatArray) -> float:
    """Weighted squares of what a polynomial leaves, each counted up to a few times the typical one."""
    a = basis * weight[:, np.newaxis]
    residual = y * weight - a @ np.linalg.lstsq(a, y * weight, rcond=None)[0]
    typical = max(1.0, 1.48 * float(np.median(np.abs(residual))))
    return float(np.minimum(residual**2, (OUTLIER * typical) ** 2).sum())
