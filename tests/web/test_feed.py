from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from paws.database import open_pool
from paws.settings import Settings
from schemas.topics import STATUS_EVENTS
from tests.chaos.brokers import make_topics
from tests.support.night_plan import NIGHT
from tests.support.night_rows import change_frame, write_night
from tests.support.sights import ALL
from web.live import feed as feed_module
from web.live.feed import Feed
from web.live.hub import Hub
from web.live.whose import WhoseDesk


async def until(condition: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - states of the feed are no events
            await asyncio.sleep(0.01)


async def test_table_alone_serves(database: Settings) -> None:
    rows = await write_night(database, with_files=False)
    hub = Hub()
    async with open_pool(database) as pool, pool.acquire() as connection:
        feed = Feed(database, pool, hub, WhoseDesk(pool, needed=False))
        await feed.begin()
        assert (hub.oldest, hub.newest) == (1, 30)
        task = asyncio.create_task(feed.run())
        client, _, _ = hub.join(NIGHT, None, 100, ALL)
        await change_frame(connection, rows.frames[14, "blue"].frame_id, "waiting", "still no arc")
        assert await client.wait(60)
        assert [delta.seq for delta in client.take()] == [31]
        assert feed.state.database is None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_pruned_events_send_clients_to_a_snapshot(database: Settings) -> None:
    await write_night(database, with_files=False)
    hub = Hub()
    async with open_pool(database) as pool:
        await pool.execute("DELETE FROM status_event WHERE seq < 10")
        feed = Feed(database, pool, hub, WhoseDesk(pool, needed=False))
        await feed.begin()
        assert (hub.oldest, hub.newest) == (10, 30)
        client, _, _ = hub.join(NIGHT, None, 100, ALL)
        await pool.execute("DELETE FROM status_event")
        await pool.execute(
            "INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)"
            " VALUES (40, 1, $1, 'notice', 'x', 'told', jsonb_build_object('night', $1::text), now())",
            NIGHT,
        )
        await feed.catch_up()
        assert hub.newest == 40
        assert client.behind


async def test_absent_broker_makes_the_feed_slower_and_not_wrong(database: Settings) -> None:
    rows = await write_night(database, with_files=False)
    settings = database.model_copy(update={"broker_url": "kafka://127.0.0.1:1"})
    hub = Hub()
    async with open_pool(settings) as pool, pool.acquire() as connection:
        feed = Feed(settings, pool, hub, WhoseDesk(pool, needed=False))
        await feed.begin()
        task = asyncio.create_task(feed.run())
        await change_frame(connection, rows.frames[14, "blue"].frame_id, "waiting", "still no arc")
        await until(lambda: hub.newest == 31)
        await until(lambda: "does not answer" in (feed.state.broker or ""))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.e2e
async def test_broker_brings_events_at_once_and_the_table_fills_gaps(
    database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paws.embedded.broker import EmbeddedBroker

    rows = await write_night(database, with_files=False)
    broker = EmbeddedBroker(tmp_path)
    broker._begin()
    process = await asyncio.create_subprocess_exec(
        *broker.command(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while not await broker.is_ready():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        settings = database.model_copy(update={"broker_url": broker.url})
        await make_topics(broker.address, [STATUS_EVENTS.name])
        producer = AIOKafkaProducer(bootstrap_servers=broker.address)
        await producer.start()
        hub = Hub()
        async with open_pool(settings) as pool, pool.acquire() as connection:
            feed = Feed(settings, pool, hub, WhoseDesk(pool, needed=False))
            await feed.begin()
            with monkeypatch.context() as patched:
                # The table is looked at once, and then when it is told to: it would take back what it does not have.
                patched.setattr(feed_module, "_POLL", 3600.0)
                patched.setattr(feed_module, "_POLL_ALONE", 3600.0)
                task = asyncio.create_task(feed.run())
                await until(lambda: feed.state.database is None and feed.state.broker is None)
            # The table does not have 31 and 32: only the broker can have brought them.
            for seq in (31, 32):
                event = b'{"seq":%d,"night":"20260312"}' % seq
                await producer.send_and_wait(STATUS_EVENTS.name, event, key=b"20260312")
            await until(lambda: hub.newest == 32)
            feed._hurry.set()
            await until(lambda: hub.newest == 30)
            await change_frame(connection, rows.frames[14, "blue"].frame_id, "waiting", "still no arc")
            await until(lambda: hub.newest == 31)
            await producer.send_and_wait(STATUS_EVENTS.name, b"no event at all")
            process.kill()
            await change_frame(connection, rows.frames[14, "red"].frame_id, "waiting", "no arc either")
            await until(lambda: hub.newest == 32)
            await until(lambda: feed.state.broker is not None)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.stop(), 5)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
