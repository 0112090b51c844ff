"""The wings of the fibre profile from a flat: one family of shapes for the whole chip.

The core is as free as splines are, and changes over the chip (`quicklook.coresurface`). What lies outside it is faint, and a zone
knows it badly: fibres stand side by side at one distance, and wings look like background there. So all zones share their
wings: exponentials of a few lengths, of amounts that change slowly over the chip. Whatever falls off smoothly is
nearly a sum of such, and all gaps in the slit tell of it together, and of the smooth light beside it
(`quicklook.smoothlight`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from quicklook.columns import BEYOND
from quicklook.coresurface import ZoneCore, fit_surfaces, surface_basis
from quicklook.flatsums import PATCH, Flat
from quicklook.smoothlight import BEND_ROUNDS, LARGEST_BEND, LEAST_BEND, SmoothLight
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
from quicklook.zones import Zones

CORE_DOUBT = 2.5
"""Relative error of the fibres' light by which pixels count when the wings are told. What profiles miss of a fibre is some
per cent of its light, but the same in all columns, where photon noise is not. Beside bright fibres pixels then tell little of
wings, in gaps and at the slit's ends as much as their noise allows."""

CORE_ZONES = 12
"""Zones for the cores along and across. Each tells the core at its middle, and all a surface over the chip."""

LEAST_ZONE = 24
"""Columns of such a zone at least."""

SHARED_COLUMNS = 32
"""Columns of a zone that are enough for that; all where there are fewer."""


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
) -> tuple[FloatArray, Wings, tuple[FloatArray, FloatArray]]:
    """Cores of all zones and the wings that they share, from the pixels of a flat.

    Parameters are those of `quicklook.profiles.fit_profile`.

    Returns
    -------
    table : ndarray (fine rows, fine columns, N_ENTRIES)
        Profiles as tabulated, neither normalised nor centred.
    wings : Wings
    light : tuple of ndarray
        The smooth light beside them, as (grid, grid rows).
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
    flat = Flat(
        image, floor, centre, columns, fluxes, background, previous.halo, before, nodes,
        (*packed_splines(basis), family, first, basis.shape[1], reach),
    )  # fmt: skip
    share, certainty, light = _shared(flat, zones)
    surfaces = fit_surfaces(_cores(flat, share, light))
    if surfaces is None:
        return before.copy(), Wings(share, certainty, np.zeros((KINDS, *before[1::2, 1::2].shape))), light
    at_fine, amount = _at_places(surfaces, *nodes, flat.shape)
    amount = amount @ share
    table = at_fine[..., 0] @ core.T + amount[..., : len(LENGTHS)] @ wing.T
    changes, _ = _at_places(surfaces, zones.row_nodes, zones.column_nodes, flat.shape)
    response = -np.einsum("rcmk,em->krce", changes[..., 1:], core)
    response[: len(LENGTHS)] += wing.T[:, np.newaxis, np.newaxis, :]
    return table, Wings(share, certainty, response), light


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


def _shared(flat: Flat, zones: Zones) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Shares of light in the wings and the smooth light beside them, as all zones tell, each with a core of its own.

    Returns
    -------
    share : ndarray (N_SHARES,)
    certainty : ndarray (N_SHARES, N_SHARES)
        Inverse covariance of the shares.
    light : tuple of ndarray
        The smooth light, as (grid, grid rows).
    """
    smooth = SmoothLight((len(zones.row_nodes), len(zones.column_nodes)), flat.shape)
    n = N_SHARES + smooth.size
    whole, side = np.zeros((n, n)), np.zeros(n)
    for c, column in enumerate(zones.column_nodes):
        matrix, right, used = flat.sample(zones, c, SHARED_COLUMNS, CORE_DOUBT)
        for r in np.flatnonzero(used):
            told = _eliminated(matrix[r], right[r], flat.n_core)
            if told is None:
                continue
            kinds = kinds_at(np.array([column]), zones.row_nodes[[r]], flat.shape)[0]
            follows = block_diag(kinds, np.eye(PATCH))
            at = np.r_[np.arange(N_SHARES), N_SHARES + smooth.seen(int(r), c)]
            whole[np.ix_(at, at)] += follows.T @ told[0] @ follows
            side[at] += follows.T @ told[1]
    level = max(float(np.mean(flat.fluxes)), 1.0)
    bend = LARGEST_BEND
    for _ in range(BEND_ROUNDS):
        share, certainty, coefficients = _solved(whole, side, smooth.certainty(bend * level))
        bend = float(np.clip(smooth.bend(coefficients) / level, LEAST_BEND, LARGEST_BEND))
    return share, certainty, smooth.on_grid(coefficients)


def _solved(
    whole: FloatArray, side: FloatArray, usual: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Shares, their inverse covariance, and coefficients of the smooth light, of which ``usual`` is what is known before."""
    wings, light = slice(0, N_SHARES), slice(N_SHARES, None)
    inverse, cross = _inverse(whole[light, light] + usual), whole[light, wings]
    if inverse is None:
        inverse = np.zeros_like(usual)
    gone, known = inverse @ cross, inverse @ side[light]
    certainty = usual_certainty() + whole[wings, wings] - cross.T @ gone
    share = _no_dark(certainty, side[wings] - cross.T @ known)
    return share, certainty, known - gone @ share


def _cores(flat: Flat, share: FloatArray, light: tuple[FloatArray, FloatArray]) -> list[ZoneCore]:
    """What the zones' pixels say of their cores beside such shares of light in the wings, and beside each kind of wings."""
    shape, m = flat.shape, flat.n_core
    zones = Zones.of(*shape, CORE_ZONES, max(1, min(CORE_ZONES, shape[1] // LEAST_ZONE)))
    wings, local = slice(m, m + KINDS), slice(m + KINDS, None)
    cores = []
    for c, column in enumerate(zones.column_nodes):
        matrix, right, used = flat.whole(zones, c, light)
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
    """What a zone says of the amounts in the kinds of wings and of its smooth light, its core eliminated."""
    full = matrix + np.triu(matrix, 1).T
    core, beside = slice(0, n_core), slice(n_core, None)
    inverse, cross = _inverse(full[core, core]), full[core, beside]
    if inverse is None:
        return None
    change = inverse @ cross
    says, side = full[beside, beside] - cross.T @ change, right[beside] - change.T @ right[core]
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
