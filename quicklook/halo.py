"""The wings and the halo of the fibres, from an arc.

In a flat the light between the fibres is smooth whatever its origin: wings of the fibres or light scattered from
all over the chip. An arc tells them apart. Between the fibres, what follows the arc lines from column to column
belongs to the fibres; what does not is scattered. How the wings fall off the flat knows better
(`quicklook.wingkinds`); the arc corrects it as far as the flat may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from quicklook.errors import InvalidInput
from quicklook.geometry import N_ROWS
from quicklook.products import Product
from quicklook.profiles import profile_bank
from quicklook.scattered import Survey, no_background, robust_fit, spline_basis, survey_of, wide_light
from quicklook.tramlines import transposed, transposed_floor
from quicklook.types import Beyond, BoolArray, FloatArray, FloatImage, Image, ProfileModel, Tramlines, Wings
from quicklook.wingkinds import (
    HALO_LENGTHS,
    HALO_RANGE,
    KINDS,
    LENGTHS,
    N_SHARES,
    TERMS,
    kinds_at,
    light_outside,
    tails,
)
from quicklook.wings import wing_light, with_wings

SAMPLED = 512
"""Columns that are looked at: every fourth, so that each arc line is seen."""

BLOCK = 200
"""Rows of a block, about; each has a background of its own."""

INTERVALS = 16
"""Intervals along the rows of the scattered light, in each block."""

REACH = 150
"""Rows from a saturated pixel within which the light is not known well enough [pixel]."""

LEAST_COLUMNS = 100
LEAST_BLOCKS = 4

ARC_DOUBT = 100.0
"""Errors of what an arc tells over those of its photons: a halo that spreads along the dispersion as well shows only in
part in lines. The flat, which is even, has no such doubt; the arc decides what the flat leaves open."""

WORST_ERROR = 0.02
"""A fraction less certain than this is none."""

LARGEST_WINGS = 0.2
"""Largest share of light in one kind of wings that is believed; kinds may make up for each other."""

WINGS = "WINGS"
"""Extension of a reduced arc that holds the shares of light in the wings."""

ARC_PARTS = ("WAVELA", WINGS)
"""Extensions of a reduced arc that other frames need."""


@dataclass(frozen=True, eq=False)
class Halo:
    """What an arc and the flat say together of the light beyond the cores.

    Attributes
    ----------
    share : ndarray (N_SHARES,)
        Shares of light in all kinds of wings (`quicklook.wingkinds`), the halos last.
    error : float
        Standard error of the light that a fibre sends beyond its profile's table.
    """

    share: FloatArray
    error: float

    @property
    def known(self) -> bool:
        """Whether it is certain enough to be used."""
        return self.error < WORST_ERROR

    @property
    def fraction(self) -> float:
        """Share of a fibre's light beyond its profile's table, whatever kinds of wings send it there."""
        return float(light_outside() @ self.share)


FRACTION, ERROR = "HALOFRAC", "HALOERR"
UNKNOWN = Halo(np.zeros(N_SHARES), float("inf"))


def measure_halo(image: Image, tramlines: Tramlines, centre: FloatArray | None = None) -> Halo:
    """Measure the wings and the halo of the fibres in a frame whose light changes from column to column.

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
        `UNKNOWN` when there is too little light, or too much saturated, or the map knows nothing of wings.
    """
    wings = tramlines.profile.wings
    if wings is None:
        return UNKNOWN
    n_rows, n_columns = image.data.shape
    step = max(1, n_columns // SAMPLED)
    columns = np.arange(step // 2, n_columns, step, dtype=np.int64)
    lines = np.ascontiguousarray(tramlines.centre[tramlines.lit] if centre is None else centre)
    blocks = max(LEAST_BLOCKS, round(n_rows / BLOCK))
    value, kinds, weight = _between(image, lines, columns, tramlines.profile, wings, blocks)
    rows = (np.arange(blocks) + 0.5) * n_rows / blocks - 0.5
    places = [
        kinds_at(columns.astype(np.float64), np.full(len(columns), row), (n_rows, n_columns)) for row in rows
    ]
    normal, right, used = _told_by_lines(value, kinds, weight, places)
    if used < LEAST_BLOCKS or not normal[-1, -1] > WORST_ERROR**-2:
        return UNKNOWN
    covariance = np.linalg.inv(wings.certainty + normal / ARC_DOUBT**2)
    share = believable(wings.share + covariance @ right / ARC_DOUBT**2)
    outside = light_outside()
    return Halo(share, float(np.sqrt(outside @ covariance @ outside)))


def believable(share: FloatArray) -> FloatArray:
    """Shares within what wings and halos can be."""
    share = np.clip(share, -LARGEST_WINGS, LARGEST_WINGS)
    halos = slice(-len(HALO_LENGTHS), None)
    share[halos] = np.clip(share[halos], *HALO_RANGE)
    return share


def remember_halo(halo: Halo, arc: Product) -> None:
    """Write wings and halo into a reduced arc, for the frames that it calibrates."""
    if halo.known:
        arc.header[FRACTION] = (round(halo.fraction, 6), "light of a fibre beyond its profile")
        arc.header[ERROR] = (round(halo.error, 6), "its standard error")
        arc.extras[WINGS] = halo.share


def with_halo_of(tramlines: Tramlines, arc: Product) -> Tramlines:
    """Tramlines with the wings and the halo that a reduced arc showed; as they were when it showed none.

    Raises
    ------
    InvalidInput
        When the wings of the arc are damaged, or belong to another kind of map.
    """
    stored = arc.image(WINGS)
    if stored is None:
        return tramlines
    share = np.asarray(stored, dtype=np.float64).ravel()
    if share.size != N_SHARES or not (np.abs(share) <= LARGEST_WINGS).all():
        raise InvalidInput(
            f"the {WINGS} of this arc do not fit the tramline map; reduce the arc again with that map",
            path=arc.path,
        )
    shape = (N_ROWS, tramlines.centre.shape[1])
    return replace(tramlines, profile=with_wings(tramlines.profile, share, shape))


def _between(
    image: Image,
    lines: FloatArray,
    columns: NDArray[np.int64],
    profile: ProfileModel,
    wings: Wings,
    blocks: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Light between the fibres that the profile does not explain, in blocks of rows of some columns.

    Returns
    -------
    value, weight : ndarray (blocks, columns)
        The light, and its inverse variance; zero where saturated pixels are near.
    kinds : ndarray (KINDS, blocks, columns)
        What each kind of wings would send there with a share of one.
    """
    frame, floor = transposed(image.data), transposed_floor(image)
    survey = survey_of(
        frame, floor, columns, lines, profile_bank(profile), (profile.row_nodes, profile.column_nodes),
        no_background(*image.data.shape), profile.beyond,
    )  # fmt: skip
    # What the survey left in beside the background is the halo.
    residual = survey.residual - survey.wide
    sent = light_of_kinds(survey, profile, wings)
    value, kinds, weight = survey.between(residual, sent, (blocks, len(columns)), 0.0)
    return value, kinds, np.where(_near_gaps(residual, blocks), 0.0, weight)


def light_of_kinds(survey: Survey, profile: ProfileModel, wings: Wings) -> FloatImage:
    """What the fibres would send if each kind of wings had a share of one, (KINDS, columns, rows)."""
    sent = wing_light(survey.fluxes, survey.columns, survey.centre, profile, wings, survey.residual.shape[1])
    for each, unit in zip(sent, np.eye(KINDS), strict=True):
        beyond = _one_kind(unit, profile)
        each += wide_light(survey.light, survey.fluxes, survey.columns, survey.centre, beyond)
    return sent


def _one_kind(share: FloatArray, profile: ProfileModel) -> Beyond:
    """What shares of the kinds of wings, the same all over the chip, send beyond the table."""
    everywhere = np.zeros(N_SHARES)
    everywhere[: len(LENGTHS) * TERMS : TERMS] = share[: len(LENGTHS)]
    inner, far = (float(value) for value in share[len(LENGTHS) :])
    return inner, profile.inner_length, far, profile.halo_length, *tails(everywhere)


def _near_gaps(residual: FloatImage, blocks: int) -> BoolArray:
    """Blocks of each column, (blocks, columns), in or near which pixels are missing."""
    missing = np.isnan(residual)
    edges = np.linspace(0, residual.shape[1], blocks + 1).astype(int)
    return np.array([missing[:, max(0, a - REACH) : b + REACH].any(axis=1) for a, b in pairwise(edges)])


def _told_by_lines(
    value: FloatArray, wing: FloatArray, weight: FloatArray, places: list[FloatArray]
) -> tuple[FloatArray, FloatArray, int]:
    """Normal equations of the shares' corrections, from what follows the lines between the fibres.

    The scattered light of every block is solved for along with them and eliminated.

    Returns
    -------
    normal : ndarray (N_SHARES, N_SHARES)
    right : ndarray (N_SHARES,)
    used : int
        Blocks that had enough columns.
    """
    smooth = spline_basis((np.arange(value.shape[1]) + 0.5) / value.shape[1], INTERVALS)
    normal, right, used = np.zeros((N_SHARES, N_SHARES)), np.zeros(N_SHARES), 0
    for b, kinds in enumerate(places):
        if np.count_nonzero(weight[b]) < LEAST_COLUMNS:
            continue
        used += 1
        follows = np.einsum("kc,cks->cs", wing[:, b], kinds)
        says, side = told_beside(smooth, wing[:, b], follows, value[b], weight[b])
        normal += says
        right += side
    return normal, right, used


def told_beside(
    smooth: FloatArray, wing: FloatArray, follows: FloatArray, value: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Normal equations of the shares' corrections from light beside which there is smooth light of unknown amount.

    Parameters
    ----------
    smooth : ndarray (places, functions)
        What the smooth light is made of; it is solved for along with the shares, and eliminated.
    wing : ndarray (KINDS, places)
        What each kind of wings would send with a share of one.
    follows : ndarray (places, N_SHARES)
        What follows from each parameter of the shares.
    value, weight : ndarray (places,)
        Light that is there, and its inverse variance.

    Returns
    -------
    normal : ndarray (N_SHARES, N_SHARES)
    right : ndarray (N_SHARES,)
    """
    n = smooth.shape[1]
    # From place to place kinds of wings look alike: the nearest and the furthest are enough to tell outliers by.
    beside = np.column_stack([smooth, wing[0], wing[-1]])
    fitted = robust_fit(beside, value, weight)
    chi = (value - beside @ fitted) * np.sqrt(weight)
    scale = max(1.0, 1.4826 * float(np.median(np.abs(chi[weight > 0]))))
    trusted = np.where(np.abs(chi) < 4 * scale, weight / scale**2, 0.0)
    design = np.column_stack([smooth, follows])
    weighted = design * trusted[:, np.newaxis]
    full, vector = design.T @ weighted, weighted.T @ value
    size = np.sqrt(np.maximum(np.diag(full)[:n], 1e-30))
    own = full[:n, :n] + 1e-9 * np.diag(size**2)
    gone = np.linalg.solve(own, np.column_stack([full[:n, n:], vector[:n]]))
    return full[n:, n:] - full[n:, :n] @ gone[:, :-1], vector[n:] - full[n:, :n] @ gone[:, -1]
