"""What lies beneath lines, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.linecontinuum import BB, DB, DD, DL, LB, LL, REACH, most_likely, windows_of

COLUMNS = 90


def rough(n):
    """Squared second differences as a matrix."""
    second = np.diff(np.eye(n), 2, axis=0)
    return second.T @ second


def spectrum(seed, bend_of_object=0.0):
    """Weight, data, line and bend; some pixels are bad."""
    rng, x = np.random.default_rng(seed), np.arange(COLUMNS)
    line = 300.0 * np.exp(-0.5 * ((x - 41.3) / 1.4) ** 2) + 20.0
    weight = np.where(rng.random(COLUMNS) < 0.06, 0.0, rng.uniform(0.5, 2.0, COLUMNS) / 60.0)
    noise = rng.standard_normal(COLUMNS) * np.where(weight > 0, 1 / np.sqrt(np.maximum(weight, 1e-9)), 0.0)
    data = 1.1 * line + noise + bend_of_object * np.sin(2 * np.pi * x / 18.0)
    bend = np.r_[0.0, np.diff(line, 2), 0.0]
    return np.array([weight, np.where(weight > 0, data, 0.0), line, bend])


def likelihood(whole, stiffness, windows):
    """Logarithm of it, but for what does not depend on the stiffness, with line and bend at their best."""
    products, constant = np.zeros((3, 3)), 0.0
    for first, last in windows:
        part = whole[:, first : last + 1]
        matrix = np.diag(part[0]) + stiffness * rough(part.shape[1])
        right = part[0] * part[1:]
        products += right @ part[1:].T - right @ np.linalg.solve(matrix, right.T)
        constant += (part.shape[1] - 2) * np.log(stiffness) - np.linalg.slogdet(matrix)[1]
    told = products[0, 1:] @ np.linalg.solve(products[1:, 1:], products[0, 1:])
    return 0.5 * (constant - products[0, 0] + told), products


@pytest.mark.parametrize("windows", [[(0, COLUMNS - 1)], [(0, 33), (34, COLUMNS - 1)], [(3, 60)]])
@pytest.mark.parametrize("bend_of_object", [0.0, 40.0])
@pytest.mark.parametrize("stiffer", [[], [500.0]])
def test_the_most_likely_continuum_is_that_of_dense_matrices(windows, bend_of_object, stiffer):
    whole, stiffnesses = spectrum(4, bend_of_object), np.array([*stiffer, 50.0, 5.0, 0.5, 0.05, 0.005])
    factor, right, form = np.zeros((3, COLUMNS)), np.zeros((3, COLUMNS)), np.zeros(6)
    most_likely(whole, np.array(windows), stiffnesses, factor, right, form)
    told = [likelihood(whole, stiffness, windows) for stiffness in stiffnesses]
    best = int(np.argmax([value for value, _ in told]))
    assert best <= len(stiffer) if bend_of_object == 0.0 else best > 1
    products = told[best][1]
    assert form[[DD, DL, LL, DB, LB, BB]] == pytest.approx(products[[0, 0, 1, 0, 1, 2], [0, 1, 1, 2, 2, 2]])
    for first, last in windows:
        part = whole[:, first : last + 1]
        matrix = np.diag(part[0]) + stiffnesses[best] * rough(part.shape[1])
        assert right[:, first : last + 1] == pytest.approx(np.linalg.solve(matrix, (part[0] * part[1:]).T).T)


def test_windows_lie_around_lines_and_do_not_overlap():
    n = 2000
    line, weight, windows = np.zeros(n), np.ones(n), np.zeros((n // REACH + 2, 2), dtype=np.intp)
    line[[20, 700, 700 + 2 * REACH, 1500]] = 100.0
    line[1100] = 1.0
    found = windows[: windows_of(line, np.zeros(n), weight, windows)]
    assert found.tolist() == [[0, 20 + REACH], [700 - REACH, 700 + 3 * REACH], [1500 - REACH, 1500 + REACH]]
    weight[:] = 0.0
    assert windows_of(line, np.zeros(n), weight, windows) == 0


def test_windows_everywhere_have_room():
    n = 2048
    rng = np.random.default_rng(2)
    windows = np.zeros((n // REACH + 2, 2), dtype=np.intp)
    for every in range(1, 2 * REACH + 3):
        line = np.zeros(n)
        line[int(rng.integers(0, every)) :: every] = 1.0
        if (line > 0).sum() < 400:
            found = windows[: windows_of(line, np.zeros(n), np.ones(n), windows)]
            assert (found[:, 1] >= found[:, 0]).all()
            assert (found[1:, 0] > found[:-1, 1]).all()
