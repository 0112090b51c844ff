"""What becomes of wings that a frame of uneven light tells: which frames do, and that what they tell is used."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from quicklook import extraction
from quicklook.contrast import is_uneven
from quicklook.extraction import extract
from tests.unit.quicklook.chip import as_image, render


@pytest.mark.parametrize(
    ("light", "expected"),
    [
        # Half the fibres dark, half of this light: their scatter is half of it.
        ((0.0, 20_000.0), True),
        ((0.0, 5_000.0), False),
        ((20_000.0, 30_000.0), False),
    ],
)
def test_a_frame_tells_of_wings_where_its_fibres_differ_much(light, expected):
    fluxes = np.repeat(np.array(light * 10)[:, np.newaxis], 31, axis=1)
    # A few bright pixels, as of emission lines or cosmic rays, make no contrast.
    fluxes[0, :10] = 1e7
    assert is_uneven(SimpleNamespace(fluxes=fluxes)) is expected


def test_a_profile_that_a_frame_changed_is_used_however_little_light_it_added(
    chip, tramlines, science_electrons, monkeypatch
):
    image = as_image(render(chip, science_electrons, scattered=20.0), chip, seed=5)
    table = tramlines.profile.table
    broader = 0.5 * table + 0.25 * (np.roll(table, 3, axis=-1) + np.roll(table, -3, axis=-1))
    profile = replace(tramlines.profile, table=broader)

    def flux(light):
        monkeypatch.setattr(extraction, "wings_by_contrast", lambda *_: (profile, light))
        return extract(image, tramlines).flux

    np.testing.assert_array_equal(flux(0.0), flux(1e-9))
