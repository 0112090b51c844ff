from __future__ import annotations

import numpy as np
import pytest

from quicklook.arcs import _moved, solve_arc
from quicklook.errors import Failure
from quicklook.linelists import arc_lines, lamp_species
from quicklook.optics import optical_model, predict_wavelengths
from quicklook.types import Spectra
from tests.unit.quicklook.synthetic import emission, header, noisy, true_wavelengths

DEAD = [49, 99, 149, 30, 31]


def arc(
    grating: str,
    *,
    shift: float = 3.3,
    level: float = 60.0,
    seed: int = 3,
    species=("CuI", "ArI", "ArII", "NeI", "HeI"),
):
    """An arc with lines of unexpected strengths, saturated ones, and five dark fibres."""
    true = true_wavelengths(grating, shift=shift, seed=seed)
    lines = arc_lines(species).within(true.min() - 20, true.max() + 20)
    rng = np.random.default_rng(seed)
    counts = np.minimum(lines.intensity, 3000) ** 0.7 * level * np.exp(rng.normal(0, 1, len(lines)))
    flux, variance = noisy(emission(true, lines.wavelength, counts), seed=seed)
    flux[DEAD] = rng.normal(0, 10, (len(DEAD), 2048))
    flux[flux > 60000] = np.nan
    return Spectra(flux, variance), true


def errors(solution, true):
    """Rms of each fibre that was lit [pixel]."""
    lit = np.ones(400, dtype=bool)
    lit[DEAD] = False
    pixels = (solution.wavelength - true) / np.median(np.diff(true))
    return np.sqrt((pixels[lit] ** 2).mean(axis=1))


@pytest.mark.parametrize("grating", ["580V", "385R", "1700D", "1000R"])
def test_every_grating_is_solved_to_a_few_hundredths_of_a_pixel(grating):
    spectra, true = arc(grating)
    setup = header(grating)
    solution = solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr")
    rms = errors(solution, true)
    assert np.median(rms) < 0.02
    assert np.percentile(rms, 99) < 0.08
    assert (solution.lines_used[DEAD] == 0).all()
    assert solution.figures["arc_fibres_lost"] == len(DEAD)


@pytest.mark.parametrize(
    ("grating", "first", "last"), [("385R", 0, 20), ("385R", 190, 210), ("1700D", 0, 40)]
)
def test_an_arc_of_which_only_a_part_of_the_slit_shines_is_solved(grating, first, last):
    spectra, true = arc(grating)
    dark = (np.arange(400) < first) | (np.arange(400) >= last)
    spectra.flux[dark] = np.nan
    setup = header(grating)
    solution = solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr")
    pixels = (solution.wavelength - true) / np.median(np.diff(true))
    lit = ~dark
    lit[DEAD] = False
    assert np.sqrt((pixels[lit] ** 2).mean(axis=1)).max() < 0.08
    # Nothing is known of the others, but they lie where the camera puts them.
    assert np.abs(pixels).max() < 20.0


def test_an_arc_on_half_a_chip_is_solved():
    spectra, true = arc("385R")
    spectra.flux[:, 1024:] = np.nan
    setup = header("385R")
    solution = solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr")
    pixels = (solution.wavelength - true)[:, :1024] / np.median(np.diff(true))
    assert np.median(np.sqrt((pixels**2).mean(axis=1))) < 0.05


def test_a_prediction_that_is_far_off_is_found():
    spectra, true = arc("385R", shift=-61.0)
    setup = header("385R")
    solution = solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr+Ne+He")
    assert np.median(errors(solution, true)) < 0.02
    assert solution.figures["arc_shift_pixels"] == pytest.approx(-61.0, abs=2.0)


def test_a_weak_arc_still_gives_a_scale():
    spectra, true = arc("580V", level=4.0)
    setup = header("580V")
    rms = errors(solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr"), true)
    assert np.median(rms) < 0.03
    assert np.percentile(rms, 99) < 0.06


def test_lamps_that_the_header_does_not_name_are_recognised():
    spectra, _ = arc("385R")
    setup = header("385R")
    solution = solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr")
    assert any("NeI" in line for line in solution.history)


def test_a_dark_arc_fails_with_advice():
    setup = header("580V")
    flux, variance = noisy(np.zeros((400, 2048)))
    with pytest.raises(Failure, match="arc lamp"):
        solve_arc(Spectra(flux, variance), setup, predict_wavelengths(setup), "CuAr")


def test_lines_of_no_known_lamp_fail():
    setup = header("580V")
    true = true_wavelengths("580V")
    rng = np.random.default_rng(1)
    strange = np.sort(rng.uniform(true.min(), true.max(), 12))
    flux, variance = noisy(emission(true, strange, np.full(12, 5e4)))
    with pytest.raises(Failure):
        solve_arc(Spectra(flux, variance), setup, predict_wavelengths(setup), "CuAr")


def test_names_of_lamps():
    assert lamp_species("Helium+CuAr+FeAr+CuNe") == ("HeI", "CuI", "ArI", "ArII", "FeI", "NeI", "CuAr")
    assert lamp_species("") == lamp_species("CuAr")


def test_saturated_lines_do_not_draw_their_neighbours_aside():
    spectra, true = arc("580V", level=2000.0)
    assert np.isnan(spectra.flux).mean() > 0.01
    setup = header("580V")
    rms = errors(solve_arc(spectra, setup, predict_wavelengths(setup), "CuAr"), true)
    assert np.median(rms) < 0.02
    assert np.percentile(rms, 99) < 0.06


def test_offsets_count_from_the_optical_model_whatever_correlation_bends():
    setup = header("1700D")
    model, u = optical_model(setup), np.linspace(-1.0, 1.0, 2048)
    rows = np.full((400, 1), 2048.0)
    predicted = predict_wavelengths(setup, rows)
    columns = np.arange(2048.0) + 40.0 + 3.0 * u
    moved = model.wavelength(columns, rows)
    bend = 0.5 * (3.0 * u**2 - 1.0) * np.linspace(-1.0, 1.0, 400)[:, np.newaxis]
    step = np.median(np.diff(predicted))
    assert np.abs(_moved(predicted, moved) - moved).max() < 0.01 * step
    assert np.abs(_moved(predicted, moved + bend * step) - moved).max() < 0.15 * step
