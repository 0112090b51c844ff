"""How bright the lines of the sky are in each fibre, compared with a model of the sky.

Lines are compared in the light of what each fibre shows beside them (`quicklook.linecontinuum`): where an object bends as
sharply as a line of the sky does, its pixels say little of the sky.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.compiled import adding_kernel, kernel
from quicklook.linecontinuum import BB, DB, DL, LB, LL, REACH, best_fit, most_likely, windows_of
from quicklook.linewidths import along_the_chip, bends, widened, widths
from quicklook.medians import middle_of
from quicklook.skymodel import credible
from quicklook.types import BoolArray, FloatArray, FloatImage

PERIODS = (256.0, 90.0, 45.0, 32.0, 23.0, 16.0, 11.5, 8.0)
"""Waves of a continuum that are followed by half, against the photons' noise; stiffest first [pixel]. Longer ones say nothing
of lines, and shorter ones are no longer told from them."""

SHAPE_DOUBT = 0.005
"""The shape of a line is modelled to half a per cent or so: its core must not outweigh all else."""

HALF_WINDOW = 3
"""Noise is a mean over so many pixels to either side, but for what the line itself adds."""

LEAST_NOISE = 0.2
"""Of the mean's variance, what a pixel between lines has at least."""

CLIP = 5.0
ROUNDS = 2

SPARSE = 4
"""Every so manieth fibre is asked how the lines' width changes over the chip."""

SAMPLED = 4
"""Every so manieth pixel is asked for the scatter, which it tells as well as all."""

LEAST_PIXELS = 10

HIGH_PASS = 31
"""Width of the window whose mean counts as a line's continuum where pieces are compared [pixel]."""

PIECE = 32
"""Pieces of the spectrum that are as good as independent of each other: wider than most features of objects [pixel]."""

LEVER = 0.5
"""A piece that decides more than this of the ratio drags it along: its residual tells nothing of its error."""

L_REST, B_REST, L_LINE, L_BEND, B_LINE, B_BEND = range(6)
"""Products within a piece: of line and bend with what no continuum follows of the rest, of the line and of the bend."""


class LineRatio:
    """Least-squares ratio of the lines, and its error from photons, objects and the scatter seen.

    Parameters
    ----------
    flux, variance : ndarray of float32 (fibres, columns)
        Spectra on their own pixels; NaN = bad.
    """

    def __init__(self, flux: FloatImage, variance: FloatImage) -> None:
        self.flux, self.variance = np.ascontiguousarray(flux), np.ascontiguousarray(variance)
        self.sound = credible(flux, variance)

    def __call__(self, expected: FloatImage) -> tuple[FloatArray, FloatArray]:
        """Compare with the model of the sky: ratio and error of each fibre, NaN and infinite where nothing is known."""
        expected = widened(expected, self._wider(expected))
        form, piece, scatter = self._products(expected, slice(None))
        _, own, error = _alone(form, scatter)
        change, doubt = widths(own, error)
        return _ratio(form, piece, scatter, np.where(np.isfinite(own), own, 0.0), change, doubt)

    def _wider(self, expected: FloatImage) -> FloatImage:
        """By how much lines are wider than expected all over the chip, which some fibres tell as well as all."""
        some = slice(None, None, SPARSE)
        form, piece, scatter = self._products(expected, some)
        ratio, own, _ = _alone(form, scatter)
        with np.errstate(all="ignore"):
            light = ratio[:, np.newaxis] * piece[..., B_BEND]
            change = own[:, np.newaxis] + piece[..., B_REST] / light
            power = ratio[:, np.newaxis] * light / scatter[:, np.newaxis] ** 2
        return along_the_chip(change, power, np.arange(len(expected))[some], PIECE, expected.shape)

    def _products(self, expected: FloatImage, which: slice) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What `_compare` tells of some fibres."""
        light = np.ascontiguousarray(expected[which])
        good = self.sound[which] & np.isfinite(light)
        n, nx = light.shape
        form, piece = np.full((n, 6), np.nan), np.zeros((n, (nx + PIECE - 1) // PIECE, 6))
        scatter = np.full(n, np.nan)
        flux, variance = self.flux[which], self.variance[which]
        _compare(
            np.ascontiguousarray(flux), np.ascontiguousarray(variance), light, bends(light), good, np.array(PERIODS),
            form, piece, scatter,
        )  # fmt: skip
        return form, piece, scatter


def _alone(form: FloatArray, scatter: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ratio, change of the lines' width and its error as each fibre alone tells them; NaN and infinite where it does not."""
    with np.errstate(all="ignore"):
        determinant = form[:, LL] * form[:, BB] - form[:, LB] ** 2
        light = form[:, DL] * form[:, BB] - form[:, DB] * form[:, LB]
        sound = (determinant > 1e-6 * form[:, LL] * form[:, BB]) & (light > 0.0)
        change = (form[:, DB] * form[:, LL] - form[:, DL] * form[:, LB]) / light
        error = scatter * np.sqrt(form[:, LL] * determinant) / light
        ratio = light / determinant
    return np.where(sound, ratio, np.nan), np.where(sound, change, np.nan), np.where(sound, error, np.inf)


def _ratio(
    form: FloatArray,
    piece: FloatArray,
    scatter: FloatArray,
    own: FloatArray,
    change: FloatArray,
    doubt: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Ratio and error of lines that are so much wider; pieces were left with what each fibre's ``own`` width leaves."""
    with np.errstate(all="ignore"):
        power = form[:, LL] + 2 * change * form[:, LB] + change**2 * form[:, BB]
        ratio = (form[:, DL] + change * form[:, DB]) / power
        alone = form[:, LL] + 2 * own * form[:, LB] + own**2 * form[:, BB]
        first = (form[:, DL] + own * form[:, DB]) / alone
        c = change[:, np.newaxis]
        # What is left with this ratio and width, from what was left with the fibre's own.
        brighter, bent = (first - ratio)[:, np.newaxis], (first * own - ratio * change)[:, np.newaxis]
        on_line = piece[..., L_LINE] + c * piece[..., B_LINE]
        on_bend = piece[..., L_BEND] + c * piece[..., B_BEND]
        rest = piece[..., L_REST] + c * piece[..., B_REST] + brighter * on_line + bent * on_bend
        lever = (on_line + c * on_bend) / power[:, np.newaxis]
        pieces = np.sum(
            np.where(lever < LEVER, rest / (power[:, np.newaxis] * (1.0 - lever)), 0.0) ** 2, axis=1
        )
        shape = ratio * doubt * (form[:, LB] + change * form[:, BB]) / power
        error = np.sqrt(np.maximum(scatter**2 / power, pieces) + shape**2)
    known = np.isfinite(ratio) & np.isfinite(error) & (power > 0)
    return np.where(known, ratio, np.nan), np.where(known, error, np.inf)


@adding_kernel
def _noise(variance: FloatImage, line: FloatArray, good: BoolArray, out: FloatArray) -> None:
    """Variance of the pixels of one fibre as neighbours and the line's shape tell it; one where bad.

    The noise of single pixels must not weigh them, and a mean over the neighbours hides that a line is noisier than what
    lies beside it. So the mean gets the shape of the line, as much of it as the fibre's variance shows. The medians of
    `quicklook.toldnoise` see less of a pixel's own noise, but nothing of an object that differs from column to column.
    """
    nx = len(line)
    mean = np.zeros(nx)
    cross, square = 0.0, 0.0
    for x in range(nx):
        light, noise, m = 0.0, 0.0, 0
        for p in range(max(x - HALF_WINDOW, 0), min(x + HALF_WINDOW + 1, nx)):
            if good[p]:
                light += line[p]
                noise += variance[p]
                m += 1
        out[x] = 1.0
        if m > 0 and good[x]:
            mean[x] = light / m
            out[x] = noise / m
            cross += (line[x] - mean[x]) * (variance[x] - out[x])
            square += (line[x] - mean[x]) ** 2
    gain = max(cross / square, 0.0) if square > 0.0 else 0.0
    for x in range(nx):
        if good[x]:
            out[x] = max(out[x] + gain * (line[x] - mean[x]), LEAST_NOISE * out[x])


@kernel
def _mean(line: FloatArray, good: BoolArray, out: FloatArray) -> None:
    """Mean of a line's surroundings over the good pixels of a window."""
    nx, half = len(line), HIGH_PASS // 2
    total, m = 0.0, 0
    for x in range(-half, nx):
        after, before = x + half, x - half - 1
        if after < nx and good[after]:
            total += line[after]
            m += 1
        if before >= 0 and good[before]:
            total -= line[before]
            m -= 1
        if x >= 0:
            out[x] = total / m if m > 0 else 0.0


@kernel
def _weigh(
    flux: FloatImage,
    variance: FloatImage,
    expected: FloatImage,
    bent: FloatImage,
    good: BoolArray,
    level: FloatArray,
    spectrum: FloatArray,
) -> None:
    """Set ``spectrum`` to weight, data, line and bend of the pixels of one fibre, and ``level`` to the line's continuum."""
    nx = len(flux)
    weight, data, line, bend = spectrum[0], spectrum[1], spectrum[2], spectrum[3]
    for x in range(nx):
        data[x], line[x], bend[x] = (flux[x], expected[x], bent[x]) if good[x] else (0.0, 0.0, 0.0)
    _noise(variance, line, good, weight)
    for x in range(nx):
        weight[x] = 1.0 / (weight[x] + (SHAPE_DOUBT * line[x]) ** 2) if good[x] else 0.0
    _mean(line, good, level)


@kernel
def _clip(
    spectrum: FloatArray, windows: NDArray[np.intp], rest: FloatArray, sample: FloatArray
) -> tuple[float, bool]:
    """Scatter of what is left over its error, not below one, and whether pixels lost their weight for it."""
    weight, m = spectrum[0], 0
    for first, last in windows:
        for x in range(first, last + 1, SAMPLED):
            if weight[x] > 0.0:
                sample[m] = abs(rest[x]) * np.sqrt(weight[x])
                m += 1
    if m <= LEAST_PIXELS:
        return np.nan, False
    scatter, clipped = max(1.0, 1.48 * middle_of(sample, m)), False
    for first, last in windows:
        for x in range(first, last + 1):
            if rest[x] * rest[x] * weight[x] > (CLIP * scatter) ** 2:
                weight[x] = 0.0
                clipped = True
    return scatter, clipped


@kernel
def _compare(
    flux: FloatImage,
    variance: FloatImage,
    expected: FloatImage,
    bend_of: FloatImage,
    good: BoolArray,
    periods: FloatArray,
    forms: FloatArray,
    pieces: FloatArray,
    scatters: FloatArray,
) -> None:
    """Set what `_ratio` needs of each fibre; NaN where nothing is known.

    Lines that are a little wider than expected are the expected ones plus a share of their second difference, which
    holds no light: half the difference of the squared widths.
    """
    n, nx = expected.shape
    spectrum, level, rest, sample = np.empty((4, nx)), np.empty(nx), np.empty(nx), np.empty(nx)
    weight, data, line, bend = spectrum[0], spectrum[1], spectrum[2], spectrum[3]
    factor, right, form = np.empty((3, nx)), np.empty((3, nx)), np.empty(6)
    room = np.empty((nx // REACH + 2, 2), dtype=np.intp)
    for f in range(n):
        _weigh(flux[f], variance[f], expected[f], bend_of[f], good[f], level, spectrum)
        windows = room[: windows_of(line, level, weight, room)]
        m = 0
        for first, last in windows:
            for x in range(first, last + 1):
                if weight[x] > 0.0:
                    sample[m] = weight[x]
                    m += 1
        if m <= LEAST_PIXELS:
            continue
        stiffnesses = middle_of(sample, m) * (periods / (2.0 * np.pi)) ** 4
        for _ in range(ROUNDS):
            most_likely(spectrum, windows, stiffnesses, factor, right, form)
            a, b, _told = best_fit(form)
            for first, last in windows:
                for x in range(first, last + 1):
                    rest[x] = (
                        data[x] - right[0, x] - a * (line[x] - right[1, x]) - b * (bend[x] - right[2, x])
                    )
            scatters[f], clipped = _clip(spectrum, windows, rest, sample)
            if not clipped:
                break
        forms[f] = form
        for first, last in windows:
            for x in range(first, last + 1):
                piece, w, alone = pieces[f, x // PIECE], weight[x], max(line[x] - level[x], 0.0)
                ahead, bent = w * (line[x] - right[1, x]), w * (bend[x] - right[2, x])
                piece[L_REST] += w * alone * rest[x]
                piece[B_REST] += w * bend[x] * rest[x]
                piece[L_LINE] += alone * ahead
                piece[L_BEND] += alone * bent
                piece[B_LINE] += bend[x] * ahead
                piece[B_BEND] += bend[x] * bent
