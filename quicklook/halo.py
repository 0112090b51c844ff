"""The light that fibres send further than their profiles reach, from an arc.

In a flat the light between the fibres is smooth whatever its origin: a halo of the fibres or light scattered from
all over the chip. An arc tells them apart. Between the fibres, what follows the arc lines from column to column
belongs to the fibres; what does not is scattered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from quicklook.columns import survey_columns
from quicklook.headers import card_value, number
from quicklook.products import Product
from quicklook.profiles import profile_bank
from quicklook.scattered import (
    HALO_LENGTH,
    LARGEST_HALO,
    VALLEY,
    light_between,
    no_background,
    robust_fit,
    spline_basis,
)
from quicklook.tramlines import transposed, transposed_floor
from quicklook.types import BoolArray, FloatArray, FloatImage, Image, Tramlines

SAMPLED = 512
"""Columns that are looked at: every fourth, so that each arc line is seen."""

BLOCK = 200
"""Rows of a block; each measures the fraction for itself."""

INTERVALS = 16
"""Intervals along the rows of the scattered light beside the halo, in each block."""

REACH = 150
"""Rows from a saturated pixel within which the light is not known well enough [pixel]."""

LEAST_COLUMNS = 100
LEAST_BLOCKS = 4

EXPECTED = 0.005
"""Usual size of the fraction: one that is less certain than this is drawn to zero."""

WORST_ERROR = 0.002
"""A fraction less certain than this says nothing that the flat does not."""


@dataclass(frozen=True)
class Halo:
    """Share of a fibre's light beyond its profile, and its standard error."""

    fraction: float
    error: float

    @property
    def known(self) -> bool:
        """Whether it is certain enough to be used."""
        return self.error < WORST_ERROR and self.fraction < LARGEST_HALO


FRACTION, ERROR = "HALOFRAC", "HALOERR"
UNKNOWN = Halo(0.0, float("inf"))


def measure_halo(image: Image, tramlines: Tramlines, centre: FloatArray | None = None) -> Halo:
    """Measure the halo of the fibres in a frame whose light changes from column to column.

    Parameters
    ----------
    image : Image
        An arc.
    tramlines : Tramlines
    centre : ndarray (lit fibres, columns), optional
        Tramlines as they lie in this frame; those of the map when absent.

    Returns
    -------
    Halo
        `UNKNOWN` when there is too little light, or too much saturated.
    """
    frame, floor = transposed(image.data), transposed_floor(image)
    n_columns, n_rows = frame.shape
    step = max(1, n_columns // SAMPLED)
    columns = np.arange(step // 2, n_columns, step, dtype=np.int64)
    lines = np.ascontiguousarray(tramlines.centre[tramlines.lit] if centre is None else centre)
    profile = tramlines.profile
    scratch = [np.empty((len(lines), len(columns))) for _ in range(3)]
    residual, light = (np.empty((len(columns), n_rows), dtype=np.float32) for _ in range(2))
    survey_columns(  # type: ignore[call-arg]
        frame, floor, columns, lines, profile_bank(profile), profile.row_nodes, profile.column_nodes,
        *no_background(n_rows, n_columns), (0.0, HALO_LENGTH), *scratch, residual, light,
    )  # fmt: skip
    noise2 = float(np.median(floor[:: max(1, len(floor) // 64)]))
    spacing = float(np.median(np.diff(lines[:, n_columns // 2])))
    blocks = max(LEAST_BLOCKS, n_rows // BLOCK)
    value, wing, weight = light_between(
        residual, light, noise2, columns, np.ascontiguousarray(lines.T), VALLEY * spacing, n_columns, blocks,
        len(columns), 0.0, HALO_LENGTH,
    )  # fmt: skip
    return _fraction(value, wing, np.where(_near_gaps(residual, blocks), 0.0, weight))


def remember_halo(halo: Halo, arc: Product) -> None:
    """Write a halo into the header of a reduced arc, for the frames that it calibrates."""
    if halo.known:
        arc.header[FRACTION] = (round(halo.fraction, 6), "light of a fibre in its halo")
        arc.header[ERROR] = (round(halo.error, 6), "its standard error")


def with_halo_of(tramlines: Tramlines, arc: Product) -> Tramlines:
    """Tramlines with the halo that a reduced arc showed; as they were when it showed none.

    Raises
    ------
    InvalidInput
        When the card of the arc is damaged.
    """
    if card_value(arc.header, FRACTION) is None:
        return tramlines
    fraction = number(arc.header, FRACTION, low=0.0, high=LARGEST_HALO)
    profile = replace(tramlines.profile, halo_fraction=fraction, halo_length=HALO_LENGTH)
    return replace(tramlines, profile=profile)


def _near_gaps(residual: FloatImage, blocks: int) -> BoolArray:
    """Blocks of each column, (blocks, columns), in or near which pixels are missing."""
    missing = np.isnan(residual)
    edges = np.linspace(0, residual.shape[1], blocks + 1).astype(int)
    return np.array([missing[:, max(0, a - REACH) : b + REACH].any(axis=1) for a, b in pairwise(edges)])


def _fraction(value: FloatArray, wing: FloatArray, weight: FloatArray) -> Halo:
    """Fraction that all blocks agree on; blocks that scatter by more than their errors count more alike."""
    smooth = spline_basis((np.arange(value.shape[1]) + 0.5) / value.shape[1], INTERVALS)
    found = []
    for b in range(len(value)):
        if np.count_nonzero(weight[b]) >= LEAST_COLUMNS:
            fitted, error = robust_fit(np.column_stack([smooth, wing[b]]), value[b], weight[b])
            if np.isfinite(error) and error > 0:
                found.append((float(fitted[-1]), error))
    if len(found) < LEAST_BLOCKS:
        return UNKNOWN
    each, errors = np.array(found).T
    scatter = 1.4826 * float(np.median(np.abs(each - np.median(each))))
    total = errors**2 + max(scatter**2 - float(np.median(errors**2)), 0.0)
    mean = float(np.sum(each / total) / np.sum(1.0 / total))
    error = float(1.0 / np.sqrt(np.sum(1.0 / total)))
    return Halo(max(mean, 0.0) * EXPECTED**2 / (EXPECTED**2 + error**2), error)
