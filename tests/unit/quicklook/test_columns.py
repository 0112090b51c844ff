"""The linear problem of one detector column: all of it, and only the fibres around a hit."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.columns import (
    HALF,
    PIXELS,
    WIDTH,
    add_model,
    background_at_column,
    flux_variances,
    normal_equations,
    solve,
)
from quicklook.cosmics import NEIGHBOURS, solve_around

FIBRES, SPACING = 40, 10
ROWS = FIBRES * SPACING + 3


def column(seed=1):
    """Profiles, their first rows, pixels and weights; the outermost fibres lie partly beyond the chip."""
    rng = np.random.default_rng(seed)
    offsets = np.arange(PIXELS) - HALF
    profile = np.exp(-0.5 * ((offsets - rng.uniform(-0.5, 0.5, (FIBRES, 1))) / 1.6) ** 2)
    profile = profile / profile.sum(axis=1, keepdims=True) + 1e-4
    first = np.rint(np.arange(FIBRES) * SPACING + rng.uniform(0, 3, FIBRES)).astype(np.int64) - HALF
    return profile, first, rng.uniform(0, 500, ROWS), rng.uniform(0.01, 1.0, ROWS)


def design(profile, first):
    whole = np.zeros((ROWS, FIBRES))
    for j in range(FIBRES):
        for k in range(PIXELS):
            if 0 <= first[j] + k < ROWS:
                whole[first[j] + k, j] = profile[j, k]
    return whole


def equations(profile, first, d, w):
    result = np.zeros((4, FIBRES))
    normal_equations(d, w, profile, first, *result)
    return result


def test_normal_equations_are_those_of_least_squares():
    profile, first, d, w = column()
    diagonal, upper1, upper2, right = equations(profile, first, d, w)
    whole = design(profile, first)
    normal = whole.T @ (whole * w[:, np.newaxis])
    assert diagonal == pytest.approx(np.diag(normal))
    assert upper1[:-1] == pytest.approx(np.diag(normal, 1))
    assert upper2[:-2] == pytest.approx(np.diag(normal, 2))
    assert upper1[-1] == upper2[-1] == upper2[-2] == 0.0
    assert right == pytest.approx(whole.T @ (w * d))


def test_zeros_behind_a_profile_change_nothing():
    profile, first, d, w = column()
    wide = np.zeros((FIBRES, WIDTH))
    wide[:, :PIXELS] = profile
    assert equations(wide, first, d, w) == pytest.approx(equations(profile, first, d, w), rel=1e-12)
    light, same = np.empty(ROWS), np.empty(ROWS)
    add_model(np.arange(1.0, FIBRES + 1.0), profile, first, light)
    add_model(np.arange(1.0, FIBRES + 1.0), wide, first, same)
    assert same == pytest.approx(light, rel=1e-12)


def test_variances_are_those_of_the_inverse():
    profile, first, d, w = column()
    diagonal, upper1, _, _ = equations(profile, first, d, w)
    whole = design(profile, first)
    inverse = np.linalg.inv(whole.T @ (whole * w[:, np.newaxis]))
    out = np.empty(FIBRES)
    flux_variances(diagonal, upper1, out)
    # To second order in what neighbours share, a tenth or so.
    assert out == pytest.approx(np.diag(inverse), rel=0.02)
    # A fibre that sees nothing is not known, and takes nothing from its neighbours.
    diagonal[3], upper1[2], upper1[3] = 0.0, 0.0, 0.0
    flux_variances(diagonal, upper1, out)
    assert out[3] == np.inf
    assert np.isfinite(np.delete(out, 3)).all()


def test_the_solution_and_its_model():
    profile, first, d, w = column()
    whole = design(profile, first)
    known = equations(profile, first, d, w)
    flux, model = np.zeros(FIBRES), np.empty(ROWS)
    solve(*known, np.zeros((3, FIBRES)), flux, 0, FIBRES)
    normal = np.diag(known[0])
    for step, upper in ((1, known[1]), (2, known[2])):
        normal += np.diag(upper[:-step], step) + np.diag(upper[:-step], -step)
    assert flux == pytest.approx(np.linalg.solve(normal, known[3]))
    add_model(flux, profile, first, model)
    assert model == pytest.approx(whole @ flux)


@pytest.mark.parametrize("fibre", [0, 1, 7, 20, FIBRES - 2, FIBRES - 1])
def test_solving_around_a_lost_pixel_is_solving_the_column(fibre):
    profile, first, d, w = column()
    known = equations(profile, first, d, w)
    work, flux, model = np.zeros((3, FIBRES)), np.zeros(FIBRES), np.empty(ROWS)
    solve(*known, work, flux, 0, FIBRES)
    add_model(flux, profile, first, model)
    row = first[fibre] + HALF
    w[row] = 0.0
    changed = equations(profile, first, d, w)
    buffers = (w, model, *changed, work, flux, np.zeros(ROWS), np.zeros(ROWS))
    solve_around(row, profile, first, buffers)
    whole, light = np.zeros(FIBRES), np.empty(ROWS)
    solve(*changed, work, whole, 0, FIBRES)
    add_model(whole, profile, first, light)
    assert flux == pytest.approx(whole, rel=1e-9, abs=1e-6)
    assert model == pytest.approx(light, rel=1e-9, abs=1e-6)
    assert NEIGHBOURS < FIBRES // 2, "part of the column only"


def test_the_background_is_linear_between_its_nodes_and_goes_on_beyond():
    rng = np.random.default_rng(2)
    grid, rows = rng.uniform(-5, 50, (6, 4)), np.array([0.0, 30.0, 64.5, 90.2, 150.0, 180.0])
    out = np.empty(200)
    for x in range(4):
        background_at_column(grid, rows, x, out)
        inside = np.arange(181)
        assert out[:181] == pytest.approx(np.interp(inside, rows, grid[:, x]))
        slope = (grid[5, x] - grid[4, x]) / 30.0
        assert out[199] == pytest.approx(grid[5, x] + 19 * slope)
