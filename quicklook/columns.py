"""Compiled kernels that work on one detector column at a time.

A column of the chip is a sum of fibre profiles of known place and shape: a linear problem whose normal matrix
couples each fibre with its two neighbours on either side only. The kernels evaluate the profiles, build and
solve that problem, and compare the model with the pixels.

Arrays along a column are contiguous here: images come transposed, as (columns, rows). A weight of zero masks a
pixel.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quicklook.compiled import adding_kernel, kernel

HALF = 14
"""Profiles reach this many pixels to either side; beyond, light counts as scattered."""

PIXELS = 2 * HALF + 1

BEYOND = HALF + 1
"""The first offset beyond the profile [pixel]."""

TAIL_LENGTHS = (3.0, 6.0)
"""Lengths of the exponentials that the profile's table holds, and that go on beyond it [pixel]."""

PHASES = 20
"""Steps per pixel in the tabulated profile."""

PASSES = 2
"""Fits of a column: the first without photon noise in the weights, the second with what the first predicts."""

CORE = 5
"""Pixels to either side of the centre in which single pixels are judged."""


@kernel
def bank_at_column(bank, column_nodes, x, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Interpolate (and at the margins extrapolate) the profile bank to column x.

    ``bank`` is (row nodes, column nodes, PHASES + 1, PIXELS); ``out`` (row nodes, PHASES + 1, PIXELS).
    """
    n = column_nodes.shape[0]
    i = 0
    if n > 1:
        while i < n - 2 and x > column_nodes[i + 1]:
            i += 1
        t = (x - column_nodes[i]) / (column_nodes[i + 1] - column_nodes[i])
    for r in range(bank.shape[0]):
        for p in range(bank.shape[2]):
            for k in range(bank.shape[3]):
                if n > 1:
                    out[r, p, k] = (1.0 - t) * bank[r, i, p, k] + t * bank[r, i + 1, p, k]
                else:
                    out[r, p, k] = bank[r, 0, p, k]


@kernel
def evaluate(centre, table, row_nodes, first, profile, slope):  # type: ignore[no-untyped-def]  # numba finds the types
    """Profiles of all fibres in one column, and their derivative with respect to the centre.

    ``first`` receives the row of each profile's first pixel; ``profile`` and ``slope`` are (fibres, PIXELS).
    """
    n = row_nodes.shape[0]
    for j in range(centre.shape[0]):
        nearest = np.floor(centre[j] + 0.5)
        first[j] = int(nearest) - HALF
        place = (nearest - centre[j] + 0.5) * PHASES
        p = min(int(place), PHASES - 1)
        t = place - p
        a, b, i = 1.0, 0.0, 0
        if n > 1:
            while i < n - 2 and centre[j] > row_nodes[i + 1]:
                i += 1
            b = (centre[j] - row_nodes[i]) / (row_nodes[i + 1] - row_nodes[i])
            a = 1.0 - b
        i2 = min(i + 1, n - 1)
        low1, low2, high1, high2 = table[i, p], table[i2, p], table[i, p + 1], table[i2, p + 1]
        values, slopes = profile[j], slope[j]
        for k in range(PIXELS):
            low = a * low1[k] + b * low2[k]
            high = a * high1[k] + b * high2[k]
            values[k] = (1.0 - t) * low + t * high
            slopes[k] = (low - high) * PHASES


@adding_kernel
def normal_equations(d, w, profile, first, diagonal, upper1, upper2, right):  # type: ignore[no-untyped-def]  # numba finds the types
    """Weighted normal equations of a column; bandwidth two. ``d`` must be finite where it has no weight."""
    ny, n = d.shape[0], profile.shape[0]
    weighted = np.empty(PIXELS)
    for j in range(n):
        low, high = max(0, -first[j]), min(PIXELS, ny - first[j])
        diagonal[j], upper1[j], upper2[j], right[j] = 0.0, 0.0, 0.0, 0.0
        if high <= low:
            continue
        values = profile[j, low:high]
        weights = w[first[j] + low : first[j] + high]
        pixels = d[first[j] + low : first[j] + high]
        s0, r = 0.0, 0.0
        for k in range(high - low):
            wp = weights[k] * values[k]
            weighted[k] = wp
            s0 += wp * values[k]
            r += wp * pixels[k]
        diagonal[j], right[j] = s0, r
        for step in range(1, 3):
            if j + step >= n:
                break
            ahead = max(first[j + step] - first[j] - low, 0)
            own = weighted[ahead : high - low]
            start = first[j] + low + ahead - first[j + step]
            other = profile[j + step, start:]
            total = 0.0
            for k in range(min(own.shape[0], other.shape[0])):
                total += own[k] * other[k]
            if step == 1:
                upper1[j] = total
            else:
                upper2[j] = total


@kernel
def solve(diagonal, upper1, upper2, right, work, flux):  # type: ignore[no-untyped-def]  # numba finds the types
    """Solve the symmetric pentadiagonal system by LDL^T; a fibre without weight gets zero.

    ``work`` is (3, fibres) scratch.
    """
    n = diagonal.shape[0]
    for j in range(n):
        d = diagonal[j]
        u1, r = upper1[j], right[j]
        if j >= 1:
            l1 = work[1, j - 1]
            d -= l1 * l1 * work[0, j - 1]
            u1 -= l1 * work[2, j - 1] * work[0, j - 1]
            r -= l1 * flux[j - 1]
        if j >= 2:
            l2 = work[2, j - 2]
            d -= l2 * l2 * work[0, j - 2]
            r -= l2 * flux[j - 2]
        if d <= 1e-9 * diagonal[j] or diagonal[j] <= 0.0:
            work[0, j], work[1, j], work[2, j], flux[j] = 1.0, 0.0, 0.0, 0.0
            continue
        work[0, j] = d
        work[1, j] = u1 / d if j + 1 < n else 0.0
        work[2, j] = upper2[j] / d if j + 2 < n else 0.0
        flux[j] = r
    for j in range(n - 1, -1, -1):
        value = flux[j] / work[0, j]
        if j + 1 < n:
            value -= work[1, j] * flux[j + 1]
        if j + 2 < n:
            value -= work[2, j] * flux[j + 2]
        flux[j] = value


@kernel
def add_model(flux, profile, first, model):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``model`` to the light of all fibres in a column."""
    ny = model.shape[0]
    model[:] = 0.0
    for j in range(flux.shape[0]):
        f = flux[j]
        low, high = max(0, -first[j]), min(PIXELS, ny - first[j])
        if high <= low:
            continue
        values, light = profile[j, low:high], model[first[j] + low : first[j] + high]
        for k in range(high - low):
            light[k] += f * values[k]


@kernel
def flux_variance(diagonal, upper1, j):  # type: ignore[no-untyped-def]  # numba finds the types
    """Variance of the flux of fibre j: diagonal of the inverse, to second order in the coupling."""
    value = diagonal[j]
    if j > 0 and diagonal[j - 1] > 0.0:
        value -= upper1[j - 1] * upper1[j - 1] / diagonal[j - 1]
    if j + 1 < diagonal.shape[0] and diagonal[j + 1] > 0.0:
        value -= upper1[j] * upper1[j] / diagonal[j + 1]
    return 1.0 / value if value > 0.0 else np.inf


@kernel
def background_at_column(grid, row_nodes, x, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Background of a column: ``grid`` is (row nodes, columns), linear between the nodes."""
    n = row_nodes.shape[0]
    i = 0
    for y in range(out.shape[0]):
        while i < n - 2 and y > row_nodes[i + 1]:
            i += 1
        t = (y - row_nodes[i]) / (row_nodes[i + 1] - row_nodes[i])
        out[y] = (1.0 - t) * grid[i, x] + t * grid[i + 1, x]


@kernel
def reweight(noise, background, model, w):  # type: ignore[no-untyped-def]  # numba finds the types
    """Weights of good pixels from the variance that the model predicts."""
    for y in range(w.shape[0]):
        if w[y] > 0.0:
            w[y] = 1.0 / (noise[y] + max(background[y], 0.0) + max(model[y], 0.0))


@kernel
def spread_points(centre, fluxes, length, nearest, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``out`` to exponentials that rise to the whole flux at each centre, where they are further than ``nearest``.

    Exact at any fraction of a pixel: what reaches the first pixel falls off from there on as the exponential does.
    """
    ny = out.shape[0]
    decay = np.exp(-1.0 / length)
    down = np.zeros(ny)
    out[:] = 0.0
    for j in range(centre.shape[0]):
        y = max(int(np.ceil(centre[j] + nearest)), 0)
        if y < ny:
            out[y] += fluxes[j] * np.exp((centre[j] - y) / length)
        y = min(int(np.ceil(centre[j] - nearest)) - 1, ny - 1)
        if y >= 0:
            down[y] += fluxes[j] * np.exp((y - centre[j]) / length)
    for y in range(1, ny):
        out[y] += out[y - 1] * decay
    run = 0.0
    for y in range(ny - 1, -1, -1):
        run = run * decay + down[y]
        out[y] += run


@kernel
def spread_halos(light, halo, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``out`` to the light that the inner and the far halo send; ``halo`` is `ProfileModel.beyond`."""
    ny = light.shape[0]
    near, far = np.exp(-1.0 / halo[1]), np.exp(-1.0 / halo[3])
    one, two = halo[0] * (1.0 - near) / (1.0 + near), halo[2] * (1.0 - far) / (1.0 + far)
    a, b = 0.0, 0.0
    for y in range(ny):
        a = a * near + light[y]
        b = b * far + light[y]
        out[y] = one * a + two * b
    a, b = 0.0, 0.0
    for y in range(ny - 1, -1, -1):
        out[y] += one * a * near + two * b * far
        a = a * near + light[y]
        b = b * far + light[y]


@kernel
def add_tails(centre, fluxes, halo, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Add to ``out`` what the exponentials of the table send beyond it; ``halo`` is `ProfileModel.beyond`."""
    if halo[4] == 0.0 and halo[5] == 0.0:
        return
    tail = np.empty(out.shape[0])
    for k in range(2):
        amount = halo[4] if k == 0 else halo[5]
        spread_points(centre, fluxes, TAIL_LENGTHS[k], HALF + 0.5, tail)
        amount *= np.exp(BEYOND / TAIL_LENGTHS[k])
        for y in range(out.shape[0]):
            out[y] += amount * tail[y]


@kernel
def fit_column(d, noise, background, centre, profile, first, halo, buffers):  # type: ignore[no-untyped-def]  # numba finds the types
    """Fit all fibres of a column with the variance that the fit itself predicts.

    Parameters
    ----------
    d : pixels, background removed; NaN = bad, on return zero there
    noise : variance that is not photon noise of the fibres, per pixel
    background : scattered light, whose photon noise counts; on return it includes the fibres' halo
    centre : of the fibres
    profile, first : from `evaluate`
    halo : what fibres send beyond their profiles, `ProfileModel.beyond`
    buffers : tuple of scratch arrays, see `column_buffers`

    Leaves weights, model and flux in the buffers.
    """
    w, model, diagonal, upper1, upper2, right, work, flux, old, new = buffers
    ny = d.shape[0]
    old[:] = 0.0
    for y in range(ny):
        if np.isnan(d[y]):
            w[y], d[y] = 0.0, 0.0
        else:
            w[y] = 1.0 / (noise[y] + max(background[y], 0.0))
    for i in range(PASSES):
        if i > 0:
            if halo[0] != 0.0 or halo[2] != 0.0 or halo[4] != 0.0 or halo[5] != 0.0:
                spread_halos(model, halo, new)
                add_tails(centre, flux, halo, new)
                for y in range(ny):
                    background[y] += new[y] - old[y]
                    if w[y] > 0.0:
                        d[y] -= new[y] - old[y]
                    old[y] = new[y]
            reweight(noise, background, model, w)
        normal_equations(d, w, profile, first, diagonal, upper1, upper2, right)
        solve(diagonal, upper1, upper2, right, work, flux)
        add_model(flux, profile, first, model)


@kernel
def column_buffers(ny, n):  # type: ignore[no-untyped-def]  # numba finds the types
    """Scratch arrays of `fit_column`: weights, model, normal equations, factor, flux, halo before and after."""
    return (
        np.zeros(ny),
        np.zeros(ny),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros((3, n)),
        np.zeros(n),
        np.zeros(ny),
        np.zeros(ny),
    )


# Not a `kernel`, whose type would hide the arguments from mypy.
@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]  # numba has no type information
def survey_columns(  # type: ignore[no-untyped-def]  # numba finds the types
    image,
    floor,
    columns,
    centres,
    bank,
    row_nodes,
    column_nodes,
    grid,
    grid_rows,
    halo,
    fluxes,
    shift,
    weight,
    residual,
    light,
):
    """Fit a choice of columns and report fluxes, centre errors and, if asked, residuals.

    Parameters
    ----------
    image : (all columns, rows) float32, NaN = bad
    floor : (all columns, rows) or (1, 1) float32
        Variance without photon noise.
    columns : chosen columns
    centres : (fibres, all columns)
    bank, row_nodes, column_nodes : profile bank
    grid, grid_rows : background, see `background_at_column`
    halo : see `spread_halos`
    fluxes, shift, weight : (fibres, chosen columns), results
        Flux, offset of the light from ``centres`` [pixel] and its inverse variance.
    residual, light : (chosen columns, rows) or (0, 0) float32, results
        Pixels minus fibres (background left in), and the fibres' light.
    """
    ny = image.shape[1]
    n = centres.shape[0]
    buffers = column_buffers(ny, n)
    w, model, _, _, _, _, _, flux, _, _ = buffers
    table = np.empty((bank.shape[0], bank.shape[2], bank.shape[3]))
    first = np.empty(n, dtype=np.int64)
    profile = np.empty((n, PIXELS))
    slope = np.empty((n, PIXELS))
    d, noise, background = np.empty(ny), np.empty(ny), np.empty(ny)
    for c in range(columns.shape[0]):
        x = columns[c]
        bank_at_column(bank, column_nodes, float(x), table)
        evaluate(centres[:, x], table, row_nodes, first, profile, slope)
        background_at_column(grid, grid_rows, x, background)
        for y in range(ny):
            d[y] = image[x, y] - background[y]
            noise[y] = floor[0, 0] if floor.shape[0] == 1 else floor[x, y]
        fit_column(d, noise, background, centres[:, x], profile, first, halo, buffers)
        if residual.shape[0] > 0:
            for y in range(ny):
                residual[c, y] = image[x, y] - model[y]
                light[c, y] = model[y]
        for j in range(n):
            fluxes[j, c] = flux[j]
            above, below = 0.0, 0.0
            for k in range(max(0, -first[j], HALF - CORE), min(PIXELS, ny - first[j], HALF + CORE + 1)):
                y = first[j] + k
                if w[y] > 0.0:
                    g = flux[j] * slope[j, k]
                    above += w[y] * g * (d[y] - model[y])
                    below += w[y] * g * g
            shift[j, c] = above / below if below > 0.0 else 0.0
            weight[j, c] = below if flux[j] > 0.0 else 0.0
