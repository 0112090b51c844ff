"""Faust commits past a message in hand (faust-streaming issue 606): shown to lose one, and shown harmless here."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from agents.app import declare_topics
from paws.database import open_pool
from paws.settings import as_environment
from schemas.topics import REDUCTIONS_REQUESTED
from schemas.vocabulary import ReductionKind
from tests.chaos.brokers import broker_of, committed, make_topics, publish, started, until
from tests.chaos.minimal_faust import TOPIC
from tests.support.reductions import frame_of, reduction_of, request_of, write_raw

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="paws-606-", dir="/tmp") as made:
        yield Path(made)


@pytest.mark.parametrize("kind", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_faust_loses_the_message_in_hand_when_a_later_one_is_done_first(kind, folder):
    async with broker_of(kind, folder) as address:
        await make_topics(address, [TOPIC])
        with started(folder / "log", "tests.chaos.minimal_faust", address, "minimal", str(folder), "first"):
            await until("the worker runs", lambda: asyncio.to_thread((folder / "ready").exists))
            await publish(address, TOPIC, [b"first", b"second"])
            await until("the second is done", lambda: asyncio.to_thread((folder / "second.done").exists))
            assert (folder / "first.begun").exists()
            assert not (folder / "first.done").exists()

            async def jumped():
                return await committed(address, "minimal", TOPIC) == 2

            # The fault itself: the next to read is 2, while message 0 is in hand.
            await until("the commit jumps past the message in hand", jumped)
        # Killed with the message in hand. Its successor would do it at once if it were given it.
        with started(folder / "log", "tests.chaos.minimal_faust", address, "minimal", str(folder), "none"):
            await publish(address, TOPIC, [b"third"])
            await until("the third is done", lambda: asyncio.to_thread((folder / "third.done").exists))
            assert not (folder / "first.done").exists(), "Faust has mended issue 606: say so in the docs"


@pytest.mark.parametrize("kind", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_our_intake_loses_nothing_however_often_it_is_killed(kind, folder, database):
    """The same broker, group and settings as in production; every request is durable before it is acknowledged."""
    wanted = [
        reduction_of(ReductionKind.REDUCE_BIAS, [frame_of(write_raw(folder / "raw", run))])
        for run in range(1, 61)
    ]
    payloads = [request_of(item).model_dump_json().encode() for item in wanted]
    async with broker_of(kind, folder) as address, open_pool(database) as pool:
        settings = database.model_copy(update={"broker_url": f"kafka://{address}"})
        await declare_topics(settings)

        async def taken():
            return await pool.fetchval("SELECT count(*) FROM reduction")

        await publish(address, settings.topic(REDUCTIONS_REQUESTED.name), payloads[:20])
        for burst in (payloads[20:40], payloads[40:], payloads):
            before = await taken()
            with started(folder / "log", "tests.chaos.intake_worker", **as_environment(settings)):

                async def some(before=before):
                    return await taken() > before

                await until("some requests are taken", some)
                # While it works: killed with events read, in hand, taken and not acknowledged.
                await publish(address, settings.topic(REDUCTIONS_REQUESTED.name), burst)
        with started(folder / "log", "tests.chaos.intake_worker", **as_environment(settings)):

            async def all_taken():
                return await taken() == len(wanted)

            await until("all requests are taken", all_taken)
        jobs = await pool.fetch("SELECT queueing_lock FROM procrastinate_jobs")
        # Every one is a job, once, though each was published twice.
        assert sorted(row["queueing_lock"] for row in jobs) == sorted(item.job_key for item in wanted)
