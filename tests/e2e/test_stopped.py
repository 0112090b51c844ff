"""SIGTERM: what is in hand is finished, what is not is left for the next, and nobody is cut off in mid-answer."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from agents.app import declare_topics
from paws.database import open_pool
from paws.embedded.ports import free_port
from paws.settings import as_environment
from schemas.topics import REDUCTIONS_REQUESTED
from schemas.vocabulary import ReductionKind
from tests.chaos.brokers import PATIENCE, broker_of, committed, publish, started, until
from tests.support.reductions import frame_of, reduction_of, request_of, write_raw

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="paws-stop-", dir="/tmp") as made:
        yield Path(made)


@contextlib.asynccontextmanager
async def held(settings, *statements):
    """A transaction that keeps others waiting, until it is given up."""
    connection = await asyncpg.connect(settings.require_database())
    transaction = connection.transaction()
    await transaction.start()
    for statement, *arguments in statements:
        await connection.execute(statement, *arguments)
    try:
        yield transaction
    finally:
        await connection.close()


async def test_a_worker_finishes_the_event_in_hand_and_acknowledges_what_it_did(folder, database):
    wanted = [
        reduction_of(ReductionKind.REDUCE_BIAS, [frame_of(write_raw(folder / "raw", run))])
        for run in range(1, 5)
    ]
    payloads = [request_of(item).model_dump_json().encode() for item in wanted]
    lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", wanted[1].slot
    async with broker_of("embedded", folder) as address, open_pool(database) as pool:
        settings = database.model_copy(update={"broker_url": f"kafka://{address}"})
        await declare_topics(settings)
        topic = settings.topic(REDUCTIONS_REQUESTED.name)

        async def taken():
            return await pool.fetchval("SELECT count(*) FROM reduction")

        async def in_hand():
            return await taken() == 1 and await pool.fetchval(BLOCKED) == 1

        async with held(database, lock) as holding:
            with started(folder / "log", "tests.chaos.intake_worker", **as_environment(settings)) as worker:
                await publish(address, topic, payloads)
                await until("the second request is in hand", in_hand)
                worker.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
                assert worker.poll() is None, "it did not wait for the event in hand"
                await holding.rollback()
                assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
        done = await taken()
        assert done >= 2
        # Neither more nor less: the next begins with the first that was not done.
        assert await committed(address, settings.consumer_group, topic) == done
        with started(folder / "log", "tests.chaos.intake_worker", **as_environment(settings)):

            async def all_taken():
                return await taken() == len(wanted)

            await until("the next takes the rest", all_taken)
        assert (folder / "log").read_text().count("request taken") == len(wanted)


async def test_a_web_server_finishes_answers_and_tells_those_who_watch(folder, database):
    # Not one that the next connection of anybody may take.
    port = free_port()
    settings = database.model_copy(update={"web_port": port, "web_host": "127.0.0.1"})
    async with open_pool(database) as pool, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def serves():
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/healthz")).status_code in (200, 503)

        async def blocked():
            return await pool.fetchval(BLOCKED) >= 1

        async def watch():
            async with open_socket(f"ws://127.0.0.1:{port}/ws/status?night=20260312") as watching:
                opened.set()
                with contextlib.suppress(ConnectionClosed):
                    async for _ in watching:
                        pass
                return watching.close_code

        opened = asyncio.Event()
        with started(folder / "log", "tests.support.patient_web", **as_environment(settings)) as web:
            await until("the server answers", serves)
            watcher = asyncio.create_task(watch())
            await asyncio.wait_for(opened.wait(), PATIENCE)
            async with held(database, ("LOCK TABLE frame IN ACCESS EXCLUSIVE MODE",)) as holding:
                asked = asyncio.create_task(client.get("/api/frames?limit=1", timeout=PATIENCE))
                await until("the answer waits", blocked)
                web.send_signal(signal.SIGTERM)
                # The browser is told at once that the server goes, and comes back by itself.
                assert await asyncio.wait_for(watcher, PATIENCE) == 1012
                await holding.rollback()
                answer = await asked
            assert (answer.status_code, answer.json()["total"]) == (200, 0)
            # uvicorn ends by the signal that it was given, once all is done.
            assert await asyncio.to_thread(web.wait, PATIENCE) in (0, -signal.SIGTERM)
            with pytest.raises(httpx.TransportError):
                await client.get("/healthz")
