"""The relative scale of two arms, fibre by fibre, from the light that both see at the same wavelengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quicklook import nanmath
from quicklook.types import BoolArray, FloatArray, FloatImage

Arm = tuple[FloatImage, FloatImage]
"""Flux and variance (fibres, pixels)."""

MIN_BRIGHT = 5
"""Fibres that must be well exposed for their scales to be compared; fewer, and all objects are summed."""

BRIGHT = 10.0
"""Signal-to-noise of a fibre's light in the overlap from which its scale is measured."""

CORRELATED = 1.5
"""The variance of a sum of many rebinned pixels over the sum of their variances."""

PARTS = 4
"""Parts of the overlap in which the arms are compared at last."""

LITTLE = 0.1
"""An arm that gives less than this to a part of the joined spectra does not matter there."""

CLEAR = 100.0
"""Signal-to-noise of either arm from which a difference of one per cent can be told."""

USUAL = 4.0
"""A fibre's scale further from the others than this many sigma of their scatter and its error is its own."""

ROUNDS = 6
"""Fits of the scale, each with the scatter and without the unusual fibres that the one before found."""

HIT, HIT_SHARE = 6.0, 0.3
"""The arms contradict each other in a pixel by more than this many sigma, and this share of their light."""


@dataclass(frozen=True, eq=False)
class Scale:
    """What makes red spectra continue blue ones.

    Attributes
    ----------
    plate : float
        Factor of the typical fibre.
    error : float
        Its error; 0 when nothing could be measured and ``plate`` is one.
    fibres : ndarray (fibres,)
        Factor of each fibre.
    scatter : float
        How much the logarithms of fibres' factors differ beyond their errors, rms.
    measured : int
        Fibres with a measurement of their own.
    offset, offset_error : float
        Light that blue shows more than scaled red in all fibres alike, a pixel of the overlap: what the skies of
        both arms are wrong by. The error is 0 when it was not asked for.
    """

    plate: float
    error: float
    fibres: FloatArray
    scatter: float = 0.0
    measured: int = 0
    offset: float = 0.0
    offset_error: float = 0.0


def measure_scale(
    blue: Arm,
    red: Arm,
    objects: BoolArray,
    skies: tuple[FloatArray, FloatArray] | None = None,
    blank: BoolArray | None = None,
) -> Scale:
    """Compare the arms at the wavelengths that both see.

    At one wavelength an object is equally bright in both arms, so neither its lines nor its colour matters.
    Pixels are weighted by the noise of the typical fibre, never by their own, which would favour low values.
    What one fibre shows beyond the others is believed as far as its error allows: the arms' sensitivities are
    common to all fibres, and fibres differ only as their throughput was measured in either arm.

    The sky that was subtracted is wrong by what the noise of the sky fibres left, in all objects alike. Faint and
    bright objects together tell it from the scale, as far as the sky fibres allow for it.

    Parameters
    ----------
    blue, red : tuple of ndarray (fibres, pixels)
        Flux and variance on common pixels, both corrected for what the dichroic takes.
    objects : ndarray of bool (fibres,)
    skies : tuple of ndarray (pixels,), optional
        The sky that was subtracted from either arm: it tells the scale where objects are too faint.
    blank : ndarray of bool (fibres,), optional
        Sky fibres, whose light tells how wrong the subtracted sky may be. Without any it is taken for right.

    Returns
    -------
    Scale
    """
    plate = 1.0
    good = _good(blue, red, objects)
    if not good.any():
        return _of_sky(skies, len(objects))
    sums = None
    for _ in range(3):
        weight = _weights(blue, red, good & objects[:, np.newaxis], plate)
        sums = _Sums.of(blue, red, good, weight)
        chosen = objects & (sums.signal_to_noise > BRIGHT)
        total = sums.total(objects)
        if chosen.sum() >= MIN_BRIGHT:
            plate = float(np.exp(nanmath.median(sums.log_ratio[chosen])))
        elif total.signal_to_noise[0] > BRIGHT:
            plate = float(np.exp(total.log_ratio[0]))
        else:
            return _of_sky(skies, len(objects))
        good = _without_hits(blue, red, _good(blue, red, objects), plate)
    assert sums is not None
    if chosen.sum() < MIN_BRIGHT:
        return Scale(plate, plate * float(total.error[0]), np.full(len(objects), plate))
    return _fibre_by_fibre(sums, chosen, _sky_variance(sums, plate, blank), float(weight.sum()))


def remaining_steps(blue: Arm, red: Arm, objects: BoolArray, share: FloatArray) -> tuple[float, ...]:
    """Blue over red light minus one, in parts of the overlap, in the sum of the objects that shine there.

    Parameters
    ----------
    blue, red : tuple of ndarray (fibres, pixels)
        Flux and variance of the overlap, fully corrected.
    objects : ndarray of bool (fibres,)
    share : ndarray (pixels,)
        Of blue in the joined spectra.

    Returns
    -------
    tuple of float
        NaN for parts to which one arm gives less than `LITTLE`, or shows less than `CLEAR` times its noise.
    """
    result = []
    for pixels in np.array_split(np.arange(blue[0].shape[1]), PARTS):
        both = np.isfinite(blue[0][:, pixels]) & np.isfinite(red[0][:, pixels]) & objects[:, np.newaxis]
        light = [float(arm[0][:, pixels][both].sum(dtype=np.float64)) for arm in (blue, red)]
        noise = [
            float(np.sqrt(CORRELATED * arm[1][:, pixels][both].sum(dtype=np.float64))) for arm in (blue, red)
        ]
        clear = all(part > CLEAR * sigma > 0 for part, sigma in zip(light, noise, strict=True))
        matters = LITTLE < float(share[pixels].mean()) < 1.0 - LITTLE
        result.append(light[0] / light[1] - 1.0 if clear and matters else float("nan"))
    return tuple(result)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Weighted sums of both arms' light, one for each fibre, and their variances."""

    blue: FloatArray
    red: FloatArray
    blue_variance: FloatArray
    red_variance: FloatArray

    @classmethod
    def of(cls, blue: Arm, red: Arm, good: BoolArray, weight: FloatArray) -> _Sums:
        def summed(values: FloatImage, factor: FloatArray) -> FloatArray:
            return np.asarray(np.where(good, values, 0.0) @ factor, dtype=np.float64)

        variances = (CORRELATED * summed(arm[1], weight**2) for arm in (blue, red))
        return cls(summed(blue[0], weight), summed(red[0], weight), *variances)

    def total(self, rows: BoolArray) -> _Sums:
        """The sum of some fibres."""
        return _Sums(*(np.array([part[rows].sum()]) for part in (self.blue, self.red, self.blue_variance, self.red_variance)))  # fmt: skip

    @property
    def signal_to_noise(self) -> FloatArray:
        """Of the arm that shows less."""
        parts = ((self.blue, self.blue_variance), (self.red, self.red_variance))
        each = [s / np.sqrt(np.where(v > 0, v, np.inf)) for s, v in parts]
        return np.asarray(np.minimum(each[0], each[1]))

    @property
    def log_ratio(self) -> FloatArray:
        positive = (self.blue > 0) & (self.red > 0)
        return np.asarray(np.log(np.where(positive, self.blue, 1.0) / np.where(positive, self.red, 1.0)))

    @property
    def error(self) -> FloatArray:
        """Of the logarithm."""
        with np.errstate(all="ignore"):
            return np.asarray(np.sqrt(self.blue_variance / self.blue**2 + self.red_variance / self.red**2))


def _good(blue: Arm, red: Arm, objects: BoolArray) -> BoolArray:
    good = np.ones(blue[0].shape, dtype=bool)
    for flux, variance in (blue, red):
        good &= np.isfinite(flux) & (variance > 0) & (variance < np.inf)
    return np.asarray(good & (good.mean(axis=1) > 0.5)[:, np.newaxis] & good[objects].any(axis=0))


def _weights(blue: Arm, red: Arm, good: BoolArray, plate: float) -> FloatArray:
    """Weight of each pixel: the inverse variance of the arms' difference in the typical object."""
    used = good.any(axis=0)
    result = np.zeros(good.shape[1])
    rows = good.any(axis=1)
    noise = [
        nanmath.median(np.where(good, arm[1], np.nan)[np.ix_(rows, used)].astype(np.float64), axis=0)
        for arm in (blue, red)
    ]
    result[used] = 1.0 / (noise[0] + plate**2 * noise[1])
    return np.asarray(result / result.max())


def _without_hits(blue: Arm, red: Arm, good: BoolArray, plate: float) -> BoolArray:
    """Leave out pixels in which the arms contradict each other, as a cosmic ray that was not found makes them."""
    with np.errstate(all="ignore"):
        difference = np.abs(blue[0] - plate * red[0])
        noise = np.sqrt(blue[1] + plate**2 * red[1])
        light = 0.5 * np.abs(blue[0] + plate * red[0])
        return np.asarray(good & ~(difference > HIT * noise + HIT_SHARE * light))


def _sky_variance(sums: _Sums, plate: float, blank: BoolArray | None) -> float:
    """Variance of what all objects' difference of the arms owes to the subtracted skies; 0 when no sky fibre tells."""
    variance = sums.blue_variance + plate**2 * sums.red_variance
    known = (variance > 0) & blank if blank is not None else np.zeros(len(variance), dtype=bool)
    n = int(known.sum())
    if n == 0:
        return 0.0
    difference = (sums.blue - plate * sums.red)[known]
    # What sky fibres scatter by holds errors of their throughput too; few of them may agree by chance. Medians: an
    # object may be among them.
    return max(_spread2(difference), float(nanmath.median(variance[known]))) / n


def _fibre_by_fibre(sums: _Sums, chosen: BoolArray, sky_variance: float, pixels: float) -> Scale:
    """Fit blue = scale red + offset to the chosen fibres, the offset as large as the skies' errors let it be.

    The light of a fibre is the mean of both arms by their variances: its noise is independent of their difference.
    """
    blue, red, blue2, red2 = (
        part[chosen] for part in (sums.blue, sums.red, sums.blue_variance, sums.red_variance)
    )
    scale, offset, own2 = float(np.exp(nanmath.median(sums.log_ratio[chosen]))), 0.0, 0.0
    for _ in range(ROUNDS):
        noise2 = blue2 + scale**2 * red2
        light = scale * (blue * scale * red2 + red * blue2) / noise2
        value, error2 = (blue - scale * red) / light, noise2 / light**2
        rest = value - offset / light
        own2, spread2 = _own_scatter(rest, error2)
        usual = np.abs(rest - nanmath.median(rest)) < USUAL * np.sqrt(max(spread2, own2) + error2)
        weight = np.where(usual, 1.0 / (error2 + own2), 0.0)
        # The second unknown is the offset in units of what it may be: it has the variance one beforehand.
        columns = np.stack([np.ones(len(light)), np.sqrt(sky_variance) / light])
        covariance = np.linalg.inv((weight * columns) @ columns.T + np.diag([0.0, 1.0]))
        change, share = covariance @ columns @ (weight * value)
        scale, offset = scale * (1.0 + float(change)), float(share * np.sqrt(sky_variance))
    rest = sums.log_ratio[chosen] - np.log(scale) - offset / light
    # What no other fibre shows is a fault of this one's calibration and not a matter of chance.
    believed = np.where(usual, own2 / (error2 + own2), 1.0)
    fibres = np.full(len(chosen), scale)
    fibres[chosen] = scale * np.exp(believed * rest)
    error, doubt = np.sqrt(np.diag(covariance) * [1.0, sky_variance])
    return Scale(
        scale, max(scale * float(error), 1e-6), fibres, float(np.sqrt(own2)), int(chosen.sum()),
        offset / pixels, float(doubt) / pixels,
    )  # fmt: skip


def _own_scatter(value: FloatArray, error2: FloatArray) -> tuple[float, float]:
    """Variance of what fibres differ by beyond their errors, and of all that they differ by."""
    # The best measured half tells most clearly what is not noise.
    best = error2 <= np.median(error2)
    return max(_spread2(value[best]) - float(np.median(error2[best])), 0.0), _spread2(value)


def _spread2(value: FloatArray) -> float:
    """Variance without outliers."""
    return float(1.4826 * nanmath.median(np.abs(value - nanmath.median(value)))) ** 2


def _of_sky(skies: tuple[FloatArray, FloatArray] | None, n: int) -> Scale:
    """The scale that the subtracted sky shows, or none."""
    if skies is not None:
        good = np.isfinite(skies[0]) & np.isfinite(skies[1]) & (skies[0] > 0) & (skies[1] > 0)
        if good.sum() > 0.5 * good.size:
            ratios = np.log(skies[0][good] / skies[1][good])
            plate = float(np.exp(np.median(ratios)))
            error = 1.2533 * float(np.std(ratios)) / float(np.sqrt(good.sum()))
            return Scale(plate, max(plate * error, 1e-6), np.full(n, plate))
    return Scale(1.0, 0.0, np.ones(n))
