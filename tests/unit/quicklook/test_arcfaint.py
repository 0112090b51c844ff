from __future__ import annotations

from dataclasses import replace

import numpy as np

from quicklook.arcfaint import FEW, faint_lines
from quicklook.linefit import fit_lines

SIGMA = 1.4
NOISE = 8.0
BRIGHT, FAINT = 2000.0, 12.0


def frame(off, n_bright=4, seed=5):
    """Fibres of uneven light with bright lines and one faint one, ``off`` from where it is expected [pixel]."""
    rng = np.random.default_rng(seed)
    n_fibres, places = 300, np.append(60.0 * (1.0 + np.arange(n_bright)), 60.0 * (n_bright + 1.0))
    expected = places + rng.uniform(-0.5, 0.5, (n_fibres, 1)) + 0.1 * np.arange(n_fibres)[:, np.newaxis]
    strength = np.append(np.full(n_bright, BRIGHT), FAINT)
    light = rng.uniform(0.6, 1.4, n_fibres)
    light[7] = 0.0
    x = np.arange(60.0 * (n_bright + 3.0))
    moved = expected + np.append(np.zeros(n_bright), off)
    lines = strength[:, np.newaxis] * np.exp(-0.5 * ((x - moved[:, :, np.newaxis]) / SIGMA) ** 2)
    signal = light[:, np.newaxis] * lines.sum(axis=1)
    variance = NOISE**2 + signal
    return signal + np.sqrt(variance) * rng.standard_normal(signal.shape), variance, expected, strength


def measure(flux, variance, expected, strength):
    targets = np.arange(strength.size)
    sigma = np.full(expected.shape, SIGMA)
    fit = fit_lines(flux, variance, expected, targets, sigma, strength=strength)
    return fit, faint_lines(flux, variance, expected, targets, strength, sigma, fit)


def test_a_line_that_no_fibre_shows_is_placed_by_all_of_them_without_bias():
    flux, variance, expected, strength = frame(0.15)
    fit, (faint, centre, noise) = measure(flux, variance, expected, strength)
    assert faint.tolist() == [False] * 4 + [True]
    assert (fit.amplitude[:, -1] > 5.0 * fit.amplitude_error[:, -1]).sum() < 3
    told = np.isfinite(centre[:, -1])
    weight = noise[told, -1] ** -2.0
    away = (centre - expected)[told, -1] - 0.15
    error = weight.sum() ** -0.5
    assert error < 0.1
    assert abs(np.sum(weight * away) / weight.sum()) < 3.0 * error
    assert 0.9 < np.std(away / noise[told, -1]) < 1.1


def test_a_dark_fibre_tells_nothing_of_faint_lines():
    _, (_, centre, _) = measure(*frame(0.0))
    assert np.isnan(centre[7]).all()


def test_a_line_that_all_fibres_together_do_not_show_is_left_out():
    flux, variance, expected, strength = frame(0.0)
    _, (faint, _, _) = measure(flux, variance * 100.0, expected, np.append(strength[:-1], 1.0))
    assert not faint.any()


def test_faint_lines_are_left_alone_where_many_are_clear():
    _, (faint, centre, _) = measure(*frame(0.0, n_bright=FEW))
    assert not faint.any()
    assert np.isnan(centre).all()


def test_without_any_light_there_is_no_faint_line():
    flux, variance, expected, strength = frame(0.0)
    sigma, targets = np.full(expected.shape, SIGMA), np.arange(strength.size)
    fit = fit_lines(flux, variance, expected, targets, sigma, strength=strength)
    nothing = replace(fit, amplitude=np.full_like(fit.amplitude, np.nan))
    faint, centre, _ = faint_lines(flux, variance, expected, targets, strength, sigma, nothing)
    assert not faint.any()
    assert np.isnan(centre).all()
