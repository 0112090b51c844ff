"""The wings and the halo of the fibres, from a frame whose fibres differ much in brightness.

A flat is lit evenly: but for a few gaps in the slit, what its fibres send far looks like light scattered from
all over the chip, and the level of the halo stays uncertain by some 0.1 % of the light. Where bright fibres stand beside
dark ones, what lies between them follows the brightness of those nearby. Such a frame needs its halo known best, and
itself tells it best.
"""

from __future__ import annotations

import numpy as np

from quicklook.halo import believable, light_of_kinds, told_beside
from quicklook.scattered import Survey, spline_basis
from quicklook.types import FloatArray, ProfileModel, Wings
from quicklook.wingkinds import LENGTHS, MIDDLES, N_SHARES, kinds_at, light_outside
from quicklook.wings import with_wings

LEAST_CONTRAST = 3000.0
"""Scatter of the fibres' light from which it tells more than the flat does [electron]."""

LEAST_UNEVEN = 0.5
"""The same over their mean light; lamps and twilight have less."""

CELLS = (400, 16)
"""Cells across and along the fibres: each gap between two fibres for itself."""

INTERVALS = (8, 6)
"""Intervals of the smooth light across and along: as fine as that of `quicklook.scattered`, so that the halo cannot take
its place."""

DOUBT = 0.02
"""Relative error allowed to the profile's wings between the fibres."""

FRAME_DOUBT = 2.0
"""Errors of what the frame tells over those of its photons: fluxes and profiles have errors of their own."""

USUAL_WINGS, USUAL_HALO, USUAL_CHANGE = 0.002, 0.004, 0.0005
"""Usual errors of the shares in the exponentials, in the halos, and of the formers' changes over the chip. The flat sees
the exponentials between neighbouring fibres; what is wrong is most often the halo."""

LEAST_CELLS = 1000
"""Cells that must have seen light."""


def is_uneven(survey: Survey) -> bool:
    """Whether the light of the fibres, each one's median over the columns, differs enough to tell of wings."""
    light = np.median(survey.fluxes, axis=1)
    return bool(light.std() > max(LEAST_CONTRAST, LEAST_UNEVEN * light.mean()))


def wings_by_contrast(survey: Survey, profile: ProfileModel) -> tuple[ProfileModel, float]:
    """The profile with its wings and halo as the light between bright and dark fibres shows them.

    Parameters
    ----------
    survey : Survey
        Of the frame, with the profile that the map and the arc gave.
    profile : ProfileModel

    Returns
    -------
    profile : ProfileModel
        As it was, where the frame tells nothing.
    change : float
        Light of a fibre beyond its profile's table that was added to what it had, as a share.
    """
    wings = profile.wings
    if wings is None or not is_uneven(survey):
        return profile, 0.0
    n_rows, n_columns = survey.residual.shape[1], survey.centre.shape[1]
    value, kinds, weight = survey.between(
        survey.residual - survey.wide, light_of_kinds(survey, profile, wings), CELLS, DOUBT
    )
    if np.count_nonzero(weight) < LEAST_CELLS:
        return profile, 0.0
    rows, columns = (
        (np.arange(n) + 0.5) * whole / n - 0.5 for n, whole in zip(CELLS, (n_rows, n_columns), strict=True)
    )
    row, column = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
    each_kind = kinds.reshape(len(kinds), -1)
    follows = np.einsum("kc,cks->cs", each_kind, kinds_at(column, row, (n_rows, n_columns)))
    normal, right = told_beside(_smooth_light(), each_kind, follows, value.ravel(), weight.ravel())
    before = _certainty(wings)
    found = np.linalg.solve(before + normal / FRAME_DOUBT**2, right / FRAME_DOUBT**2)
    share = believable(wings.share + found)
    change = float(light_outside() @ (share - wings.share))
    return with_wings(profile, share, (n_rows, n_columns)), change


def _smooth_light() -> FloatArray:
    """Splines of the smooth light at the middles of the cells; (cells, splines)."""
    across, along = (
        spline_basis((np.arange(n) + 0.5) / n, intervals)
        for n, intervals in zip(CELLS, INTERVALS, strict=True)
    )
    return np.asarray(np.einsum("ri,cj->rcij", across, along)).reshape(CELLS[0] * CELLS[1], -1)


def _certainty(wings: Wings) -> FloatArray:
    """Inverse covariance of the errors that the shares of map and arc may have."""
    usual = np.full(N_SHARES, USUAL_CHANGE)
    usual[MIDDLES] = USUAL_HALO
    usual[MIDDLES[: len(LENGTHS)]] = USUAL_WINGS
    certainty: FloatArray = wings.certainty + np.diag(usual**-2)
    return certainty
