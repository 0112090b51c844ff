"""Cosmic rays: pixels and spectral pixels that no fibre profile and no line profile can make.

Fibres are spread over several pixels both across (the profile) and along (the line-spread function); what a
particle leaves is sharper. Across, single pixels are compared with the fitted profiles while a column is being
solved (`reject_pixels`); along, what covers the whole profile of one column stands out from the columns on
both sides (`sharp_spikes`).
"""

from __future__ import annotations

import numpy as np

from quicklook.columns import CORE, HALF, PIXELS, At, solve
from quicklook.compiled import adding_kernel, kernel
from quicklook.medians import median_of

THRESHOLD = 5.0
"""A pixel this many standard deviations above the model is hit."""

GROWTH_THRESHOLD = 2.5
"""The same next to a hit pixel."""

PROFILE_DOUBT = 0.02
"""Relative error allowed to the profile, so that bright lines are not taken for cosmic rays."""

CENTRE_DOUBT = 0.02
"""Error allowed to the tramlines [pixel], for the same reason."""

ROUNDS = 12

BLOCK = 64
"""Rows that are looked at together."""

NEIGHBOURS = 8
"""Fibres to either side that are solved again with one that lost a pixel: each step passes on less than a tenth."""

SPIKE_SIGMA = 6.0
SPIKE_RATIO = 2.5
"""A spectral spike must be this much higher than the next pixels; the sharpest real line stays below `SHARPEST`."""

SHARPEST = 1.8
SPIKE_EXCESS = 4.0
"""What the sharpest line leaves of the height must stand out too: noise makes peaks of weak lines look sharp."""


@kernel
def doubt(flux, profile, slope):  # type: ignore[no-untyped-def]  # numba finds the types
    """Variance that errors of profile and centre may explain."""
    a = PROFILE_DOUBT * flux * profile
    b = CENTRE_DOUBT * flux * slope
    return a * a + b * b


@kernel
def reject_pixels(d, noise, background, profile, slope, first, hit, direct, buffers):  # type: ignore[no-untyped-def]  # numba finds the types
    """Reject hit pixels of one solved column, the worst of each fibre first, and solve again.

    Sets ``hit`` where a pixel is rejected and its weight to zero; lists the rows in ``direct`` and returns
    their number.
    """
    w, model, diagonal, upper1, upper2, right, _, flux, _, _ = buffers
    ny, n = d.shape[0], profile.shape[0]
    active = np.zeros(n, dtype=np.bool_)
    total = 0
    for i in range(_standing_out(d, w, model, noise, background, direct)):
        nearest = _fibre_at(direct[i], first)
        for j in range(max(nearest - 2, 0), min(nearest + 3, n)):
            if abs(direct[i] - first[j] - HALF) <= CORE:
                active[j] = True
    for _ in range(ROUNDS):
        found = 0
        for j in range(n):
            if not active[j]:
                continue
            if _strange(j, d, w, model, noise, background, profile, slope, first, flux) == 0:
                active[j] = False
                continue
            worst, at = 0.0, first[j]
            for k in range(max(0, -first[j], HALF - CORE), min(PIXELS, ny - first[j], HALF + CORE + 1)):
                y = first[j] + k
                if w[y] == 0.0:
                    continue
                excess = d[y] - model[y]
                if excess <= 0.0:
                    continue
                v = (
                    noise[y]
                    + max(background[y], 0.0)
                    + max(model[y], 0.0)
                    + doubt(flux[j], profile[j, k], slope[j, k])
                )
                # Without the root for the many that are far below any threshold.
                if excess * excess < GROWTH_THRESHOLD * GROWTH_THRESHOLD * v:
                    continue
                z = excess / np.sqrt(v)
                if (y > 0 and hit[y - 1]) or (y + 1 < ny and hit[y + 1]):
                    z *= THRESHOLD / GROWTH_THRESHOLD
                if z > worst:
                    worst, at = z, y
            if worst < THRESHOLD:
                active[j] = False
                continue
            hit[at] = True
            direct[total + found] = at
            found += 1
            _leave_out(at, j, d, w, profile, first, diagonal, upper1, upper2, right)
            for i in (j - 1, j + 1):
                if 0 <= i < n and 0 <= at - first[i] < PIXELS:
                    active[i] = True
        if found == 0:
            break
        for i in range(total, total + found):
            solve_around(direct[i], profile, first, buffers)
        total += found
    return total


@kernel
def _standing_out(d, w, model, noise, background, rows):  # type: ignore[no-untyped-def]  # numba finds the types
    """List in ``rows`` the pixels that stand out from the model if no profile is in doubt; return their number."""
    ny, number = d.shape[0], 0
    for block in range((ny + BLOCK - 1) // BLOCK):
        # Of most blocks it is enough to know that nothing stands out, which is told without branches.
        count = 1 if (block + 1) * BLOCK > ny else 0
        for i in range(BLOCK if count == 0 else 0):
            count += _stands_out(At(block * BLOCK + i), d, w, model, noise, background)
        for y in range(block * BLOCK, min((block + 1) * BLOCK, ny) if count > 0 else 0):
            if _stands_out(At(y), d, w, model, noise, background) > 0:
                rows[number] = y
                number += 1
    return number


@kernel
def _stands_out(y, d, w, model, noise, background):  # type: ignore[no-untyped-def]  # numba finds the types
    """One if a pixel stands out from the model while no profile is in doubt, zero otherwise."""
    excess = d[y] - model[y]
    v = noise[y] + max(background[y], 0.0) + max(model[y], 0.0)
    high = excess * excess >= (0.999 * GROWTH_THRESHOLD * GROWTH_THRESHOLD) * v
    return 1 if high & (excess > 0.0) & (w[y] > 0.0) else 0


@adding_kernel
def _strange(j, d, w, model, noise, background, profile, slope, first, flux):  # type: ignore[no-untyped-def]  # numba finds the types
    """Number of pixels in the core of a fibre that stand out at all; without branches, as most fibres have none."""
    start, fibre, number = first[j], At(j), 0
    a, b = PROFILE_DOUBT * flux[j], CENTRE_DOUBT * flux[j]
    for k in range(max(HALF - CORE, -start), min(HALF + CORE + 1, d.shape[0] - start)):
        y = At(start + k)
        excess = d[y] - model[y]
        p, q = a * profile[fibre, At(k)], b * slope[fibre, At(k)]
        v = noise[y] + max(background[y], 0.0) + max(model[y], 0.0) + (p * p + q * q)
        # A little lower than the threshold itself, for what rounding makes of sums in another order.
        high = excess * excess >= (0.999 * GROWTH_THRESHOLD * GROWTH_THRESHOLD) * v
        number += 1 if high & (excess > 0.0) & (w[y] > 0.0) else 0
    return number


@kernel
def solve_around(y, profile, first, buffers):  # type: ignore[no-untyped-def]  # numba finds the types
    """Solve again for the fibres around row y, whose equations have changed, and bring the model up to date."""
    _, model, diagonal, upper1, upper2, right, work, flux, before, _ = buffers
    ny, n = model.shape[0], flux.shape[0]
    j = _fibre_at(y, first)
    low, high = max(j - NEIGHBOURS, 0), min(j + NEIGHBOURS + 1, n)
    for i in range(low, high):
        before[i] = flux[i]
    solve(diagonal, upper1, upper2, right, work, flux, low, high)
    for i in range(low, high):
        start, change, fibre = first[i], flux[i] - before[i], At(i)
        for k in range(max(0, -start), min(PIXELS, ny - start)):
            model[At(start + k)] += change * profile[fibre, At(k)]


@kernel
def _leave_out(at, j, d, w, profile, first, diagonal, upper1, upper2, right):  # type: ignore[no-untyped-def]  # numba finds the types
    """Take one pixel, in the core of fibre j, out of the normal equations."""
    n = profile.shape[0]
    for i in range(max(0, j - 2), min(n, j + 3)):
        k = at - first[i]
        if k < 0 or k >= PIXELS:
            continue
        wp = w[at] * profile[i, k]
        diagonal[i] -= wp * profile[i, k]
        right[i] -= wp * d[at]
        if i + 1 < n and 0 <= at - first[i + 1] < PIXELS:
            upper1[i] -= wp * profile[i + 1, at - first[i + 1]]
        if i + 2 < n and 0 <= at - first[i + 2] < PIXELS:
            upper2[i] -= wp * profile[i + 2, at - first[i + 2]]
    w[at] = 0.0


@kernel
def grow_hits(d, noise, background, profile, slope, first, hit, beside, m, grown, rows, buffers):  # type: ignore[no-untyped-def]  # numba finds the types
    """Reject pixels that stand out less, next to hits of a neighbouring column.

    ``beside`` lists the rows of its m hits. Takes the pixels out of the normal equations, adds their rows to the
    ``grown`` ones in ``rows``, around which the column must be solved again, and returns their number.
    """
    w, model, diagonal, upper1, upper2, right, _, flux, _, _ = buffers
    ny = d.shape[0]
    for i in range(m):
        for y in range(max(0, beside[i] - 1), min(ny, beside[i] + 2)):
            if w[y] == 0.0:
                continue
            j = _fibre_at(y, first)
            k = y - first[j]
            if abs(k - HALF) > CORE:
                continue
            excess = d[y] - model[y]
            v = (
                noise[y]
                + max(background[y], 0.0)
                + max(model[y], 0.0)
                + doubt(flux[j], profile[j, k], slope[j, k])
            )
            if excess > 0.0 and excess * excess >= GROWTH_THRESHOLD * GROWTH_THRESHOLD * v:
                hit[y] = True
                rows[grown] = y
                grown += 1
                _leave_out(y, j, d, w, profile, first, diagonal, upper1, upper2, right)
    return grown


@kernel
def _fibre_at(y, first):  # type: ignore[no-untyped-def]  # numba finds the types
    """The fibre whose centre is nearest to row y."""
    low, high = 0, first.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if first[middle] + first[middle + 1] + 2 * HALF < 2 * y:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def sharp_spikes(flux, variance):  # type: ignore[no-untyped-def]  # numba finds the types
    """Spectral pixels that stand out from both neighbours more than any line can; (fibres, columns) bool."""
    n, nx = flux.shape
    spikes = np.zeros((n, nx), dtype=np.bool_)
    around, noise = np.empty(6), np.empty(6)
    for j in range(n):
        for x in range(1, nx - 1):
            f = flux[j, x]
            if np.isnan(f) or np.isnan(flux[j, x - 1]) or np.isnan(flux[j, x + 1]):
                continue
            beside = max(flux[j, x - 1], flux[j, x + 1])
            sigma = np.sqrt(variance[j, x])
            if f - beside < 0.5 * SPIKE_SIGMA * sigma:
                continue
            m = np.int64(0)
            for k in (-4, -3, -2, 2, 3, 4):
                if 0 <= x + k < nx and not np.isnan(flux[j, x + k]):
                    around[m], noise[m] = flux[j, x + k], variance[j, x + k]
                    m += 1
            if m < 3:
                continue
            level = median_of(around, m)
            # The variance of a hit holds some of its own photons: judge by what should be there.
            expected = np.sqrt(max(median_of(noise, m), 1.0))
            height = f - level
            if (
                height > SPIKE_SIGMA * expected
                and height > SPIKE_RATIO * max(beside - level, 2.0 * expected)
                and (height - SHARPEST * (beside - level) > SPIKE_EXCESS * expected)
            ):
                spikes[j, x] = True
    return spikes
