"""The light that fibres send further than their profiles reach, from an arc.

In a flat the light between the fibres is smooth whatever its origin: a halo of the fibres or light scattered from
all over the chip. An arc tells them apart. Between the fibres, what follows the arc lines from column to column
belongs to the fibres; what does not is scattered. What all regions of the chip have in common is the halo; by how
much a region differs is what the flat got wrong in the wings of its profile (`quicklook.wings`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from quicklook.columns import survey_columns
from quicklook.errors import InvalidInput
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
from quicklook.types import BoolArray, FloatArray, FloatImage, Image, ProfileModel, Tramlines
from quicklook.wings import hat_basis, wing_light, with_wings

SAMPLED = 512
"""Columns that are looked at: every fourth, so that each arc line is seen."""

BLOCK = 200
"""Rows of a block, about; each measures the fraction for itself."""

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


WINGS_DOUBT = 0.003
"""Usual error of the share of light that a flat gives to the wings of a zone's profile."""

LARGEST_WINGS = 0.05

WINGS = "WINGS"
"""Extension of a reduced arc that holds what zones have beyond the common halo."""

ARC_PARTS = ("WAVELA", WINGS)
"""Extensions of a reduced arc that other frames need."""


@dataclass(frozen=True, eq=False)
class Halo:
    """Share of a fibre's light beyond its profile, and its standard error.

    Attributes
    ----------
    fraction, error : float
    wings : ndarray (row nodes, column nodes) or None
        What each zone of the profile sends between the fibres beyond that share; None when not measured.
    """

    fraction: float
    error: float
    wings: FloatArray | None = None

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
    survey_columns(  # type: ignore[call-arg]  # mypy does not count unpacked arrays
        frame, floor, columns, lines, profile_bank(profile), profile.row_nodes, profile.column_nodes,
        *no_background(n_rows, n_columns), (0.0, HALO_LENGTH), *scratch, residual, light,
    )  # fmt: skip
    noise2 = float(np.median(floor[:: max(1, len(floor) // 64)]))
    spacing = float(np.median(np.diff(lines[:, n_columns // 2])))
    zones = len(profile.row_nodes)
    # As many in every zone, so that none lies in two.
    blocks = zones * max(1, round(n_rows / BLOCK / zones), -(-LEAST_BLOCKS // zones))
    value, wing, weight = light_between(
        residual, light, noise2, columns, np.ascontiguousarray(lines.T), VALLEY * spacing, n_columns, blocks,
        len(columns), 0.0, HALO_LENGTH,
    )  # fmt: skip
    weight = np.where(_near_gaps(residual, blocks), 0.0, weight)
    halo = _fraction(value, wing, weight)
    if not halo.known:
        return halo
    if profile.unseen is None or min(profile.unseen.shape[:2]) < 2:
        return halo
    near, _, _ = light_between(
        np.where(np.isnan(residual), np.float32(np.nan), wing_light(scratch[0], columns, lines, profile, n_rows)),
        light, noise2, columns, np.ascontiguousarray(lines.T), VALLEY * spacing, n_columns, blocks, len(columns), 0.0,
        HALO_LENGTH,
    )  # fmt: skip
    rows = (np.arange(blocks) + 0.5) * n_rows / blocks - 0.5
    return replace(halo, wings=_beyond(value - halo.fraction * wing, near, weight, rows, columns, profile))


def remember_halo(halo: Halo, arc: Product) -> None:
    """Write a halo into the header of a reduced arc, for the frames that it calibrates."""
    if halo.known:
        arc.header[FRACTION] = (round(halo.fraction, 6), "light of a fibre in its halo")
        arc.header[ERROR] = (round(halo.error, 6), "its standard error")
        if halo.wings is not None:
            arc.extras[WINGS] = halo.wings


def with_halo_of(tramlines: Tramlines, arc: Product) -> Tramlines:
    """Tramlines with the halo and the wings that a reduced arc showed; as they were when it showed none.

    Raises
    ------
    InvalidInput
        When the card or the wings of the arc are damaged, or belong to another kind of map.
    """
    if card_value(arc.header, FRACTION) is None:
        return tramlines
    fraction = number(arc.header, FRACTION, low=0.0, high=LARGEST_HALO)
    profile = replace(tramlines.profile, halo_fraction=fraction, halo_length=HALO_LENGTH)
    wings = arc.image(WINGS)
    if wings is not None:
        if wings.shape != profile.table.shape[:2] or not (np.abs(wings) <= LARGEST_WINGS).all():
            raise InvalidInput(
                f"the {WINGS} of this arc do not fit the tramline map; reduce the arc again with that map",
                path=arc.path,
            )
        profile = with_wings(profile, np.asarray(wings, dtype=np.float64))
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


def _beyond(
    value: FloatArray,
    wing: FloatArray,
    weight: FloatArray,
    rows: FloatArray,
    columns: FloatArray | NDArray[np.int64],
    profile: ProfileModel,
) -> FloatArray:
    """Share of light in the unseen wings of each zone, from what follows the lines between the fibres.

    Between the middles of zones profiles are interpolated, and so is this. The scattered light of every block is
    solved for along with it and eliminated from the normal equations; what no line proves stays zero.
    """
    n_rows, n_columns = profile.table.shape[:2]
    smooth = spline_basis((np.arange(value.shape[1]) + 0.5) / value.shape[1], INTERVALS)
    down, along = hat_basis(profile.row_nodes, rows), hat_basis(profile.column_nodes, columns)
    normal = np.eye(n_rows * n_columns) / WINGS_DOUBT**2
    right = np.zeros(len(normal))
    for b in range(len(value)):
        if np.count_nonzero(weight[b]) < LEAST_COLUMNS:
            continue
        design = np.column_stack([smooth, along * wing[b][:, np.newaxis]])
        goal = value[b]
        fitted, _ = robust_fit(design, goal, weight[b])
        chi = (goal - design @ fitted) * np.sqrt(weight[b])
        scale = max(1.0, 1.4826 * float(np.median(np.abs(chi[weight[b] > 0]))))
        used = np.where(np.abs(chi) < 4 * scale, weight[b] / scale**2, 0.0)
        n = smooth.shape[1]
        weighted = design * used[:, np.newaxis]
        full, vector = design.T @ weighted, weighted.T @ goal
        background = full[:n, :n] + 1e-9 * np.trace(full[:n, :n]) * np.eye(n)
        gone = np.linalg.solve(background, np.column_stack([full[:n, n:], vector[:n]]))
        part = full[n:, n:] - full[n:, :n] @ gone[:, :-1]
        normal += np.kron(np.outer(down[b], down[b]), part)
        right += np.kron(down[b], vector[n:] - full[n:, :n] @ gone[:, -1])
    found = np.linalg.solve(normal, right).reshape(n_rows, n_columns)
    return np.clip(found, -LARGEST_WINGS, LARGEST_WINGS)
