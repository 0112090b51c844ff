from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import convolve1d

from quicklook.errors import InvalidInput
from quicklook.halo import Halo, measure_halo, remember_halo, with_halo_of
from quicklook.products import Product
from tests.unit.quicklook.chip import as_image, render

LENGTH = 40.0


def arc(chip, fraction, *, level=20000.0, scattered=5.0):
    """Lines that bend along the slit, on a smooth background, with part of the light in a halo."""
    x = np.arange(chip.n_columns)[np.newaxis, :]
    bend = 6.0 * np.linspace(-1, 1, 400)[:, np.newaxis] ** 2
    lines = sum(np.exp(-0.5 * ((x - c - bend) / 1.45) ** 2) for c in np.arange(12, chip.n_columns, 23.7))
    light = render(chip, level * lines * chip.lit[:, np.newaxis])
    kernel = np.exp(-np.abs(np.arange(-400, 401)) / LENGTH)
    spread = convolve1d(light, kernel / kernel.sum(), axis=0, mode="constant")
    smooth = scattered * (1 + 0.5 * np.linspace(-1, 1, light.shape[0]))[:, np.newaxis]
    return as_image((1 - fraction) * light + fraction * spread + smooth, chip)


@pytest.mark.parametrize("fraction", [0.0, 0.004, 0.012])
def test_what_follows_the_arc_lines_between_the_fibres_is_their_halo(chip, tramlines, fraction):
    halo = measure_halo(arc(chip, fraction), tramlines)
    assert halo.known
    assert halo.fraction == pytest.approx(fraction, abs=0.0008)


def test_scattered_light_is_no_halo(chip, tramlines):
    halo = measure_halo(arc(chip, 0.0, scattered=60.0), tramlines)
    assert halo.fraction < 0.0008


def test_a_saturated_line_tells_nothing(chip, tramlines):
    image = arc(chip, 0.004)
    data = image.data.copy()
    # The fibres' own light is lost there while what they send between them stays.
    data[np.ix_(np.arange(1000, 1400), np.arange(57, 63))] = np.nan
    halo = measure_halo(replace(image, data=data), tramlines)
    assert halo.fraction == pytest.approx(0.004, abs=0.0008)


def test_without_light_the_halo_is_unknown_and_nothing_is_remembered(chip, tramlines):
    halo = measure_halo(arc(chip, 0.0, level=0.0), tramlines)
    product = Product(np.zeros((400, 10)), fits.Header())
    remember_halo(halo, product)
    assert not halo.known
    assert "HALOFRAC" not in product.header
    assert with_halo_of(tramlines, product) is tramlines


def test_the_arc_carries_the_halo_to_other_frames(tramlines):
    product = Product(np.zeros((400, 10)), fits.Header())
    remember_halo(Halo(0.0043, 0.0002), product)
    assert with_halo_of(tramlines, product).profile.halo_fraction == pytest.approx(0.0043)
    product.header["HALOFRAC"] = 0.7
    with pytest.raises(InvalidInput, match="HALOFRAC"):
        with_halo_of(tramlines, product)
