"""The wings of the fibre profile from a flat: one family of shapes for the whole chip.

The core is as free as splines are, and changes over the chip (`quicklook.coresurface`). What lies outside it is faint, and a zone
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
from quicklook.coresurface import ZoneCore, fit_surfaces, surface_basis
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
    kinds_at,
    packed_splines,
    shares_at,
    usual_certainty,
)
from quicklook.zones import Zones, interpolated

LOCAL = 3
"""What each zone has beside its core: a constant background, and its changes up and along."""

LEAST_PIXELS = 20
"""Pixels for each unknown that a zone must have."""

CORE_DOUBT = 2.5
"""Relative error of the fibres' light by which pixels count when the wings are told. What profiles miss of a fibre is some
per cent of its light, but the same in all columns, where photon noise is not. Beside bright fibres pixels then tell little of
wings, in gaps and at the slit's ends as much as their noise allows."""

HIT_SHARE, HIT_ERRORS = 0.15, 10.0
"""A pixel that differs from the round before by more than this share of its own light and a fibre's, and so many errors, is hit:
nothing that profiles miss is as large, and one such pixel would bend the surfaces of all zones."""

CORE_ZONES = 12
"""Zones for the cores along and across. Each tells the core at its middle, and all a surface over the chip."""

LEAST_ZONE = 24
"""Columns of such a zone at least."""

SHARED_COLUMNS = 32
"""Columns of a zone that are enough for that; all where there are fewer."""


@dataclass(frozen=True, eq=False)
class _Flat:
    """What the zones of a flat are told from; see `fit_zones`, and `_accumulate` for the splines."""

    image: FloatImage
    floor: FloatImage
    centre: FloatArray
    columns: NDArray[np.int64]
    fluxes: FloatArray
    background: tuple[FloatArray, FloatArray]
    halo: tuple[float, float, float, float]
    before: FloatArray
    nodes: tuple[FloatArray, FloatArray]
    splines: tuple[NDArray[np.int64], FloatArray, FloatArray, FloatArray, int, float]

    def sums(
        self, zones: Zones, c: int, most: int, doubt: float
    ) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Normal equations of the zones above each other in a column of zones, and the pixels of each."""
        inside = (self.columns >= zones.column_edges[c]) & (self.columns < zones.column_edges[c + 1])
        chosen = np.flatnonzero(inside)
        chosen = chosen[:: max(1, len(chosen) // max(1, most))]
        rows, n_core = len(zones.row_nodes), self.splines[4]
        size = n_core + KINDS + LOCAL
        matrix, right = np.zeros((rows, size, size)), np.zeros((rows, size))
        used = np.zeros(rows, dtype=np.int64)
        middle = interpolated(self.before, *self.nodes, zones.row_nodes, zones.column_nodes[c])
        _accumulate(
            self.image, self.floor, self.centre, self.columns[chosen], np.ascontiguousarray(self.fluxes[:, chosen]),
            zones.row_edges, *self.splines, self.before, *self.nodes, middle, zones.row_nodes, zones.column_nodes[c],
            *self.background, self.halo, doubt, matrix, right, used,
        )  # fmt: skip
        return matrix, right, np.where(used < LEAST_PIXELS * size, 0, used)


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
    table : ndarray (fine rows, fine columns, N_ENTRIES)
        Profiles as tabulated, neither normalised nor centred.
    wings : Wings
    """
    basis, reach = core_splines(fwhm)
    family = exponentials()
    core, wing = entries(basis), entries(family)
    first = first_beyond() * np.exp(BEYOND / np.array(LENGTHS))
    nodes = (zones.fine_rows, zones.fine_columns)
    before = previous.table
    if before.shape[:2] != (len(nodes[0]), len(nodes[1])):
        before = np.broadcast_to(before[:1, :1], (len(nodes[0]), len(nodes[1]), N_ENTRIES))
    before = np.ascontiguousarray(before)
    flat = _Flat(
        image, floor, centre, columns, fluxes, background, previous.halo, before, nodes,
        (*packed_splines(basis), family, first, basis.shape[1], reach),
    )  # fmt: skip
    shape = (image.shape[1], image.shape[0])
    certainty, right_side = _told_of_shares(flat, zones, shape)
    share = _no_dark(certainty, right_side)
    surfaces = fit_surfaces(_cores(flat, share, shape))
    if surfaces is None:
        return before.copy(), Wings(share, certainty, np.zeros((KINDS, *before[1::2, 1::2].shape)))
    at_fine, amount = _at_places(surfaces, *nodes, shape)
    amount = amount @ share
    table = at_fine[..., 0] @ core.T + amount[..., : len(LENGTHS)] @ wing.T
    changes, _ = _at_places(surfaces, zones.row_nodes, zones.column_nodes, shape)
    response = -np.einsum("rcmk,em->krce", changes[..., 1:], core)
    response[: len(LENGTHS)] += wing.T[:, np.newaxis, np.newaxis, :]
    return table, Wings(share, certainty, response)


def _at_places(
    surfaces: FloatArray, rows: FloatArray, columns: FloatArray, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Surfaces, (rows, columns, splines, right sides), and how shares follow, (rows, columns, KINDS, N_SHARES)."""
    row, column = (
        np.clip((each + 0.5) / size, 0.0, 1.0).ravel()
        for each, size in zip(np.meshgrid(rows, columns, indexing="ij"), shape, strict=True)
    )
    places = (len(rows), len(columns))
    values = np.tensordot(surface_basis(row, column), surfaces, 1)
    follows = shares_at(2.0 * column - 1.0, 2.0 * row - 1.0)
    return values.reshape(*places, *values.shape[1:]), follows.reshape(*places, *follows.shape[1:])


def _told_of_shares(flat: _Flat, zones: Zones, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """What all zones say of the shares that they have in common, each with a core of its own."""
    certainty, right_side = usual_certainty(), np.zeros(N_SHARES)
    for c, column in enumerate(zones.column_nodes):
        matrix, right, used = flat.sums(zones, c, SHARED_COLUMNS, CORE_DOUBT)
        for r in np.flatnonzero(used):
            told = _eliminated(matrix[r], right[r], flat.splines[4])
            if told is None:
                continue
            kinds = kinds_at(np.array([column]), zones.row_nodes[[r]], shape)[0]
            certainty += kinds.T @ told[0] @ kinds
            right_side += kinds.T @ told[1]
    return certainty, right_side


def _cores(flat: _Flat, share: FloatArray, shape: tuple[int, int]) -> list[ZoneCore]:
    """What the zones' pixels say of their cores beside such shares of light in the wings, and beside each kind of wings."""
    zones = Zones.of(*shape, CORE_ZONES, max(1, min(CORE_ZONES, shape[1] // LEAST_ZONE)))
    m = flat.splines[4]
    wings, local = slice(m, m + KINDS), slice(m + KINDS, None)
    cores = []
    for c, column in enumerate(zones.column_nodes):
        matrix, right, used = flat.sums(zones, c, len(flat.columns), 0.0)
        for r in np.flatnonzero(used):
            full = matrix[r] + np.triu(matrix[r], 1).T
            place = (zones.row_nodes[r] + 0.5) / shape[0], (column + 0.5) / shape[1]
            amount = kinds_at(np.array([column]), zones.row_nodes[[r]], shape)[0] @ share
            sides = np.column_stack([right[r] - full[:, wings] @ amount, full[:, wings]])
            beside = _inverse(full[local, local])
            if beside is None:
                continue
            gone = beside @ np.column_stack([full[local, :m], sides[local]])
            normal = full[:m, :m] - full[:m, local] @ gone[:, :m]
            side = sides[:m] - full[:m, local] @ gone[:, m:]
            if np.isfinite(normal).all() and np.isfinite(side).all():
                cores.append(ZoneCore(*place, normal, side))
    return cores


def _eliminated(matrix: FloatArray, right: FloatArray, n_core: int) -> tuple[FloatArray, FloatArray] | None:
    """What a zone says of the amounts in the kinds of wings, its own unknowns eliminated."""
    full = matrix + np.triu(matrix, 1).T
    wings = np.arange(n_core, n_core + KINDS)
    own = np.delete(np.arange(len(right)), wings)
    inverse, cross = _inverse(full[np.ix_(own, own)]), full[np.ix_(own, wings)]
    if inverse is None:
        return None
    change = inverse @ cross
    says, side = full[np.ix_(wings, wings)] - cross.T @ change, right[wings] - change.T @ right[own]
    return (says, side) if np.isfinite(says).all() and np.isfinite(side).all() else None


def _inverse(matrix: FloatArray) -> FloatArray | None:
    """Inverse of normal equations, those of unknowns that no pixel tells held to zero; None where there is none."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
    try:
        inverse = np.linalg.inv(matrix / np.outer(scale, scale) + 1e-9 * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return None
    return np.asarray(inverse / np.outer(scale, scale))


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
    middles, zone_rows, zone_column, grid, grid_rows, halo, doubt, matrix, right, used,
):  # fmt: skip
    """Normal equations of zones above each other; upper triangles.

    Unknowns: splines of the core, shares of the exponentials and of the halo, background. ``doubt`` is the relative error
    of the fibres' light that counts as noise. ``before`` are the previous profiles at their nodes, ``middles`` those at the
    zones' middles: they predict the variance, and by how much the profile at a pixel differs from that of the zone's
    middle, which is taken off.
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
        across = (x - zone_column) / (column_nodes[1] - column_nodes[0])
        j0 = 0
        for z in range(zones):
            a, b, middle = matrix[z], right[z], middles[z]
            for y in range(row_edges[z], row_edges[z + 1]):
                value = image[x, y] - scattered[y]
                if np.isnan(value):
                    continue
                while j0 < n and centre[j0, x] < y - HALF - 0.5:
                    j0 += 1
                low, high, seen = m, 0, value
                others[:] = 0.0
                for k in range(lengths):
                    others[k] = tail[k] * outside[k, y]
                others[lengths], others[lengths + 1] = near_one * inner[y], far_one * far[y]
                others[lengths + 2] = 1e-3 * level[z]
                others[lengths + 3] = 1e-3 * level[z] * (y - zone_rows[z]) / step
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
                strange = HIT_SHARE * (max(model, 0.0) + max(level[z], 0.0))
                if abs(seen - model) > strange + HIT_ERRORS * np.sqrt(noise + max(model, 0.0)):
                    for p in range(low, high):
                        core[p] = 0.0
                    continue
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
