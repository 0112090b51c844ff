"""What the dichroic takes from either arm, and the arms' relative sensitivity, from the lamp or summed spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.optimize import least_squares, minimize_scalar
from scipy.special import expit, logit

from quicklook.types import FloatArray

TERMS = 3
"""Of the polynomials that the logarithms of light and sensitivity follow around the overlap."""

SMALLEST_CHANGE = 1.0
"""A dichroic changes the logarithm of the arms' ratio by at least this over the overlap."""

REACH = 4.0
"""Natural logarithm of the largest relative sensitivity of the arms."""

OUTLIER = 4.0

LAMP_BESIDE = 250
"""Pixels on either side of the overlap over which the lamp's light times a sensitivity is taken for a parabola, at most. Over
fewer the curves are free to bend where nothing holds them, over more they no longer are parabolas."""

LAMP_ERROR = 0.001
"""Relative error of the lamp's light per pixel, and of the parabolas."""

LIGHT_ERROR = 0.003
"""Share of the lamp's light by which the parabolas may be wrong beside the overlap. What they show there beyond it, a
straight line does not."""

NEAR = 9
"""Pixels whose median is the lamp's light beside the overlap: narrow faults of the lamp's spectrum are not the dichroic's."""

SMALLEST = 1e-6
"""Share of the light that counts as none."""

ROUNDS = 3
"""Fits, each with the shares that the one before found."""

LARGEST_RESIDUAL = 0.05
"""A lamp whose light the arms share less exactly than this is not believed."""


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
    blue, red : ndarray (stop - start,) or None
        Smooth logarithm of the light that each arm shows in the overlap; None where it shows too little.
    """

    pixels: tuple[FloatArray, FloatArray]
    logs: tuple[FloatArray, FloatArray]
    weights: tuple[FloatArray, FloatArray]
    start: int
    stop: int
    blue: FloatArray | None
    red: FloatArray | None


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
    blue, red = summed.blue, summed.red
    ratio = None if blue is None or red is None else _continued(red - blue, summed.start, n_pixels)
    if blue is None or red is None or ratio is None:
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
                np.logaddexp(blue, log_scale + red),
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


def lamp_dichroic(blue: FloatArray, red: FloatArray, span: slice, beside: int) -> Dichroic | None:
    """Measure from the flat lamp how the light is shared.

    Both arms see the same lamp, so its own spectrum does not matter to their ratio, and its light has no lines.
    With *b* and *r* the light that the arms show, what reaches them are shares of one, which vary with the
    dichroic as steeply as they like:  A b + B r = 1,  where the smooth A and B are the inverse of the lamp's
    light times the sensitivity of either arm. The logarithms of both are parabolas over the overlap and the
    pixels beside it.

    Parameters
    ----------
    blue, red : ndarray (pixels,)
        The lamp's light per pixel on common pixels; NaN where an arm does not see it.
    span : slice
        The overlap.
    beside : int
        Pixels on either side that are taken as well.

    Returns
    -------
    Dichroic or None
        None when the overlap shows no dichroic, or the light is not shared as assumed. The scale is that of
        the lamp exposures.
    """
    seen = np.isfinite(blue[span]) & np.isfinite(red[span]) & (blue[span] > 0) & (red[span] > 0)
    if seen.mean() < 0.8:
        return None
    at = np.arange(seen.size, dtype=np.float64)
    inside = np.interp(at, at[seen], np.log(red[span][seen] / blue[span][seen]))
    ratio = _continued(inside, span.start, len(blue))
    if ratio is None:
        return None
    pixels = np.arange(max(0, span.start - beside), min(len(blue), span.stop + beside))
    r = np.exp(np.clip(ratio[pixels], -50.0, 50.0))
    # Where one arm is not seen, the other and the continued ratio tell it.
    with np.errstate(invalid="ignore"):
        b = np.where(pixels < span.stop, blue[pixels], red[pixels] / r)
    good = np.isfinite(b) & (b > 0)
    if good[pixels < span.start].sum() < 20 or good[pixels >= span.stop].sum() < 20:
        return None
    u = np.linspace(-1.0, 1.0, len(pixels), dtype=np.float64)[good]
    basis = np.asarray(np.polynomial.chebyshev.chebvander(u, TERMS - 1), dtype=np.float64)
    side = np.where(pixels < span.start, 1, np.where(pixels >= span.stop, -1, 0))[good]
    found = _conserved(np.log(b[good]), np.log((b * r)[good]), basis, side)
    if found is None:
        return None
    told = _told_by_light(ratio + found.even, found.shares, pixels[good], side)
    scale = float(np.exp(found.even))
    return Dichroic(scale, max(scale * found.residual, 1e-6), told)


@dataclass(frozen=True, eq=False)
class _Conserved:
    """Curves with which the light of both arms adds up to one.

    Attributes
    ----------
    even : float
        Logarithm of the arms' relative sensitivity where they share alike.
    residual : float
        What the fit leaves, rms.
    shares : tuple of ndarray (n,)
        Logarithm of what either arm gets; of the arm that is not seen, as it was assumed.
    """

    even: float
    residual: float
    shares: tuple[FloatArray, FloatArray]


def _conserved(
    blue: FloatArray, red: FloatArray, basis: FloatArray, side: NDArray[np.int64]
) -> _Conserved | None:
    """Fit both curves; None when they cannot be believed.

    In the overlap only the arms' relative sensitivity where they share alike is taken from the curves: beyond it, they
    would put their own errors into the spectra. ``side`` is 1 where red is not seen, -1 where blue is not. What is not
    seen there is continued, and doubted as a whole: a dichroic may end more steeply than a straight line, or less.
    """
    n = basis.shape[1]
    parameters = np.zeros(2 * n)
    parameters[0], parameters[n] = -blue[0], -red[-1]
    ratio = red - blue
    middle = float(np.median(ratio[side == 0]))
    hidden = _unseen(np.zeros_like(ratio), ratio - middle, side)
    for _ in range(ROUNDS):
        weight = 1.0 / np.hypot(LAMP_ERROR, hidden)

        def residual(p: FloatArray, weight: FloatArray = weight) -> FloatArray:
            return np.asarray(np.logaddexp(blue + basis @ p[:n], red + basis @ p[n:]) * weight)

        def slopes(p: FloatArray, weight: FloatArray = weight) -> FloatArray:
            own, other = blue + basis @ p[:n], red + basis @ p[n:]
            share = np.exp(own - np.logaddexp(own, other))[:, np.newaxis]
            return np.hstack([basis * share, basis * (1.0 - share)]) * weight[:, np.newaxis]

        fit = least_squares(residual, parameters, jac=slopes, method="lm", max_nfev=200)
        parameters = fit.x
        own, other = blue + basis @ parameters[:n], red + basis @ parameters[n:]
        hidden = _unseen(own, other, side)
    left = float(np.sqrt(np.sum(fit.fun**2) / np.sum(weight**2)))
    if not fit.success or left > LARGEST_RESIDUAL:
        return None
    even = int(np.argmin(np.abs(own - other)))
    return _Conserved(float((other - red - own + blue)[even]), left, (own, other))


def _told_by_light(
    log_ratio: FloatArray,
    shares: tuple[FloatArray, FloatArray],
    pixels: NDArray[np.int64],
    side: NDArray[np.int64],
) -> FloatArray:
    """Correct the logarithm of red over blue light beside the overlap by the light of the arm that is seen.

    What that arm does not get of the lamp, the other one does. The curves say so to `LIGHT_ERROR`: the straight line is
    left where, and as far as, it is contradicted by more. At the overlap's ends nothing changes.
    """
    result = log_ratio.copy()
    for sign, share in zip((1, -1), shares, strict=True):
        there = side == sign
        line = expit(sign * log_ratio[pixels[there]])
        light = -np.expm1(median_filter(share, NEAR, mode="nearest"))[there]
        end = slice(-NEAR, None) if sign > 0 else slice(0, NEAR)
        light += np.median(line[end] - light[end]) * line / np.median(line[end])
        contradiction2 = (light - line) ** 2
        hidden = line + contradiction2 / (contradiction2 + LIGHT_ERROR**2) * (light - line)
        result[pixels[there]] = sign * logit(np.clip(hidden, SMALLEST, 1.0 - SMALLEST))
    return result


def _unseen(blue: FloatArray, red: FloatArray, side: NDArray[np.int64]) -> FloatArray:
    """Share of the arm that is not seen, from the logarithms of both shares."""
    share = np.exp(blue - np.logaddexp(blue, red))
    return np.asarray(np.where(side > 0, 1.0 - share, np.where(side < 0, share, 0.0)))


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
