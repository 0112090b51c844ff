"""Fixtures that the tests of several agents share."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest

from paws.database import Pool, open_pool
from paws.settings import Settings
from tests.support.rawfiles import raw_frame


@pytest.fixture
async def pool(database: Settings) -> AsyncIterator[Pool]:
    """Connections to an empty, migrated database."""
    async with open_pool(database) as pool:
        yield pool


@pytest.fixture(scope="module")
def raw_field(tmp_path_factory):
    """Flat, arc and two exposures of one field and arm."""
    folder = tmp_path_factory.mktemp("raw")
    paths = []
    for run, kind in enumerate(("MFFFF", "MFARC", "MFOBJECT", "MFOBJECT"), start=1):
        path = folder / f"12mar1{run:04d}.fits"
        path.write_bytes(raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, EXPOSED=30.0))
        paths.append(path)
    yield paths
    shutil.rmtree(folder)
