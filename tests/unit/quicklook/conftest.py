"""A synthetic chip with its flat and tramline map, made once for all tests that look at it."""

from __future__ import annotations

import numpy as np
import pytest

from quicklook.tramlines import find_tramlines
from quicklook.types import Image, Tramlines
from tests.unit.quicklook.chip import Chip, as_image, flat_electrons, make_chip, render


@pytest.fixture(scope="session")
def chip() -> Chip:
    return make_chip(192, permuted=True)


@pytest.fixture(scope="session")
def flat(chip: Chip) -> Image:
    return as_image(render(chip, flat_electrons(chip), scattered=30.0), chip)


@pytest.fixture(scope="session")
def tramlines(flat: Image) -> Tramlines:
    return find_tramlines(flat)


@pytest.fixture(scope="session")
def science_electrons(chip: Chip) -> np.ndarray:
    """Objects of very different brightness on a sky with lines; (400, columns)."""
    rng = np.random.default_rng(9)
    level = 10 ** rng.uniform(0.5, 4.3, 400)
    x = np.arange(chip.n_columns)
    lines = sum(np.exp(-0.5 * ((x - c) / 1.45) ** 2) for c in np.arange(30, chip.n_columns, 61.3))
    sky = 60 + 3000 * lines
    return (level[:, None] * (1 + 0.3 * np.sin(x / 40.0))[None, :] + sky[None, :]) * chip.lit[:, None]
