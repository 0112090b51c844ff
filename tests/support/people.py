"""A night of two proposals, people with accounts, and browsers without a screen for them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
from argon2 import PasswordHasher
from starlette.applications import Starlette

from paws.accounts import groups, people
from paws.accounts.audit import COMMAND_LINE
from paws.database import prepare_connection
from paws.settings import Settings
from tests.support.night_rows import NightRows
from web.app import create_app

MINE = "A/2026A/008"
THEIRS = "B/2026A/020"
THEIR_FIELD = "SGP0344_deep"
MY_FIELD = "FLD195_v03"
PASSWORD = "three blue fibres"
NOW = datetime(2026, 3, 13, 2, 0, tzinfo=UTC)
URL = "http://paws"

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Turned:
    """A clock that tests turn."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class House:
    """The application with accounts, in front of a night of two proposals."""

    app: Starlette
    settings: Settings
    rows: NightRows
    clock: Turned
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def pool(self) -> Any:
        return self.app.state.web.pool

    def browser(self, address: str = "192.0.2.7", **headers: str) -> httpx.AsyncClient:
        """A browser of its own, with its own cookies."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 40000))
        client = httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)
        self.clients.append(client)
        return client

    async def person(self, name: str, address: str = "192.0.2.7") -> httpx.AsyncClient:
        """A browser in which somebody has signed in."""
        client = self.browser(address)
        answer = await sign_in(client, name)
        assert answer.status_code == 303, answer.text
        return client

    def frames_of(self, field_name: str) -> list[Any]:
        return [frame for frame in self.rows.frames.values() if frame.field == field_name]


def csrf_in(html: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', html)
    assert found, "the page has no form"
    return found.group(1)


async def sign_in(
    client: httpx.AsyncClient, name: str, password: str = PASSWORD, target: str = "/"
) -> httpx.Response:
    page = await client.get("/sign-in", params={"next": target})
    form = {"csrf": csrf_in(page.text), "name": name, "password": password, "next": target}
    return await client.post("/sign-in", data=form)


async def send(client: httpx.AsyncClient, path: str, page: str | None = None, **form: Any) -> httpx.Response:
    """Fill in a form of a page and send it."""
    token = csrf_in((await client.get(page or path)).text)
    return await client.post(path, data={"csrf": token, **form})


async def sees(client: httpx.AsyncClient) -> int:
    """Number of frames that somebody sees."""
    return int((await client.get("/api/frames?limit=1")).json()["total"])


async def make_token(client: httpx.AsyncClient, **form: Any) -> httpx.Response:
    """Fill in the form for a token."""
    return await send(
        client, "/account/tokens", "/account", **{"name": "script", "scope": "read", "days": "30", **form}
    )


def shown(html: str) -> str:
    """Token or link on the page that shows it once."""
    found = re.search(r'value="(paws_[\w-]+|http://paws/[^"]+)" data-select', html)
    assert found
    return found.group(1)


async def populate(settings: Settings) -> None:
    """Share the night out among two proposals, and make accounts."""
    connection = await asyncpg.connect(settings.require_database())
    await prepare_connection(connection)
    try:
        async with connection.transaction():
            await connection.execute("UPDATE frame SET proposal = $1 WHERE field = $2", THEIRS, THEIR_FIELD)
            await connection.execute(
                "UPDATE observing_log SET proposal = $1 WHERE field = $2", THEIRS, THEIR_FIELD
            )
            hashed = CHEAP.hash(PASSWORD)
            for name, administrator in (("root", True), ("mia", False), ("theo", False), ("lea", False)):
                await people.add(
                    connection,
                    COMMAND_LINE,
                    name,
                    email=f"{name}@example.org",
                    administrator=administrator,
                    password_hash=hashed,
                )
            for proposal, name, role in (
                (MINE, "mia", "leader"),
                (THEIRS, "theo", "leader"),
                (THEIRS, "lea", "member"),
            ):
                await groups.add(connection, COMMAND_LINE, proposal)
                account = await people.by_name(connection, name)
                assert account is not None
                await groups.put_member(connection, COMMAND_LINE, proposal, account, role)  # type: ignore[arg-type]  # role is one of the three
    finally:
        await connection.close()


@asynccontextmanager
async def house_of(settings: Settings, rows: NightRows) -> AsyncIterator[House]:
    """The application with accounts."""
    settings = settings.model_copy(update={"access": "accounts", "web_url": URL})
    app = create_app(settings)
    clock = Turned()
    app.state.web.clock = clock
    async with app.router.lifespan_context(app):
        house = House(app, settings, rows, clock)
        try:
            yield house
        finally:
            for client in house.clients:
                await client.aclose()
