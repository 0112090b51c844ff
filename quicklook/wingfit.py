"""The wings of the fibre profile from a flat: one family of shapes for the whole chip.

Each zone of the chip has a core of its own, as free as splines are. What lies outside the core is faint, and a zone
knows it badly: fibres stand side by side at one distance, and wings look like background there. So all zones share their
wings: exponentials of a few lengths, of amounts that change slowly over the chip. Whatever falls off smoothly is
nearly a sum of such, and all gaps in the slit tell of it together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from quicklook.columns import HALF, PHASES, PIXELS, background_at_column, spread_halo
from quicklook.compiled import kernel
from quicklook.types import FloatArray, FloatImage, ProfileModel, Wings
from quicklook.zones import Zones

LENGTHS = (3.0, 6.0)
"""Lengths of the exponentials in the profile's table [pixel]; what reaches further is the halo's."""

SOFT = 3.0
"""Offset within which the exponentials are round, not pointed: there the core decides [pixel]."""

REACH = (2.5, 8.5, 9.5)
"""Reach of the core: in widths, and at least and at most so many pixels."""

HALO_LENGTHS = (12.0, 40.0)
"""Lengths of the halos, which reach beyond the table [pixel]; what reaches further still is the background's."""

HALO_RANGE = (-0.02, 0.05)
"""Least and largest share of light in a halo that is believed; one may make up for the other."""

USUAL = 0.01
"""Usual share of light in one exponential; it decides where no pixel does."""

USUAL_CHANGE = 0.003
"""Usual change of such a share from the chip's middle to an edge."""

KINDS = len(LENGTHS) + len(HALO_LENGTHS)
"""Kinds of wings: the exponentials of the table, and the halos."""

TERMS = 6
"""A share changes over the chip as a parabola in both directions."""

N_SHARES = len(LENGTHS) * TERMS + len(HALO_LENGTHS)
"""The halos are the same everywhere."""

LOCAL = 3
"""What each zone has beside its core: a constant background, and its changes up and along."""

FINE = 60
"""Steps per pixel of the tabulated splines."""

N_ENTRIES = PIXELS * PHASES + 1

OFFSETS: FloatArray = -HALF - 0.5 + np.arange(N_ENTRIES) / PHASES
"""Offsets at which profiles are tabulated [pixel]."""

LEAST_PIXELS = 20
"""Pixels for each unknown that a zone must have."""


def shares_at(column: FloatArray, row: FloatArray) -> FloatArray:
    """How the shares of the kinds of wings follow from the parameters at places of the chip.

    Parameters
    ----------
    column, row : ndarray
        Places, from -1 to 1 over the chip.

    Returns
    -------
    ndarray (places, KINDS, N_SHARES)
    """
    terms = np.stack([np.ones_like(column), column, row, column**2, column * row, row**2], axis=-1)
    result = np.zeros((len(terms), KINDS, N_SHARES))
    for k in range(len(LENGTHS)):
        result[:, k, k * TERMS : (k + 1) * TERMS] = terms
    result[:, len(LENGTHS) :, len(LENGTHS) * TERMS :] = np.eye(len(HALO_LENGTHS))
    return result


def usual_certainty() -> FloatArray:
    """Inverse covariance of the shares before anything is measured."""
    usual = np.full((len(LENGTHS), TERMS), USUAL_CHANGE)
    usual[:, 0] = USUAL
    return np.diag(np.r_[usual.ravel(), np.full(len(HALO_LENGTHS), USUAL)] ** -2)


@dataclass(frozen=True, eq=False)
class _Zone:
    """One zone, solved for its own unknowns: as they are without wings, and by how much each kind lowers them."""

    own: FloatArray
    change: FloatArray
    kinds: FloatArray


def fit_zones(
    image: FloatImage,
    floor: FloatImage,
    centre: FloatArray,
    columns: NDArray[np.int64],
    fluxes: FloatArray,
    fwhm: float,
    previous: ProfileModel,
    background: tuple[FloatArray, FloatArray],
    zones: Zones,
) -> tuple[FloatArray, Wings]:
    """Cores of all zones and the wings that they share, from the pixels of a flat.

    Parameters are those of `quicklook.profiles.fit_profile`.

    Returns
    -------
    table : ndarray (row zones, column zones, N_ENTRIES)
        Profiles as tabulated, neither normalised nor centred.
    wings : Wings
    """
    basis, reach = core_splines(fwhm)
    family = exponentials()
    core, wing = _entries(basis), _entries(family)
    start, packed = _packed(basis)
    shape = (len(zones.row_nodes), len(zones.column_nodes))
    before = previous.table
    if before.shape[:2] != (len(zones.fine_rows), len(zones.fine_columns)):
        before = np.broadcast_to(before[:1, :1], (len(zones.fine_rows), len(zones.fine_columns), N_ENTRIES))
    before = np.ascontiguousarray(before)
    n_core = basis.shape[1]
    size = n_core + KINDS + LOCAL
    certainty, right_side = usual_certainty(), np.zeros(N_SHARES)
    solved: dict[tuple[int, int], _Zone] = {}
    column = 2.0 * (zones.column_nodes + 0.5) / image.shape[0] - 1.0
    row = 2.0 * (zones.row_nodes + 0.5) / image.shape[1] - 1.0
    for c in range(shape[1]):
        chosen = (columns >= zones.column_edges[c]) & (columns < zones.column_edges[c + 1])
        matrix, right = np.zeros((shape[0], size, size)), np.zeros((shape[0], size))
        used = np.zeros(shape[0], dtype=np.int64)
        _accumulate(
            image, floor, centre, columns[chosen], np.ascontiguousarray(fluxes[:, chosen]), zones.row_edges, start,
            packed, family, n_core, reach, before, zones.fine_rows, zones.fine_columns, c, *background,
            previous.halo, matrix, right, used,
        )  # fmt: skip
        kinds = shares_at(np.full(shape[0], column[c]), row)
        for r in range(shape[0]):
            told = None if used[r] < LEAST_PIXELS * size else _solved(matrix[r], right[r], n_core, kinds[r])
            if told is not None:
                solved[r, c], says, side = told
                certainty += says
                right_side += side
    share: FloatArray = np.linalg.solve(certainty, right_side).astype(np.float64)
    table = np.array(before[1::2, 1::2])
    response = np.zeros((KINDS, *shape, N_ENTRIES))
    response[: len(LENGTHS)] = wing.T[:, np.newaxis, np.newaxis, :]
    for place, zone in solved.items():
        amount = zone.kinds @ share
        table[place] = core @ (zone.own - zone.change @ amount)[:n_core] + wing @ amount[: len(LENGTHS)]
        response[:, *place] -= (core @ zone.change[:n_core]).T
    return table, Wings(share, certainty, response)


def _solved(
    matrix: FloatArray, right: FloatArray, n_core: int, kinds: FloatArray
) -> tuple[_Zone, FloatArray, FloatArray] | None:
    """A zone's own unknowns eliminated: the zone, and what it says of the shares that all have."""
    full = matrix + np.triu(matrix, 1).T
    wings = np.arange(n_core, n_core + KINDS)
    own = np.delete(np.arange(len(right)), wings)
    inner, cross = full[np.ix_(own, own)], full[np.ix_(own, wings)]
    scale = np.sqrt(np.maximum(np.diag(inner), 1e-30))
    try:
        inverse = np.linalg.inv(inner / np.outer(scale, scale) + 1e-9 * np.eye(len(own)))
    except np.linalg.LinAlgError:
        return None
    inverse /= np.outer(scale, scale)
    alone, change = inverse @ right[own], inverse @ cross
    if not (np.isfinite(alone).all() and np.isfinite(change).all()):
        return None
    says = kinds.T @ (full[np.ix_(wings, wings)] - cross.T @ change) @ kinds
    return _Zone(alone, change, kinds), says, kinds.T @ (right[wings] - change.T @ right[own])


def core_splines(fwhm: float) -> tuple[FloatArray, float]:
    """B-splines of the core in the offset, (fine offsets, splines), and how far they reach [pixel].

    Knots are dense in the middle and ever wider outwards. Value and slope vanish at the ends, where wings go on alone.
    """
    reach = float(np.clip(REACH[0] * fwhm, REACH[1], REACH[2]))
    step = 0.15 * fwhm
    right = list(np.arange(0.0, min(1.6 * fwhm, 0.75 * reach), step))
    while right[-1] + 1.5 * step < reach:
        step *= 1.4
        right.append(right[-1] + step)
    right[-1] = reach
    inner = np.array([-v for v in right[:0:-1]] + right)
    fine = _fine()
    knots = np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3]
    full = BSpline.design_matrix(np.clip(fine, inner[0], inner[-1]), knots, 3).toarray()
    full[np.abs(fine) > reach] = 0.0
    return np.ascontiguousarray(full[:, 2:-2]), reach


def exponentials() -> FloatArray:
    """The family of wings in the offset, (fine offsets, lengths), each of unit sum over the profile's table."""
    distance = np.hypot(_fine(), SOFT) - SOFT
    family = np.exp(-distance[:, np.newaxis] / np.array(LENGTHS))
    return np.ascontiguousarray(family / (family.sum(axis=0) / FINE))


def _fine() -> FloatArray:
    return np.linspace(-HALF - 0.5, HALF + 0.5, PIXELS * FINE + 1)


def _entries(basis: FloatArray) -> FloatArray:
    """A basis at the tabulated offsets, (entries, functions)."""
    return np.stack([np.interp(OFFSETS, _fine(), each) for each in basis.T], axis=1)


def _packed(basis: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """First spline that differs from zero at each fine offset, and the four values from there on."""
    start = np.minimum(np.argmax(basis != 0.0, axis=1), basis.shape[1] - 4)
    return start, np.take_along_axis(basis, start[:, None] + np.arange(4)[None, :], axis=1)


@kernel
def _levels(centre, columns, fluxes, row_edges):  # type: ignore[no-untyped-def]  # numba finds the types
    """Mean flux of the fibres of each zone, over the chosen columns."""
    total, members = np.zeros(row_edges.shape[0] - 1), np.zeros(row_edges.shape[0] - 1)
    for c in range(columns.shape[0]):
        z = 0
        for j in range(centre.shape[0]):
            while z < total.shape[0] - 1 and centre[j, columns[c]] >= row_edges[z + 1]:
                z += 1
            total[z] += max(fluxes[j, c], 0.0)
            members[z] += 1.0
    return total / np.maximum(members, 1.0)


@kernel
def _profiles_here(before, column_nodes, x, here):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``here`` (row nodes, entries) to the previous profiles at column x, as extraction interpolates them."""
    i = 0
    while i < column_nodes.shape[0] - 2 and x > column_nodes[i + 1]:
        i += 1
    t = (x - column_nodes[i]) / (column_nodes[i + 1] - column_nodes[i])
    for z in range(here.shape[0]):
        for e in range(here.shape[1]):
            here[z, e] = (1.0 - t) * before[z, i, e] + t * before[z, i + 1, e]


@kernel
def _accumulate(  # type: ignore[no-untyped-def]  # numba finds the types
    image, floor, centre, columns, fluxes, row_edges, start, packed, family, m, reach, before, row_nodes, column_nodes,
    own, grid, grid_rows, halo, matrix, right, used,
):  # fmt: skip
    """Normal equations of the zones above each other in column ``own`` of zones; upper triangles.

    Unknowns: splines of the core, shares of the exponentials and of the halo, background. ``before`` are the previous
    profiles at the nodes of `Zones.refined`, two for each zone: they predict the variance, and by how much the profile
    at a pixel differs from that of the zone's middle, which is taken off.
    """
    n, ny, zones = centre.shape[0], image.shape[1], row_edges.shape[0] - 1
    fine = packed.shape[0] - 1
    per_pixel = fine // (2 * HALF + 1)
    coarser = per_pixel // PHASES
    lengths = family.shape[1]
    rest = matrix.shape[1] - m
    core, others = np.zeros(m), np.zeros(rest)
    scattered, light, inner, far = np.zeros(ny), np.zeros(ny), np.zeros(ny), np.zeros(ny)
    here = np.empty((before.shape[0], before.shape[2]))
    step = row_nodes[1] - row_nodes[0]
    level = _levels(centre, columns, fluxes, row_edges)
    for c in range(columns.shape[0]):
        x = columns[c]
        _profiles_here(before, column_nodes, x, here)
        background_at_column(grid, grid_rows, x, scattered)
        light[:] = 0.0
        for j in range(n):
            # The halo is so wide that the light may as well come from a point.
            y = int(np.floor(centre[j, x]))
            if 0 <= y < ny - 1:
                light[y] += (1.0 - centre[j, x] + y) * fluxes[j, c]
                light[y + 1] += (centre[j, x] - y) * fluxes[j, c]
        spread_halo(light, 1.0, halo[1], inner)
        spread_halo(light, 1.0, halo[3], far)
        across = (x - column_nodes[2 * own + 1]) / (column_nodes[1] - column_nodes[0])
        j0 = 0
        for z in range(zones):
            a, b = matrix[z], right[z]
            for y in range(row_edges[z], row_edges[z + 1]):
                value = image[x, y] - scattered[y]
                if np.isnan(value):
                    continue
                while j0 < n and centre[j0, x] < y - HALF - 0.5:
                    j0 += 1
                low, high = m, 0
                others[:] = 0.0
                others[lengths], others[lengths + 1] = inner[y], far[y]
                others[lengths + 2] = 1e-3 * level[z]
                others[lengths + 3] = 1e-3 * level[z] * (y - row_nodes[2 * z + 1]) / step
                others[lengths + 4] = 1e-3 * level[z] * across
                model = halo[0] * inner[y] + halo[2] * far[y]
                for j in range(j0, n):
                    offset = y - centre[j, x]
                    if offset < -HALF - 0.5:
                        break
                    i = min(int((offset + HALF + 0.5) * per_pixel + 0.5), fine)
                    f = fluxes[j, c]
                    if abs(offset) < reach:
                        k0 = start[i]
                        for k in range(4):
                            core[k0 + k] += f * packed[i, k]
                        low, high = min(low, k0), max(high, k0 + 4)
                    for k in range(lengths):
                        others[k] += f * family[i, k]
                    entry = i // coarser
                    place = (centre[j, x] - row_nodes[0]) / step
                    lower = min(max(int(place), 0), before.shape[0] - 2)
                    t = place - lower
                    shape = (1.0 - t) * here[lower, entry] + t * here[lower + 1, entry]
                    model += f * shape
                    value -= f * (shape - before[2 * z + 1, 2 * own + 1, entry])
                noise = floor[0, 0] if floor.shape[0] == 1 else floor[x, y]
                w = 1.0 / (noise + max(scattered[y], 0.0) + max(model, 0.0))
                used[z] += 1
                for p in range(low, high):
                    if core[p] == 0.0:
                        continue
                    wp = w * core[p]
                    row, following, outer = a[p, p:high], core[p:high], a[p, m:]
                    for q in range(high - p):
                        row[q] += wp * following[q]
                    for q in range(rest):
                        outer[q] += wp * others[q]
                    b[p] += wp * value
                for p in range(rest):
                    wp = w * others[p]
                    row, following = a[m + p, m + p :], others[p:]
                    for q in range(rest - p):
                        row[q] += wp * following[q]
                    b[m + p] += wp * value
                for p in range(low, high):
                    core[p] = 0.0
