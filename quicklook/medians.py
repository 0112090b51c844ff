"""The median of a few values, compiled: numba's own takes seconds to compile and sorts as much."""

from __future__ import annotations

from quicklook.compiled import kernel

FEW = 24
"""So many values are sorted sooner than their median is looked for."""


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


@kernel
def middle_of(values, m):  # type: ignore[no-untyped-def]  # numba finds the types
    """As `median_of`, for hundreds of values, none of them NaN; their order is lost."""
    low, high, middle = 0, m - 1, m // 2
    # Hoare's selection: what is left between low and high holds the middle, all before it is smaller.
    while high - low > FEW:
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            low = high = middle
    for i in range(low + 1, high + 1):
        value = values[i]
        j = i
        while j > low and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    if m % 2:
        return values[middle]
    before = values[0]
    for i in range(1, middle):
        before = max(before, values[i])
    return 0.5 * (before + values[middle])
