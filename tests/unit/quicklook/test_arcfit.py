from __future__ import annotations

from dataclasses import replace

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
    return Measured(
        arc_lines().only(np.arange(30)), x, np.full(x.shape, error), np.full(x.shape, error), seen
    )


def left(offset, surface):
    """What remains of each fibre's offset, along the chip on average."""
    return np.abs(offset - surface.at(np.linspace(-1, 1, 50)).mean(axis=1))


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


def test_fibres_are_told_as_well_as_their_noise_allows():
    """What a line's shape leaves open is the same in all fibres, and hides no fibre's own place."""
    rng = np.random.default_rng(11)
    offset = 0.03 * rng.standard_normal(400)
    lines = measured(offset, 0.003)
    _, surface = fit_surface(replace(lines, error=np.full(lines.x.shape, 0.03)), 1)
    assert np.sqrt(np.mean(left(offset, surface) ** 2)) < 0.002


def test_a_wrong_line_that_only_the_ends_of_the_slit_see_does_not_draw_them_aside():
    lines = measured(np.zeros(400), 0.004)
    x, seen = lines.x.copy(), lines.offset.copy()
    x[:, 0] = 30.0 + 90.0 * (1.0 - np.linspace(-1, 1, 400) ** 2)
    x[100:300, 0], seen[100:300, 0] = np.nan, np.nan
    seen[:, 0] += 0.05
    _, surface = fit_surface(replace(lines, x=x, offset=seen), 0)
    assert np.abs(surface.at(np.array([-0.97, -0.9]))).max() < 0.012


def test_a_ripple_along_the_chip_is_followed():
    slit = np.linspace(-1, 1, 400)[:, np.newaxis]

    def ripple(u):
        return 0.02 * np.sin(2 * np.pi * u * 1.4 + 1.5 * slit)

    lines = measured(np.zeros(400), 0.004)
    u = lines.x / 1023.5 - 1.0
    _, surface = fit_surface(replace(lines, offset=lines.offset + ripple(u)), 0)
    everywhere = np.linspace(-0.97, 0.96, 200)
    remains = surface.at(everywhere) - ripple(everywhere[np.newaxis])
    assert np.sqrt(np.mean(remains**2)) < 0.003


def test_single_measurements_that_are_far_off_are_left_out():
    lines = measured(np.zeros(400), 0.004)
    seen = lines.offset.copy()
    seen[37, 12], seen[251, 3] = 0.4, -0.3
    _, surface = fit_surface(replace(lines, offset=seen), 0)
    assert not surface.keep[37, 12]
    assert not surface.keep[251, 3]
    assert surface.keep.mean() > 0.999


def test_an_order_that_is_asked_for_is_what_is_fitted():
    lines = measured(np.zeros(400), 0.004)
    u = lines.x / 1023.5 - 1.0
    degree, surface = fit_surface(replace(lines, offset=lines.offset + 0.1 * u**5), 2)
    assert (degree, surface.intervals) == (2, 0)


def bent(x, depth=0.3):
    """A camera's distortion [pixel] at columns, the same in all fibres."""
    u = x / 1023.5 - 1.0
    return depth * (4 * u**3 - 3 * u)


def weak_arc(first, last, count, error=0.005):
    """As many lines between two columns, moved by 180 pixels at the ends of the slit; off by the distortion."""
    rng = np.random.default_rng(23)
    x = np.linspace(first, last, count) + 180.0 * np.linspace(-1, 1, 400)[:, np.newaxis] ** 2
    x[(x < 0) | (x > 2047)] = np.nan
    seen = bent(x) + error * rng.standard_normal(x.shape)
    noise = np.full(x.shape, error)
    return Measured(arc_lines().only(np.arange(count)), x, noise, noise, seen)


@pytest.mark.parametrize("count", [5, 6, 8])
def test_few_lines_that_span_the_chip_do_not_lose_the_cubic_term(count):
    degree, surface = fit_surface(weak_arc(60.0, 1850.0, count), 0)
    everywhere = np.linspace(-0.97, 0.97, 100)
    remains = surface.at(everywhere) - bent(1023.5 * (everywhere + 1.0))
    assert degree == 3
    assert np.sqrt(np.mean(remains**2, axis=1)).max() < 0.03


def test_what_the_middle_of_the_slit_tells_of_the_bend_holds_at_its_ends():
    """Lines of the outermost fibres begin 480 pixels from the edge, those of the middle ones 300."""
    _, surface = fit_surface(weak_arc(300.0, 1850.0, 12), 0)
    ends = surface.at(np.array([-1.0]))[[0, 5, 394, 399], 0] - bent(0.0)
    middle = surface.at(np.array([-1.0]))[200, 0] - bent(0.0)
    assert np.abs(ends - middle).max() < 0.02
