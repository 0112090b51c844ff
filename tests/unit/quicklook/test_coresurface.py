from __future__ import annotations

import numpy as np
import pytest

from quicklook.coresurface import ZoneCore, fit_surfaces, surface_basis

SPLINES = 3


def truth(row, column):
    """Coefficients that change over the chip as optics make them: bent in both directions, and most in a corner."""
    bent = 0.2 - 0.06 * (row - 0.4) ** 2 + 0.03 * column * row**2
    return np.stack([bent, 0.5 * bent + 0.02 * column, 0.01 + 0.0 * row], axis=-1)


def zones(size=12, *, noise=0.0, dark=()):
    """Zones whose pixels tell the truth as well as their light allows; those that are dark hardly do."""
    rng = np.random.default_rng(1)
    middles = (np.arange(size) + 0.5) / size
    result = []
    for i, row in enumerate(middles):
        for k, column in enumerate(middles):
            certainty = 1e2 if (i, k) in dark else 1e8
            normal = certainty * (np.eye(SPLINES) + 0.3)
            error = noise * (100.0 if (i, k) in dark else 1.0) * rng.normal(size=SPLINES)
            side = normal @ (truth(row, column) + error)
            result.append(ZoneCore(float(row), float(column), normal, np.column_stack([side, 2.0 * side])))
    return result


def at(surfaces, row, column):
    assert surfaces is not None
    return np.tensordot(surface_basis(np.array([row]), np.array([column])), surfaces, 1)[0]


@pytest.mark.parametrize("place", [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.37, 0.81)])
def test_surfaces_hold_up_to_the_corners(place):
    surfaces = fit_surfaces(zones())
    assert at(surfaces, *place)[:, 0] == pytest.approx(truth(*map(np.array, place)), abs=2e-5)
    # Every right side has a solution of its own.
    assert at(surfaces, *place)[:, 1] == pytest.approx(2.0 * at(surfaces, *place)[:, 0])


def test_what_dark_zones_say_does_not_count():
    dark = {(i, k) for i in range(3) for k in range(3)}
    surfaces = fit_surfaces(zones(noise=1e-4, dark=dark))
    for place in ((0.0, 0.0), (0.15, 0.1)):
        # Straight through to a corner without light: by far nearer than its own zones, of errors of a hundredth.
        assert at(surfaces, *place)[:, 0] == pytest.approx(truth(*map(np.array, place)), abs=1.5e-3)


def test_noise_of_zones_is_smoothed_where_zones_are_fewer_than_functions():
    noisy, places = fit_surfaces(zones(6, noise=1e-3)), np.linspace(0.0, 1.0, 21)
    errors = [at(noisy, r, c)[:, 0] - truth(np.array(r), np.array(c)) for r in places for c in places]
    # Left free, 49 functions follow 36 zones and run off between them.
    assert np.std(errors) < 1.5e-3
    assert np.abs(errors).max() < 0.015


def test_a_chip_told_by_one_zone_has_its_core_everywhere():
    one = [zone for zone in zones() if abs(zone.row - 0.5) < 0.05 and abs(zone.column - 0.5) < 0.05][:1]
    surfaces = fit_surfaces(one)
    expected = truth(np.array(one[0].row), np.array(one[0].column))
    for place in ((one[0].row, one[0].column), (0.0, 0.0), (1.0, 0.3)):
        assert at(surfaces, *place)[:, 0] == pytest.approx(expected, abs=2e-3)


def test_what_has_no_solution_is_none():
    assert fit_surfaces([]) is None
    impossible = [ZoneCore(0.5, 0.5, -1e9 * np.eye(SPLINES), np.ones((SPLINES, 1)))]
    assert fit_surfaces(impossible) is None
