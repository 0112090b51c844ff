from __future__ import annotations

import numpy as np
import pytest

from quicklook.arcfit import fit_surface
from quicklook.arclines import Measured
from quicklook.linelists import arc_lines


def measured(offset, error=0.03, *, seed=4):
    """Thirty lines in every fibre, each fibre off by ``offset`` [pixel]."""
    rng = np.random.default_rng(seed)
    x = np.broadcast_to(np.linspace(30, 2010, 30), (400, 30)).copy()
    seen = offset[:, np.newaxis] + error * rng.standard_normal(x.shape)
    return Measured(arc_lines().only(np.arange(30)), x, np.full(x.shape, error), seen)


def left(offset, surface):
    """What remains of each fibre's offset, along the chip on average."""
    slit = np.linspace(-1, 1, 400)
    smooth = np.polynomial.chebyshev.chebgrid2d(np.linspace(-1, 1, 50), slit, surface.table)
    own = np.array([np.polynomial.chebyshev.chebval(np.linspace(-1, 1, 50), c) for c in surface.own])
    return np.abs(offset - smooth.mean(axis=0) - own.mean(axis=1))


def test_the_ends_of_the_slit_may_bend_more_than_the_surface():
    rng = np.random.default_rng(7)
    index = np.arange(400)
    ends = 0.07 * (np.exp(-index / 3.0) + np.exp(-(399 - index) / 3.0))
    offset = ends + 0.004 * rng.standard_normal(400)
    _, surface = fit_surface(measured(offset), 1)
    remains = left(offset, surface)
    assert remains[[*range(8), *range(392, 400)]].max() < 0.03
    assert np.median(remains) < 0.005


@pytest.mark.parametrize("strange", [0.3, -0.2])
def test_a_fibre_far_off_does_not_move_its_neighbours(strange):
    offset = np.zeros(400)
    offset[200] = strange
    _, surface = fit_surface(measured(offset), 1)
    assert left(offset, surface)[[197, 198, 199, 201, 202, 203]].max() < 0.012
