"""A half-reduced night of two proposals, with people, in front of which the services of the Virtual Observatory stand.

What there is to be seen: spectra and frames of the field `people.MY_FIELD` (proposal `people.MINE`: mia) and of
`people.THEIR_FIELD` (`people.THEIRS`: theo and lea). Nothing is public; root sees everything.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from paws.accounts import passwords
from paws.settings import load_settings
from tests.support.night_rows import write_night
from tests.support.people import CHEAP, PASSWORD, House, house_of, populate
from tests.support.postgres import TEMPLATE, DatabaseServer, run_sql
from tests.web.conftest import Site

DATABASE = "vo_shared_night"


@pytest.fixture(scope="session")
def vo_site(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The night, shared by all tests: they read it, and leave jobs behind."""
    asyncio.run(run_sql(database_server, f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}"))
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("vo") / "data", database_url=database_server.url(DATABASE)
    )
    rows = asyncio.run(write_night(settings))
    asyncio.run(populate(settings))
    return Site(settings, rows)


@pytest.fixture
async def vo(vo_site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """The application with accounts, in front of the shared night."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords._hash_of_nothing.cache_clear()
    async with house_of(vo_site.settings, vo_site.rows) as found:
        # The clock stands still: tries of other tests would count for ever.
        await found.pool.execute("DELETE FROM attempt")
        yield found
    passwords._hash_of_nothing.cache_clear()


def as_program(house: House, name: str | None = None, address: str = "192.0.2.7") -> httpx.AsyncClient:
    """A program: of somebody, by name and password, or of nobody."""
    if name is None:
        return house.browser(address)
    secret = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return house.browser(address, Authorization=f"Basic {secret}")
