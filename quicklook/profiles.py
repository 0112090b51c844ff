"""The fibre profile across the dispersion, as the flat shows it.

The chip is divided into zones. In each, the pixels of the flat are written as a sum over fibres of flux times a
profile, plus a smooth background; fluxes come from the previous round. The profile's core is made of B-splines in the
offset from the tramline, and nothing is assumed about its shape but its smoothness; its wings are shared by all zones
(`quicklook.wingfit`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from quicklook.columns import PHASES, PIXELS
from quicklook.types import FloatArray, FloatImage, ProfileModel, Wings
from quicklook.wingfit import fit_zones
from quicklook.wingkinds import HALO_LENGTHS, HALO_RANGE, KINDS, N_SHARES, OFFSETS, tails
from quicklook.zones import Zones

ZONE_ROWS = 8
ZONE_COLUMNS = 8
EDGE = 1.0
"""Width over which the aperture that defines a profile's centre fades [pixel]."""

LARGEST_SHARE = 10.0
"""No pixel holds a larger share of a fibre's light, nor a more negative one."""


def gaussian_profile(fwhm: float) -> ProfileModel:
    """A Gaussian summed over pixels: the first guess, the same everywhere."""
    sigma = fwhm / 2.3548200450309493
    edge = (OFFSETS[:, None] + np.array([-0.5, 0.5])) / (np.sqrt(2) * sigma)
    values = 0.5 * (erf(edge[:, 1]) - erf(edge[:, 0]))
    return ProfileModel(values[None, None, :], np.array([0.0]), np.array([0.0]), OFFSETS[0], 1 / PHASES)


def sound_profile(profile: ProfileModel) -> bool:
    """Whether a profile read from a file can be one: finite, its nodes in order, its table as fine as usual."""
    nodes = (profile.row_nodes, profile.column_nodes)
    return bool(
        profile.table.ndim == 3
        and profile.table.shape == (len(nodes[0]), len(nodes[1]), len(OFFSETS))
        and all(len(each) > 0 and np.isfinite(each).all() and (np.diff(each) > 0).all() for each in nodes)
        and (np.abs(profile.table) < LARGEST_SHARE).all()
        and (profile.wings is None or _sound_wings(profile.wings, profile.table[1::2, 1::2].shape))
        and abs(profile.first_offset - OFFSETS[0]) < 1e-6
        and abs(profile.offset_step - (OFFSETS[1] - OFFSETS[0])) < 1e-6
        and all(abs(fraction) < 1.0 for fraction in profile.halo[::2])
        and all(1.0 <= length < 1e4 for length in profile.halo[1::2])
    )


def _sound_wings(wings: Wings, shape: tuple[int, ...]) -> bool:
    """Whether wings read from a file can be those of a profile of that shape."""
    parts = (wings.share, wings.certainty, wings.response)
    return bool(
        tuple(part.shape for part in parts) == ((N_SHARES,), (N_SHARES, N_SHARES), (KINDS, *shape))
        and all(np.isfinite(part).all() for part in parts)
        and (np.abs(wings.response) < LARGEST_SHARE).all()
    )


def profile_bank(model: ProfileModel) -> FloatArray:
    """Profile values by phase and pixel, (row nodes, column nodes, PHASES + 1, PIXELS), for the kernels."""
    index = np.arange(PHASES + 1)[:, None] + PHASES * np.arange(PIXELS)[None, :]
    return np.ascontiguousarray(model.table[:, :, index])


def profile_width(model: ProfileModel) -> FloatArray:
    """Full width at half maximum at every node [pixel]; shape (row nodes, column nodes)."""
    result = np.empty(model.table.shape[:2])
    for i, j in np.ndindex(*result.shape):
        values = model.table[i, j]
        top = int(np.argmax(values))
        half = values[top] / 2
        low = np.nonzero(values[:top] < half)[0]
        high = top + np.nonzero(values[top:] < half)[0]
        if not len(low) or not len(high):
            result[i, j] = np.nan
            continue
        a, b = int(low[-1]), int(high[0])
        left = a + (half - values[a]) / (values[a + 1] - values[a])
        right = b - 1 + (values[b - 1] - half) / (values[b - 1] - values[b])
        result[i, j] = (right - left) * model.offset_step
    return result


def width_along(model: ProfileModel, centre: FloatArray) -> FloatArray:
    """Full width at half maximum along the tramlines [pixel]; shape of ``centre``."""
    width = profile_width(model)
    columns = np.arange(centre.shape[1], dtype=np.float64)
    at_column = np.array([np.interp(columns, model.column_nodes, row) for row in width])
    if len(model.row_nodes) == 1:
        return np.broadcast_to(at_column[0], centre.shape).copy()
    i = np.clip(np.searchsorted(model.row_nodes, centre) - 1, 0, len(model.row_nodes) - 2)
    t = (centre - model.row_nodes[i]) / (model.row_nodes[i + 1] - model.row_nodes[i])
    t = np.clip(t, 0.0, 1.0)
    x = np.arange(centre.shape[1])[None, :]
    return np.asarray((1 - t) * at_column[i, x] + t * at_column[i + 1, x])


def fit_profile(
    image: FloatImage,
    floor: FloatImage,
    centre: FloatArray,
    columns: NDArray[np.int64],
    fluxes: FloatArray,
    fwhm: float,
    previous: ProfileModel,
    background: tuple[FloatArray, FloatArray],
) -> tuple[ProfileModel, tuple[FloatArray, FloatArray]]:
    """Measure the profile, how it changes over the chip, and the smooth light beside the fibres.

    Parameters
    ----------
    image : ndarray of float32 (columns, rows)
        Flat, transposed; NaN = bad.
    floor : ndarray of float32 (columns, rows) or (1, 1)
        Variance without photon noise.
    centre : ndarray (lit fibres, columns)
        Tramlines.
    columns : ndarray of int
        Columns used.
    fluxes : ndarray (lit fibres, used columns)
        Their fluxes.
    fwhm : float
        Rough width [pixel]: sets the knots.
    previous : ProfileModel
        Model that the fluxes rest on: predicts the variance, and stays where no zone has enough light.
    background : tuple of ndarray
        Smooth light that the fluxes rest on, as (grid, grid rows).

    Returns
    -------
    profile : ProfileModel
        Centred: the centroid of the light that lies nearer to a fibre than to its neighbours is at offset zero.
    light : tuple of ndarray
        The smooth light, as (grid, grid rows).
    """
    n_columns = image.shape[0]
    aperture = 0.5 * float(np.median(np.diff(centre[:, n_columns // 2]))) if len(centre) > 1 else 1.5 * fwhm
    zones = Zones.of(image.shape[1], n_columns, ZONE_ROWS, ZONE_COLUMNS)
    table, wings, light = fit_zones(image, floor, centre, columns, fluxes, fwhm, previous, background, zones)
    total = table.sum(axis=2, keepdims=True) / PHASES
    sound = np.isfinite(total) & (total > 0)
    table = np.where(sound, table / np.where(sound, total, 1.0), gaussian_profile(fwhm).table)
    table = _centred(table, fwhm, aperture)
    halo = np.clip(wings.share[-2:], *HALO_RANGE)
    share = np.r_[wings.share[:-2], halo]
    profile = ProfileModel(
        table,
        zones.fine_rows,
        zones.fine_columns,
        OFFSETS[0],
        1 / PHASES,
        float(halo[0]),
        HALO_LENGTHS[0],
        float(halo[1]),
        HALO_LENGTHS[1],
        tails(share),
        replace(wings, share=share),
    )
    return profile, light


def _centred(table: FloatArray, fwhm: float, aperture: float) -> FloatArray:
    """Shift profiles so that the centroid within an aperture (half width given) is at offset zero.

    A lopsided profile has many centres: peak, middle of the core, centroid. The centroid is the one that needs no
    shape; further out neighbours and noise would rule it.
    """
    light = np.maximum(table, 0.0)
    shift = np.zeros((*table.shape[:2], 1))
    for _ in range(60):
        window = light * np.clip((aperture + 0.5 * EDGE - np.abs(OFFSETS - shift)) / EDGE, 0.0, 1.0)
        total = window.sum(axis=2, keepdims=True)
        step = (window * (OFFSETS - shift)).sum(axis=2, keepdims=True) / np.where(total > 0, total, 1.0)
        shift += step
        if np.abs(step).max() < 1e-7:
            break
    shift = np.where(np.abs(shift) < fwhm, shift, 0.0)
    moved = _moved(table, shift)
    return np.asarray(moved / (moved.sum(axis=2, keepdims=True) / PHASES))


def _moved(table: FloatArray, shift: FloatArray) -> FloatArray:
    """Profiles at offsets changed by ``shift``: cubic polynomials through four entries, the outermost value beyond the ends."""
    whole = np.floor(shift * PHASES)
    u = shift * PHASES - whole
    at = np.arange(table.shape[2]) + whole.astype(np.int64)
    near = [np.take_along_axis(table, np.clip(at + k, 0, table.shape[2] - 1), axis=2) for k in (-1, 0, 1, 2)]
    weights = (
        -u * (u - 1.0) * (u - 2.0) / 6.0,
        (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0,
        -(u + 1.0) * u * (u - 2.0) / 2.0,
        (u + 1.0) * u * (u - 1.0) / 6.0,
    )
    return np.asarray(sum(weight * each for weight, each in zip(weights, near, strict=True)))
