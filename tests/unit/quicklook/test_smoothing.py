from __future__ import annotations

import numpy as np
import pytest

from quicklook.smoothing import smooth_lines

N_FIBRES, N_COLUMNS = 120, 1024
X = np.arange(4.0, N_COLUMNS, 8.0)


def lines(x):
    """Lines that bend alike along the slit, each at a height of its own."""
    q = np.linspace(-1, 1, N_FIBRES)[:, np.newaxis]
    u = (x[np.newaxis, :] - 500) / 512
    ripple = 0.05 * np.sin(2 * np.pi * x[np.newaxis, :] / 310 + 3 * q)
    own = np.random.default_rng(2).normal(0, 0.2, (N_FIBRES, 1))
    return 10.0 * np.arange(N_FIBRES)[:, np.newaxis] + own - 6.0 * q * u**2 + 1.5 * u + ripple


def seen(error, *, rng=3):
    """Positions with errors, (fibres, points), and their weights."""
    noise = error * np.random.default_rng(rng).normal(size=(N_FIBRES, len(X)))
    return lines(X) + noise, np.broadcast_to(error**-2.0, noise.shape).copy()


def test_where_light_is_faint_fibres_lean_on_their_neighbours():
    # Dark ends, as those beside a dichroic: errors of a tenth of a pixel, which a spline alone would follow.
    error = np.broadcast_to(np.where(X > 880, 0.1, 0.003), (N_FIBRES, len(X)))
    found = smooth_lines(X, *seen(error), N_COLUMNS)
    wrong = found.centre - lines(np.arange(N_COLUMNS, dtype=float))
    assert np.abs(wrong[:, :880]).max() < 0.02
    assert np.sqrt(np.mean(wrong[:, 900:] ** 2)) < 0.02
    assert np.sqrt(np.mean(wrong[:, -1] ** 2)) < 0.04


def test_a_row_of_dark_fibres_does_not_bend_the_lines_beside_it():
    error = np.broadcast_to(np.where(X > 880, 0.1, 0.003), (N_FIBRES, len(X)))
    position, weight = seen(error)
    lit = np.r_[0:60, 75:N_FIBRES]
    found = smooth_lines(X, position[lit], weight[lit], N_COLUMNS)
    wrong = found.centre - lines(np.arange(N_COLUMNS, dtype=float))[lit]
    assert np.sqrt(np.mean(wrong[50:70, 900:] ** 2)) < 0.02
    assert np.abs(wrong[50:70, -1]).max() < 0.05


def test_a_fibre_that_differs_from_its_neighbours_keeps_its_own_line():
    position, weight = seen(np.full((N_FIBRES, len(X)), 0.003))
    bent = 0.3 * np.sin(2 * np.pi * X / 700)
    position[50] += bent
    found = smooth_lines(X, position, weight, N_COLUMNS)
    wrong = found.centre - lines(np.arange(N_COLUMNS, dtype=float))
    at = X.astype(int)
    assert np.abs(wrong[50, at] - bent).max() < 0.03
    assert np.sqrt(np.mean(np.delete(wrong, 50, axis=0) ** 2)) < 0.003


def test_a_gap_is_bridged_in_the_shape_of_the_neighbours():
    position, weight = seen(np.full((N_FIBRES, len(X)), 0.003))
    gap = (X > 300) & (X < 700)
    weight[30, gap] = 0.0
    position[30, gap] = np.nan
    found = smooth_lines(X, position, weight, N_COLUMNS)
    wrong = (found.centre - lines(np.arange(N_COLUMNS, dtype=float)))[30]
    assert np.abs(wrong).max() < 0.05


def test_few_fibres_are_fitted_alone():
    position, weight = seen(np.full((N_FIBRES, len(X)), 0.003))
    found = smooth_lines(X, position[:8], weight[:8], N_COLUMNS)
    assert found.centre == pytest.approx(lines(np.arange(N_COLUMNS, dtype=float))[:8], abs=0.02)


def test_an_end_that_nobody_sees_goes_on_straight():
    position, weight = seen(np.full((N_FIBRES, len(X)), 0.003))
    weight[:, X < 480] = 0.0
    position[:, X < 480] = np.nan
    found = smooth_lines(X, position, weight, N_COLUMNS)
    wrong = found.centre - lines(np.arange(N_COLUMNS, dtype=float))
    assert np.abs(wrong[:, 500:]).max() < 0.02
    # Straight from the slope at the end of what is seen; the truth bends by six pixels.
    assert np.abs(wrong).max() < 15.0


def test_a_fibre_without_any_position_has_a_line_all_the_same():
    position, weight = seen(np.full((N_FIBRES, len(X)), 0.003))
    weight[:, X > 700] = 0.0
    weight[40] = 0.0
    found = smooth_lines(X, position, weight, N_COLUMNS)
    assert np.isfinite(found.centre).all()
