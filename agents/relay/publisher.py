"""The way into the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from agents.relay.storage import OutboxRow
from paws.errors import ServiceUnavailableError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)

PUBLISH_DEADLINE = 15.0
"""Longest time for a batch to be with the broker, s."""

CLOSE_DEADLINE = 3.0
LARGEST_MESSAGE = 8 << 20
"""Bytes; the broker's own limit may be lower."""


class Publisher(Protocol):
    """What the relay publishes with; another in tests."""

    async def open(self) -> str:
        """Connect; the broker's incarnation.

        Raises
        ------
        ServiceUnavailableError
            If it does not answer.
        """

    async def publish(self, rows: Sequence[OutboxRow]) -> list[int | None]:
        """Publish rows in order; the offset of each, None for one that no broker will ever take.

        Raises
        ------
        ServiceUnavailableError
            If not all are with the broker by the deadline. Some may be.
        """

    async def close(self) -> None:
        """Disconnect; raises nothing."""


class KafkaPublisher:
    """Publishes to Kafka, and waits until every message is with all replicas."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> str:
        """Connect; see `Publisher`."""
        broker = self._settings.require_broker()
        producer = AIOKafkaProducer(
            bootstrap_servers=broker,
            client_id="paws-relay",
            acks="all",
            linger_ms=0,
            max_request_size=LARGEST_MESSAGE,
            request_timeout_ms=int(PUBLISH_DEADLINE * 1000),
        )
        self._producer = producer
        try:
            async with asyncio.timeout(PUBLISH_DEADLINE):
                await producer.start()
                return await _cluster_id(broker)
        except (KafkaError, OSError) as error:
            raise ServiceUnavailableError(
                f"The broker at {broker} does not answer: {error!r}. Check that it runs and PAWS_BROKER_URL."
            ) from error

    async def publish(self, rows: Sequence[OutboxRow]) -> list[int | None]:
        """Publish rows in order; see `Publisher`."""
        assert self._producer is not None
        sent: list[asyncio.Future[object] | None] = []
        try:
            async with asyncio.timeout(PUBLISH_DEADLINE):
                for row in rows:
                    sent.append(await self._send(row))
                return [None if future is None else int((await future).offset) for future in sent]  # type: ignore[attr-defined]  # aiokafka ships no types
        except (KafkaError, OSError) as error:
            raise ServiceUnavailableError(f"The broker did not take a batch: {error!r}.") from error
        finally:
            for future in sent:
                if future is not None and future.done() and not future.cancelled():
                    future.exception()  # fetched, so that nobody complains that it was not

    async def close(self) -> None:
        """Disconnect; see `Publisher`."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, asyncio.CancelledError):
                await asyncio.wait_for(producer.stop(), CLOSE_DEADLINE)

    async def _send(self, row: OutboxRow) -> asyncio.Future[object] | None:
        assert self._producer is not None
        try:
            return await self._producer.send(  # type: ignore[no-any-return]  # aiokafka ships no types
                self._settings.topic(row.topic), row.payload.encode(), key=row.key.encode()
            )
        except MessageSizeTooLargeError:
            # It would stop all that come after it, for ever.
            log.error("an event is too large and is left out", topic=row.topic, event_id=row.event_id)
            return None


async def _cluster_id(broker: str) -> str:
    """What names a broker's memory: Kafka draws it when its storage is made, the embedded broker at each start."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker, client_id="paws-relay")
    try:
        await admin.start()
        return str((await admin.describe_cluster()).get("cluster_id") or "unknown")
    finally:
        await admin.close()
