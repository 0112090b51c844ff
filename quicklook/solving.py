"""The compiled heart of extraction: all columns of a frame solved, cosmic rays rejected on the way.

A column is fitted twice. First each fibre's core for itself, roughly; then all fibres together, with weights from the
light that the first fits of the columns on either side predict. **A pixel's own noise must not decide its weight**: with weights from its own first
fit every spectrum would come out one electron too faint, because light that noise made high would weigh less.

Four columns are kept at a time: one is fitted first, one again, and one is finished when its neighbours have been
searched, because what a particle left in one column counts for the next.
"""

from __future__ import annotations

import numpy as np

from quicklook.between import gather_between
from quicklook.columns import (
    CORE,
    HALF,
    WIDTH,
    At,
    add_model,
    background_at_column,
    bank_at_column,
    evaluate,
    flux_variances,
    normal_equations,
    reweight,
    solve,
    spread_beyond,
)
from quicklook.compiled import adding_kernel, kernel
from quicklook.cosmics import grow_hits, reject_pixels, solve_around

LEAST_PROFILE = 0.4
"""A fibre of whose squared profile less than this falls on good pixels is bad in that column."""

KEPT = 4
"""Columns kept at a time."""

DIFFERENT = 8.0
"""Squared difference from the prediction, over a flux's variance, that noise alone may make: two standard
deviations of a difference whose two sides are alike."""


@kernel
def solve_columns(  # type: ignore[no-untyped-def]  # numba finds the types
    frame, floor, centres, bank, row_nodes, column_nodes, grid, grid_rows, halo, reject, summed, distance, hit, fluxes,
    variances, lift, between, weight,
):  # fmt: skip
    """Solve all columns; see `quicklook.extraction.extract`.

    ``centres`` is (columns, fibres). ``hit`` (columns, rows) masks pixels on entry and, with ``reject``, gains those found;
    ``fluxes``, ``variances`` and ``lift`` (columns, fibres) are results, the last what an electron of background in every
    pixel adds to a flux; so are ``between`` and ``weight`` (row cells, column cells), what is left further than ``distance`` from all fibres.
    """
    nx, ny = frame.shape
    n = centres.shape[1]
    w, model, d, noise, background = (
        np.zeros((KEPT, ny)), np.zeros((KEPT, ny)), np.empty((KEPT, ny)), np.empty((KEPT, ny)), np.empty((KEPT, ny)),
    )  # fmt: skip
    equations, expected, work = np.zeros((KEPT, 5, n)), np.zeros((KEPT, n)), np.zeros((3, n))
    sums = np.empty((4, n))
    early = np.full((nx, n), np.nan)
    spread, unused = np.zeros(ny), np.zeros(ny)
    table = np.zeros((bank.shape[0], bank.shape[2], WIDTH))
    first = np.empty((KEPT, n), dtype=np.int64)
    profile, slope = np.empty((KEPT, n, WIDTH)), np.empty((KEPT, n, WIDTH))
    direct, found = np.empty((KEPT, ny), dtype=np.int64), np.zeros(KEPT, dtype=np.int64)
    rows, centre = np.empty(ny, dtype=np.int64), np.empty((KEPT, n))
    for step in range(nx + 3):
        x = step
        if x < nx:
            s = x % KEPT
            bank_at_column(bank, column_nodes, float(x), table)
            for j in range(n):
                centre[s, j] = centres[x, j]
            evaluate(centre[s], table, row_nodes, first[s], profile[s], slope[s])
            background_at_column(grid, grid_rows, x, background[s])
            _begin(frame[x], hit[x], floor[min(x, floor.shape[0] - 1)], background[s], d[s], w[s], noise[s])
            _fit_cores(d[s], w[s], profile[s], first[s], early[x])
        x = step - 2
        if 0 <= x < nx:
            s = x % KEPT
            e = equations[s]
            _predict(early, x, expected[s])
            add_model(expected[s], profile[s], first[s], model[s])
            if halo[0] != 0.0 or halo[2] != 0.0 or halo[4] != 0.0 or halo[5] != 0.0:
                spread_beyond(model[s], centre[s], expected[s], halo, spread)
                for y in range(ny):
                    background[s, y] += spread[y]
                    if w[s, y] > 0.0:
                        d[s, y] -= spread[y]
            reweight(noise[s], background[s], model[s], w[s])
            normal_equations(d[s], w[s], profile[s], first[s], e[0], e[1], e[2], e[3])
            solve(e[0], e[1], e[2], e[3], work, e[4], np.int64(0), n)
            add_model(e[4], profile[s], first[s], model[s])
            found[s] = 0
            if reject:
                buffers = (w[s], model[s], e[0], e[1], e[2], e[3], work, e[4], spread, unused)
                found[s] = reject_pixels(
                    d[s], noise[s], background[s], profile[s], slope[s], first[s], hit[x], direct[s], buffers
                )
        x = step - 3
        if x < 0:
            continue
        s, before, after = x % KEPT, (x - 1) % KEPT, (x + 1) % KEPT
        e = equations[s]
        # Before the first column and after the last there is none, and what their places hold is of other columns.
        hits_before, hits_after = found[before] if x > 0 else 0, found[after] if x + 1 < nx else 0
        if hits_before + hits_after > 0:
            buffers = (w[s], model[s], e[0], e[1], e[2], e[3], work, e[4], spread, unused)
            grown = np.int64(0)
            for i, m in ((before, hits_before), (after, hits_after)):
                grown = grow_hits(
                    d[s], noise[s], background[s], profile[s], slope[s], first[s], hit[x], direct[i], m, grown, rows,
                    buffers,
                )  # fmt: skip
            for i in range(grown):
                solve_around(rows[i], profile[s], first[s], buffers)
        cell = x * between.shape[1] // nx
        gather_between(
            d[s], noise[s], background[s], model[s], w[s], centre[s], distance, between[:, cell], weight[:, cell],
        )  # fmt: skip
        _finish(
            d[s],
            w[s],
            model[s],
            profile[s],
            first[s],
            e,
            expected[s],
            summed,
            sums,
            fluxes[x],
            variances[x],
            lift[x],
        )


@kernel
def _begin(pixels, hit, floor, background, d, w, noise):  # type: ignore[no-untyped-def]  # numba finds the types
    """Light above the background, weights of one for good pixels and zero for bad ones, and the floor of the noise."""
    ny = d.shape[0]
    last = floor.shape[0] - 1
    for y in range(ny):
        noise[y] = floor[min(y, last)]
    for y in range(ny):
        value = pixels[y] - background[y]
        bad = np.isnan(value) | hit[y]
        d[y] = 0.0 if bad else value
        w[y] = 0.0 if bad else 1.0


@adding_kernel
def _fit_cores(d, w, profile, first, flux):  # type: ignore[no-untyped-def]  # numba finds the types
    """Flux of each fibre from the pixels of its core alone; NaN where half of it is missing."""
    ny = d.shape[0]
    for j in range(profile.shape[0]):
        fibre, start = At(j), first[j]
        good, whole, right = 0.0, 0.0, 0.0
        for k in range(HALF - CORE, HALF + CORE + 1):
            whole += profile[fibre, At(k)] * profile[fibre, At(k)]
        for k in range(max(HALF - CORE, -start), min(HALF + CORE + 1, ny - start)):
            p = profile[fibre, At(k)]
            wp = w[At(start + k)] * p
            good += wp * p
            right += wp * d[At(start + k)]
        flux[j] = right / good if good > 0.5 * whole else np.nan


@kernel
def _predict(early, x, expected):  # type: ignore[no-untyped-def]  # numba finds the types
    """Light of each fibre in column x from first fits of its neighbours: the cubic through two on either side.

    Lines are resolved, so that it follows them to some per cent. Where a neighbour is missing the others stand in,
    and the column's own fit when there is none.
    """
    nx = early.shape[0]
    for j in range(early.shape[1]):
        a = early[x - 1, j] if x >= 1 else np.nan
        b = early[x + 1, j] if x + 1 < nx else np.nan
        c = early[x - 2, j] if x >= 2 else np.nan
        d = early[x + 2, j] if x + 2 < nx else np.nan
        value = (4.0 * (a + b) - c - d) / 6.0
        if np.isnan(value):
            value = 0.5 * (a + b)
            for other in (a, b, c, d, early[x, j], 0.0):
                if np.isnan(value):
                    value = other
        expected[j] = max(value, 0.0)


@adding_kernel
def _finish(  # type: ignore[no-untyped-def]  # numba finds the types
    d, w, model, profile, first, equations, expected, summed, sums, fluxes, variances, lift
):
    """Write down the fluxes of a column and their variances; NaN where too little of the profile was seen.

    The variance is that of the light predicted. It follows the fibre's own flux only as far as that differs from
    the prediction by more than noise: a variance that follows the noise is small where the flux came out small.
    """
    diagonal, upper1, flux = equations[0], equations[1], equations[4]
    _weigh(w, profile, first, sums)
    whole, good, even, photons = sums[0], sums[1], sums[2], sums[3]
    flux_variances(diagonal, upper1, variances)
    for j in range(At(flux.shape[0])):
        inverse = 1.0 / diagonal[j]
        fluxes[j], lift[j] = flux[j], even[j] * inverse
        # With weights fixed the variance is linear in the light.
        photons[j] *= inverse * inverse
    if summed:
        for j in range(flux.shape[0]):
            # What the fit missed in the core is added: the sum, with bad pixels filled by the model.
            extra, variances[j], lift[j] = _core(j, d, w, model, first)
            fluxes[j] += extra
            photons[j] = 1.0
    for j in range(At(flux.shape[0])):
        bad, variance, gap = (
            good[j] < LEAST_PROFILE * whole[j],
            variances[j],
            max(fluxes[j], 0.0) - expected[j],
        )
        noise, square = DIFFERENT * variance, gap * gap
        real = gap * (1.0 - noise / square) if square > noise else 0.0
        fluxes[j] = np.nan if bad else fluxes[j]
        variances[j] = np.nan if bad else variance + photons[j] * real
        lift[j] = 0.0 if bad else lift[j]


@adding_kernel
def _weigh(w, profile, first, sums):  # type: ignore[no-untyped-def]  # numba finds the types
    """Squared profile of each fibre, the part of it on good pixels, its light by weight, and by weight squared."""
    ny, width = w.shape[0], profile.shape[1]
    for j in range(profile.shape[0]):
        whole, good, photons, even = 0.0, 0.0, 0.0, 0.0
        fibre, start = At(j), first[j]
        for k in range(At(width)):
            whole += profile[fibre, k] * profile[fibre, k]
        for k in range(max(0, -start), min(width, ny - start)):
            p, weight = profile[fibre, At(k)], w[At(start + k)]
            wp = weight * p
            good += p * p if weight > 0.0 else 0.0
            even += wp
            photons += wp * wp * p
        sums[0, j], sums[1, j], sums[2, j], sums[3, j] = whole, good, even, photons


@kernel
def _core(j, d, w, model, first):  # type: ignore[no-untyped-def]  # numba finds the types
    """What the fit missed in the core of a fibre, the variance of its pixels, and their number."""
    extra, spread, pixels = 0.0, 0.0, 0.0
    for y in range(max(first[j] + HALF - CORE, 0), min(first[j] + HALF + CORE + 1, d.shape[0])):
        if w[y] > 0.0:
            extra += d[y] - model[y]
            spread += 1.0 / w[y]
            pixels += 1.0
    return extra, spread, pixels
