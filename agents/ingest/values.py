"""Header values, bounded and named when they are wrong. Pure functions on cards."""

from __future__ import annotations

import math
import re

from agents.ingest.cards import Cards
from paws.errors import FrameRejectedError

_SPACES = re.compile(r"\s+")


def text(cards: Cards, keyword: str, limit: int = 80) -> str:
    """Text of a keyword: trimmed, single-spaced, bounded; empty when the keyword is missing."""
    value = cards.get(keyword, "")
    if isinstance(value, bool):
        return "T" if value else "F"
    return _SPACES.sub(" ", str(value)).strip()[:limit]


def number(cards: Cards, keyword: str, low: float, high: float) -> float:
    """Finite number of a keyword within bounds.

    Raises
    ------
    FrameRejectedError
        If the keyword is missing, is no finite number, or lies outside the bounds.
    """
    value = optional_number(cards, keyword, low, high)
    if value is None:
        raise missing(keyword)
    return value


def optional_number(
    cards: Cards, keyword: str, low: float = -math.inf, high: float = math.inf
) -> float | None:
    """Finite number of a keyword within bounds, or None when the keyword is missing or has no value.

    Raises
    ------
    FrameRejectedError
        If the value is no finite number, or lies outside the bounds.
    """
    value = cards.get(keyword)
    if value is None or value == "":
        return None
    if isinstance(value, (bool, str)):
        shown = text(cards, keyword, 40)
        raise FrameRejectedError(
            "bad_value",
            f"Header keyword {keyword} is {shown!r} where a number belongs. "
            f"Correct {keyword} in the file; it is looked at again when it changes.",
        )
    if not math.isfinite(value) or not low <= value <= high:
        raise FrameRejectedError(
            "bad_value",
            f"Header keyword {keyword} is {value:.10g}, outside what is possible ({low:g} to {high:g}). "
            f"Correct {keyword} in the file; it is looked at again when it changes.",
        )
    return float(value)


def harmless_number(cards: Cards, keyword: str, low: float, high: float) -> float | None:
    """Number of a keyword that nothing depends on: None when it is missing or wrong."""
    try:
        return optional_number(cards, keyword, low, high)
    except FrameRejectedError:
        return None


def missing(keyword: str, purpose: str = "") -> FrameRejectedError:
    """Error for a keyword that should be there."""
    why = f", which {purpose}" if purpose else ""
    return FrameRejectedError(
        "missing_keyword",
        f"Header keyword {keyword} is missing{why}. "
        "Check that the frame comes unchanged from the telescope, or add the keyword.",
    )
