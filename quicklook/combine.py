"""Adding exposures of the same objects: matched by name, weighted by the light that each exposure caught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.errors import InvalidInput
from quicklook.flatfield import local_line
from quicklook.types import FloatArray, FloatImage

MIN_WEIGHT = 0.02
"""An exposure with less than this fraction of the best one's light is not used."""

DARK_FIBRES = frozenset("FND?")
"""Types without a spectrum to combine."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """One reduced exposure: spectra on the common grid, and what each fibre was.

    Attributes
    ----------
    flux, variance : ndarray of float32 (fibres, n)
    names : sequence of str
        Object name of each fibre.
    types : sequence of str
        Type code of each fibre.
    """

    flux: FloatImage
    variance: FloatImage
    names: Sequence[str]
    types: Sequence[str]


@dataclass(frozen=True, eq=False)
class Combined:
    """The combination of some exposures.

    Attributes
    ----------
    flux, variance : ndarray of float32 (rows, n)
        On the scale of the exposure with the most light.
    source : list of (int, int)
        For each row the exposure and fibre whose table row describes it.
    weights : ndarray of float64
        Relative light of each exposure; the best has 1.
    rejected : int
        Pixels left out as cosmic rays.
    """

    flux: FloatImage
    variance: FloatImage
    source: list[tuple[int, int]]
    weights: FloatArray
    rejected: int


def combine(
    exposures: Sequence[Exposure], *, flux_weights: str = "FRAMES", clip: float = 5.0, by_name: bool = True
) -> Combined:
    """Combine reduced exposures.

    Each exposure is brought to the scale of the best one and the weighted mean is taken. Weights are one per
    spectrum and smooth in wavelength, never the noise of single pixels, which would favour low values.

    Parameters
    ----------
    exposures : sequence of Exposure
        All with the same number of wavelength pixels.
    flux_weights : {'FRAMES', 'OBJECT', 'NONE'}
        One relative flux per exposure, one per object and exposure, or all equal.
    clip : float
        Pixels that lie this many sigma above the other exposures are left out.
    by_name : bool
        Match by object name; else by fibre.

    Raises
    ------
    InvalidInput
        When there is nothing to combine, or the grids differ.
    """
    if not exposures:
        raise InvalidInput("there is nothing to combine; name at least one reduced file")
    n = exposures[0].flux.shape[1]
    if any(e.flux.shape[1] != n for e in exposures):
        raise InvalidInput("the files differ in their number of wavelength pixels and cannot be combined")
    rows = match(exposures, by_name=by_name)
    weights = frame_weights(exposures, rows) if flux_weights != "NONE" else np.ones(len(exposures))
    flux = np.full((len(rows), n), np.nan, dtype=np.float32)
    variance = np.full((len(rows), n), np.nan, dtype=np.float32)
    rejected = 0
    for r, members in enumerate(rows):
        members = [m for m in members if weights[m[0]] >= MIN_WEIGHT] or members
        data = np.array([exposures[e].flux[f] for e, f in members], dtype=np.float64)
        noise = np.array([exposures[e].variance[f] for e, f in members], dtype=np.float64)
        scale = np.array([weights[e] for e, _ in members])
        if flux_weights == "OBJECT" and len(members) > 1:
            scale = _object_weights(data, noise, scale)
        flux[r], variance[r], bad = _weighted_mean(data, noise, scale, clip)
        rejected += bad
    return Combined(flux, variance, [m[0] for m in rows], weights, rejected)


def match(exposures: Sequence[Exposure], *, by_name: bool = True) -> list[list[tuple[int, int]]]:
    """Rows of the combined frame as lists of (exposure, fibre).

    The fibres of the first exposure keep their places. An object that another configuration put on another
    fibre joins its first row; one that is new gets a row of its own at the end. Sky and unused fibres are
    matched by place, because their names say nothing.
    """
    rows: list[list[tuple[int, int]]] = []
    place: dict[tuple[str, object], int] = {}
    for e, exposure in enumerate(exposures):
        taken: set[int] = set()
        for f, (name, kind) in enumerate(zip(exposure.names, exposure.types, strict=True)):
            named = by_name and kind == "P" and name.strip() != ""
            key: tuple[str, object] = ("name", name.strip()) if named else ("place", (kind, f))
            row = place.get(key)
            if row is None or row in taken:
                if e > 0 and not named and kind in DARK_FIBRES:
                    continue
                row = len(rows)
                rows.append([])
                place.setdefault(key, row)
            rows[row].append((e, f))
            taken.add(row)
    return rows


def frame_weights(exposures: Sequence[Exposure], rows: list[list[tuple[int, int]]]) -> FloatArray:
    """Light of each exposure relative to the best, from the brighter objects that exposures share."""
    n = len(exposures)
    if n == 1:
        return np.ones(1)
    level = np.full((len(rows), n), np.nan)
    error = np.full((len(rows), n), np.inf)
    for r, members in enumerate(rows):
        if exposures[members[0][0]].types[members[0][1]] != "P":
            continue
        for e, f in members:
            flux, variance = exposures[e].flux[f], exposures[e].variance[f]
            good = np.isfinite(flux) & (variance > 0)
            if good.sum() > 100:
                level[r, e] = np.median(flux[good])
                error[r, e] = 1.25 * np.sqrt(np.mean(variance[good]) / good.sum())
    with np.errstate(all="ignore"):
        bright = (level > 10 * error) & np.isfinite(level)
        shared = bright.sum(axis=1) == n
        if shared.sum() < 3:
            shared = bright.sum(axis=1) >= 2
        if shared.sum() < 1:
            return np.ones(n)
        table = np.where(bright, level, np.nan)[shared]
        relative = table / nanmath.mean(table, axis=1, keepdims=True)
        columns = np.isfinite(relative).any(axis=0)
        weights = np.zeros(n)
        weights[columns] = nanmath.median(relative[:, columns], axis=0)
    weights = np.clip(weights, 0.0, None)
    return np.asarray(weights / weights.max()) if weights.max() > 0 else np.ones(n)


def _object_weights(data: FloatArray, noise: FloatArray, frames: FloatArray) -> FloatArray:
    """Relative flux of one object in its exposures, kept near the frames' own where the object is faint."""
    with np.errstate(all="ignore"):
        level = np.array([nanmath.median(row) if np.isfinite(row).any() else np.nan for row in data])
        count = np.isfinite(data).sum(axis=1)
        error = 1.25 * np.sqrt(np.nansum(noise, axis=1)) / np.maximum(count, 1)
        typical = nanmath.mean(level / frames)
        ratio = level / (frames * typical)
        sigma = error / np.abs(frames * typical)
        trust = 0.05**2 / (0.05**2 + sigma**2)
    return np.asarray(frames * (1.0 + np.nan_to_num(trust * (ratio - 1.0))))


def _weighted_mean(
    data: FloatArray, noise: FloatArray, scale: FloatArray, clip: float
) -> tuple[FloatArray, FloatArray, int]:
    good = np.isfinite(data) & np.isfinite(noise) & (noise > 0) & (scale[:, np.newaxis] > 0)
    with np.errstate(all="ignore"):
        scaled = np.where(good, data / scale[:, np.newaxis], 0.0)
        spread = np.where(good, noise / scale[:, np.newaxis] ** 2, np.inf)
    rejected = 0
    if len(data) >= 2 and clip > 0:
        strange = _cosmic_rays(scaled, spread, good, clip)
        rejected = int(strange.sum())
        good &= ~strange
    weight = 1.0 / _typical_variance(noise, good)
    weight = np.where(good, weight * scale[:, np.newaxis] ** 2, 0.0)
    total = weight.sum(axis=0)
    with np.errstate(all="ignore"):
        mean = (weight * scaled).sum(axis=0) / total
        variance = np.where(good, weight**2 * spread, 0.0).sum(axis=0) / total**2
    mean[total <= 0], variance[total <= 0] = np.nan, np.nan
    return mean, variance, rejected


def _typical_variance(noise: FloatArray, good: NDArray[np.bool_]) -> FloatArray:
    """Variance of each exposure smoothed along the spectrum."""
    smooth, _ = local_line(np.where(good, noise, 0.0), np.ones_like(noise), good, 50)
    with np.errstate(all="ignore"):
        typical = nanmath.median(np.where(good, noise, np.nan), axis=1, keepdims=True) if good.any() else 1.0
    floor = 0.2 * np.nan_to_num(typical, nan=1.0)
    return np.maximum(np.where(np.isfinite(smooth), smooth, floor), np.maximum(floor, 1e-12))


def _cosmic_rays(
    scaled: FloatArray, spread: FloatArray, good: NDArray[np.bool_], clip: float
) -> NDArray[np.bool_]:
    """Pixels far above what the other exposures show; the lowest of them is the safest witness."""
    strange = np.zeros_like(good)
    for e in range(len(scaled)):
        others = np.delete(np.arange(len(scaled)), e)
        with np.errstate(all="ignore"):
            table = np.where(good[others], scaled[others], np.nan)
            some = np.isfinite(table).any(axis=0)
            middle = np.full(scaled.shape[1], np.nan)
            middle[some] = nanmath.median(table[:, some], axis=0)
            sigma = np.sqrt(spread[e] + np.where(good[others], spread[others], 0.0).max(axis=0))
            # Seeing and guiding change a bright object by some per cent from exposure to exposure.
            limit = clip * sigma + 0.2 * np.abs(middle)
            strange[e] = good[e] & some & (scaled[e] - middle > limit)
    return strange
