"""How far consumers are behind the broker."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from paws.errors import ServiceUnavailableError
from paws.settings import Settings
from schemas.topics import STATUS_EVENTS, TOPICS

DEADLINE = 8.0
"""Longest wait for the broker, s."""


async def consumer_lag(settings: Settings) -> dict[str, int]:
    """Events of each topic that the workers have not acknowledged yet.

    A topic that no worker has read from yet counts whole. The status feed is followed by pages, which
    acknowledge nothing.

    Raises
    ------
    ServiceUnavailableError
        If the broker does not answer in time.
    ConfigurationError
        If no broker is set.
    """
    servers = settings.require_broker()
    try:
        async with asyncio.timeout(DEADLINE):
            return await _lag(settings, servers)
    except Exception as error:
        # Whatever the client raises: who asks for lag wants an answer, not a traceback.
        raise ServiceUnavailableError(
            f"The broker at {servers} does not tell the lag: {error!r}. Check that it runs and PAWS_BROKER_URL."
        ) from error


async def _lag(settings: Settings, servers: str) -> dict[str, int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    topics = [settings.topic(spec.name) for spec in TOPICS if spec is not STATUS_EVENTS]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=int(DEADLINE * 1000))
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    try:
        await admin.start()
        await consumer.start()
        existing = set(await admin.list_topics())
        partitions = [TopicPartition(topic, 0) for topic in topics if topic in existing]
        ends = await consumer.end_offsets(partitions) if partitions else {}
        starts = await consumer.beginning_offsets(partitions) if partitions else {}
        # Named one by one: the embedded broker's answer to "all" cannot be read.
        known = (
            await admin.list_consumer_group_offsets(settings.consumer_group, partitions=partitions)
            if partitions
            else {}
        )
        done = {
            place: meta.offset
            for place, meta in known.items()
            if meta.offset is not None and meta.offset >= 0
        }
        return {
            place.topic: max(0, ends[place] - max(done.get(place, 0), starts[place])) for place in partitions
        }
    finally:
        with contextlib.suppress(Exception):
            await consumer.stop()
        with contextlib.suppress(Exception):
            await admin.close()
