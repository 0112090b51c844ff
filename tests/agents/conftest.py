"""Fixtures that the tests of several agents share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from paws.database import Pool, open_pool
from paws.settings import Settings


@pytest.fixture
async def pool(database: Settings) -> AsyncIterator[Pool]:
    """Connections to an empty, migrated database."""
    async with open_pool(database) as pool:
        yield pool
