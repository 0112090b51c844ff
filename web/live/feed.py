"""Where the hub's events come from: Kafka at once, PostgreSQL for whatever Kafka did not bring.

The relay numbers an event in the table ``status_event`` before it publishes it, so the table is complete and
a broker that is away makes the feed slower, never wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from paws.database import DATABASE_TROUBLES, Pool
from paws.log import get_logger
from paws.settings import Settings
from schemas.topics import STATUS_EVENTS
from web.live.hub import MEMORY, Hub, Step, Whose
from web.live.whose import WhoseDesk
from web.storage.status import event_bounds, events_after

log = get_logger(__name__)

_PAGE: Final = 500
_POLL: Final = 1.0
"""Seconds between looks into the table while the broker brings events."""
_POLL_ALONE: Final = 0.25
"""The same while it does not."""
_FETCH_WAIT_MS: Final = 20
"""Embedded brokers wait this out whenever there is nothing new; it bounds the feed's delay."""
_BACKOFF: Final = (0.5, 1.0, 2.0, 5.0)
_BROKER_DEADLINE: Final = 15.0


@dataclass
class FeedState:
    """How the feed is doing, for the health page.

    Attributes
    ----------
    broker, database
        None while all is well, else what is wrong.
    """

    broker: str | None = "not connected yet"
    database: str | None = "not read yet"


class Feed:
    """Keeps a hub up to date. Start it with `run`; it ends when it is cancelled.

    Parameters
    ----------
    settings, pool, hub
        The process's own.
    whose
        Tells whom events concern.
    """

    def __init__(self, settings: Settings, pool: Pool, hub: Hub, whose: WhoseDesk) -> None:
        self.state = FeedState()
        self._settings = settings
        self._pool = pool
        self._hub = hub
        self._whose = whose
        self._hurry = asyncio.Event()

    async def begin(self) -> None:
        """Fill the hub's memory from the table.

        Raises
        ------
        One of DATABASE_TROUBLES
            If the database does not answer.
        """
        oldest, newest = await event_bounds(self._pool)
        self._hub.restart_at(max(oldest - 1, newest - MEMORY, 0))
        await self.catch_up()

    async def run(self) -> None:
        """Follow the broker and the table."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_table())
            if self._settings.broker_url:
                group.create_task(self._follow_broker())
            else:
                self.state.broker = "no broker is set: the feed reads the database alone"

    async def catch_up(self) -> None:
        """Take what the table has and the hub has not."""
        while True:
            rows = await events_after(self._pool, self._hub.newest, _PAGE)
            for event, whose in zip(rows, await self._whose.of(rows), strict=True):
                if self._hub.accept(event, whose) is Step.GAP:
                    # The table is gapless but for its pruned beginning, which this hub slept through.
                    log.warning("status events were pruned before they were read", next=event["seq"])
                    self._hub.restart_at(int(event["seq"]) - 1)
                    self._hub.accept(event, whose)
            if len(rows) < _PAGE:
                break

    async def _follow_table(self) -> None:
        while True:
            self._hurry.clear()
            try:
                await self.catch_up()
                # While the table is asked, the broker may bring what is newer than the answer.
                known = self._hub.newest
                newest = (await event_bounds(self._pool))[1]
                if newest < known:
                    log.warning("the status feed is numbered anew", before=known, now=newest)
                    self._hub.restart_at(newest)
                self.state.database = None
            except DATABASE_TROUBLES as error:
                if self.state.database is None:
                    log.warning("the status feed cannot read the database", error=repr(error))
                self.state.database = f"the database does not answer: {error or type(error).__name__}"
            wait = _POLL if self.state.broker is None else _POLL_ALONE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait)

    async def _follow_broker(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
            except (KafkaError, OSError, TimeoutError) as error:
                if self.state.broker is None or failures == 0:
                    log.warning("the status feed lost the broker; reading the database", error=repr(error))
                self.state.broker = f"the broker does not answer: {error or type(error).__name__}"
            raise_if_cancelled()
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            failures = 0 if self.state.broker is None else failures + 1

    async def _listen(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.require_broker(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=int(_BROKER_DEADLINE * 1000),
        )
        partition = TopicPartition(self._settings.topic(STATUS_EVENTS.name), 0)
        try:
            await asyncio.wait_for(consumer.start(), _BROKER_DEADLINE)
            # To touch a topic before the worker declares it may create it, with the broker's number of partitions.
            if partition.topic not in await asyncio.wait_for(consumer.topics(), _BROKER_DEADLINE):
                raise UnknownTopicOrPartitionError(f"{partition.topic} is not declared yet")
            consumer.assign([partition])
            await asyncio.wait_for(consumer.seek_to_end(partition), _BROKER_DEADLINE)
            self.state.broker = None
            log.info("the status feed follows the broker")
            while True:
                batches = await consumer.getmany(partition, timeout_ms=1000)
                for message in batches.get(partition, ()):
                    await self._take(message.value)
                if not batches:
                    await self._check_broker(consumer)
        finally:
            await _stop(consumer)

    async def _check_broker(self, consumer: Any) -> None:
        """Ask the broker something: `getmany` stays silent when the broker is gone."""
        await asyncio.wait_for(consumer.topics(), _BROKER_DEADLINE)

    async def _take(self, message: bytes | None) -> None:
        try:
            event = orjson.loads(message or b"")
            step = self._hub.accept(event, await self._concerns(event))
        except (KeyError, TypeError, ValueError) as error:
            log.warning("a message of the status topic is no status event", error=repr(error))
            return
        if step is Step.GAP:
            self._hurry.set()

    async def _concerns(self, event: Any) -> Whose | None:
        if int(event["seq"]) != self._hub.newest + 1:
            return None  # not taken now
        try:
            return (await self._whose.of([event]))[0]
        except DATABASE_TROUBLES as error:
            log.warning("whom an event concerns cannot be told now", error=repr(error))
            return None


async def _stop(consumer: Any) -> None:
    """Stop a consumer, whatever it says.

    In a task of its own, because after the loss of the broker it hands out the CancelledError of a task that
    it cancelled itself, which would end the caller as if someone had asked for that.
    """
    closing = asyncio.create_task(consumer.stop())
    await asyncio.wait({closing}, timeout=5.0)
    if closing.done() and not closing.cancelled() and closing.exception() is not None:
        log.debug("the consumer did not stop well", error=repr(closing.exception()))


def raise_if_cancelled() -> None:
    """End a task that was asked to end, though a library took that for an error of its own.

    A connection that is being made, and fails at the moment at which its task is cancelled, hands out the failure
    alone; the task would go on, and the process with it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def supervise(work: Callable[[], Awaitable[None]]) -> None:
    """Run work that should never end; log and start again when it fails all the same."""
    while True:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a task of the web server failed; starting it again")
        await asyncio.sleep(1.0)
