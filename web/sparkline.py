"""A small picture of what a product holds: the median of its brighter targets."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from web.spectra import layout_of

WIDTH: Final = 220
HEIGHT: Final = 44
_POINTS: Final = 110
_MOST_ROWS: Final = 24


@lru_cache(maxsize=256)
def sparkline(path: Path, _checksum: str) -> bytes:
    """Picture of a product as SVG.

    Raises
    ------
    InvalidInputError
        If the product holds no spectra.
    """
    layout = layout_of(path)
    data = layout.data.all(path)
    targets = [fibre.fibre - 1 for fibre in layout.fibres if fibre.type == "P"] or list(range(len(data)))
    return draw(typical(data[targets]))


def typical(spectra: NDArray[np.float32]) -> NDArray[np.float64]:
    """Median of the brighter tenth of some spectra, in `_POINTS` bins; NaN where there is nothing."""
    sample = np.nan_to_num(spectra[:, :: max(1, spectra.shape[1] // 64)])
    brightest = np.argsort(np.median(sample, axis=1))[::-1]
    chosen = spectra[brightest[: max(1, min(_MOST_ROWS, len(brightest) // 10))]]
    bins = np.array_split(np.arange(chosen.shape[1]), min(_POINTS, chosen.shape[1]))
    values = [chosen[:, part] for part in bins]
    return np.array(
        [np.median(part[np.isfinite(part)]) if np.isfinite(part).any() else np.nan for part in values]
    )


def draw(values: NDArray[np.float64]) -> bytes:
    """Line through values, as SVG: between the values' 1st and 99th percentile."""
    finite = np.isfinite(values)
    line = ""
    if finite.sum() > 1:
        low, high = np.percentile(values[finite], (1, 99))
        scaled = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
        xs = np.linspace(1, WIDTH - 1, len(values))
        ys = HEIGHT - 3 - scaled * (HEIGHT - 6)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y, good in zip(xs, ys, finite, strict=True) if good)
        line = (
            f'<polyline points="{points}" fill="none" stroke="#5aa9e6" stroke-width="1.3" '
            'stroke-linejoin="round"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" preserveAspectRatio="none">{line}</svg>'
    ).encode()
