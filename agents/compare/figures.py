"""A pair of products as a few figures and one row of values a fibre. Pure but for `compare_files`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agents.compare.measure import Differences, compare_images, compare_positions, compare_spectra
from agents.compare.spectra import Array, Spectra, UnreadableProductError, read_spectra
from schemas.vocabulary import ProductKind

MOST = 95.0
"""Percentile of fibres that "most fibres" means: a few are always odd."""

COLUMNS: Mapping[str, int] = {
    "flux_ratio": 5,
    "shift": 4,
    "correlation": 3,
    "noise_ratio": 4,
    "sn_a": 2,
    "sn_b": 2,
    "claimed": 4,
}
"""Values a fibre in the report, with decimals."""


@dataclass(frozen=True)
class Pair:
    """A product of A and the same product of B.

    Attributes
    ----------
    path
        In the tree of products; the same on both sides.
    problem
        Why they cannot be compared; empty otherwise.
    figures
        The few figures that limits speak of; what cannot be told is left out.
    fibres
        By column of `COLUMNS`, one value a fibre, None where it cannot be told.
    shift_unit
        Angstrom or pixel.
    """

    kind: ProductKind
    path: str
    problem: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    fibres: Mapping[str, list[float | None]] = field(default_factory=dict)
    types: str = ""
    lost: tuple[int, ...] = ()
    gained: tuple[int, ...] = ()
    shift_unit: str = "Angstrom"
    seconds_a: float = 0.0
    seconds_b: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.kind.value,
            "path": self.path,
            "problem": self.problem,
            "figures": dict(self.figures),
            "lost_fibres": list(self.lost),
            "gained_fibres": list(self.gained),
            "shift_unit": self.shift_unit,
            "engine_seconds": {"a": self.seconds_a, "b": self.seconds_b},
            "fibre_types": self.types,
            "fibres": {name: list(values) for name, values in self.fibres.items()},
        }


def compare_files(kind: ProductKind, path: str, file_a: Path, file_b: Path) -> Pair:
    """Compare two products. What is wrong with them is told in the result, not raised."""
    try:
        a, b = read_spectra(file_a), read_spectra(file_b)
    except UnreadableProductError as error:
        return Pair(kind, path, problem=error.message)
    try:
        differences = _how(kind)(a, b)
    except ValueError as error:
        return Pair(kind, path, problem=f"They cannot be compared: {error}.")
    return pair_of(kind, path, differences, a, b)


def pair_of(kind: ProductKind, path: str, found: Differences, a: Spectra, b: Spectra) -> Pair:
    """Condense what was measured."""
    angstrom = kind is not ProductKind.TLM and not kind.is_image and a.wavelength is not None
    lost = np.flatnonzero(found.alive_a & ~found.alive_b) + 1
    gained = np.flatnonzero(found.alive_b & ~found.alive_a) + 1
    empty = bool(found.alive_a.any() and not found.alive_b.any())
    return Pair(
        kind=kind,
        path=path,
        problem="B holds no data at all." if empty else "",
        figures=_figures(found, lost.size),
        # Rows of a detector frame are no fibres, and there are thousands of them.
        fibres={} if kind.is_image else _columns(found),
        types="".join(letter or " " for letter in a.fibre_types or b.fibre_types),
        lost=tuple(int(item) for item in lost),
        gained=tuple(int(item) for item in gained),
        shift_unit="Angstrom" if angstrom else "pixel",
        seconds_a=a.engine_seconds,
        seconds_b=b.engine_seconds,
    )


def _how(kind: ProductKind) -> Callable[[Spectra, Spectra], Differences]:
    if kind is ProductKind.TLM:
        return compare_positions
    return compare_images if kind.is_image else compare_spectra


def _figures(found: Differences, lost: int) -> dict[str, float]:
    sn_ratio = np.where(found.sn_a > 0, found.sn_b / np.where(found.sn_a > 0, found.sn_a, 1.0), np.nan)
    # Sky fibres have no signal left: their S/N is noise itself.
    sn_ratio = np.where(found.sn_a > 1.0, sn_ratio, np.nan)
    candidates = {
        "flux_ratio": _median(found.flux_ratio),
        "flux_ratio_most": _most(np.abs(found.flux_ratio - 1.0)),
        "shift": _median(found.shift),
        "shift_most": _most(np.abs(found.shift)),
        "noise_ratio": _median(found.noise_ratio),
        "claimed_noise_ratio": _median(found.claimed),
        "sn_a": _median(np.where(found.sn_a > 1.0, found.sn_a, np.nan)),
        "sn_b": _median(np.where(found.sn_a > 1.0, found.sn_b, np.nan)),
        "sn_ratio": _median(sn_ratio),
    }
    figures = {name: round(value, 6) for name, value in candidates.items() if value is not None}
    return {**figures, "lost_fibres": float(lost)}


def _columns(found: Differences) -> dict[str, list[float | None]]:
    return {
        name: [round(float(value), places) if np.isfinite(value) else None for value in getattr(found, name)]
        for name, places in COLUMNS.items()
    }


def _median(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


def _most(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, MOST)) if known.size else None
