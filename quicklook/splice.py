"""Joining the two arms at the dichroic: blue dispersion throughout, no step at the join."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quicklook import nanmath
from quicklook.armscale import Scale, measure_scale, remaining_steps
from quicklook.dichroic import LAMP_BESIDE, Summed, find_dichroic, lamp_dichroic
from quicklook.errors import InvalidInput
from quicklook.rebin import scrunch
from quicklook.types import BoolArray, FloatArray, FloatImage, LinearGrid

Pair = tuple[FloatImage, FloatImage]
"""Flux and variance (fibres, n), or the same of both arms."""

EDGE = 8
"""Pixels at the end of an arm that are not trusted in the join."""

BESIDE = 150
"""Pixels on either side of the overlap through which spectra are taken to be smooth."""

LARGEST_FACTOR = 50.0

MIN_BRIGHT = 5
"""Fibres that must be well exposed beside the overlap for the dichroic to be seen in their sum."""


@dataclass(frozen=True, eq=False)
class Arm:
    """Spectra of one arm.

    Attributes
    ----------
    flux, variance : ndarray of float32 (fibres, n)
        Electrons per pixel.
    grid : LinearGrid
    sky, lamp : ndarray (1, n), optional
        The sky that was subtracted, and the flat lamp (any unit) by which fibres were made alike.
    """

    flux: FloatImage
    variance: FloatImage
    grid: LinearGrid
    sky: FloatImage | None = None
    lamp: FloatImage | None = None


@dataclass(frozen=True, eq=False)
class Spliced:
    """Both arms as one.

    Attributes
    ----------
    flux, variance : ndarray of float32 (fibres, n)
        Electrons per pixel of the blue arm's width.
    sky : ndarray of float32 (1, n) or None
        The sky that was subtracted, treated as the spectra.
    grid : LinearGrid
    scale : Scale
        Factors applied to the red arm.
    overlap : tuple of float
        First and last wavelength seen by both arms [Angstrom]; equal where there is none.
    dichroic : str
        What told how the dichroic shares the light: ``lamp``, ``objects``, or ``none``.
    steps : tuple of float
        Blue over red light of the well-exposed objects, minus one, in parts of the overlap.
    """

    flux: FloatImage
    variance: FloatImage
    sky: FloatImage | None
    grid: LinearGrid
    scale: Scale
    overlap: tuple[float, float]
    dichroic: str
    steps: tuple[float, ...] = ()


def splice(blue: Arm, red: Arm, objects: BoolArray, blank: BoolArray | None = None) -> Spliced:
    """Join blue and red spectra of the same fibres.

    The red arm is rebinned to the blue dispersion. Each arm is corrected for what the dichroic takes, as the
    flat lamp shows it, or without a lamp the sum of the well-exposed objects. Then both arms show the same
    light at the same wavelength, and red is multiplied by what makes them equal, fibre by fibre as far as its
    light allows. Within the overlap the arms are averaged with weights that pass smoothly from blue to red.

    Parameters
    ----------
    blue, red : Arm
    objects : ndarray of bool (fibres,)
        Fibres from which the scale may be measured.
    blank : ndarray of bool (fibres,), optional
        Sky fibres: they tell how wrong the subtracted sky may be, and so how far faint objects may be believed.

    Raises
    ------
    InvalidInput
        When the arms are exchanged, or have different numbers of fibres.
    """
    if blue.flux.shape[0] != red.flux.shape[0]:
        raise InvalidInput(
            f"the arms have {blue.flux.shape[0]} and {red.flux.shape[0]} spectra; splice files of the same field"
        )
    if blue.grid.wavelengths.mean() >= red.grid.wavelengths.mean():
        raise InvalidInput("the first file must be the blue arm and the second the red arm")
    step, last = blue.grid.step, red.grid.edges[-1]
    grid = LinearGrid(blue.grid.start, step, int(np.floor((last - blue.grid.edges[0]) / step)))
    spectra = (_padded(blue.flux, grid.n), _padded(blue.variance, grid.n)), _on(red, grid)
    skies = _lines(blue.sky, red.sky, red.grid, grid)
    lamps = _lines(blue.lamp, red.lamp, red.grid, grid)
    first_red = int(np.ceil((red.grid.edges[0] - grid.edges[0]) / step))
    span = slice(first_red + EDGE, blue.grid.n - EDGE)
    overlap = (
        float(grid.wavelengths[min(span.start, grid.n - 1)]),
        float(grid.wavelengths[max(span.stop - 1, 0)]),
    )
    if span.stop - span.start < 5:
        flux, variance, sky = _side_by_side(spectra, skies)
        nothing = Scale(1.0, 0.0, np.ones(len(flux)))
        return Spliced(flux, variance, sky, grid, nothing, (overlap[0], overlap[0]), "none")
    correction = _corrections(spectra, span, objects, blank, lamps, skies)
    corrected = [_corrected(arm, lift) for arm, lift in zip(spectra, correction.lifts, strict=True)]
    parts = [(arm[0][:, span], arm[1][:, span]) for arm in corrected]
    share = _falling_share(*(_mean_weight(*part, objects) for part in parts))
    flux, variance = _joined(corrected[0], corrected[1], span, share)
    sky = None
    if skies is not None:
        own, other = (
            _corrected((line, np.ones_like(line)), lift)
            for line, lift in zip(skies, correction.sky_lifts, strict=True)
        )
        sky = _joined(own, other, span, share)[0]
    steps = remaining_steps(parts[0], parts[1], objects, share)
    return Spliced(flux, variance, sky, grid, correction.scale, overlap, correction.source, steps)


@dataclass(frozen=True, eq=False)
class _Corrections:
    """Factors that make the arms agree: a scale of red, smooth curves for both (one for each pixel)."""

    scale: Scale
    blue: FloatArray
    red: FloatArray
    source: str

    @property
    def lifts(self) -> tuple[FloatArray, FloatArray]:
        """Factors of both arms (fibres or 1, pixels)."""
        return self.sky_lifts[0], self._lift(self.red)[np.newaxis, :] * self.scale.fibres[:, np.newaxis]

    @property
    def sky_lifts(self) -> tuple[FloatArray, FloatArray]:
        """Factors of what is common to all fibres (1, pixels)."""
        return self._lift(self.blue)[np.newaxis, :], self._lift(self.red)[np.newaxis, :] * self.scale.plate

    @staticmethod
    def _lift(curve: FloatArray) -> FloatArray:
        return np.minimum(curve, LARGEST_FACTOR)


def _corrected(arm: Pair, lift: FloatArray) -> Pair:
    factor = lift.astype(np.float32)
    return arm[0] * factor, arm[1] * factor**2


def _on(arm: Arm, grid: LinearGrid) -> Pair:
    wavelength = np.broadcast_to(arm.grid.wavelengths, arm.flux.shape)
    return scrunch(arm.flux, arm.variance, wavelength, grid)


def _lines(
    blue: FloatImage | None, red: FloatImage | None, red_grid: LinearGrid, grid: LinearGrid
) -> Pair | None:
    """A spectrum that all fibres share, of both arms, on the common grid (1, n each); None unless both have it."""
    if blue is None or red is None or red.size != red_grid.n:
        return None
    own, other = (np.asarray(line, dtype=np.float32).reshape(1, -1) for line in (blue, red))
    return _padded(own, grid.n), _on(Arm(other, np.ones_like(other), red_grid), grid)[0]


def _side_by_side(
    spectra: tuple[Pair, Pair], skies: Pair | None
) -> tuple[FloatImage, FloatImage, FloatImage | None]:
    """Blue where it is, else red."""
    known = np.isfinite(spectra[0][0])
    flux, variance = (np.where(known, b, r) for b, r in zip(*spectra, strict=True))
    sky = None if skies is None else np.where(np.isfinite(skies[0]), *skies)
    return flux, variance, sky


def _padded(array: FloatImage, n: int) -> FloatImage:
    result = np.full((array.shape[0], n), np.nan, dtype=np.float32)
    width = min(n, array.shape[1])
    result[:, :width] = array[:, :width]
    return result


def _corrections(
    spectra: tuple[Pair, Pair],
    span: slice,
    objects: BoolArray,
    blank: BoolArray | None,
    lamps: Pair | None,
    skies: Pair | None,
) -> _Corrections:
    """Corrections from the lamp or the objects.

    Where the overlap shows no dichroic, the logarithm of the summed spectrum beside it is taken as one
    straight line but for the arms' relative scale.
    """
    blue, red = spectra
    n_pixels, n_fibres = blue[0].shape[1], blue[0].shape[0]
    beside = min(2 * (span.stop - span.start), BESIDE)
    dichroic, source = None, "lamp"
    if lamps is not None:
        own, other = (line[0].astype(np.float64) for line in lamps)
        dichroic = lamp_dichroic(own, other, span, min(2 * (span.stop - span.start), LAMP_BESIDE))
    summed = None
    if dichroic is None:
        source, summed = "objects", _summed(blue, red, span, beside, objects)
        dichroic = find_dichroic(summed, n_pixels) if summed is not None else None
    if dichroic is not None:
        lifts = dichroic.blue, dichroic.red
        lifted = [
            _corrected(arm, np.minimum(lift, LARGEST_FACTOR)[np.newaxis, :])
            for arm, lift in zip(spectra, lifts, strict=True)
        ]
        inside = [(arm[0][:, span], arm[1][:, span]) for arm in lifted]
        seen = None
        if skies is not None:
            own, other = (
                line[0, span].astype(np.float64) * np.minimum(lift[span], LARGEST_FACTOR)
                for line, lift in zip(skies, lifts, strict=True)
            )
            seen = own, other
        return _Corrections(measure_scale(inside[0], inside[1], objects, seen, blank), *lifts, source)
    even = np.ones(n_pixels)
    if summed is None:
        return _Corrections(Scale(1.0, 0.0, np.ones(n_fibres)), even, even, "none")
    plate, error = _straight(summed, beside)
    return _Corrections(Scale(plate, error, np.full(n_fibres, plate)), even, even, "none")


def _summed(blue: Pair, red: Pair, span: slice, beside: int, objects: BoolArray) -> Summed | None:
    """Logarithm of the light of all well-exposed objects together; None where there are too few."""
    left = slice(max(0, span.start - beside), span.start)
    right = slice(span.stop, min(blue[0].shape[1], span.stop + beside))
    chosen = objects & (_exposure(*blue, left) > 1.0) & (_exposure(*red, right) > 1.0)
    if chosen.sum() < MIN_BRIGHT:
        return None
    # Every object counts alike: the lines of a few bright ones would pass for the dichroic's doing.
    weight = 1.0 / (
        nanmath.median(blue[0][chosen, left], axis=1) + nanmath.median(red[0][chosen, right], axis=1)
    )
    blue, red = _weighted(blue, chosen, weight), _weighted(red, chosen, weight)
    chosen = np.ones(len(weight), dtype=bool)
    sides = _log_sum(blue, left, chosen), _log_sum(red, right, chosen)
    if min(len(side[0]) for side in sides) < 20:
        return None
    pixels, logs, weights = zip(*sides, strict=True)
    curves = [_log_curve(arm, span, chosen) for arm in (blue, red)]
    return Summed(pixels, logs, weights, span.start, span.stop, *curves)


def _straight(summed: Summed, beside: int) -> tuple[float, float]:
    """Blue over red sensitivity, and its error, when the light goes on as a straight line in its logarithm."""
    middle = 0.5 * (summed.start + summed.stop)
    x = (np.concatenate(summed.pixels) - middle) / beside
    side = np.repeat([0.0, 1.0], [len(part) for part in summed.pixels])
    design = np.column_stack([np.ones(len(x)), x, -side])
    solution, error = _robust(design, np.concatenate(summed.logs), np.concatenate(summed.weights))
    return float(np.exp(np.clip(solution[2], -4, 4))), max(error, 1e-6)


def _weighted(
    arm: tuple[FloatImage, FloatImage], chosen: BoolArray, weight: FloatArray
) -> tuple[FloatImage, FloatImage]:
    """Some spectra of an arm, each times a factor."""
    factor = weight[:, np.newaxis].astype(np.float32)
    return arm[0][chosen] * factor, arm[1][chosen] * factor**2


def _exposure(flux: FloatImage, variance: FloatImage, where: slice) -> FloatArray:
    """Signal-to-noise per pixel of each fibre in a range; zero where unknown."""
    part, noise = flux[:, where], variance[:, where]
    level, spread = nanmath.median(part, axis=1), nanmath.median(noise, axis=1)
    known = np.isfinite(level) & np.isfinite(spread) & (spread > 0) & (np.isfinite(part).mean(axis=1) > 0.5)
    return np.where(known, level / np.sqrt(np.where(known, spread, 1.0)), 0.0)


def _log_sum(
    arm: tuple[FloatImage, FloatImage], where: slice, chosen: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pixel, logarithm of the mean spectrum of the chosen fibres, and its weight, where it is positive."""
    flux, noise = arm[0][chosen, where].astype(np.float64), arm[1][chosen, where].astype(np.float64)
    # A bad pixel of a bright fibre must not change the sum: it takes that fibre's median.
    level = np.broadcast_to(nanmath.median(flux, axis=1, keepdims=True), flux.shape)
    total = nanmath.mean(np.where(np.isfinite(flux), flux, level), axis=0)
    error = np.sqrt(nanmath.mean(noise, axis=0) / max(1, len(flux)))
    good = np.isfinite(total) & (total > 3 * error) & (error > 0)
    pixels = np.arange(where.start, where.stop, dtype=np.float64)
    return pixels[good], np.log(total[good]), 1.0 / np.hypot(error[good] / total[good], 0.005)


def _robust(design: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
    """Weighted least squares without outliers; also the error of the last coefficient."""
    keep = np.ones(len(y), dtype=bool)
    for _ in range(4):
        a, b = design[keep] * weight[keep, np.newaxis], y[keep] * weight[keep]
        solution = np.linalg.lstsq(a, b, rcond=None)[0]
        residual = np.abs(y - design @ solution) * weight
        keep = residual < 4 * max(1.0, 1.48 * float(np.median(residual[keep])))
    return np.asarray(solution, dtype=np.float64), float(np.sqrt(np.linalg.pinv(a.T @ a)[-1, -1]))


def _log_curve(arm: tuple[FloatImage, FloatImage], span: slice, chosen: BoolArray) -> FloatArray | None:
    """Logarithm of the mean spectrum within the overlap, smooth; None where the arm shows too little."""
    pixels, y, weight = _log_sum(arm, span, chosen)
    n = span.stop - span.start
    if len(pixels) < 20:
        return None
    u = 2.0 * (pixels - span.start) / n - 1.0
    solution, _ = _robust(np.polynomial.chebyshev.chebvander(u, 6), y, weight)
    everywhere = np.clip(2.0 * np.arange(n) / n - 1.0, u.min(), u.max())
    return np.asarray(np.polynomial.chebyshev.chebval(everywhere, solution), dtype=np.float64)


def _mean_weight(flux: FloatImage, variance: FloatImage, objects: BoolArray) -> FloatArray:
    """Typical squared signal-to-noise at each wavelength of the overlap."""
    with np.errstate(all="ignore"):
        snr2 = np.where(np.isfinite(flux) & (variance > 0), np.maximum(flux, 0) ** 2 / variance, np.nan)[
            objects
        ]
        some = np.isfinite(snr2).any(axis=0)
        result = np.zeros(flux.shape[1])
        result[some] = nanmath.mean(snr2[:, some], axis=0)
    return result


def _falling_share(blue: FloatArray, red: FloatArray) -> FloatArray:
    """Share of the blue arm: the weights' ratio where it is known, made to fall from one to zero."""
    n = blue.size
    ramp = np.linspace(1.0, 0.0, n + 2)[1:-1]
    total = blue + red
    if not (total > 0).any():
        return ramp
    share = np.where(total > 0, blue / np.maximum(total, 1e-30), ramp)
    width = max(3, n // 10)
    kernel = np.ones(width) / width
    share = np.convolve(np.pad(share, width // 2, mode="edge"), kernel, mode="valid")[:n]
    share = np.minimum.accumulate(np.clip(share, 0.0, 1.0))
    # At the ends the arms must hand over completely, or a step would remain there.
    edge = np.clip(np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) / max(3.0, n / 8), 0, 1)
    side = (np.arange(n) < n / 2).astype(float)
    return np.asarray(edge * share + (1 - edge) * side, dtype=np.float64)


def _joined(blue: Pair, red: Pair, span: slice, share: FloatArray) -> Pair:
    """Blue up to the overlap, red behind it, and their weighted mean in between."""
    first = np.arange(blue[0].shape[1]) < span.start
    flux, variance = np.where(first, blue[0], red[0]), np.where(first, blue[1], red[1])
    (b, bv), (r, rv) = ((arm[0][:, span], arm[1][:, span]) for arm in (blue, red))
    both = np.isfinite(b) & np.isfinite(r)
    w = np.broadcast_to(share, b.shape).astype(np.float32)
    flux[:, span] = np.where(both, w * b + (1 - w) * r, np.where(np.isfinite(b), b, r))
    variance[:, span] = np.where(both, w**2 * bv + (1 - w) ** 2 * rv, np.where(np.isfinite(b), bv, rv))
    return flux.astype(np.float32, copy=False), variance.astype(np.float32, copy=False)
