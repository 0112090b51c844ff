from __future__ import annotations

import numpy as np
import pytest

from quicklook.spread import true_spread

FIBRES = 400


@pytest.mark.parametrize("spread", [0.01, 0.03, 0.06])
@pytest.mark.parametrize(
    "worst", [0.005, 0.1], ids=["errors that do not matter", "errors from small to larger than the spread"]
)
@pytest.mark.parametrize("objects", [0, 30])
def test_the_spread_is_what_fibres_have_beyond_their_errors(spread, worst, objects):
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        error = np.geomspace(0.002, worst, FIBRES)
        away = rng.normal(0.0, spread, FIBRES) + rng.normal(0.0, error)
        away[rng.choice(FIBRES, objects, replace=False)] += 0.4
        found.append(true_spread(away, error, 1e-3))
    assert np.mean(found) == pytest.approx(spread, rel=0.35 if objects else 0.03)


def test_no_spread_is_found_where_errors_make_all_of_it():
    rng = np.random.default_rng(2)
    error = np.full(FIBRES, 0.03)
    assert true_spread(rng.normal(0.0, error), error, 1e-3) < 0.01
    assert true_spread(0.5 * rng.normal(0.0, error), error, 1e-3) == 1e-3
