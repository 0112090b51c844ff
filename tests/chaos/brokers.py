"""Real brokers, and workers of ours on them, for tests of what is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.app import wait_until_led
from paws.embedded.broker import EmbeddedBroker
from paws.embedded.errors import BinaryNotFoundError
from paws.embedded.kafka import KafkaBroker, bring_jars
from paws.embedded.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
"""Longest wait for anything, s: a worker begins in seconds, on a busy machine in ten times as many."""


async def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not (result := await condition()):
        assert time.monotonic() < end, f"waited in vain: {what}"
        await asyncio.sleep(0.05)
    return result


@contextlib.asynccontextmanager
async def broker_of(kind, folder):
    if kind == "kafka":
        try:
            jars = await asyncio.to_thread(bring_jars, ROOT / "infra" / "kafka" / "pom.xml")
        except BinaryNotFoundError as error:
            pytest.skip(f"no Apache Kafka here: {error}")
        broker = KafkaBroker(folder / "kafka", jars)
    else:
        broker = EmbeddedBroker(folder)
    async with Supervisor(folder / "data") as supervisor:
        await supervisor.start(broker.process_spec())
        yield broker.address


@contextlib.contextmanager
def started(log, *words, **environment):
    """A Python module as a process of ours, killed at the end; its output is shown when the test fails."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    except BaseException:
        print(log.read_text()[-4000:])
        raise
    finally:
        process.kill()
        process.wait(20)


async def make_topics(address, names, partitions=1):
    """Make topics, and return how many partitions each has: a client that comes next can use them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        await wait_until_led(admin, set(names), PATIENCE)
        return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics(names)}
    finally:
        await admin.close()


async def publish(address, topic, texts):
    async with AIOKafkaProducer(bootstrap_servers=address, linger_ms=0) as producer:
        for text in texts:
            await producer.send_and_wait(topic, text, key=b"20260312")


async def committed(address, group, topic):
    """Offset that the group would read next; -1 when it has committed none."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=group, enable_auto_commit=False)
    consumer.assign([partition])
    await consumer.start()
    try:
        found = await consumer.committed(partition)
        return -1 if found is None else found
    finally:
        await consumer.stop()
