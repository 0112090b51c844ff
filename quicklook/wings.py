"""Wings of the fibre profile that a flat cannot see: their light, and the profile with more or less of it.

Fibres lie side by side at one distance. Wings whose copies at that distance add up to a constant look, in an evenly lit
flat, like background: how much of a fibre's light is in them remains open, to some tenths of a per cent. Their shape
is known from the flat (`quicklook.profiles`), their amount from an arc (`quicklook.halo`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from quicklook.columns import PIXELS, add_model, bank_at_column, evaluate
from quicklook.profiles import profile_bank
from quicklook.types import FloatArray, FloatImage, ProfileModel


def with_wings(profile: ProfileModel, share: FloatArray) -> ProfileModel:
    """A profile with a share of light moved from its core into the unseen wings of each zone; its sum remains one.

    Parameters
    ----------
    profile : ProfileModel
        With ``unseen``; without it the profile comes back as it is.
    share : ndarray (row nodes, column nodes)
        Light in the wings over the light in the profile; negative where the profile has too much.
    """
    if profile.unseen is None:
        return profile
    more = share[:, :, np.newaxis] * profile.unseen
    total = more.sum(axis=2, keepdims=True) * profile.offset_step
    return replace(profile, table=(profile.table + more) / (1.0 + total))


def wing_light(
    fluxes: FloatArray, columns: NDArray[np.int64], centre: FloatArray, profile: ProfileModel, n_rows: int
) -> FloatImage:
    """Light that fibres would send if all of it were in their unseen wings.

    Parameters
    ----------
    fluxes : ndarray (lit fibres, chosen columns)
    columns : ndarray of int
    centre : ndarray (lit fibres, all columns)
    profile : ProfileModel
        With ``unseen``.
    n_rows : int

    Returns
    -------
    ndarray of float32 (chosen columns, rows)
    """
    assert profile.unseen is not None
    bank = profile_bank(replace(profile, table=profile.unseen))
    light = np.empty((len(columns), n_rows), dtype=np.float32)
    _paint(fluxes, columns, centre, bank, profile.row_nodes, profile.column_nodes, light)
    return light


def hat_basis(nodes: FloatArray, at: FloatArray | NDArray[np.int64]) -> FloatArray:
    """Weights of the nodes in a linear interpolation that goes on beyond the outermost, as the profile's does.

    Returns
    -------
    ndarray (places, nodes)
    """
    low = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
    share = (at - nodes[low]) / (nodes[low + 1] - nodes[low])
    weights = np.zeros((len(at), len(nodes)))
    place = np.arange(len(at))
    weights[place, low], weights[place, low + 1] = 1.0 - share, share
    return weights


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _paint(fluxes, columns, centre, bank, row_nodes, column_nodes, light):  # type: ignore[no-untyped-def]
    """Set ``light`` (chosen columns, rows) to fibres of given fluxes."""
    n = centre.shape[0]
    table = np.empty((bank.shape[0], bank.shape[2], bank.shape[3]))
    first = np.empty(n, dtype=np.int64)
    profile, slope = np.empty((n, PIXELS)), np.empty((n, PIXELS))
    model = np.empty(light.shape[1])
    for c in range(columns.shape[0]):
        bank_at_column(bank, column_nodes, float(columns[c]), table)
        evaluate(centre[:, columns[c]], table, row_nodes, first, profile, slope)
        add_model(fluxes[:, c].copy(), profile, first, model)
        for y in range(model.shape[0]):
            light[c, y] = model[y]
