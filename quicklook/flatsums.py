"""What the pixels of a flat say of the profile in each zone of the chip: normal equations.

A zone's unknowns are the splines of the core, the shares of light in each kind of wings, and smooth light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook.columns import HALF, PHASES, TAIL_LENGTHS, background_at_column, spread_points
from quicklook.compiled import kernel
from quicklook.types import FloatArray, FloatImage
from quicklook.wingkinds import KINDS, N_ENTRIES
from quicklook.zones import Zones, interpolated

PLANE, PATCH = 3, 9
"""Functions of the smooth light in a zone: those of a plane, or the quadratic splines of `quicklook.smoothlight`."""

LEAST_PIXELS = 20
"""Pixels for each unknown that a zone must have."""

HIT_SHARE, HIT_ERRORS = 0.15, 10.0
"""A pixel that differs from the round before by more than this share of its own light and a fibre's, and so many errors, is hit:
nothing that profiles miss is as large, and one such pixel would bend the surfaces of all zones."""


@dataclass(frozen=True, eq=False)
class Flat:
    """What the zones of a flat are told from.

    Attributes
    ----------
    image, floor, centre, columns, fluxes
        As `quicklook.profiles.fit_profile` takes them.
    background : tuple of ndarray
        Smooth light of the round before, as (grid, grid rows): it predicts the variance, and which pixels are hit.
    halo : tuple of float
        `ProfileModel.halo` of the round before.
    before : ndarray (fine rows, fine columns, N_ENTRIES)
        Profiles of the round before.
    nodes : tuple of ndarray
        Fine rows and columns.
    splines : tuple
        Of the core and of the exponentials, as `_accumulate` takes them.
    """

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

    @property
    def n_core(self) -> int:
        """Splines of the core."""
        return self.splines[4]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the chip."""
        return self.image.shape[1], self.image.shape[0]

    def whole(self, zones: Zones, c: int, light: tuple[FloatArray, FloatArray]) -> Sums:
        """Sums over all pixels of a column of zones, by their photon noise, beside smooth light that is known but for planes."""
        return self._sums(zones, c, len(self.columns), 0.0, light, PLANE)

    def sample(self, zones: Zones, c: int, most: int, doubt: float) -> Sums:
        """Sums over about so many columns, with a relative error of the fibres' light that counts as noise, and patches of smooth light."""
        return self._sums(zones, c, most, doubt, self.background, PATCH)

    def _sums(
        self,
        zones: Zones,
        c: int,
        most: int,
        doubt: float,
        background: tuple[FloatArray, FloatArray],
        smooth: int,
    ) -> Sums:
        inside = (self.columns >= zones.column_edges[c]) & (self.columns < zones.column_edges[c + 1])
        chosen = np.flatnonzero(inside)
        chosen = chosen[:: max(1, len(chosen) // max(1, most))]
        rows, size = len(zones.row_nodes), self.n_core + KINDS + smooth
        matrix, right = np.zeros((rows, size, size)), np.zeros((rows, size))
        used = np.zeros(rows, dtype=np.int64)
        middle = interpolated(self.before, *self.nodes, zones.row_nodes, zones.column_nodes[c])
        extent = self.shape[0] / rows, self.shape[1] / len(zones.column_nodes)
        _accumulate(
            self.image, self.floor, self.centre, self.columns[chosen], np.ascontiguousarray(self.fluxes[:, chosen]),
            zones.row_edges, *self.splines, self.before, *self.nodes, middle, zones.row_nodes, zones.column_nodes[c], extent,
            *background, self.halo, doubt, matrix, right, used,
        )  # fmt: skip
        return matrix, right, np.where(used < LEAST_PIXELS * size, 0, used)


Sums = tuple[FloatArray, FloatArray, NDArray[np.int64]]
"""Matrices and right sides of the zones above each other (upper triangles), and the pixels of each; zero where too few."""


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
def _smooth_functions(up, along, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``out`` to a plane's functions, or to the nine quadratic splines of a zone, at a place from -1/2 to 1/2 in it."""
    if out.shape[0] == PLANE:
        out[0], out[1], out[2] = 1.0, up, along
        return
    for i in range(3):
        one = 0.75 - up * up if i == 1 else 0.5 * (0.5 + (i - 1) * up) ** 2
        for j in range(3):
            two = 0.75 - along * along if j == 1 else 0.5 * (0.5 + (j - 1) * along) ** 2
            out[3 * i + j] = one * two


@kernel
def _accumulate(  # type: ignore[no-untyped-def]  # numba finds the types
    image, floor, centre, columns, fluxes, row_edges, start, packed, family, tail, m, reach, before, row_nodes, column_nodes,
    middles, zone_rows, zone_column, extent, grid, grid_rows, halo, doubt, matrix, right, used,
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
        across = (x - zone_column) / extent[1]
        j0 = 0
        for z in range(zones):
            a, b, middle = matrix[z], right[z], middles[z]
            for y in range(row_edges[z], row_edges[z + 1]):
                value = image[x, y]
                if np.isnan(value):
                    continue
                while j0 < n and centre[j0, x] < y - HALF - 0.5:
                    j0 += 1
                low, high, seen = m, 0, value - scattered[y]
                if rest == lengths + 2 + PLANE:
                    value = seen
                others[:] = 0.0
                for k in range(lengths):
                    others[k] = tail[k] * outside[k, y]
                others[lengths], others[lengths + 1] = near_one * inner[y], far_one * far[y]
                _smooth_functions((y - zone_rows[z]) / extent[0], across, others[lengths + 2 :])
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
                noise = max(scattered[y], 0.0) + (floor[0, 0] if floor.shape[0] == 1 else floor[x, y])
                strange = HIT_SHARE * (max(model, 0.0) + max(level[z], 0.0))
                if abs(seen - model) > strange + HIT_ERRORS * np.sqrt(noise + max(model, 0.0)):
                    for p in range(low, high):
                        core[p] = 0.0
                    continue
                w = 1.0 / (noise + max(model, 0.0) + (doubt * model) ** 2)
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
