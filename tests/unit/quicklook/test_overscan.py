"""The bias level along the rows: no noise where there is no structure, and the structure where there is."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.overscan import overscan_level

ROWS = np.linspace(0.0, 1.0, 4098)
READ_NOISE = 1.9


def error(level, *, seed):
    """What a frame's level is off by, rms over the rows [ADU]."""
    rng = np.random.default_rng(seed)
    true = 372.0 + level
    overscan = np.rint(true[:, None] + READ_NOISE * rng.standard_normal((4098, 22)))
    return float(np.std(overscan_level(overscan.astype(np.uint16)).rows - true))


@pytest.mark.parametrize(
    ("level", "most"),
    [
        (0.0 * ROWS, 0.015),
        (3.0 * ROWS, 0.02),
        (0.5 * np.sin(12.0 * ROWS), 0.035),
        (4.0 * np.exp(-ROWS / 0.05), 0.045),
        (np.sin(40.0 * ROWS), 0.055),
    ],
    ids=["flat", "sloping", "waving", "decaying", "rippled"],
)
def test_the_level_is_as_stiff_as_it_shows(level, most):
    assert np.median([error(level, seed=s) for s in range(5)]) < most
