"""What lies between the fibres in a sample of columns, as the fits of the fibres leave it: compiled loops over its pixels."""

from __future__ import annotations

import numpy as np

from quicklook.columns import (
    PIXELS,
    add_model,
    background_at_column,
    bank_at_column,
    evaluate,
    normal_equations,
    solve,
)
from quicklook.compiled import kernel
from quicklook.medians import middle_of

PROFILE_DOUBT = 2.5
"""Share of the fibres' light between them whose square is added to a pixel's variance, up to `MOST_DOUBT`, when scattered light is
told. A slitlet that is out of focus by 0.7 % has 5 % more light there than the profile says, in all columns alike, where photon noise
is not: with 5 % as the error of each pixel, the light between bright fibres outweighed the gaps in the slit and moved faint fibres by
an electron."""

MOST_DOUBT = 50.0
"""Variance from that doubt is no more than so many times a pixel's noise. In flats, where it would be thousands, hardly anything but
a few gaps would tell the surface, and between them it ran wild."""


@kernel
def known_light(  # type: ignore[no-untyped-def]  # numba finds the types
    columns, centres, residual, light, noise2, bank, row_nodes, column_nodes, grid, grid_rows, taken,
):  # fmt: skip
    """The scattered light in ``grid`` at the pixels of a survey, (chosen columns, rows).

    ``taken`` is set to the light that the fibres would gain by an electron of scattered light more in each pixel.
    """
    ny, n = light.shape[1], centres.shape[0]
    known = np.empty_like(light)
    table = np.empty((bank.shape[0], bank.shape[2], bank.shape[3]))
    first, centre = np.empty(n, dtype=np.int64), np.empty(n)
    profile, slope = np.empty((n, PIXELS)), np.empty((n, PIXELS))
    diagonal, upper1, upper2, right, gain = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    even, w, background, model, work = np.ones(ny), np.empty(ny), np.empty(ny), np.empty(ny), np.zeros((3, n))
    for c in range(columns.shape[0]):
        x = columns[c]
        for j in range(n):
            centre[j] = centres[j, x]
        bank_at_column(bank, column_nodes, float(x), table)
        evaluate(centre, table, row_nodes, first, profile, slope)
        background_at_column(grid, grid_rows, x, background)
        for y in range(ny):
            variance = noise2 + max(background[y], 0.0) + max(light[c, y], 0.0)
            w[y] = 0.0 if np.isnan(residual[c, y]) else 1.0 / variance
        normal_equations(even, w, profile, first, diagonal, upper1, upper2, right)
        solve(diagonal, upper1, upper2, right, work, gain, np.int64(0), n)
        add_model(gain, profile, first, model)
        for y in range(ny):
            known[c, y], taken[c, y] = background[y], model[y]
    return known


@kernel
def light_between(residual, light, others, noise2, columns, centre, distance, n_columns, nr, nc, doubt):  # type: ignore[no-untyped-def]  # numba finds the types
    """Clipped weighted mean of the pixels between fibres in each cell of the chip, and its inverse variance.

    Beside it the means of ``others`` (kinds, columns, rows) over the same pixels.
    """
    ny, n, kinds = residual.shape[1], centre.shape[1], others.shape[0]
    value, wing, weight = np.zeros((nr, nc)), np.zeros((kinds, nr, nc)), np.zeros((nr, nc))
    most = (ny // nr + 1) * columns.shape[0]
    values, weights, work = np.empty(most), np.empty(most), np.empty(most)
    row, column = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    for i in range(nr):
        y0, y1 = ny * i // nr, ny * (i + 1) // nr
        for k in range(nc):
            m = np.int64(0)
            for c in range(columns.shape[0]):
                x = columns[c]
                if x * nc // n_columns != k:
                    continue
                j = 0
                while j < n and centre[x, j] < y0:
                    j += 1
                for y in range(y0, y1):
                    while j < n and centre[x, j] < y:
                        j += 1
                    near = 1e9
                    if j < n:
                        near = centre[x, j] - y
                    if j > 0:
                        near = min(near, y - centre[x, j - 1])
                    r = residual[c, y]
                    if near < distance or np.isnan(r):
                        continue
                    values[m] = r
                    row[m], column[m] = y, c
                    v = noise2 + max(light[c, y], 0.0)
                    weights[m] = 1.0 / (v + min((doubt * light[c, y]) ** 2, MOST_DOUBT * v))
                    m += 1
            if m < 10:
                continue
            for q in range(m):
                work[q] = values[q]
            middle = middle_of(work, m)
            for q in range(m):
                work[q] = abs(values[q] - middle)
            spread = 1.4826 * middle_of(work, m) + 1e-3
            total, s0 = 0.0, 0.0
            for q in range(m):
                if abs(values[q] - middle) < 4.0 * spread:
                    total += weights[q] * values[q]
                    s0 += weights[q]
                    for p in range(kinds):
                        wing[p, i, k] += weights[q] * others[p, column[q], row[q]]
            if s0 > 0.0:
                value[i, k] = total / s0
                weight[i, k] = s0
                for p in range(kinds):
                    wing[p, i, k] /= s0
    return value, wing, weight


@kernel
def gather_between(d, noise, background, model, w, centre, distance, between, weight):  # type: ignore[no-untyped-def]  # numba finds the types
    """Add what the fit of one column leaves between its fibres to the cells of that column.

    ``between`` and ``weight`` are (row cells,); outliers beyond four standard deviations are left out.
    """
    ny, n, cells = d.shape[0], centre.shape[0], between.shape[0]
    for j in range(n + 1):
        low = int(np.ceil(centre[j - 1] + distance)) if j > 0 else 0
        high = int(np.floor(centre[j] - distance)) if j < n else ny - 1
        for y in range(max(low, 0), min(high, ny - 1) + 1):
            if w[y] == 0.0:
                continue
            v = noise[y] + max(background[y], 0.0) + max(model[y], 0.0)
            r = d[y] - model[y]
            if r * r > 16.0 * v:
                continue
            cell = y * cells // ny
            trust = 1.0 / (v + min((PROFILE_DOUBT * model[y]) ** 2, MOST_DOUBT * v))
            between[cell] += r * trust
            weight[cell] += trust
