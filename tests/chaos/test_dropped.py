"""A message that Faust drops before a worker has seen any other: it is missed, and it comes again."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from agents.app import declare_topics
from agents.faust_driver import TANSU_FETCH_WAIT_MS
from agents.runtime import EXIT_STATUS
from paws.database import open_pool
from paws.settings import as_environment
from schemas.topics import REDUCTIONS_REQUESTED
from schemas.vocabulary import ReductionKind
from tests.chaos.brokers import PATIENCE, broker_of, committed, make_topics, publish, started, until
from tests.support.fausting import broker_app
from tests.support.reductions import frame_of, reduction_of, request_of, write_raw

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

KINDS = ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="paws-drop-", dir="/tmp") as made:
        yield Path(made)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_dropped_as_the_first_of_a_life_is_missed_and_comes_again(kind, folder, database):
    """Once where the group has committed nothing yet, once where it has."""
    wanted = [
        reduction_of(ReductionKind.REDUCE_BIAS, [frame_of(write_raw(folder / "raw", run))])
        for run in range(1, 7)
    ]
    payloads = [request_of(item).model_dump_json().encode() for item in wanted]
    async with broker_of(kind, folder) as address, open_pool(database) as pool:
        settings = database.model_copy(update={"broker_url": f"kafka://{address}"})
        await declare_topics(settings)
        environment = as_environment(settings)
        topic = settings.topic(REDUCTIONS_REQUESTED.name)

        async def taken():
            rows = await pool.fetch("SELECT job_key FROM reduction")
            return {row["job_key"] for row in rows}

        async def next_is(offset):
            return await committed(address, settings.consumer_group, topic) == offset

        for done in (0, 3):
            await publish(address, topic, payloads[done : done + 3])
            log = folder / f"forgetful{done}.log"
            with started(log, "tests.chaos.forgetful_worker", "1", **environment) as process:
                status = await asyncio.to_thread(process.wait, PATIENCE)
            assert status == EXIT_STATUS, log.read_text()
            assert "skipped 1 message(s)" in log.read_text()
            # Neither the dropped one nor those behind it were taken or acknowledged.
            assert await taken() == {item.job_key for item in wanted[:done]}
            assert await committed(address, settings.consumer_group, topic) == (done or -1)
            with started(folder / "worker.log", "tests.chaos.intake_worker", **environment):
                end = done + 3
                await until("all are acknowledged", lambda end=end: next_is(end))
            assert await taken() == {item.job_key for item in wanted[:end]}


async def test_reading_goes_back_to_the_first_message_while_nothing_is_committed(folder):
    """Faust's own consumer stays where it is, and what is in hand never comes again."""
    async with broker_of("embedded", folder) as address:
        await make_topics(address, ["frames"])
        await publish(address, "frames", [b"1", b"2", b"3"])
        app = broker_app("seeking", address, folder / "faust", TANSU_FETCH_WAIT_MS)
        raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
        begun, held = [], asyncio.Event()

        async def hold(stream):
            async for event in stream.events():
                begun.append(event.message.offset)
                await held.wait()
                yield event.message.offset

        app.agent(app.topic("frames", **raw), name="hold")(hold)
        app.finalize()
        await app.start()
        try:

            async def in_hand():
                return begun == [0]

            await until("the first message is in hand", in_hand)
            partition = next(tp for tp in app.consumer.assignment() if tp.topic == "frames")
            read = await app.consumer._thread.position(partition)
            assert read > 0, "nothing was read ahead"
            await app.consumer.perform_seek()
            assert app.transport.starts[partition.topic, partition.partition] == 0
            assert await app.consumer._thread.position(partition) < read
        finally:
            held.set()
            await app.stop()


async def test_no_stream_is_read_before_the_last_step_of_a_rebalance(folder):
    """Faust lets messages flow while it recovers tables, and empties what streams have read by the end of it."""
    async with broker_of("embedded", folder) as address:
        await make_topics(address, ["frames"])
        app = broker_app("reading", address, folder / "faust", TANSU_FETCH_WAIT_MS, broker_commit_every=1)
        raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
        taken = []

        async def take(stream):
            async for event in stream.events():
                taken.append(event.message.offset)
                yield event.message.offset

        app.agent(app.topic("frames", **raw), name="take")(take)
        app.finalize()
        await publish(address, "frames", [b"0", b"1"])
        await app.start()
        try:

            async def all_of(count):
                return set(taken) == set(range(count))

            await until("the first messages are taken", lambda: all_of(2))
            # As recovery does, step by step.
            app.consumer.stop_flow()
            await publish(address, "frames", [b"2", b"3"])
            app.flow_control.resume()
            app.consumer.resume_flow()
            await asyncio.sleep(1.5)
            app.consumer.resume_partitions(app.consumer.assignment())
            await asyncio.sleep(0.5)
            assert await all_of(2), "a stream was read while its position was not set back"
            await app.consumer.perform_seek()
            app.flow_control.resume()
            app.consumer.resume_flow()
            await until("the others are taken", lambda: all_of(4))
        finally:
            await app.stop()
