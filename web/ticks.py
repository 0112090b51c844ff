"""Where the ticks of an axis stand."""

from __future__ import annotations

import math
from collections.abc import Sequence


def ticks(low: float, high: float, most: int, steps: Sequence[float] = (1, 2, 5, 10)) -> list[float]:
    """Round numbers within a range, about so many at the most; none where the range is none.

    Parameters
    ----------
    steps
        From one to the next, up to powers of ten; the last is ten.
    """
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return []
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in steps if power * one >= rough * (1 - 1e-9))
    # A tick at an end of the range is not lost to rounding.
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
