"""The fibre profile across the dispersion, as the flat shows it.

The chip is divided into zones. In each, the pixels of the flat are written as a sum over fibres of flux times
a profile built from B-splines in the offset from the tramline, plus a constant; fluxes come from the previous
round, the spline coefficients are solved for. Nothing is assumed about the shape but its smoothness.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline
from scipy.special import erf

from quicklook.columns import HALF, PHASES, PIXELS, background_at_column
from quicklook.types import FloatArray, FloatImage, ProfileModel

ZONE_ROWS = 8
ZONE_COLUMNS = 8
EDGE = 1.0
"""Width over which the aperture that defines a profile's centre fades [pixel]."""

FINE = 60
"""Steps per pixel of the tabulated B-splines."""

N_ENTRIES = PIXELS * PHASES + 1
LARGEST_TRADE = 0.25
"""Largest value of what a profile trades with the background: much more than light spread over the profile's reach."""

LARGEST_SHARE = 10.0
"""No pixel holds a larger share of a fibre's light, nor a more negative one."""

OFFSETS: FloatArray = -HALF - 0.5 + np.arange(N_ENTRIES) / PHASES
"""Offsets at which profiles are tabulated [pixel]."""


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
        and (
            profile.unseen is None
            or (
                profile.unseen.shape == profile.table.shape and (np.abs(profile.unseen) < LARGEST_SHARE).all()
            )
        )
        and abs(profile.first_offset - OFFSETS[0]) < 1e-6
        and abs(profile.offset_step - (OFFSETS[1] - OFFSETS[0])) < 1e-6
        and 0.0 <= profile.halo_fraction < 1.0
        and 1.0 <= profile.halo_length < 1e4
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
) -> ProfileModel:
    """Measure the profile of every zone of the chip.

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
        Model that the fluxes rest on: predicts the variance, and stays where a zone has too little light.
    background : tuple of ndarray
        Scattered light as `quicklook.scattered.fit_background` returns it.

    Returns
    -------
    ProfileModel
        Centred: the centroid of the light that lies nearer to a fibre than to its neighbours is at offset zero.
    """
    n_columns, n_rows = image.shape
    basis = _tabulated_basis(fwhm)
    aperture = 0.5 * float(np.median(np.diff(centre[:, n_columns // 2]))) if len(centre) > 1 else 1.5 * fwhm
    row_edges = np.linspace(0, n_rows, ZONE_ROWS + 1)
    column_edges = np.linspace(0, n_columns, ZONE_COLUMNS + 1)
    table, unseen = (np.zeros((ZONE_ROWS, ZONE_COLUMNS, N_ENTRIES)) for _ in range(2))
    values = _entries(basis)
    start, packed = _packed(basis)
    for c in range(ZONE_COLUMNS):
        chosen = (columns >= column_edges[c]) & (columns < column_edges[c + 1])
        for r in range(ZONE_ROWS):
            before = previous.table[min(r, previous.table.shape[0] - 1), min(c, previous.table.shape[1] - 1)]
            matrix, right, used = _accumulate(
                image, floor, centre, columns[chosen], np.ascontiguousarray(fluxes[:, chosen]),
                int(row_edges[r]), int(row_edges[r + 1]), start, packed, basis.shape[1], before, *background, previous.halo_fraction,
            )  # fmt: skip
            solved = _solve_zone(matrix, right, values) if used > 20 * len(right) else None
            fitted, unseen[r, c] = solved if solved is not None else (before, 0.0)
            table[r, c] = _centred(fitted, fwhm, aperture)
    # Beyond the outermost fibres the halo falls off; that tilts what is traded there, but is no shape that fibres have.
    unseen[0], unseen[-1] = unseen[1], unseen[-2]
    return ProfileModel(
        table,
        0.5 * (row_edges[:-1] + row_edges[1:]) - 0.5,
        0.5 * (column_edges[:-1] + column_edges[1:]) - 0.5,
        OFFSETS[0],
        1 / PHASES,
        previous.halo_fraction,
        previous.halo_length,
        unseen,
    )


def _knots(fwhm: float) -> FloatArray:
    """Knots of the profile, symmetric about zero: dense in the core, ever wider in the wings [pixel]."""
    step = 0.15 * fwhm
    right = list(np.arange(0.0, min(1.6 * fwhm, 0.5 * HALF), step))
    while right[-1] + 1.5 * step < HALF:
        step *= 1.4
        right.append(right[-1] + step)
    right[-1] = HALF + 0.5
    return np.array([-v for v in right[:0:-1]] + right)


def _tabulated_basis(fwhm: float) -> FloatArray:
    """B-splines in the offset, (fine offsets, splines); they vanish at the ends of the profile."""
    inner = _knots(fwhm)
    knots = np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3]
    fine = np.linspace(-HALF - 0.5, HALF + 0.5, PIXELS * FINE + 1)
    full = BSpline.design_matrix(np.clip(fine, inner[0], inner[-1]), knots, 3).toarray()
    return np.ascontiguousarray(full[:, 1:-1])


def _entries(basis: FloatArray) -> FloatArray:
    """The basis at the tabulated offsets, (entries, splines)."""
    fine = np.linspace(-HALF - 0.5, HALF + 0.5, basis.shape[0])
    return np.stack([np.interp(OFFSETS, fine, basis[:, m]) for m in range(basis.shape[1])], axis=1)


def _solve_zone(
    matrix: FloatArray, right: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Tabulated profile of a zone and what it trades with the background, both of unit sum; None without sense.

    Fibres lie side by side at one distance: wings whose copies add up to a constant look like background. Were the
    constant larger by one, the splines would become smaller by A^-1 b, with A their normal matrix and b the column of
    the constant. That is the shape of what the flat leaves undecided.
    """
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
    scaled = matrix / np.outer(scale, scale) + 1e-9 * np.eye(len(right))
    try:
        solution = np.linalg.solve(scaled, right / scale) / scale
        trade = values @ (np.linalg.solve(scaled[:-1, :-1], scaled[:-1, -1]) / scale[:-1])
    except np.linalg.LinAlgError:
        return None
    profile = values @ solution[:-1]
    total = profile.sum() / PHASES
    if not np.isfinite(total) or total <= 0:
        return None
    trade = trade / (trade.sum() / PHASES)
    # A shape that changes its sign widely is none that light has.
    if not np.abs(trade).max() < LARGEST_TRADE:
        trade = np.zeros_like(trade)
    return np.asarray(profile / total), np.asarray(trade)


def _centred(profile: FloatArray, fwhm: float, aperture: float) -> FloatArray:
    """Shift a profile so that its centroid within an aperture (half width given) is at offset zero.

    A lopsided profile has many centres: peak, middle of the core, centroid. The centroid is the one that needs no
    shape; further out neighbours and noise would rule it.
    """
    shift = 0.0
    for _ in range(60):
        window = np.clip((aperture + 0.5 * EDGE - np.abs(OFFSETS - shift)) / EDGE, 0.0, 1.0)
        light = window * np.maximum(profile, 0.0)
        total = light.sum()
        if total <= 0:
            return profile
        step = float((light * (OFFSETS - shift)).sum() / total)
        shift += step
        if abs(step) < 1e-7:
            break
    if abs(shift) > fwhm:
        return profile
    spline = make_interp_spline(OFFSETS, profile, k=3)
    moved = spline(np.clip(OFFSETS + shift, OFFSETS[0], OFFSETS[-1]))
    return np.asarray(moved / (moved.sum() / PHASES))


def _packed(basis: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """First spline that differs from zero at each fine offset, and the four values from there on."""
    start = np.minimum(np.argmax(basis != 0.0, axis=1), basis.shape[1] - 4)
    return start, np.take_along_axis(basis, start[:, None] + np.arange(4)[None, :], axis=1)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _accumulate(  # type: ignore[no-untyped-def]
    image, floor, centre, columns, fluxes, row0, row1, start, packed, m, before, grid, grid_rows, halo
):
    """Normal equations of one zone: spline coefficients and a constant background.

    ``before`` is the zone's previous profile; it predicts the variance.
    """
    n = centre.shape[0]
    fine = packed.shape[0] - 1
    per_pixel = fine // (2 * HALF + 1)
    coarser = per_pixel // PHASES if per_pixel >= PHASES else 1
    matrix = np.zeros((m + 1, m + 1))
    right = np.zeros(m + 1)
    regressor = np.zeros(m + 1)
    scattered = np.zeros(image.shape[1])
    used = 0
    for c in range(columns.shape[0]):
        x = columns[c]
        j0 = 0
        # Every column of a zone counts alike, or a steep lamp would move the zone to its bright side.
        level, members = 0.0, 0
        for j in range(n):
            if row0 <= centre[j, x] < row1:
                level += max(fluxes[j, c], 0.0)
                members += 1
        if level <= 0.0:
            continue
        share = members / level
        background_at_column(grid, grid_rows, x, scattered)
        # The halo is so wide that within a zone it follows the column's mean light.
        scattered += halo * level / (row1 - row0)
        for y in range(row0, row1):
            value = image[x, y] - scattered[y]
            if np.isnan(value):
                continue
            while j0 < n and centre[j0, x] < y - HALF - 0.5:
                j0 += 1
            low, high = m, 0
            model = 0.0
            for j in range(j0, n):
                offset = y - centre[j, x]
                if offset < -HALF - 0.5:
                    break
                i = min(int((offset + HALF + 0.5) * per_pixel + 0.5), fine)
                k0 = start[i]
                f = fluxes[j, c]
                for k in range(4):
                    regressor[k0 + k] += f * packed[i, k]
                low, high = min(low, k0), max(high, k0 + 4)
                model += f * before[i // coarser]
            noise = floor[0, 0] if floor.shape[0] == 1 else floor[x, y]
            w = share / (noise + max(scattered[y], 0.0) + max(model, 0.0))
            used += 1
            for a in range(low, high):
                ra = regressor[a]
                if ra == 0.0:
                    continue
                wa = w * ra
                row, others = matrix[a, a:high], regressor[a:high]
                for b in range(high - a):
                    row[b] += wa * others[b]
                matrix[a, m] += wa
                right[a] += wa * value
            matrix[m, m] += w
            right[m] += w * value
            for a in range(low, high):
                regressor[a] = 0.0
    for a in range(m + 1):
        for b in range(a):
            matrix[a, b] = matrix[b, a]
    return matrix, right, used
