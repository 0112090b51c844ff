"""The relay's loop: outbox to broker, at least once, in order, by one publisher at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agents.relay import storage
from agents.relay.publisher import KafkaPublisher, Publisher
from agents.relay.service import durable_topics, first_night, replay_decision, went_back
from agents.relay.storage import OutboxRow
from paws.clock import Clock, utc_now
from paws.database import DATABASE_TROUBLES, Connection, connect
from paws.errors import PawsError, RetriableError
from paws.log import get_logger
from paws.notices import announce_notice
from paws.outbox import OUTBOX_CHANNEL
from paws.settings import Settings
from schemas.topics import STATUS_EVENTS

log = get_logger(__name__)

POLL_INTERVAL = 0.5
"""Longest time until an unannounced row is found, s. PostgreSQL wakes us for the others."""

PRUNE_INTERVAL = 3600.0
RECONNECT_FIRST, RECONNECT_MOST = 0.2, 5.0
WORTH_TELLING = 2.0
"""Shorter interruptions of publishing are not told of, s."""


class BrokerForgotError(RetriableError):
    """A topic's offsets went back: the broker lost its memory while we were connected."""

    code = "broker_forgot"


@dataclass
class _Session:
    """One time as the publisher: a connection that holds the lock, and an open way into the broker."""

    connection: Connection
    publisher: Publisher
    wake: asyncio.Event
    offsets: dict[str, int] = field(default_factory=dict)
    last_prune: datetime | None = None


class Relay:
    """Publishes until it is cancelled, whatever goes away and comes back meanwhile.

    Parameters
    ----------
    make_publisher
        Makes the way into the broker, anew after every failure.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = utc_now,
        make_publisher: Callable[[Settings], Publisher] = KafkaPublisher,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._make_publisher = make_publisher
        self._forgot = False
        self._failures = 0
        self._away_since: datetime | None = None
        self._problem = ""

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            try:
                await self._be_publisher()
            except BrokerForgotError as error:
                self._forgot = True
                log.warning("publishing again what the broker forgot", reason=error.message)
            except (PawsError, *DATABASE_TROUBLES) as error:
                pause = min(RECONNECT_FIRST * 2**self._failures, RECONNECT_MOST)
                self._failures += 1
                self._away_since = self._away_since or self._clock()
                self._problem = str(error)
                log.warning("publishing is interrupted", error=str(error), pause=pause)
                await asyncio.sleep(pause)
            except Exception as error:
                # A fault of ours must not stop the feed for the rest of the night.
                self._failures += 1
                log.exception("publishing failed in an unexpected way", error=str(error))
                await asyncio.sleep(RECONNECT_MOST)

    async def _be_publisher(self) -> None:
        connection = await connect(self._settings)
        publisher = self._make_publisher(self._settings)
        session = _Session(connection, publisher, asyncio.Event())
        try:
            await connection.add_listener(OUTBOX_CHANNEL, lambda *_: session.wake.set())
            # The lock goes with the connection: whoever publishes holds it, and whoever loses it cannot go on.
            while not await storage.become_publisher(connection):  # noqa: ASYNC110 - no event tells of a free lock
                await asyncio.sleep(POLL_INTERVAL)
            incarnation = await publisher.open()
            await self._replay_if_new(session, incarnation)
            while True:
                await self._publish_all(session)
                await self._prune_sometimes(session)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(session.wake.wait(), POLL_INTERVAL)
        finally:
            await publisher.close()
            await _close(connection)

    async def _publish_all(self, session: _Session) -> None:
        while True:
            # Cleared before looking: what is announced while we look wakes us again.
            session.wake.clear()
            rows = await storage.next_batch(session.connection)
            if rows:
                await self._publish_batch(session, rows)
            await self._tell_return(session)
            if len(rows) < storage.BATCH:
                return

    async def _tell_return(self, session: _Session) -> None:
        """Publishing works. Let people know if it did not for a while: pages stood still meanwhile."""
        self._failures = 0
        since, self._away_since = self._away_since, None
        if since is None:
            return
        now = self._clock()
        seconds = (now - since).total_seconds()
        if seconds >= WORTH_TELLING:
            text = f"Nothing was published for {seconds:.0f} s: {self._problem[:300]} All of it follows now."
            await announce_notice(
                session.connection, self._settings, "publishing", "resumed", text, now, seconds=seconds
            )

    async def _publish_batch(self, session: _Session, rows: list[OutboxRow]) -> None:
        # The agents first, who work on: the numbering of what people watch waits for the disk.
        work = [row for row in rows if row.topic != STATUS_EVENTS.name]
        if work:
            await self._publish(session, work)
            await storage.mark_published(session.connection, work)
        watched = [row for row in rows if row.topic == STATUS_EVENTS.name]
        if watched:
            await self._publish(session, await storage.number(session.connection, watched))
            await storage.mark_published(session.connection, watched)

    async def _publish(self, session: _Session, rows: list[OutboxRow]) -> None:
        offsets = await session.publisher.publish(rows)
        for row, offset in zip(rows, offsets, strict=True):
            if offset is None:
                continue
            if went_back(session.offsets, row.topic, offset):
                raise BrokerForgotError(
                    f"Offset {offset} of {row.topic} follows {session.offsets[row.topic]}."
                )
            session.offsets[row.topic] = offset

    async def _replay_if_new(self, session: _Session, incarnation: str) -> None:
        decision = replay_decision(await storage.published_into(session.connection), incarnation)
        if decision.replay or self._forgot:
            count = await self._replay(session)
            log.warning("state published again", reason=decision.reason, events=count)
            text = (
                f"The broker had lost its memory; {count} events were published again. Nothing is done twice."
            )
            await announce_notice(
                session.connection, self._settings, "broker:memory", "new", text, self._clock(), events=count
            )
        await storage.set_published_into(session.connection, incarnation)
        self._forgot = False

    async def _replay(self, session: _Session) -> int:
        topics = durable_topics()
        newest = await storage.newest_night(session.connection, topics)
        if newest is None:
            return 0
        since = first_night(newest, self._settings.match_run_nights)
        count = after = 0
        while rows := await storage.published_rows(session.connection, topics, since, after):
            await self._publish(session, rows)
            count, after = count + len(rows), rows[-1].id
        return count

    async def _prune_sometimes(self, session: _Session) -> None:
        now = self._clock()
        if session.last_prune is None or (now - session.last_prune).total_seconds() >= PRUNE_INTERVAL:
            session.last_prune = now
            removed = await storage.prune(session.connection, now)
            if removed:
                log.info("old events forgotten", rows=removed)


async def _close(connection: Connection) -> None:
    with contextlib.suppress(Exception):
        await connection.close(timeout=2)
