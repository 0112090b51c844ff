from __future__ import annotations

import numpy as np
import pytest

from quicklook.errors import Failure
from quicklook.slitmatch import match_slit


def plate(*, dark=(), step=10.1, first=8.0):
    types = np.full(400, "P")
    types[49::50] = "F"
    types[list(dark)] = "N"
    rows = first + step * np.arange(400) + 0.8 * (np.arange(400) // 10)
    return rows, types


def test_a_whole_plate_with_broken_fibres():
    rows, types = plate(dark=(3, 77, 78, 311))
    lit = ~np.isin(types, ["F", "N"])
    match = match_slit(rows[lit], types, 4098)
    assert np.array_equal(match.position, np.nonzero(lit)[0])
    assert match.agreement == 1.0
    assert "0 dark against the table" in match.reason


@pytest.mark.parametrize(
    "lost",
    [(), (0, 1, 2), (397, 398), (120, 121, 122, 123), (0, 200, 398), (1,), (1, 2, 3), (397,), (2, 4, 395)],
)
def test_fibres_that_broke_since_the_table_was_written(lost):
    rows, types = plate()
    lit = types == "P"
    lit[list(lost)] = False
    match = match_slit(rows[lit], types, 4098)
    assert np.array_equal(match.position, np.nonzero(lit)[0])
    assert match.missing == tuple(sorted(lost))


@pytest.mark.parametrize("offset", [-25.0, 0.0, 25.0])
def test_the_table_decides_where_the_slit_lies_on_the_chip(offset):
    rows, types = plate(first=40.0)
    lit = types == "P"
    match = match_slit(rows[lit] + offset, types, 4250)
    assert np.array_equal(match.position, np.nonzero(lit)[0])


def test_a_fibre_lit_against_the_table_is_reported():
    rows, types = plate(dark=(200,))
    lit = types != "F"
    match = match_slit(rows[lit], types, 4098)
    assert match.unexpected == (200,)


def test_another_plate_is_refused():
    rows, types = plate()
    wrong = np.where(np.arange(400) % 3 == 0, "N", "P")
    with pytest.raises(Failure, match="different plates"):
        match_slit(rows[types == "P"], wrong, 4098)


def test_more_traces_than_fibres_are_refused():
    with pytest.raises(Failure, match="stray light"):
        match_slit(np.arange(420) * 9.7, np.full(400, "P"), 4098)
