"""The relay's way into the embedded broker, and what happens when that loses its memory."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from agents.app import declare_topics
from agents.relay.relay import Relay
from paws.clock import utc_now
from paws.database import open_pool
from paws.embedded.broker import EmbeddedBroker
from paws.embedded.supervisor import Supervisor
from paws.outbox import announce, status
from schemas.events import Event, FrameJunked, parse_event

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NIGHT = "20260312"
DEADLINE = 120.0


@pytest.fixture
def data():
    with tempfile.TemporaryDirectory(prefix="paws-test-", dir="/tmp") as folder:
        yield Path(folder)


@contextlib.asynccontextmanager
async def started(data):
    """A broker with a memory of its own, until the end of the block."""
    broker = EmbeddedBroker(data)
    async with Supervisor(data) as supervisor:
        await supervisor.start(broker.process_spec())
        yield broker


@contextlib.asynccontextmanager
async def relayed(settings):
    """A relay that publishes into a broker, and a consumer of all that is there."""
    await declare_topics(settings)
    relay = asyncio.create_task(Relay(settings).run())
    consumer = AIOKafkaConsumer(
        *("frames.junked", "status.events"),
        bootstrap_servers=settings.require_broker(),
        auto_offset_reset="earliest",
        fetch_max_wait_ms=10,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)


async def read(consumer, count, kind=Event):
    """Events of a kind; others may come between them at any time."""
    events = []
    async with asyncio.timeout(DEADLINE):
        while len(events) < count:
            event = parse_event((await consumer.getone()).value)
            events += [event] if isinstance(event, kind) else []
    return events


def junked(number):
    return FrameJunked(
        event_id=f"junk {number}",
        night=NIGHT,
        at=utc_now(),
        frame_id=f"f{number}",
        junked=True,
        reason="cloud",
        who="observer",
    )


async def tell(pool, *events):
    async with pool.acquire() as connection, connection.transaction():
        await announce(connection, events)


async def test_a_restarted_broker_is_told_the_state_again(database, data, capsys):
    async with open_pool(database) as pool:
        async with started(data) as broker:
            settings = database.model_copy(update={"broker_url": broker.url})
            async with relayed(settings) as consumer:
                await tell(
                    pool, junked(1), *(status("frame", "f1", "queued", NIGHT, utc_now()) for _ in range(3))
                )
                events = await read(consumer, 4)
                assert sorted(event.seq for event in events if event.event == "status") == [1, 2, 3]
                waits = []
                for number in range(40):
                    await tell(pool, status("frame", "f1", "running", NIGHT, utc_now(), {"number": number}))
                    start = time.perf_counter()
                    await read(consumer, 1)
                    waits.append(time.perf_counter() - start)
                waits.sort()
                with capsys.disabled():
                    print(
                        f"\nrelay through Tansu: commit to consumer p50 {1e3 * waits[20]:.0f} ms, p95 {1e3 * waits[37]:.0f} ms"
                    )
        async with started(data) as broker:
            settings = database.model_copy(update={"broker_url": broker.url})
            async with relayed(settings) as consumer:
                await tell(pool, junked(2))
                events = await read(consumer, 2, FrameJunked)
                assert [event.event_id for event in events] == ["junk 1", "junk 2"]
