"""The feed by viewer: each gets what is theirs, nobody costs a question of the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import orjson
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from paws.access.rule import Sight, sees_all
from paws.accounts.secrets import digest, new_token
from paws.database import prepare_connection
from tests.support.night_plan import NIGHT
from tests.support.night_rows import change_frame, number_events
from tests.support.people import MINE, MY_FIELD, THEIR_FIELD, THEIRS, House
from tests.web.conftest import serving
from web.live.hub import Hub
from web.live.parts import read_parts
from web.live.whose import WhoseDesk
from web.storage.status import events_after

TODAY = date(2026, 3, 13)


@pytest.fixture
async def writer(house: House) -> AsyncIterator[Any]:
    found = await asyncpg.connect(house.settings.require_database())
    await prepare_connection(found)
    yield found
    await found.close()


async def token_of(house: House, name: str) -> dict[str, str]:
    token = new_token()
    await house.pool.execute(
        "INSERT INTO api_token (token_hash, hint, account_id, name, scopes, expires_at)"
        " SELECT $1, 'x', account_id, 'x', ARRAY['read'], 'infinity' FROM account WHERE name = $2",
        *(digest(token), name),
    )
    return {"Authorization": f"Bearer {token}"}


async def take(socket: ClientConnection) -> dict[str, Any]:
    return dict(orjson.loads(await asyncio.wait_for(socket.recv(), 120)))


@asynccontextmanager
async def watching(
    address: str, headers: dict[str, str], query: str = f"night={NIGHT}"
) -> AsyncIterator[Any]:
    async with connect(
        f"ws://{address}/ws/status?{query}", additional_headers=headers, max_size=None
    ) as socket:
        yield socket, await take(socket)


async def test_each_gets_what_is_theirs(house: House, writer: Any) -> None:
    mine, theirs = (house.frames_of(field)[0] for field in (MY_FIELD, THEIR_FIELD))
    tokens = {name: await token_of(house, name) for name in ("root", "lea")}
    async with (
        serving(house.settings) as (address, _app),
        watching(address, tokens["root"]) as (root, root_start),
        watching(address, tokens["lea"]) as (lea, lea_start),
        watching(address, {}) as (visitor, visitor_start),
    ):
        assert len(root_start["frames"]) == 30
        assert {frame["field"] for frame in lea_start["frames"]} == {"", THEIR_FIELD}
        assert (lea_start["seq"], lea_start["rejected"]) == (0, [])
        assert visitor_start["frames"] == []
        await change_frame(writer, mine.frame_id, "waiting", "a secret of ours")
        await change_frame(writer, theirs.frame_id, "waiting", "then taking 12mar10005 (L1)")
        first, second = await take(root), await take(root)
        assert [first["event"]["entity_id"], second["event"]["entity_id"]] == [mine.frame_id, theirs.frame_id]
        assert second["seq"] == first["seq"] + 1 == root_start["seq"] + 2
        assert second["event"]["payload"]["reason"] == "then taking 12mar10005 (L1)"
        message = await take(lea)
        assert message["event"]["entity_id"] == theirs.frame_id
        assert message["seq"] == message["event"]["seq"] == 1, "hidden events leave no gap"
        assert message["event"]["payload"]["reason"] == "then taking a frame of another programme (L1)"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(visitor.recv(), 0.5)


async def test_reductions_notices_and_files_are_kept_apart(house: House, writer: Any) -> None:
    job = await writer.fetchval("SELECT job_key FROM reduction WHERE $1 = ANY(owners) LIMIT 1", MINE)
    theirs = await writer.fetchval("SELECT job_key FROM reduction WHERE $1 = ANY(owners) LIMIT 1", THEIRS)
    tokens = await token_of(house, "lea")
    async with serving(house.settings) as (address, _app), watching(address, tokens) as (lea, _start):
        for entity, identifier in (
            ("reduction", job),
            ("notice", "process:worker"),
            ("file", "/raw/12mar10099.fits"),
            ("frame", "20260312-12mar10099-000000000000"),
            ("reduction", theirs),
        ):
            await writer.execute(
                "INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)"
                " SELECT max(seq) + 1, max(outbox_id) + 1000, $1, $2, $3, 'x', $4, now() FROM status_event",
                *(NIGHT, entity, identifier),
                {"night": NIGHT, "entity": entity, "entity_id": identifier, "state": "x", "payload": {}},
            )
        message = await take(lea)
        assert message["event"]["entity_id"] == theirs


async def test_who_is_shut_out_is_cut_off(house: House, writer: Any) -> None:
    tokens = await token_of(house, "lea")
    async with serving(house.settings) as (address, app), watching(address, tokens) as (lea, _start):
        await writer.execute("DELETE FROM membership WHERE proposal = $1", THEIRS)
        await app.state.web.sights.look()
        assert (await take(lea))["type"] == "resync"
        snapshot = await take(lea)
        assert {frame["field"] for frame in snapshot["frames"]} == {""}
        await writer.execute("UPDATE account SET disabled_at = now() WHERE name = 'lea'")
        await app.state.web.sights.look()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await take(lea)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        with pytest.raises(websockets.InvalidStatus):
            async with watching(address, tokens):
                pass


async def test_numbers_of_another_life_are_no_way_in(house: House) -> None:
    tokens = await token_of(house, "lea")
    async with serving(house.settings) as (address, _app):
        for query in (f"night={NIGHT}&since=0", "since=3", "night=20200101"):
            async with watching(address, tokens, query) as (_socket, start):
                assert start["type"] == "snapshot"
                assert start["seq"] == 0
                assert MY_FIELD not in str(start)


async def test_thousand_clients_cost_a_few_questions(house: House, writer: Any) -> None:
    """Ten kinds of viewers, a hundred each: one event is looked up once, a snapshot is read once."""
    groups = [frozenset({THEIRS}), frozenset({MINE}), frozenset({"*"}), frozenset()]
    sights = [
        Sight(False, one | extra, frozenset(), TODAY) for one in groups for extra in (frozenset(), {"C/1"})
    ]
    hub, asked = Hub(), 0

    class Counting:
        def __getattr__(self, name: str) -> Any:
            nonlocal asked
            asked += name.startswith("fetch") or name == "acquire"
            return getattr(house.pool, name)

    pool: Any = Counting()
    clients = [hub.join(NIGHT, None, 256, sights[number % len(sights)])[0] for number in range(1000)]
    everything = hub.join(NIGHT, None, 256, sees_all(TODAY))[0]
    frame = house.frames_of(THEIR_FIELD)[0]
    for number in range(20):
        await change_frame(writer, frame.frame_id, "waiting", f"change {number}")
    await number_events(writer)
    desk = WhoseDesk(pool, needed=True)
    events = await events_after(house.pool, 0, 500)
    for event, whose in zip(events, await desk.of(events), strict=True):
        hub.accept(event, whose)
    assert asked <= 2
    taken = [client.take() for client in clients]
    assert len(everything.take()) == len(events) == 50
    allowed = [len(found) for found in taken[: len(sights)]]
    assert allowed[0] == len(house.frames_of(THEIR_FIELD)) + 20
    assert allowed[2] == len(house.frames_of(MY_FIELD))
    assert allowed[6] == allowed[7] == 0
    asked = 0
    parts = await read_parts(pool, NIGHT)
    texts = {parts.text_for(client.sight) for client in clients}
    assert asked <= 3
    assert len(texts) == 4, "the same view is written once"
