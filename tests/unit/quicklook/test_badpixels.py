from __future__ import annotations

from dataclasses import replace

import numpy as np

from quicklook.badpixels import find_bad_columns
from quicklook.extraction import extract
from quicklook.tramlines import find_tramlines


def test_dead_and_hot_columns_are_found_and_nothing_else(flat):
    data = flat.data.copy()
    data[:, 40] = 3.0
    data[1000:, 90] += 8000.0
    data[2000, 120] += 4e5
    bad = find_bad_columns(data, 4.0)
    assert bad[:, 40].all()
    assert bad[1100:, 90].all()
    assert not bad[:900, 90].any()
    assert not np.delete(bad, [40, 90], axis=1).any()


def test_they_are_masked_in_every_frame_that_uses_the_map(chip, flat):
    data = flat.data.copy()
    data[:, 40] = 3.0
    tramlines = find_tramlines(replace(flat, data=data))
    assert tramlines.bad is not None
    assert tramlines.bad[chip.lit, 40].all()
    assert np.abs((tramlines.centre - chip.trace)[chip.lit]).max() < 0.1
    spectra = extract(flat, tramlines)
    assert np.isnan(spectra.flux[:, 40]).all()
    assert np.isfinite(spectra.flux[chip.lit][:, [39, 41]]).all()
