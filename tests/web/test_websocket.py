from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from paws.database import prepare_connection
from tests.support.night_plan import NIGHT
from tests.support.night_rows import change_frame
from tests.support.servers import closed
from tests.web.conftest import Site, serving, until

CLIENTS = 100
CHANGES = 45


async def take(socket: ClientConnection) -> dict[str, Any]:
    return dict(orjson.loads(await asyncio.wait_for(socket.recv(), 120)))


@pytest.fixture
async def connection(own_site: Site) -> AsyncIterator[Any]:
    """The writer's connection to the night's database."""
    found = await asyncpg.connect(own_site.settings.require_database())
    await prepare_connection(found)
    yield found
    await found.close()


async def follow(address: str, until: int, joined: asyncio.Semaphore) -> tuple[list[int], dict[str, str]]:
    """A client as the page is one: numbers of the events received, and the state of each frame at the end."""
    async with connect(f"ws://{address}/ws/status?night={NIGHT}") as socket:
        snapshot = await take(socket)
        assert snapshot["type"] == "snapshot"
        states = {frame["frame_id"]: frame["reason"] for frame in snapshot["frames"]}
        seq, numbers = snapshot["seq"], []
        joined.release()
        while seq < until:
            message = await take(socket)
            if message["type"] == "delta":
                assert message["seq"] == message["event"]["seq"]
                seq = message["seq"]
                numbers.append(seq)
                states[message["event"]["entity_id"]] = message["event"]["payload"]["reason"]
        return numbers, states


async def test_hundred_clients_miss_nothing_though_one_never_reads(own_site: Site, connection: Any) -> None:
    frames = [frame.frame_id for frame in own_site.rows.frames.values()]
    async with serving(own_site.settings) as (address, app):
        start = app.state.web.hub.newest
        joined = asyncio.Semaphore(0)
        host, port = address.split(":")
        # A client that shakes hands and never reads again.
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(
            f"GET /ws/status HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await writer.drain()
        assert b"101" in await reader.readline()
        tasks = [asyncio.create_task(follow(address, start + CHANGES, joined)) for _ in range(CLIENTS)]
        for number in range(CHANGES):
            if number == 15:  # the first third arrives while clients are still joining
                for _ in tasks:
                    await joined.acquire()
            await change_frame(connection, frames[number % 7], "waiting", f"change {number}")
        results = await asyncio.gather(*tasks)
        await closed(writer)

    last = {frames[number % 7]: f"change {number}" for number in range(CHANGES)}
    for numbers, states in results:
        assert numbers == list(range(start + CHANGES - len(numbers) + 1, start + CHANGES + 1)), "a gap"
        assert len(numbers) >= CHANGES - 15
        assert {frame: states[frame] for frame in last} == last


async def test_client_that_stops_reading_is_resynchronised(own_site: Site, connection: Any) -> None:
    settings = own_site.settings.model_copy(update={"web_queue": 8})
    frame = own_site.frame(14)
    async with (
        serving(settings) as (address, app),
        connect(f"ws://{address}/ws/status?night={NIGHT}", max_queue=1, max_size=None) as socket,
    ):
        assert (await take(socket))["type"] == "snapshot"
        (client,) = app.state.web.hub._clients
        # Large events, so that what the network buffers is soon full.
        async with asyncio.timeout(120):
            for number in itertools.count():
                await change_frame(connection, frame, "waiting", f"{number:02d}" + "x" * 500_000)
                await asyncio.sleep(0.02)
                if client.behind:
                    break
        await change_frame(connection, frame, "waiting", "the last word")
        kinds, told = [], ""
        while told != "the last word":
            message = await take(socket)
            kinds.append(message["type"])
            if message["type"] == "delta":
                told = message["event"]["payload"]["reason"]
            elif message["type"] == "snapshot":
                told = next(one["reason"] for one in message["frames"] if one["frame_id"] == frame)

    assert "resync" in kinds
    assert kinds[kinds.index("resync") + 1] == "snapshot"


async def test_return_after_a_break_continues_without_a_snapshot(own_site: Site, connection: Any) -> None:
    async with serving(own_site.settings) as (address, _app):
        async with connect(f"ws://{address}/ws/status?night={NIGHT}") as socket:
            seq = (await take(socket))["seq"]
        for number in range(3):
            await change_frame(connection, own_site.frame(), "waiting", f"change {number}")
        async with connect(f"ws://{address}/ws/status?night={NIGHT}&since={seq}") as socket:
            messages = []
            while len([item for item in messages if item["type"] == "delta"]) < 3:
                messages.append(await take(socket))
        async with connect(f"ws://{address}/ws/status?night={NIGHT}&since=999999") as socket:
            assert (await take(socket))["type"] == "snapshot", "a number from another life"

    assert "snapshot" not in {item["type"] for item in messages}
    assert [item["seq"] for item in messages if item["type"] == "delta"] == [seq + 1, seq + 2, seq + 3]


async def test_other_sites_and_wrong_questions_are_refused(site: Site) -> None:
    async with serving(site.settings) as (address, app):
        for origin in ("http://evil.example", "null"):
            with pytest.raises(websockets.InvalidStatus):
                async with connect(f"ws://{address}/ws/status", origin=origin):  # type: ignore[arg-type]  # origins are texts
                    pass
        for query in ("night=tonight", "since=-1", "token=1"):
            with pytest.raises(websockets.InvalidStatus):
                async with connect(f"ws://{address}/ws/status?{query}"):
                    pass
        async with connect(f"ws://{address}/ws/status", origin=f"http://{address}") as socket:  # type: ignore[arg-type]  # origins are texts
            assert (await take(socket))["night"] == NIGHT
            assert app.state.web.hub.clients == 1
        await until(lambda: app.state.web.hub.clients == 0, "a client that left is counted")


async def test_new_numbering_reaches_clients_as_a_snapshot(own_site: Site, connection: Any) -> None:
    async with (
        serving(own_site.settings) as (address, _app),
        connect(f"ws://{address}/ws/status?night={NIGHT}") as socket,
    ):
        await take(socket)
        await connection.execute("DELETE FROM status_event WHERE seq > 5")
        kinds = [(await take(socket))["type"] for _ in range(2)]
        assert kinds == ["resync", "snapshot"]
