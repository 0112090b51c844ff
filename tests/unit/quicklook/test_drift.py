from __future__ import annotations

import numpy as np
import pytest

from quicklook.drift import NO_DRIFT, _brightest, measure_drift
from quicklook.tramlines import transposed, transposed_floor
from tests.unit.quicklook.chip import as_image, render


def faint(chip, *, shift, hits):
    """One line at three quarters of the chip, as a short exposure shows the sky, and hits elsewhere."""
    rng = np.random.default_rng(11)
    x = np.arange(chip.n_columns)
    line = np.exp(-0.5 * ((x - 0.75 * chip.n_columns) / 1.45) ** 2)
    light = render(chip, np.outer(chip.lit, 400.0 * line + 2.0))
    moved = np.roll(light, round(shift), axis=0)
    image = as_image(moved, chip)
    data = image.data.copy()
    # Hits lie above the fibres everywhere on the left, as chance may have it.
    fibres = rng.choice(np.flatnonzero(chip.lit), hits, replace=False)
    columns = rng.integers(0, chip.n_columns // 3, hits)
    rows = np.clip(np.rint(chip.trace[fibres, columns]).astype(int) + 2, 0, len(data) - 1)
    data[rows, columns] += 700.0
    data[np.clip(rows + 1, 0, len(data) - 1), columns] += 300.0
    return transposed(data), transposed_floor(image)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_hits_do_not_tilt_what_a_single_sky_line_shows(chip, tramlines, shift):
    frame, floor = faint(chip, shift=shift, hits=30)
    lines = tramlines.centre[tramlines.lit]
    drift = measure_drift(frame, floor, lines, tramlines.profile)
    assert drift.measured
    assert abs(drift.along) < 0.2
    assert np.median(drift.shift(lines, frame.shape[1])) == pytest.approx(shift, abs=0.2)


def test_a_dark_frame_is_not_followed(chip, tramlines):
    frame, floor = faint(chip, shift=0.0, hits=0)
    drift = measure_drift(np.zeros_like(frame), floor, tramlines.centre[tramlines.lit], tramlines.profile)
    assert drift is NO_DRIFT


@pytest.mark.parametrize("shift", [-2.0, 0.0, 2.0])
def test_few_lit_fibres_are_enough(chip, tramlines, shift):
    rng = np.random.default_rng(5)
    lit = chip.lit & (rng.uniform(size=len(chip.lit)) < 0.3)
    light = render(chip, np.outer(lit, np.full(chip.n_columns, 800.0)))
    image = as_image(np.roll(light, round(shift), axis=0), chip)
    lines = tramlines.centre[tramlines.lit]
    drift = measure_drift(transposed(image.data), transposed_floor(image), lines, tramlines.profile)
    assert drift.measured
    assert np.median(drift.shift(lines, image.data.shape[0])) == pytest.approx(shift, abs=0.05)


def test_groups_without_a_good_column_are_not_bright():
    image = np.full((64, 50), -5.0, dtype=np.float32)
    image[16:32] = np.nan
    assert 20 not in _brightest(image, np.array([4, 20, 40, 60]))
