from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quicklook.errors import Failure, InvalidInput, Saturated
from quicklook.products import read_product, write_product
from quicklook.profiles import OFFSETS
from quicklook.tramlines import find_tramlines, product_to_tramlines, tramlines_to_product
from tests.unit.quicklook.chip import as_image, flat_electrons, profile, render


def test_finds_every_lit_fibre_at_its_slit_position(chip, tramlines):
    assert np.array_equal(tramlines.lit, chip.lit)
    assert tramlines.figures["traces_found"] == chip.lit.sum()
    assert tramlines.figures["traces_expected"] == np.isin(chip.types, ["P", "S"]).sum()


def test_centres_are_where_the_light_is(chip, tramlines):
    error = (tramlines.centre - chip.trace)[chip.lit]
    assert error.std() < 0.008
    # The chip packs a full chip's distortion into a tenth of its columns: the ends are harder here.
    assert np.abs(error).max() < 0.1
    assert np.abs((tramlines.centre - chip.trace)[~chip.lit]).max() < 1.5


def test_profile_is_the_one_of_the_chip_not_a_gaussian(chip, tramlines):
    model = tramlines.profile
    for r, c in ((1, 1), (1, 15), (8, 8), (15, 1), (15, 15)):
        x = (model.column_nodes[c] - chip.n_columns / 2) / (chip.n_columns / 2)
        y = (model.row_nodes[r] - 2049) / 2049
        truth = profile(OFFSETS, np.array(x), np.array(y))
        assert np.abs(model.table[r, c] - truth).max() < 0.006
        assert abs(model.table[r, c].sum() / 20 - 1) < 1e-9
    corner, middle = model.table[1, 15].max(), model.table[8, 8].max()
    assert corner < 0.95 * middle


def test_map_survives_its_product(tmp_path, flat, tramlines):
    path = write_product(tmp_path / "12mar10005tlm.fits", tramlines_to_product(tramlines, flat))
    product = read_product(path)
    again = product_to_tramlines(product)
    assert product.data.shape == (400, tramlines.centre.shape[1])
    assert np.array_equal(again.centre, tramlines.centre)
    assert np.array_equal(again.lit, tramlines.lit)
    assert np.array_equal(again.profile.table, tramlines.profile.table)
    assert product.header["MWIDTH"] == pytest.approx(tramlines.mwidth)
    assert product.fibres is not None


def test_a_product_that_is_no_map_is_refused(tmp_path, flat, tramlines):
    product = tramlines_to_product(tramlines, flat)
    del product.extras["PROFILE"]
    path = write_product(tmp_path / "red.fits", product)
    with pytest.raises(InvalidInput, match="make_tlm"):
        product_to_tramlines(read_product(path))


def test_partial_saturation_spoils_no_trace(chip):
    electrons = flat_electrons(chip)
    electrons[100:140, 90:150] *= 20
    saturated = as_image(render(chip, electrons), chip, limit=60000.0)
    assert 0.001 < saturated.saturated.mean() < 0.2
    tramlines = find_tramlines(saturated)
    assert np.array_equal(tramlines.lit, chip.lit)
    assert np.abs((tramlines.centre - chip.trace)[chip.lit]).max() < 0.1


def test_a_flat_saturated_throughout_is_refused(chip):
    image = as_image(render(chip, flat_electrons(chip, 2e6)), chip, limit=60000.0)
    with pytest.raises(Saturated, match="exposed for this arm"):
        find_tramlines(image)


def test_a_flat_without_light_is_refused(chip):
    with pytest.raises(Failure, match="no light"):
        find_tramlines(as_image(np.full((4098, chip.n_columns), 1.0), chip))


def test_a_flat_of_another_plate_is_refused(chip, flat):
    types = np.where(np.arange(400) % 2 == 0, "N", "P")
    with pytest.raises(Failure, match="plate"):
        find_tramlines(replace(flat, fibres=replace(chip.fibres, type=types)))


def test_wrong_types_in_the_table_are_reported_not_believed(chip, flat):
    types = chip.types.copy()
    lit_objects = np.nonzero(chip.types == "P")[0]
    types[lit_objects[:3]] = "N"
    dark = np.nonzero(chip.types == "N")[0]
    types[dark[0]] = "P"
    tramlines = find_tramlines(replace(flat, fibres=replace(chip.fibres, type=types)))
    assert np.array_equal(tramlines.lit, chip.lit)
    assert tramlines.figures["traces_unexpected"] == 3
    assert tramlines.figures["traces_missing"] == 1


def test_two_runs_are_identical_to_the_bit(flat, tramlines):
    again = find_tramlines(flat)
    assert np.array_equal(again.centre, tramlines.centre)
    assert np.array_equal(again.profile.table, tramlines.profile.table)


@pytest.mark.parametrize(
    ("part", "place", "value"),
    [
        ("centre", (7, 30), 1e243),
        ("centre", (7, 30), -4.7e224),
        ("centre", (7, 30), np.nan),
        ("PROFILE", (0, 0, 5), np.inf),
        ("PROFROWS", 3, -1e300),
        ("PROFCOLS", 0, np.nan),
    ],
)
def test_a_map_that_no_flat_shows_is_refused(flat, tramlines, part, place, value):
    product = tramlines_to_product(tramlines, flat)
    spoilt = (product.data if part == "centre" else product.extras[part]).copy()
    spoilt[place] = value
    if part == "centre":
        product.data = spoilt
    else:
        product.extras[part] = spoilt
    with pytest.raises(InvalidInput, match="no flat shows"):
        product_to_tramlines(product)
