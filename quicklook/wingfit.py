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

from quicklook.columns import BEYOND, HALF, PHASES, TAIL_LENGTHS, background_at_column, spread_points
from quicklook.compiled import kernel
from quicklook.types import FloatArray, FloatImage, ProfileModel, Wings
from quicklook.wingkinds import (
    KINDS,
    LENGTHS,
    MIDDLES,
    N_ENTRIES,
    N_SHARES,
    core_splines,
    entries,
    exponentials,
    first_beyond,
    packed_splines,
    shares_at,
    usual_certainty,
)
from quicklook.zones import Zones

LOCAL = 3
"""What each zone has beside its core: a constant background, and its changes up and along."""

LEAST_PIXELS = 20
"""Pixels for each unknown that a zone must have."""

CORE_DOUBT = 2.0
"""Relative error of the fibres' light by which pixels count when the wings are told. What profiles miss of a fibre is some
per cent of its light, but the same in all columns, where photon noise is not. Beside bright fibres pixels then tell little of
wings, in gaps and at the slit's ends as much as their noise allows."""

SHARED_COLUMNS = 32
"""Columns of a zone that are enough for that; all where there are fewer."""


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
    core, wing = entries(basis), entries(family)
    first = first_beyond() * np.exp(BEYOND / np.array(LENGTHS))
    start, packed = packed_splines(basis)
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

    def sums(c: int, most: int, doubt: float) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Normal equations of the zones above each other in a column of zones, and the pixels of each."""
        inside = (columns >= zones.column_edges[c]) & (columns < zones.column_edges[c + 1])
        chosen = np.flatnonzero(inside)
        chosen = chosen[:: max(1, len(chosen) // most)]
        matrix, right = np.zeros((shape[0], size, size)), np.zeros((shape[0], size))
        used = np.zeros(shape[0], dtype=np.int64)
        _accumulate(
            image, floor, centre, columns[chosen], np.ascontiguousarray(fluxes[:, chosen]), zones.row_edges, start,
            packed, family, first, n_core, reach, before, zones.fine_rows, zones.fine_columns, c, *background,
            previous.halo, doubt, matrix, right, used,
        )  # fmt: skip
        return matrix, right, used

    for c in range(shape[1]):
        kinds = shares_at(np.full(shape[0], column[c]), row)
        matrix, right, used = sums(c, len(columns), 0.0)
        others, their, _ = sums(c, SHARED_COLUMNS, CORE_DOUBT)
        for r in range(shape[0]):
            if used[r] < LEAST_PIXELS * size:
                continue
            own = _solved(matrix[r], right[r], n_core, kinds[r])
            told = _solved(others[r], their[r], n_core, kinds[r])
            if own is not None and told is not None:
                solved[r, c], says, side = own[0], *told[1:]
                certainty += says
                right_side += side
    share = _no_dark(certainty, right_side)
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


def _no_dark(certainty: FloatArray, right: FloatArray) -> FloatArray:
    """Most probable shares of which none takes light away in the middle of the chip.

    Wings that fall off ever more gently are sums of exponentials of positive amounts. Left free, kinds of wings
    would make up for each other where a misfit of the cores asks for it.
    """
    held: list[int] = []
    while True:
        free = np.setdiff1d(np.arange(N_SHARES), held)
        share = np.zeros(N_SHARES)
        share[free] = np.linalg.solve(certainty[np.ix_(free, free)], right[free])
        worst = MIDDLES[int(np.argmin(share[MIDDLES]))]
        if share[worst] >= 0.0:
            return share
        held.append(worst)


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
    image, floor, centre, columns, fluxes, row_edges, start, packed, family, tail, m, reach, before, row_nodes, column_nodes,
    own, grid, grid_rows, halo, doubt, matrix, right, used,
):  # fmt: skip
    """Normal equations of the zones above each other in column ``own`` of zones; upper triangles.

    Unknowns: splines of the core, shares of the exponentials and of the halo, background. ``doubt`` is the relative error
    of the fibres' light that counts as noise. ``before`` are the previous profiles at the nodes of `Zones.refined`,
    two for each zone: they predict the variance, and by how much the profile at a pixel differs from that of the
    zone's middle, which is taken off.
    """
    n, ny, zones = centre.shape[0], image.shape[1], row_edges.shape[0] - 1
    fine = packed.shape[0] - 1
    per_pixel = fine // (2 * HALF + 1)
    lengths = family.shape[1]
    rest = matrix.shape[1] - m
    core, others = np.zeros(m), np.zeros(rest)
    scattered, inner, far = np.zeros(ny), np.zeros(ny), np.zeros(ny)
    outside = np.zeros((lengths, ny))
    here = np.empty((before.shape[0], before.shape[2]))
    step = row_nodes[1] - row_nodes[0]
    level = _levels(centre, columns, fluxes, row_edges)
    near_one, far_one = np.tanh(0.5 / halo[1]), np.tanh(0.5 / halo[3])
    for c in range(columns.shape[0]):
        x = columns[c]
        _profiles_here(before, column_nodes, x, here)
        background_at_column(grid, grid_rows, x, scattered)
        spread_points(centre[:, x], fluxes[:, c], halo[1], 0.0, inner)
        spread_points(centre[:, x], fluxes[:, c], halo[3], 0.0, far)
        for k in range(lengths):
            spread_points(centre[:, x], fluxes[:, c], TAIL_LENGTHS[k], HALF + 0.5, outside[k])
        across = (x - column_nodes[2 * own + 1]) / (column_nodes[1] - column_nodes[0])
        j0 = 0
        for z in range(zones):
            a, b, middle = matrix[z], right[z], before[2 * z + 1, 2 * own + 1]
            for y in range(row_edges[z], row_edges[z + 1]):
                value = image[x, y] - scattered[y]
                if np.isnan(value):
                    continue
                while j0 < n and centre[j0, x] < y - HALF - 0.5:
                    j0 += 1
                low, high = m, 0
                others[:] = 0.0
                for k in range(lengths):
                    others[k] = tail[k] * outside[k, y]
                others[lengths], others[lengths + 1] = near_one * inner[y], far_one * far[y]
                others[lengths + 2] = 1e-3 * level[z]
                others[lengths + 3] = 1e-3 * level[z] * (y - row_nodes[2 * z + 1]) / step
                others[lengths + 4] = 1e-3 * level[z] * across
                model = halo[0] * others[lengths] + halo[2] * others[lengths + 1]
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
                    at = min((offset + HALF + 0.5) * PHASES, N_ENTRIES - 1.0)
                    entry = min(int(at), N_ENTRIES - 2)
                    u = at - entry
                    place = (centre[j, x] - row_nodes[0]) / step
                    lower = min(max(int(place), 0), before.shape[0] - 2)
                    t = place - lower
                    low_e = (1.0 - t) * here[lower, entry] + t * here[lower + 1, entry]
                    high_e = (1.0 - t) * here[lower, entry + 1] + t * here[lower + 1, entry + 1]
                    model += f * ((1.0 - u) * low_e + u * high_e)
                    low_e -= middle[entry]
                    high_e -= middle[entry + 1]
                    value -= f * ((1.0 - u) * low_e + u * high_e)
                noise = floor[0, 0] if floor.shape[0] == 1 else floor[x, y]
                w = 1.0 / (noise + max(scattered[y], 0.0) + max(model, 0.0) + (doubt * model) ** 2)
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
