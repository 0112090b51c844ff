from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quicklook.errors import InvalidInput
from quicklook.extraction import extract, extract_with_mask
from tests.unit.quicklook.chip import as_image, render


def science(chip, electrons, **options):
    return as_image(render(chip, electrons, scattered=20.0, **options), chip, seed=5)


@pytest.fixture(scope="module")
def frame(chip, science_electrons):
    return science(chip, science_electrons)


@pytest.fixture(scope="module")
def spectra(frame, tramlines):
    return extract(frame, tramlines)


def test_fluxes_agree_with_the_truth_within_their_errors(chip, science_electrons, spectra):
    flux, sigma = spectra.flux[chip.lit], np.sqrt(spectra.variance[chip.lit])
    pull = (flux - science_electrons[chip.lit]) / sigma
    assert np.isfinite(flux).all()
    assert abs(pull.mean()) < 0.06
    assert 0.95 < pull.std() < 1.07


def test_no_bias_bright_or_faint(chip, science_electrons, spectra):
    truth = science_electrons[chip.lit]
    error = spectra.flux[chip.lit] - truth
    faint, bright = truth < 100, truth > 3000
    assert abs(error[faint].mean()) < 1.0
    assert abs(error[bright].sum() / truth[bright].sum()) < 0.003


def test_dark_fibres_are_nan(chip, spectra):
    assert np.isnan(spectra.flux[~chip.lit]).all()
    assert np.isnan(spectra.variance[~chip.lit]).all()


def test_scattered_light_is_measured(spectra):
    assert spectra.figures["scattered_light"] == pytest.approx(20.0, abs=4.0)


@pytest.mark.parametrize("shift", [-0.5, 0.3, 1.7])
def test_a_frame_that_moved_is_followed(chip, science_electrons, tramlines, shift):
    spectra = extract(science(chip, science_electrons, shift=shift), tramlines)
    assert spectra.figures["drift"] == pytest.approx(shift, abs=0.02)
    truth = science_electrons[chip.lit]
    pull = (spectra.flux[chip.lit] - truth) / np.sqrt(spectra.variance[chip.lit])
    assert abs(np.median(pull)) < 0.07


def test_without_following_a_moved_frame_loses_light(chip, science_electrons, tramlines):
    frame = science(chip, science_electrons, shift=0.8)
    still = extract(frame, tramlines, {"MSR_TLM_CREEP": "0"})
    assert np.isnan(still.figures["drift"])
    assert np.nansum(still.flux) < 0.97 * science_electrons.sum()


def test_an_empty_frame_moves_nothing(chip, tramlines):
    frame = as_image(np.full((4098, chip.n_columns), 2.0), chip)
    spectra = extract(frame, tramlines)
    assert np.isnan(spectra.figures["drift"])
    assert abs(np.nanmean(spectra.flux)) < 1.0


def test_light_of_a_bright_fibre_does_not_leak_into_its_neighbours(chip, tramlines):
    electrons = np.zeros((400, chip.n_columns))
    bright = [j for j in range(10, 390, 20) if chip.lit[j - 1 : j + 2].all()]
    electrons[bright] = 30000.0
    spectra = extract(as_image(render(chip, electrons), chip, noise=2.0), tramlines)
    beside = np.concatenate([spectra.flux[np.array(bright) + s] for s in (-1, 1)])
    assert np.isfinite(beside).mean() > 0.999
    assert abs(np.nanmean(beside)) < 0.002 * 30000


def test_cosmic_rays_go_and_lines_stay(chip, science_electrons, frame, tramlines, spectra):
    rng = np.random.default_rng(4)
    data = frame.data.copy()
    hits = np.zeros(data.shape, dtype=bool)
    fibres = rng.choice(np.nonzero(chip.lit)[0], 150)
    columns = rng.integers(5, chip.n_columns - 5, 150)
    for j, x in zip(fibres, columns, strict=True):
        y = int(np.rint(chip.trace[j, x] + rng.uniform(-2, 2)))
        for dx in range(rng.integers(1, 4)):
            data[y, x + dx] += 10 ** rng.uniform(2.5, 4.0)
            hits[y, x + dx] = True
    hit_frame = replace(frame, data=data, variance=(16 + np.maximum(data, 0)).astype(np.float32))
    cleaned, marked = extract_with_mask(hit_frame, tramlines)
    truth = science_electrons[chip.lit]
    pull = (cleaned.flux[chip.lit] - truth) / np.sqrt(cleaned.variance[chip.lit])
    assert np.count_nonzero(np.abs(pull) > 5) < 0.05 * hits.sum()
    assert (marked.cosmic & ~hits).sum() < 1e-4 * hits.size
    assert spectra.figures["cosmic_pixels"] < 1e-5 * hits.size


def test_a_hit_over_the_whole_profile_is_flagged(chip, frame, tramlines):
    data = frame.data.copy()
    j, x = int(np.nonzero(chip.lit)[0][100]), 75
    y = int(np.rint(chip.trace[j, x]))
    data[y - 4 : y + 5, x] += 3000
    spectra = extract(replace(frame, data=data), tramlines)
    assert not abs(spectra.flux[j, x]) > 20000


def test_bad_pixels_cost_precision_or_the_value_but_no_bias(chip, science_electrons, frame, tramlines):
    data = frame.data.copy()
    data[:, 50] = np.nan
    rows = np.rint(chip.trace[:, 100] + 2).astype(int)
    data[rows[chip.lit], 100] = np.nan
    spectra = extract(replace(frame, data=data), tramlines)
    assert np.isnan(spectra.flux[:, 50]).all()
    pull = (spectra.flux[chip.lit, 100] - science_electrons[chip.lit, 100]) / np.sqrt(
        spectra.variance[chip.lit, 100]
    )
    assert np.isfinite(pull).all()
    assert pull.std() < 1.2


def test_summing_gives_the_same_fluxes_with_more_noise(chip, science_electrons, frame, tramlines, spectra):
    summed = extract(frame, tramlines, {"EXTR_OPERATION": "SUM"})
    truth = science_electrons[chip.lit]
    assert summed.flux[chip.lit].sum() == pytest.approx(truth.sum(), rel=0.005)
    assert np.median(summed.variance[chip.lit] / spectra.variance[chip.lit]) > 1.05


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"EXTR_OPERATION": "MAGIC"}, "EXTR_OPERATION"),
        ({"SHIFTTLM": "far"}, "SHIFTTLM"),
        ({"SHIFTTLM": 1e9}, "SHIFTTLM"),
        ({"ROTTLM": float("nan")}, "ROTTLM"),
        ({"SCLTLM": 7}, "SCLTLM"),
    ],
)
def test_parameters_without_meaning_are_refused(frame, tramlines, params, word):
    with pytest.raises(InvalidInput, match=word):
        extract(frame, tramlines, params)


def test_a_shift_by_hand_is_applied(chip, science_electrons, tramlines):
    frame = science(chip, science_electrons, shift=1.0)
    by_hand = extract(frame, tramlines, {"SHIFTTLM": 1.0, "MSR_TLM_CREEP": 0})
    assert np.nansum(by_hand.flux) == pytest.approx(science_electrons.sum(), rel=0.005)


def test_two_runs_are_identical_to_the_bit(frame, tramlines, spectra):
    again = extract(frame, tramlines)
    assert np.array_equal(again.flux, spectra.flux, equal_nan=True)
    assert np.array_equal(again.variance, spectra.variance, equal_nan=True)


def test_faint_light_is_neither_low_nor_its_error_low_where_it_is(chip, tramlines):
    electrons = 150.0 * np.ones((400, chip.n_columns)) * chip.lit[:, None]
    spectra = extract(science(chip, electrons), tramlines, {"COSRAY_MTHD": "NONE"})
    flux, sigma = spectra.flux[chip.lit].astype(float), np.sqrt(spectra.variance[chip.lit].astype(float))
    error = flux - 150.0
    # With weights from a column's own fit: one electron, and a correlation of 0.8.
    assert abs(error.mean()) < 0.5
    assert abs((error / sigma).mean()) < 0.03
    assert abs(np.corrcoef(error.ravel(), sigma.ravel())[0, 1]) < 0.15
