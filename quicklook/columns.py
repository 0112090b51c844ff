"""Compiled kernels that work on one detector column at a time.

A column of the chip is a sum of fibre profiles of known place and shape: a linear problem whose normal matrix
couples each fibre with its two neighbours on either side only. The kernels evaluate the profiles, build and
solve that problem, and compare the model with the pixels.

Arrays along a column are contiguous here: images come transposed, as (columns, rows). A weight of zero masks a
pixel.
"""

from __future__ import annotations

import numpy as np

from quicklook.compiled import adding_kernel, kernel

HALF = 14
"""Profiles reach this many pixels to either side; beyond, light counts as scattered."""

PIXELS = 2 * HALF + 1

WIDTH = 32
"""Room that the kernels give a profile, with zeros behind its pixels: loops over a multiple of what fits into vector registers
leave no rest, which would take longer than all the others together."""

BEYOND = HALF + 1
"""The first offset beyond the profile [pixel]."""

TAIL_LENGTHS = (3.0, 6.0)
"""Lengths of the exponentials that the profile's table holds, and that go on beyond it [pixel]."""

PHASES = 20
"""Steps per pixel in the tabulated profile."""

CORE = 5
"""Pixels to either side of the centre in which single pixels are judged."""

At = np.uintp
"""An index that is known not to be negative: numba need not look whether it counts from the end, which would keep
loops over pixels from becoming vector instructions."""


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


@adding_kernel
def evaluate(centre, table, row_nodes, first, profile, slope):  # type: ignore[no-untyped-def]  # numba finds the types
    """Profiles of all fibres in one column, and their derivative with respect to the centre.

    ``first`` receives the row of each profile's first pixel; ``profile`` and ``slope`` are as wide as the table, (fibres,
    PIXELS) or (fibres, WIDTH), the latter filled only where single pixels are judged.
    """
    n, width = row_nodes.shape[0], At(table.shape[2])
    i = 0
    for j in range(centre.shape[0]):
        nearest = np.floor(centre[j] + 0.5)
        first[j] = int(nearest) - HALF
        place = (nearest - centre[j] + 0.5) * PHASES
        p = min(max(int(place), 0), PHASES - 1)
        t = place - p
        b = 0.0
        if n > 1:
            while i > 0 and centre[j] <= row_nodes[i]:
                i -= 1
            while i < n - 2 and centre[j] > row_nodes[i + 1]:
                i += 1
            b = (centre[j] - row_nodes[i]) / (row_nodes[i + 1] - row_nodes[i])
        node, above, low, high = At(i), At(min(i + 1, n - 1)), At(p), At(p + 1)
        a1, b1, a2, b2 = (1.0 - b) * (1.0 - t), b * (1.0 - t), (1.0 - b) * t, b * t
        fibre = At(j)
        for at in range(width):
            profile[fibre, at] = (a1 * table[node, low, at] + b1 * table[above, low, at]) + (
                a2 * table[node, high, at] + b2 * table[above, high, at]
            )
        a1, b1 = (1.0 - b) * PHASES, b * PHASES
        for at in range(At(HALF - CORE), width - At(HALF - CORE - 2)):
            slope[fibre, at] = a1 * (table[node, low, at] - table[node, high, at]) + b1 * (
                table[above, low, at] - table[above, high, at]
            )


@adding_kernel
def normal_equations(d, w, profile, first, diagonal, upper1, upper2, right):  # type: ignore[no-untyped-def]  # numba finds the types
    """Weighted normal equations of a column; bandwidth two. ``d`` must be finite where it has no weight."""
    ny, n, width = d.shape[0], profile.shape[0], profile.shape[1]
    weighted = np.empty((n, width))
    for j in range(n):
        fibre, start = At(j), first[j]
        s0, r = 0.0, 0.0
        for k in range(max(0, -start), min(width, ny - start)):
            p = profile[fibre, At(k)]
            wp = w[At(start + k)] * p
            weighted[fibre, At(k)] = wp
            s0 += wp * p
            r += wp * d[At(start + k)]
        diagonal[j], right[j], upper1[j], upper2[j] = s0, r, 0.0, 0.0
    # In a round of its own: what has just been stored is slow to load at another place.
    for j in range(n):
        fibre, low, high = At(j), max(0, -first[j]), min(PIXELS, ny - first[j])
        for step in range(1, min(3, n - j)):
            other, ahead = At(j + step), first[j + step] - first[j]
            total = 0.0
            for k in range(max(low, ahead), min(high, PIXELS + ahead)):
                total += weighted[fibre, At(k)] * profile[other, At(k - ahead)]
            if step == 1:
                upper1[j] = total
            else:
                upper2[j] = total


@kernel
def solve(diagonal, upper1, upper2, right, work, flux, low, high):  # type: ignore[no-untyped-def]  # numba finds the types
    """Solve the symmetric pentadiagonal system by LDL^T; a fibre without weight gets zero.

    Only the fibres from ``low`` to ``high`` (exclusive) are solved for; the others keep their flux. ``work`` is
    (3, fibres) scratch.
    """
    n = diagonal.shape[0]
    for j in range(low, high):
        d = diagonal[j]
        u1, u2, r = upper1[j], upper2[j], right[j]
        # Fluxes that are kept are known light.
        if 0 < low <= j < low + 2:
            r -= upper2[j - 2] * flux[j - 2] if j >= 2 else 0.0
            r -= upper1[j - 1] * flux[j - 1] if j == low else 0.0
        if high < n and j >= high - 2:
            r -= u2 * flux[j + 2] if j + 2 < n else 0.0
            r -= u1 * flux[j + 1] if j == high - 1 else 0.0
        if j >= low + 1:
            l1 = work[1, j - 1]
            d -= l1 * l1 * work[0, j - 1]
            u1 -= l1 * work[2, j - 1] * work[0, j - 1]
            r -= l1 * flux[j - 1]
        if j >= low + 2:
            l2 = work[2, j - 2]
            d -= l2 * l2 * work[0, j - 2]
            r -= l2 * flux[j - 2]
        if d <= 1e-9 * diagonal[j] or diagonal[j] <= 0.0:
            work[0, j], work[1, j], work[2, j], flux[j] = 1.0, 0.0, 0.0, 0.0
            continue
        work[0, j] = d
        work[1, j] = u1 / d if j + 1 < high else 0.0
        work[2, j] = u2 / d if j + 2 < high else 0.0
        flux[j] = r
    for j in range(high - 1, low - 1, -1):
        value = flux[j] / work[0, j]
        if j + 1 < high:
            value -= work[1, j] * flux[j + 1]
        if j + 2 < high:
            value -= work[2, j] * flux[j + 2]
        flux[j] = value


@kernel
def add_model(flux, profile, first, model):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``model`` to the light of all fibres in a column."""
    ny, n, width = model.shape[0], flux.shape[0], profile.shape[1]
    model[:] = 0.0
    # Fibres that do not overlap one after the other: what has just been stored is slow to load at another place.
    for begin in range(4):
        for j in range(begin, n, 4):
            fibre, start, light = At(j), first[j], flux[j]
            for k in range(max(0, -start), min(width, ny - start)):
                model[At(start + k)] += light * profile[fibre, At(k)]


@kernel
def flux_variances(diagonal, upper1, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Variances of the fluxes: diagonal of the inverse, to second order in the coupling."""
    n = diagonal.shape[0]
    for j in range(At(n)):
        out[j] = diagonal[j]
    # What a fibre without weight has in common with its neighbours is nothing.
    for j in range(At(max(n - 1, 0))):
        both = upper1[j] * upper1[j]
        out[j] -= both / diagonal[j + At(1)] if diagonal[j + At(1)] > 0.0 else 0.0
    for j in range(At(max(n - 1, 0))):
        both = upper1[j] * upper1[j]
        out[j + At(1)] -= both / diagonal[j] if diagonal[j] > 0.0 else 0.0
    for j in range(At(n)):
        out[j] = 1.0 / out[j] if out[j] > 0.0 else np.inf


@kernel
def background_at_column(grid, row_nodes, x, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Background of a column: ``grid`` is (row nodes, columns), linear between the nodes."""
    n, y = row_nodes.shape[0], 0
    for i in range(n - 1):
        end = out.shape[0] if i == n - 2 else min(int(np.floor(row_nodes[i + 1])) + 1, out.shape[0])
        slope = (grid[i + 1, x] - grid[i, x]) / (row_nodes[i + 1] - row_nodes[i])
        level = grid[i, x] - slope * row_nodes[i]
        part = out[y:end]
        for k in range(part.shape[0]):
            part[k] = level + slope * (y + k)
        y = max(y, end)


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


@adding_kernel
def spread_beyond(light, centre, fluxes, halo, out):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``out`` to all that fibres send beyond their profiles; ``halo`` is `ProfileModel.beyond`.

    That is what ``light`` sends into both halos, and of the exponentials of the table what goes on beyond it. Each
    is a sum carried on from row to row, upwards and then downwards; all four at once, as each waits for itself.
    """
    ny, n = light.shape[0], centre.shape[0]
    near, far = np.exp(-1.0 / halo[1]), np.exp(-1.0 / halo[3])
    one, two = halo[0] * (1.0 - near) / (1.0 + near), halo[2] * (1.0 - far) / (1.0 + far)
    short, long = np.exp(-1.0 / TAIL_LENGTHS[0]), np.exp(-1.0 / TAIL_LENGTHS[1])
    three, four = halo[4] * np.exp(BEYOND / TAIL_LENGTHS[0]), halo[5] * np.exp(BEYOND / TAIL_LENGTHS[1])
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    begin = 0
    for j in range(n + 1):
        end = min(max(int(np.ceil(centre[j] + HALF + 0.5)), begin), ny) if j < n else ny
        for y in range(begin, end):
            a, b, c, d = a * near + light[y], b * far + light[y], c * short, d * long
            out[y] = (one * a + two * b) + (c + d)
        begin = end
        if j < n and end < ny:
            # At the row before the first that is reached; the longer exponential is the square root of the shorter.
            reach = np.exp((centre[j] - (end - 1)) / TAIL_LENGTHS[1])
            c, d = c + three * fluxes[j] * reach * reach, d + four * fluxes[j] * reach
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    one, two = one * near, two * far
    begin = ny - 1
    for j in range(n - 1, -2, -1):
        end = max(min(int(np.ceil(centre[j] - HALF - 0.5)) - 1, begin), -1) if j >= 0 else -1
        for y in range(begin, end, -1):
            c, d = c * short, d * long
            out[y] += (one * a + two * b) + (c + d)
            a, b = a * near + light[y], b * far + light[y]
        begin = end
        if j >= 0 and end >= 0:
            reach = np.exp((end + 1 - centre[j]) / TAIL_LENGTHS[1])
            c, d = c + three * fluxes[j] * reach * reach, d + four * fluxes[j] * reach
