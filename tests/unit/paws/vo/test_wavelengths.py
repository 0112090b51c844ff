"""Air and vacuum."""

from __future__ import annotations

import numpy as np
import pytest

from paws.vo.wavelengths import refractive_index, vacuum_of


@pytest.mark.parametrize(
    ("vacuum", "air"),
    # Pairs that the Sloan Digital Sky Survey tabulates for its lines, to its two or three digits.
    [(4862.721, 4861.363), (4960.295, 4958.911), (5008.239, 5006.843), (6564.614, 6562.801)],
)
def test_lines_that_everybody_knows(vacuum, air):
    assert vacuum_of(air) == pytest.approx(vacuum, abs=0.01)


def test_there_and_back_is_exact():
    air = np.linspace(3700, 8800, 5001)
    vacuum = vacuum_of(air)
    assert np.abs(vacuum / refractive_index(vacuum) - air).max() < 1e-9
    assert (np.diff(vacuum) > 0).all()


def test_the_index_of_sodium_light_is_that_of_the_handbooks():
    assert refractive_index(5893.0) - 1 == pytest.approx(2.7712e-4, rel=2e-3)


def test_what_the_formula_is_not_made_for_is_left_alone_and_nothing_stays_nothing():
    assert vacuum_of(1500.0) == 1500.0
    assert vacuum_of(35_000.0) == 35_000.0
    assert np.isnan(vacuum_of(np.nan))
