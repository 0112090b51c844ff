from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import convolve1d

from quicklook.halo import UNKNOWN, Halo, measure_halo, remember_halo, with_halo_of
from quicklook.products import Product
from quicklook.tramlines import find_tramlines
from tests.unit.quicklook.chip import as_image, flat_electrons, render

LENGTH = 40.0
OUTSIDE = float(np.exp(-14.5 / LENGTH))
"""The part of a halo that lies beyond the profile's table."""


def haloed(light, fraction):
    """A part of the light in a halo along the column."""
    kernel = np.exp(-np.abs(np.arange(-400, 401)) / LENGTH)
    return (1 - fraction) * light + fraction * convolve1d(
        light, kernel / kernel.sum(), axis=0, mode="constant"
    )


def arc(chip, fraction, *, level=20000.0, scattered=5.0, spread=None):
    """Lines that bend along the slit, on a smooth background, with part of the light in a halo, or spread otherwise."""
    x = np.arange(chip.n_columns)[np.newaxis, :]
    bend = 6.0 * np.linspace(-1, 1, 400)[:, np.newaxis] ** 2
    lines = sum(np.exp(-0.5 * ((x - c - bend) / 1.45) ** 2) for c in np.arange(12, chip.n_columns, 23.7))
    light = render(chip, level * lines * chip.lit[:, np.newaxis])
    smooth = scattered * (1 + 0.5 * np.linspace(-1, 1, light.shape[0]))[:, np.newaxis]
    return as_image((haloed(light, fraction) if spread is None else spread(light)) + smooth, chip)


def unsure(tramlines):
    """A map whose flat was too faint to tell of the halo."""
    wings = replace(tramlines.profile.wings, certainty=tramlines.profile.wings.certainty * 1e-4)
    return replace(tramlines, profile=replace(tramlines.profile, wings=wings))


@pytest.mark.parametrize("fraction", [0.0, 0.004, 0.012])
def test_what_follows_the_arc_lines_between_the_fibres_is_their_halo(chip, tramlines, fraction):
    # A tenth of a chip's columns: lines five times as bright tell as much.
    halo = measure_halo(arc(chip, fraction, level=1e5), unsure(tramlines))
    assert halo.known
    assert halo.fraction == pytest.approx(fraction * OUTSIDE, abs=0.0018)


def test_an_arc_does_not_overrule_a_bright_flat(chip):
    flat = as_image(haloed(render(chip, flat_electrons(chip), scattered=30.0), 0.006), chip)
    tramlines = find_tramlines(flat)
    # The chip squeezes a full chip's distortion into a tenth of its columns, which adds a thousandth to any halo's light;
    # and a halo of 40 pixels is told from one of 60 by little.
    told = Halo(tramlines.profile.wings.share, 0.0).fraction
    assert told == pytest.approx(0.006 * OUTSIDE, abs=0.004)
    # Part of the halo lies beside the lines where it spreads along the dispersion as well.
    halo = measure_halo(arc(chip, 0.002), tramlines)
    assert halo.fraction > 0.75 * told


def test_scattered_light_is_no_halo(chip, tramlines):
    halo = measure_halo(arc(chip, 0.0, scattered=60.0), unsure(tramlines))
    assert abs(halo.fraction) < 0.0018


def test_a_saturated_line_tells_nothing(chip, tramlines):
    image = arc(chip, 0.004)
    data = image.data.copy()
    # The fibres' own light is lost there while what they send between them stays.
    data[np.ix_(np.arange(1000, 1400), np.arange(57, 63))] = np.nan
    halo = measure_halo(replace(image, data=data), unsure(tramlines))
    assert halo.fraction == pytest.approx(0.004 * OUTSIDE, abs=0.0018)


def test_without_light_the_halo_is_unknown_and_nothing_is_remembered(chip, tramlines):
    halo = measure_halo(arc(chip, 0.0, level=0.0), tramlines)
    product = Product(np.zeros((400, 10)), fits.Header())
    remember_halo(halo, product)
    assert not halo.known
    assert "HALOFRAC" not in product.header
    assert with_halo_of(tramlines, product) is tramlines


def test_a_map_that_knows_nothing_of_wings_learns_nothing(chip, tramlines):
    blank = replace(tramlines, profile=replace(tramlines.profile, wings=None))
    assert measure_halo(arc(chip, 0.004), blank) is UNKNOWN


def test_the_arc_carries_the_halo_to_other_frames(tramlines):
    product = Product(np.zeros((400, 10)), fits.Header())
    share = tramlines.profile.wings.share.copy()
    share[-1] = 0.0043
    remember_halo(Halo(share, 0.0002), product)
    assert with_halo_of(tramlines, product).profile.halo_fraction == pytest.approx(0.0043)
    assert product.header["HALOFRAC"] == pytest.approx(Halo(share, 0.0).fraction, abs=1e-6)
