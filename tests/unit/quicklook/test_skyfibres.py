"""Fibres whose light contradicts the fibre table are told, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.skyfibres import judge_fibres

FIBRES, COLUMNS = 100, 1024


def frame(level: float, n_sky: int = 25, seed: int = 1):
    """Spectra of sky fibres and objects, their variance, the lamp, live and sky fibres."""
    rng = np.random.default_rng(seed)
    lamp = rng.uniform(0.6, 1.3, FIBRES)
    sky = np.zeros(FIBRES, dtype=bool)
    sky[rng.choice(FIBRES, n_sky, replace=False)] = True
    spectrum = level * (1.0 + 5.0 * (np.arange(COLUMNS) % 37 == 0))
    light = np.tile(spectrum, (FIBRES, 1)) * (1.0 + 3.0 * ~sky * rng.random(FIBRES))[:, np.newaxis]
    # The lamp does not light the plate quite as the sky does.
    light *= (lamp * rng.normal(1.0, 0.02, FIBRES))[:, np.newaxis]
    return rng, light, lamp, np.ones(FIBRES, dtype=bool), sky


def judged(rng, light, lamp, live, sky):
    variance = light + 30.0
    return judge_fibres(light + rng.normal(size=light.shape) * np.sqrt(variance), variance, lamp, live, sky)


@pytest.mark.parametrize("level", [0.5, 20.0, 400.0])
@pytest.mark.parametrize("n_sky", [5, 25])
def test_a_table_that_is_right_is_believed(level, n_sky):
    verdict = judged(*frame(level, n_sky))
    assert not verdict.dark.any()
    assert not verdict.bright.any()


@pytest.mark.parametrize("n_sky", [5, 25])
def test_dark_fibres_and_objects_among_the_sky_are_told(n_sky):
    rng, light, lamp, live, sky = frame(100.0, n_sky)
    dark_sky, bright_sky = np.flatnonzero(sky)[[0, 1]]
    dark_object = np.flatnonzero(~sky)[3]
    light[[dark_sky, dark_object]] = 0.0
    light[bright_sky] *= 1.5
    verdict = judged(rng, light, lamp, live, sky)
    assert set(np.flatnonzero(verdict.dark)) == {dark_sky, dark_object}
    assert list(np.flatnonzero(verdict.bright)) == [bright_sky]


def test_where_sky_fibres_disagree_altogether_none_is_blamed():
    rng, light, lamp, live, sky = frame(100.0)
    light[np.flatnonzero(sky)[:12]] = 0.0
    assert not judged(rng, light, lamp, live, sky).dark.any()


def test_nothing_is_said_without_sky_fibres_or_light():
    rng, light, lamp, live, sky = frame(100.0)
    assert not judged(rng, light, lamp, live, np.zeros_like(sky)).dark.any()
    empty = np.full(light.shape, np.nan)
    verdict = judge_fibres(empty, empty, lamp, live, sky)
    assert not (verdict.dark | verdict.bright).any()
