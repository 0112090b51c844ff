"""The parameter BAND: a range of wavelengths. Pure."""

from __future__ import annotations

import math
import re
from typing import Final

from web.vo.problems import BadRequestError

_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?", re.ASCII)
_INFINITE: Final = {"-inf": -math.inf, "+inf": math.inf, "inf": math.inf}


def read_band(text: str) -> tuple[float, float]:
    """Lowest and highest wavelength, metres in vacuum, of an interval as DALI writes it: two numbers and a space.

    ``-Inf`` and ``+Inf`` leave an end open.

    Raises
    ------
    BadRequestError
        If it is no interval, or one that holds nothing.
    """
    parts = text.replace(",", " ").split()
    if len(parts) != 2:
        raise BadRequestError(
            f"BAND is two wavelengths in metres (vacuum), lowest first, such as 4.8e-7 5.1e-7; not {text[:60]!r}."
        )
    low, high = (_number(part, text) for part in parts)
    if low > high:
        raise BadRequestError(f"BAND {text[:60]!r} ends before it begins: write the lower wavelength first.")
    return low, high


def _number(part: str, text: str) -> float:
    if part.lower() in _INFINITE:
        return _INFINITE[part.lower()]
    if not _NUMBER.fullmatch(part):
        raise BadRequestError(
            f"BAND {text[:60]!r}: {part[:40]!r} is no number; metres in vacuum are expected."
        )
    return float(part)
