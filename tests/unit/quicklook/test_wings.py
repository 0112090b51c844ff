from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from quicklook.errors import InvalidInput
from quicklook.extraction import extract
from quicklook.halo import WINGS, Halo, measure_halo, remember_halo, with_halo_of
from quicklook.products import Product
from quicklook.profiles import OFFSETS, PHASES
from quicklook.wings import hat_basis, with_wings
from tests.unit.quicklook.test_halo import arc


def test_what_the_flat_trades_with_the_background_is_even_between_the_fibres(tramlines):
    trade = tramlines.profile.unseen[2:-2].mean(axis=(0, 1))
    lines = tramlines.centre[tramlines.lit]
    spacing = float(np.median(np.diff(lines[:, lines.shape[1] // 2])))
    at = np.linspace(0.3, 0.7, 9) * spacing
    copies = sum(np.interp(at - k * spacing, OFFSETS, trade, 0, 0) for k in range(-3, 4))
    assert trade.sum() / PHASES == pytest.approx(1.0)
    assert copies.std() < 0.1 * copies.mean()


def test_profiles_keep_their_sum_when_wings_are_added(tramlines):
    share = np.full(tramlines.profile.table.shape[:2], 0.02)
    changed = with_wings(tramlines.profile, share)
    assert changed.table.sum(axis=2) / PHASES == pytest.approx(1.0, abs=1e-6)
    far = np.abs(OFFSETS) > 6
    assert (
        changed.table[3:5, :, far].sum(axis=2) > tramlines.profile.table[3:5, :, far].sum(axis=2) + 0.005
    ).all()


def test_an_arc_shows_the_wings_that_a_map_lacks(chip, tramlines):
    frame = arc(chip, 0.004)
    lacking = replace(
        tramlines,
        profile=with_wings(tramlines.profile, np.full(tramlines.profile.table.shape[:2], -0.006)),
    )
    before, after = (measure_halo(frame, each) for each in (tramlines, lacking))
    # Which part all zones have in common, and which each for itself, is a matter of bookkeeping.
    gain = (after.fraction + after.wings - before.fraction - before.wings)[1:-1]
    assert float(np.median(gain)) == pytest.approx(0.006, abs=0.0015)


def test_fluxes_do_not_depend_on_the_wings_that_a_map_lacks(chip, tramlines):
    frame = arc(chip, 0.004)
    wrong = np.zeros(tramlines.profile.table.shape[:2])
    wrong[2:6] = -0.01
    lacking = replace(tramlines, profile=with_wings(tramlines.profile, wrong))
    totals = []
    for each in (tramlines, lacking):
        halo = measure_halo(frame, each)
        product = Product(np.zeros((400, 10)), fits.Header())
        remember_halo(halo, product)
        totals.append(np.nansum(extract(frame, with_halo_of(each, product)).flux[160:240]))
    plain = [np.nansum(extract(frame, each).flux[160:240]) for each in (tramlines, lacking)]
    assert abs(totals[1] / totals[0] - 1) < 0.3 * abs(plain[1] / plain[0] - 1)
    assert abs(plain[1] / plain[0] - 1) > 0.001


@pytest.mark.parametrize("wings", [np.zeros((3, 3)), np.full((8, 8), np.nan), np.full((8, 8), 0.4)])
def test_wings_of_another_map_or_without_sense_are_refused(tramlines, wings):
    product = Product(np.zeros((400, 10)), fits.Header())
    remember_halo(Halo(0.004, 0.0002, wings), product)
    with pytest.raises(InvalidInput, match=WINGS):
        with_halo_of(tramlines, product)


def test_nodes_are_weighted_as_a_line_through_them_would():
    nodes = np.array([10.0, 20.0, 40.0])
    at = np.array([0.0, 12.0, 30.0, 50.0])
    assert hat_basis(nodes, at) @ (3.0 * nodes - 7.0) == pytest.approx(3.0 * at - 7.0)
