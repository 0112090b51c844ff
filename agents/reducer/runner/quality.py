"""The quality figures that an engine leaves beside a product."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

LARGEST = 4_000_000
"""Bytes of a quality file that are still believed."""


def read_quality(product: Path) -> dict[str, Any]:
    """Figures in ``STEM.quality.json`` beside a product; empty when the engine writes none.

    Values that are no JSON (NaN, infinities) become null, since a database refuses them.
    """
    path = product.with_name(f"{product.stem}.quality.json")
    try:
        if path.stat().st_size > LARGEST:
            return {}
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    quality = {str(name): _plain(value) for name, value in document.items()}
    # What the views and pages call it, whatever the engine does.
    median = quality.get("signal_to_noise", quality.get("snr_median"))
    if isinstance(median, int | float):
        quality["signal_to_noise"] = median
    return quality


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    # PostgreSQL's jsonb holds no NUL.
    return value.replace("\x00", "") if isinstance(value, str) else value
