"""The wings of a fibre profile as later frames correct them, and the light in each kind of wings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quicklook.columns import PIXELS, add_model, bank_at_column, evaluate
from quicklook.compiled import kernel
from quicklook.profiles import profile_bank
from quicklook.types import FloatArray, FloatImage, ProfileModel, Wings
from quicklook.wingkinds import kinds_at, tails
from quicklook.zones import Zones


def with_wings(profile: ProfileModel, share: FloatArray, shape: tuple[int, int]) -> ProfileModel:
    """A profile whose wings have other shares of the light; its sum remains one.

    Parameters
    ----------
    profile : ProfileModel
        With ``wings``; without them the profile comes back as it is.
    share : ndarray (shares,)
        In place of those of the flat.
    shape : tuple of int
        Rows and columns of the chip.
    """
    if profile.wings is None:
        return profile
    columns, rows = np.meshgrid(profile.column_nodes[1::2], profile.row_nodes[1::2])
    more = kinds_at(columns.ravel(), rows.ravel(), shape) @ (share - profile.wings.share)
    more = more.T.reshape(-1, *columns.shape)
    change = np.einsum("krc,krco->rco", more, profile.wings.response)
    table = profile.table + Zones.of(*shape, *change.shape[:2]).refined(change)
    table /= table.sum(axis=2, keepdims=True) * profile.offset_step
    wings = replace(profile.wings, share=share)
    inner, far = float(share[-2]), float(share[-1])
    return replace(
        profile, table=table, inner_fraction=inner, halo_fraction=far, tails=tails(share), wings=wings
    )


def wing_light(
    fluxes: FloatArray,
    columns: NDArray[np.int64],
    centre: FloatArray,
    profile: ProfileModel,
    wings: Wings,
    n_rows: int,
) -> FloatImage:
    """Light that fibres would send if each kind of wings in the table had a share of one.

    Parameters
    ----------
    fluxes : ndarray (lit fibres, chosen columns)
    columns : ndarray of int
    centre : ndarray (lit fibres, all columns)
    profile : ProfileModel
    wings : Wings
        Of the profile.
    n_rows : int

    Returns
    -------
    ndarray of float32 (kinds, chosen columns, rows)
        What the halo sends beyond the table is not in it.
    """
    light = np.empty((len(wings.response), len(columns), n_rows), dtype=np.float32)
    nodes = [np.ascontiguousarray(each[1::2]) for each in (profile.row_nodes, profile.column_nodes)]
    for each, table in zip(light, wings.response, strict=True):
        bank = profile_bank(replace(profile, table=table))
        _paint(fluxes, columns, centre, bank, *nodes, each)
    return light


@kernel
def _paint(fluxes, columns, centre, bank, row_nodes, column_nodes, light):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set ``light`` (chosen columns, rows) to fibres of given fluxes."""
    n = centre.shape[0]
    table = np.empty((bank.shape[0], bank.shape[2], bank.shape[3]))
    first = np.empty(n, dtype=np.int64)
    profile, slope = np.empty((n, PIXELS)), np.empty((n, PIXELS))
    model = np.empty(light.shape[1])
    for c in range(columns.shape[0]):
        bank_at_column(bank, column_nodes, float(columns[c]), table)
        evaluate(centre[:, columns[c]].copy(), table, row_nodes, first, profile, slope)
        add_model(fluxes[:, c].copy(), profile, first, model)
        for y in range(model.shape[0]):
            light[c, y] = model[y]
