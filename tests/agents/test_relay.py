from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import orjson
import pytest

from agents.relay import storage
from agents.relay.relay import Relay
from agents.relay.service import STATUS_FEED_KEPT, STATUS_OUTBOX_KEPT
from paws.clock import utc_now
from paws.database import connect
from paws.errors import ServiceUnavailableError
from paws.outbox import announce, status
from schemas.events import FrameJunked
from tests.support.reductions import AT, NIGHT


class FakeBroker:
    """What stays when publishers come and go: topics, and an incarnation."""

    def __init__(self) -> None:
        self.incarnation = "one"
        self.messages: dict[str, list[dict]] = {}
        self.away = False
        self.fail_after: int | None = None
        self.opened = 0
        self.arrived = asyncio.Event()

    def forget(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self.messages = {}

    def all(self, topic: str) -> list[dict]:
        return self.messages.get(topic, [])


class FakePublisher:
    def __init__(self, broker: FakeBroker) -> None:
        self.broker = broker

    async def open(self) -> str:
        if self.broker.away:
            raise ServiceUnavailableError("The broker is away.")
        self.broker.opened += 1
        return self.broker.incarnation

    async def publish(self, rows):
        offsets = []
        for row in rows:
            if self.broker.away or self.broker.fail_after == 0:
                self.broker.fail_after = None
                raise ServiceUnavailableError("The broker went away.")
            if self.broker.fail_after is not None:
                self.broker.fail_after -= 1
            log = self.broker.messages.setdefault(row.topic, [])
            log.append(orjson.loads(row.payload))
            offsets.append(len(log) - 1)
        self.broker.arrived.set()
        return offsets

    async def close(self) -> None:
        pass


@pytest.fixture
def broker():
    return FakeBroker()


@contextlib.asynccontextmanager
async def running(database, broker, count=1):
    tasks = [
        asyncio.create_task(Relay(database, make_publisher=lambda _: FakePublisher(broker)).run())
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_numbers = itertools.count()


def junked(night=NIGHT):
    number = next(_numbers)
    return FrameJunked(
        event_id=f"junk {number}", night=night, at=AT, frame_id=f"f{number}", junked=True, reason="x", who="y"
    )


def changed(number, at=AT):
    return status("frame", f"f{number}", "queued", NIGHT, at, {"number": number})


async def tell(pool, *events):
    async with pool.acquire() as connection, connection.transaction():
        await announce(connection, events)


async def until(condition, deadline=60.0):
    async with asyncio.timeout(deadline):
        while not condition():  # noqa: ASYNC110 - what is waited for lies behind a database
            await asyncio.sleep(0.005)


async def until_all_published(pool, deadline=60.0):
    async with asyncio.timeout(deadline), pool.acquire() as connection:
        while await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"):  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.005)


async def test_events_are_published_in_order_and_status_is_numbered(database, pool, broker):
    await tell(pool, changed(0), junked(), changed(1))
    async with running(database, broker):
        await until(lambda: len(broker.all("status.events")) == 2)
        await tell(pool, *(changed(number) for number in range(2, 700)))
        await until_all_published(pool)
    feed = broker.all("status.events")
    assert [event["seq"] for event in feed] == list(range(1, 701))
    assert [event["payload"]["number"] for event in feed] == list(range(700))
    assert len(broker.all("frames.junked")) == 1
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0
        assert await connection.fetchval("SELECT max(seq) FROM status_event") == 700


async def test_rows_that_become_visible_late_are_not_skipped(database, pool, broker):
    async with running(database, broker), pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await announce(slow, [changed("early")])  # has the lower number, and is not visible yet
        await tell(pool, changed("late"))
        await until(lambda: len(broker.all("status.events")) == 1)
        await transaction.commit()
        await until(lambda: len(broker.all("status.events")) == 2)
    assert [event["payload"]["number"] for event in broker.all("status.events")] == ["late", "early"]
    assert [event["seq"] for event in broker.all("status.events")] == [1, 2]


async def test_only_one_of_two_relays_publishes(database, pool, broker):
    async with running(database, broker, count=2):
        await tell(pool, *(changed(number) for number in range(50)))
        await until(lambda: len(broker.all("status.events")) == 50)
        await asyncio.sleep(0.2)
    assert broker.opened == 1
    assert len(broker.all("status.events")) == 50


async def test_a_broker_that_goes_away_in_the_middle_loses_nothing(database, pool, broker):
    broker.fail_after = 10
    await tell(pool, *(changed(number) for number in range(30)))
    async with running(database, broker):
        await until(lambda: {event["seq"] for event in broker.all("status.events")} == set(range(1, 31)))
    # At least once: some came twice, always under the same number.
    by_number = {(event["payload"]["number"], event["seq"]) for event in broker.all("status.events")}
    assert len(by_number) == 30


async def test_a_broker_that_is_away_at_first_is_waited_for(database, pool, broker):
    broker.away = True
    await tell(pool, changed(0))
    async with running(database, broker):
        await asyncio.sleep(0.3)
        broker.away = False
        await until(lambda: len(broker.all("status.events")) == 1)


async def test_a_lost_database_connection_is_made_again(database, pool, broker):
    async with running(database, broker):
        await tell(pool, changed(0))
        await until(lambda: len(broker.all("status.events")) == 1)
        async with pool.acquire() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database() AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
            )
        await tell(pool, changed(1))
        # What was published just before may come again, under its number.
        await until(lambda: {event["seq"] for event in broker.all("status.events")} == {1, 2})


async def test_a_new_incarnation_is_given_the_state_again_before_what_is_new(database, pool, broker):
    settings = database.model_copy(update={"match_run_nights": 3})
    old, recent = junked("20260301"), junked("20260310")
    await tell(pool, old, recent, changed(0))
    async with running(settings, broker):
        await until_all_published(pool)
    broker.forget("two")
    newest = junked()
    await tell(pool, newest)
    async with running(settings, broker):
        await until_all_published(pool)
    assert [event["event_id"] for event in broker.all("frames.junked")] == [recent.event_id, newest.event_id]
    # What people watched is not shown again; they are told why the state was published again.
    (notice,) = broker.all("status.events")
    assert (notice["entity_id"], notice["state"]) == ("broker:memory", "new")
    assert "published again" in notice["payload"]["text"]
    async with running(settings, broker):
        await asyncio.sleep(0.2)
    assert len(broker.all("frames.junked")) == 2


async def test_memory_lost_behind_its_back_is_noticed(database, pool, broker):
    async with running(database, broker):
        await tell(pool, junked(), junked())
        await until(lambda: len(broker.all("frames.junked")) == 2)
        broker.forget("one")  # the same name: an operator emptied the topics
        await tell(pool, junked())
        await until(lambda: len({event["event_id"] for event in broker.all("frames.junked")}) == 3)


async def test_old_events_are_forgotten_but_the_numbering_goes_on(database, pool, broker):
    long_ago = utc_now() - STATUS_FEED_KEPT - STATUS_OUTBOX_KEPT
    await tell(pool, changed(0, long_ago), changed(1, long_ago), junked())
    async with running(database, broker):
        await until_all_published(pool)
    connection = await connect(database)
    try:
        await connection.execute("UPDATE outbox SET published_at = $1", utc_now() - 2 * STATUS_OUTBOX_KEPT)
        assert await storage.prune(connection, utc_now()) >= 2
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 1
        assert await connection.fetchval("SELECT array_agg(seq) FROM status_event") == [2]
    finally:
        await connection.close()
    await tell(pool, changed(2))
    async with running(database, broker):
        await until(lambda: len(broker.all("status.events")) == 3)
    assert broker.all("status.events")[-1]["seq"] == 3


@pytest.mark.benchmark
async def test_latency_from_commit_to_producer(database, pool, broker, capsys):
    waits = []
    async with running(database, broker):
        await tell(pool, changed(0))
        await until(lambda: broker.all("status.events"))
        for number in range(1, 60):
            broker.arrived.clear()
            await tell(pool, changed(number))
            start = time.perf_counter()
            await broker.arrived.wait()
            waits.append(time.perf_counter() - start)
    waits.sort()
    with capsys.disabled():
        print(f"\nrelay: commit to producer p50 {1e3 * waits[30]:.1f} ms, p95 {1e3 * waits[56]:.1f} ms")
    assert len(waits) == 59
