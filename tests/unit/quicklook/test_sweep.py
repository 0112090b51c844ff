"""Traces followed from block to block."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.sweep import REACH, _link

ROWS = 20.0 + 10.0 * np.arange(30)
BLOCKS = 12


@pytest.mark.parametrize("fibre", [0, 1, 15, 28, 29])
@pytest.mark.parametrize("jump", [0.95 * REACH, -0.95 * REACH])
def test_a_lone_jump_does_not_lead_a_trace_astray(fibre, jump):
    peaks = [ROWS.copy() for _ in range(BLOCKS)]
    peaks[5][fibre] += jump
    rows = _link(peaks, 4)
    assert np.array_equal(rows, np.array(peaks).T)


@pytest.mark.parametrize("fibres", [1, 2, 30])
def test_what_moves_all_fibres_is_followed(fibres):
    slope = 1.5
    peaks = [ROWS[:fibres] + slope * (b - 6) for b in range(BLOCKS)]
    assert np.array_equal(_link(peaks, 6), np.array(peaks).T)
