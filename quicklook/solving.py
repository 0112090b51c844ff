"""The compiled heart of extraction: all columns of a frame solved, cosmic rays rejected on the way.

Three columns are kept at a time, because what a particle left in one column counts for its neighbours: a column
is finished when the one after it has been searched.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quicklook.columns import (
    CORE,
    HALF,
    PIXELS,
    add_model,
    background_at_column,
    bank_at_column,
    evaluate,
    fit_column,
    flux_variance,
    normal_equations,
    reweight,
    solve,
)
from quicklook.cosmics import grow_hits, reject_pixels

LEAST_PROFILE = 0.4
"""A fibre of whose squared profile less than this falls on good pixels is bad in that column."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def solve_columns(  # type: ignore[no-untyped-def]
    frame, floor, centres, bank, row_nodes, column_nodes, grid, grid_rows, halo, reject, summed, hit, fluxes,
    variances,
):  # fmt: skip
    """Solve all columns; see `quicklook.extraction.extract`.

    ``hit`` (columns, rows) masks pixels on entry and, with ``reject``, gains those found; ``fluxes`` and
    ``variances`` (fibres, columns) are results.
    """
    nx, ny = frame.shape
    n = centres.shape[0]
    w, model, d, noise, background = (
        np.zeros((3, ny)), np.zeros((3, ny)), np.empty((3, ny)), np.empty((3, ny)), np.empty((3, ny)),
    )  # fmt: skip
    equations, work = np.zeros((3, 5, n)), np.zeros((3, n))
    old, new = np.zeros(ny), np.zeros(ny)
    table = np.empty((bank.shape[0], bank.shape[2], bank.shape[3]))
    first = np.empty((3, n), dtype=np.int64)
    profile, slope = np.empty((3, n, PIXELS)), np.empty((3, n, PIXELS))
    direct, found = np.empty((3, ny), dtype=np.int64), np.zeros(3, dtype=np.int64)
    for x in range(nx + 1):
        s = x % 3
        found[s] = 0
        if x < nx:
            bank_at_column(bank, column_nodes, float(x), table)
            evaluate(centres[:, x], table, row_nodes, first[s], profile[s], slope[s])
            background_at_column(grid, grid_rows, x, background[s])
            for y in range(ny):
                d[s, y] = np.nan if hit[x, y] else frame[x, y] - background[s, y]
                noise[s, y] = floor[0, 0] if floor.shape[0] == 1 else floor[x, y]
            e = equations[s]
            buffers = (w[s], model[s], e[0], e[1], e[2], e[3], work, e[4], old, new)
            fit_column(d[s], noise[s], background[s], profile[s], first[s], halo, buffers)
            if reject:
                found[s] = reject_pixels(
                    d[s], noise[s], background[s], profile[s], slope[s], first[s], hit[x], direct[s], buffers
                )
                if found[s] > 0:
                    reweight(noise[s], background[s], model[s], w[s])
                    normal_equations(d[s], w[s], profile[s], first[s], e[0], e[1], e[2], e[3])
                    solve(e[0], e[1], e[2], e[3], work, e[4])
                    add_model(e[4], profile[s], first[s], model[s])
        if x == 0:
            continue
        s, before, after = (x - 1) % 3, (x - 2) % 3, x % 3
        e = equations[s]
        if found[before] + found[after] > 0:
            buffers = (w[s], model[s], e[0], e[1], e[2], e[3], work, e[4], old, new)
            grown = 0
            for i in (before, after):
                grown += grow_hits(
                    d[s], noise[s], background[s], profile[s], slope[s], first[s], hit[x - 1], direct[i], found[i],
                    buffers,
                )  # fmt: skip
            if grown > 0:
                solve(e[0], e[1], e[2], e[3], work, e[4])
                if summed:
                    add_model(e[4], profile[s], first[s], model[s])
        _finish(x - 1, d[s], w[s], model[s], profile[s], first[s], e, summed, fluxes, variances)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _finish(x, d, w, model, profile, first, equations, summed, fluxes, variances):  # type: ignore[no-untyped-def]
    """Write down the fluxes of a column and their variances; NaN where too little of the profile was seen."""
    ny = d.shape[0]
    diagonal, upper1, flux = equations[0], equations[1], equations[4]
    for j in range(flux.shape[0]):
        good, whole = 0.0, 0.0
        extra, spread = 0.0, 0.0
        for k in range(PIXELS):
            y = first[j] + k
            p2 = profile[j, k] * profile[j, k]
            whole += p2
            if 0 <= y < ny and w[y] > 0.0:
                good += p2
                if summed and abs(k - HALF) <= CORE:
                    extra += d[y] - model[y]
                    spread += 1.0 / w[y]
        if good < LEAST_PROFILE * whole:
            fluxes[j, x], variances[j, x] = np.nan, np.nan
        elif summed:
            # What the fit missed in the core is added: the sum, with bad pixels filled by the model.
            fluxes[j, x], variances[j, x] = flux[j] + extra, spread
        else:
            fluxes[j, x] = flux[j]
            variances[j, x] = flux_variance(diagonal, upper1, j)
