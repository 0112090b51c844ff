"""The median of a few values, compiled: numba's own takes seconds to compile and sorts as much."""

from __future__ import annotations

from quicklook.compiled import kernel


@kernel
def median_of(values, m):  # type: ignore[no-untyped-def]  # numba finds the types
    """Median of the first m values (m > 0), which are left sorted."""
    for i in range(1, m):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values[m // 2] if m % 2 else 0.5 * (values[m // 2 - 1] + values[m // 2])
