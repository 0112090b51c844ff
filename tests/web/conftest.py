"""A half-reduced night in a database of its own, and ways to ask the web application about it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from paws.accounts import passwords
from paws.settings import Settings, load_settings
from tests.support.night_rows import NightRows, write_night
from tests.support.people import CHEAP, House, house_of, populate
from tests.support.postgres import TEMPLATE, DatabaseServer, run_sql
from web.app import create_app
from web.server import bind, configure

HOUSE = "web_house"
_houses = itertools.count(1)


@dataclass
class Site:
    """A database with a night, and the settings that lead to it."""

    settings: Settings
    rows: NightRows

    def product(self, run: int = 8, arm: str = "blue", kind: str = "object", version: int = 1) -> str:
        return self.rows.products[f"{run}/{arm}/{kind}/{version}"]

    def frame(self, run: int = 8, arm: str = "blue") -> str:
        return self.rows.frames[run, arm].frame_id


@pytest.fixture(scope="session")
def site(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The night, shared by all tests that change nothing."""
    name = "web_shared_night"
    asyncio.run(run_sql(database_server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("web") / "data", database_url=database_server.url(name)
    )
    return Site(settings, asyncio.run(write_night(settings)))


@pytest.fixture
def own_site(database: Settings) -> Site:
    """The night, for a test that changes it."""
    return Site(database, asyncio.run(write_night(database)))


@pytest.fixture
def hostile_site(database: Settings) -> Site:
    """The night, with markup wherever a header or a person may have put it."""
    return Site(database, asyncio.run(write_night(database, hostile=True)))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[Starlette, httpx.AsyncClient]]:
    """The application without a server, and a client that talks to it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://paws") as client,
    ):
        yield app, client


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with running(site.settings) as (_app, found):
        yield found


async def until(so: Callable[[], object], what_else: str) -> None:
    """Wait for what the application does by itself; fails with what is the case instead."""
    for _ in range(6000):
        if so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what_else)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[str, Starlette]]:
    """The application behind its real server on a free port: ``host:port`` and the application."""
    settings = settings.model_copy(update={"web_port": 0})
    config = configure(settings)
    listener = bind(settings)
    server = uvicorn.Server(config)
    # The test's own handlers stay.
    server.capture_signals = nullcontext  # type: ignore[method-assign]  # uvicorn offers no other way
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            if task.done():
                task.result()
                raise RuntimeError("the server ended at once")
        yield f"127.0.0.1:{listener.getsockname()[1]}", config.app  # type: ignore[misc]  # it is ours
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 60)
        listener.close()


@pytest.fixture(scope="session")
def shared_out(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The night shared out among two proposals, with people: copied by each test that needs it."""
    asyncio.run(run_sql(database_server, f"CREATE DATABASE {HOUSE} TEMPLATE {TEMPLATE}"))
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("house") / "data", database_url=database_server.url(HOUSE)
    )
    rows = asyncio.run(write_night(settings))
    asyncio.run(populate(settings))
    return Site(settings, rows)


@pytest.fixture
async def house(
    shared_out: Site, database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """The application with accounts, in front of a copy of the night."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords._hash_of_nothing.cache_clear()
    name = f"{HOUSE}_{next(_houses)}"
    await run_sql(database_server, f"CREATE DATABASE {name} TEMPLATE {HOUSE}")
    settings = shared_out.settings.model_copy(update={"database_url": SecretStr(database_server.url(name))})
    async with house_of(settings, shared_out.rows) as found:
        yield found
    passwords._hash_of_nothing.cache_clear()
    await run_sql(database_server, f"DROP DATABASE {name} WITH (FORCE)")
