from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import convolve1d

from quicklook.columns import spread_beyond
from quicklook.errors import InvalidInput
from quicklook.extraction import extract
from quicklook.halo import WINGS, measure_halo, remember_halo, with_halo_of
from quicklook.products import Product, read_product, write_product
from quicklook.profiles import OFFSETS, PHASES, sound_profile
from quicklook.tramlines import find_tramlines, product_to_tramlines, tramlines_to_product
from quicklook.wingkinds import FINE, KINDS, N_SHARES, core_splines, exponentials, light_outside, shares_at
from quicklook.wings import with_wings
from tests.unit.quicklook.chip import as_image, flat_electrons, profile, render
from tests.unit.quicklook.test_halo import arc

REACH = 200


def winged(image):
    """Light moved into wings that are no sum of the exponentials of the fit: of 8 pixels, and of 50."""
    offsets = np.arange(-REACH, REACH + 1)
    kernel = np.where(offsets == 0, 0.985, 0.0)
    for fraction, length in ((0.010, 8.0), (0.005, 50.0)):
        spread = np.exp(-np.abs(offsets) / length)
        kernel += fraction * spread / spread.sum()
    return convolve1d(image, kernel, axis=0, mode="constant")


@pytest.fixture(scope="module")
def flat_with_wings(chip):
    return as_image(winged(render(chip, flat_electrons(chip), scattered=30.0)), chip)


@pytest.fixture(scope="module")
def map_with_wings(flat_with_wings):
    return find_tramlines(flat_with_wings)


def light_at(model, offsets):
    """What a fibre in the middle of the chip sends to pixels at whole offsets, halos included."""
    table = model.table[3:5, 3:5].mean(axis=(0, 1))
    whole = np.arange(-REACH, REACH + 1)
    light = np.interp(whole, OFFSETS, table, 0, 0)
    total = np.empty_like(light)
    spread_beyond(light, np.zeros(1) + REACH, np.ones(1), model.beyond, total)
    total += light
    assert total.sum() == pytest.approx(model.whole, rel=1e-3)
    return 0.5 * (total[REACH + offsets] + total[REACH - offsets]) / total.sum()


def test_wings_are_those_of_the_chip_whatever_they_are_made_of(map_with_wings):
    offsets = np.array([8, 9, 10, 11, 12, 13, 18, 22, 30])
    whole = np.arange(-REACH, REACH + 1)
    alone = profile(whole.astype(float), np.array(0.0), np.array(0.0))
    truth = winged(alone[:, np.newaxis])[:, 0]
    expected = 0.5 * (truth[REACH + offsets] + truth[REACH - offsets])
    found = light_at(map_with_wings.profile, offsets)
    # A chip of a tenth of the columns: three times the noise of a real flat.
    assert np.abs(found - expected).max() < 4e-5
    assert found[2] == pytest.approx(expected[2], rel=0.12)


@pytest.fixture(scope="module")
def uneven(chip):
    """Fibres of very different light, and some without any: their fluxes, the dark ones, and the frame."""
    rng = np.random.default_rng(4)
    level = 10 ** rng.uniform(3.5, 4.8, 400) * chip.lit
    dark = np.zeros(400, dtype=bool)
    dark[5::16] = True
    dark &= chip.lit
    level[dark] = 0.0
    truth = np.repeat(level[:, np.newaxis], chip.n_columns, axis=1)
    return level, dark, as_image(winged(render(chip, truth, scattered=10.0)), chip, seed=8)


def with_more_halo(tramlines, more, shape):
    """A map that believes in more light in the far halo."""
    share = tramlines.profile.wings.share.copy()
    share[-1] += more
    return replace(tramlines, profile=with_wings(tramlines.profile, share, shape))


@pytest.mark.parametrize("wrong", [0.0, -0.0015, 0.0015])
def test_dark_fibres_beside_bright_ones_stay_dark_though_the_map_is_wrong(
    chip, map_with_wings, uneven, wrong
):
    level, dark, frame = uneven
    spectra = extract(frame, with_more_halo(map_with_wings, wrong, frame.data.shape))
    excess = spectra.flux[dark].mean(axis=1)
    assert level.mean() * 2 > 3e4
    # The wings send 20 electrons and more into each of them.
    assert abs(excess.mean()) < 3.0
    assert np.median(np.abs(excess)) < 5.0
    bright = level > 1e4
    ratio = spectra.flux[bright].mean(axis=1) / level[bright]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.0015)
    assert spectra.figures["halo_change"] != 0.0
    assert any("as dark fibres show it" in line for line in spectra.history)


def test_frames_of_even_or_little_light_leave_the_halo_to_the_map(
    chip, flat_with_wings, map_with_wings, uneven
):
    level = uneven[0] / 50
    faint = np.repeat(level[:, np.newaxis], chip.n_columns, axis=1)
    for frame in (flat_with_wings, as_image(winged(render(chip, faint)), chip)):
        spectra = extract(frame, map_with_wings)
        assert spectra.figures["halo_change"] == 0.0
        assert not any("as dark fibres show it" in line for line in spectra.history)


def test_without_wings_none_are_found(tramlines):
    assert abs(sum(tramlines.profile.halo[::2])) < 0.0025


def test_where_the_core_ends_the_wings_go_on_alone():
    basis, reach = core_splines(3.4)
    fine = np.linspace(-14.5, 14.5, len(basis))
    assert reach == pytest.approx(8.5)
    assert not basis[np.abs(fine) > reach].any()
    edge = np.argmin(np.abs(fine - reach))
    # Value and slope vanish there, so that no step is left in the profile.
    assert np.abs(basis[edge - 1]).max() < 3e-4
    assert exponentials().sum(axis=0) / FINE == pytest.approx(1.0)


def test_shares_change_over_the_chip_as_parabolas_and_halos_do_not():
    share = np.arange(1.0, N_SHARES + 1)
    middle, edge = shares_at(np.array([0.0, 1.0]), np.array([0.0, -1.0])) @ share
    assert middle[0] == share[0]
    assert edge[0] == pytest.approx(share[:6] @ [1, 1, -1, 1, -1, 1])
    assert (middle[-2:] == share[-2:]).all()
    assert (edge[-2:] == share[-2:]).all()


def test_profiles_keep_their_sum_when_wings_are_added(chip, tramlines):
    wings = tramlines.profile.wings
    share = wings.share + np.eye(N_SHARES)[6] * 0.02
    changed = with_wings(tramlines.profile, share, (4098, chip.n_columns))
    assert changed.table.sum(axis=2) / PHASES == pytest.approx(1.0, abs=1e-6)
    far = np.abs(OFFSETS) > 7
    gain = (changed.table - tramlines.profile.table)[3:5, :, far].sum(axis=2) / PHASES
    assert (gain > 0.002).all()
    back = with_wings(changed, wings.share, (4098, chip.n_columns))
    assert np.abs(back.table - tramlines.profile.table).max() < 1e-3


def test_an_arc_shows_the_wings_that_a_map_is_unsure_of(chip, map_with_wings):
    frame = arc(chip, 0.0, level=1e5, spread=winged)
    known = map_with_wings.profile
    unsure = replace(known.wings, certainty=known.wings.certainty * 1e-4)
    wrong = with_wings(
        replace(known, wings=unsure), known.wings.share + np.eye(N_SHARES)[-1] * 0.01, (4098, chip.n_columns)
    )
    totals = []
    for model in (known, wrong):
        each = replace(map_with_wings, profile=model)
        product = Product(np.zeros((400, 10)), fits.Header())
        remember_halo(measure_halo(frame, each), product)
        totals.append([
            np.nansum(extract(frame, m).flux[160:240]) for m in (each, with_halo_of(each, product))
        ])  # fmt: skip
    (right, kept), (before, after) = totals
    assert abs(before / right - 1) > 0.0005
    assert abs(after / kept - 1) < 0.5 * abs(before / right - 1)


@pytest.mark.parametrize("share", [np.zeros(3), np.full(N_SHARES, np.nan), np.full(N_SHARES, 0.4)])
def test_wings_of_another_map_or_without_sense_are_refused(tramlines, share):
    product = Product(np.zeros((400, 10)), fits.Header())
    product.extras[WINGS] = share
    with pytest.raises(InvalidInput, match=WINGS):
        with_halo_of(tramlines, product)


def test_a_map_keeps_what_it_knows_of_wings(tmp_path, flat_with_wings, map_with_wings):
    product = tramlines_to_product(map_with_wings, flat_with_wings)
    again = product_to_tramlines(read_product(write_product(tmp_path / "12mar10005tlm.fits", product)))
    wings = map_with_wings.profile.wings
    for name in ("share", "certainty"):
        assert np.array_equal(getattr(again.profile.wings, name), getattr(wings, name))
    assert again.profile.wings.response == pytest.approx(wings.response, rel=1e-6)
    assert again.profile.beyond == pytest.approx(map_with_wings.profile.beyond, rel=1e-12)


@pytest.mark.parametrize("name", ["share", "certainty", "response"])
def test_wings_that_no_flat_shows_are_not_sound(tramlines, name):
    known = tramlines.profile
    assert sound_profile(known)
    assert known.wings.response.shape[0] == KINDS
    broken = replace(known.wings, **{name: getattr(known.wings, name) * np.nan})
    assert not sound_profile(replace(known, wings=broken))


def test_humps_of_scattered_light_are_not_taken_for_wings(chip, map_with_wings):
    electrons = winged(render(chip, flat_electrons(chip), scattered=30.0))
    rows, columns = np.arange(len(electrons))[:, np.newaxis], np.arange(electrons.shape[1])
    across = (columns + 0.5) / electrons.shape[1]
    hump = np.exp(-0.5 * ((rows - 1150.0) / 700.0) ** 2 - 0.5 * ((across - 0.3) / 0.25) ** 2)
    hump += np.exp(-0.5 * ((rows - 2950.0) / 560.0) ** 2 - 0.5 * ((across - 0.75) / 0.17) ** 2)
    # Thirty per cent of what the fibres send on an average, where it is brightest.
    found = find_tramlines(as_image(electrons + 0.3 * electrons.mean() * hump, chip)).profile
    outside = light_outside() @ (found.wings.share - map_with_wings.profile.wings.share)
    assert abs(outside) < 0.0015
