"""Runners as processes: killed, stopped, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import pytest

from paws.settings import as_environment
from schemas.vocabulary import ReductionKind
from tests.support.reductions import ask_for, events_of, reduction_of, stored_frame

DEADLINE = 40.0


@pytest.fixture
async def ask(pool, tmp_path):
    async def make(run):
        frame = await stored_frame(pool, tmp_path / "raw", run)
        return await ask_for(pool, reduction_of(ReductionKind.REDUCE_BIAS, [frame]))

    return make


class RunnerProcess:
    def __init__(self, process):
        self.process = process

    async def expect(self, word):
        async with asyncio.timeout(DEADLINE):
            while True:
                line = await self.process.stdout.readline()
                assert line, f"the runner ended before it said {word!r}"
                if line.strip() == word.encode():
                    return

    async def end(self, number):
        self.process.send_signal(number)
        async with asyncio.timeout(DEADLINE):
            await self.process.stdout.read()
            return await self.process.wait()


@pytest.fixture
async def start(database):
    started = []

    async def start(seconds):
        settings = database.model_copy(update={"runner_lease": 3.0, "runner_heartbeat": 0.5})
        environment = as_environment(settings)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.runner_process", str(seconds)),
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        runner = RunnerProcess(process)
        await runner.expect("ready")
        return runner

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.stdout.read()
        await process.wait()


async def _until_states(pool, expected):
    states = {}
    try:
        async with asyncio.timeout(DEADLINE):
            while states != expected:
                await asyncio.sleep(0.05)
                async with pool.acquire() as connection:
                    rows = await connection.fetch("SELECT state, count(*) FROM reduction GROUP BY state")
                states = {row["state"]: row["count"] for row in rows}
    except TimeoutError:
        raise AssertionError(f"states are {states}") from None


async def _facts(pool, database):
    async with pool.acquire() as connection:
        products = await connection.fetch("SELECT path, stored_path, current FROM product")
        jobs = await connection.fetchval(
            "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
    shown = [path for path in database.products_dir.rglob("*.fits") if ".versions" not in path.parts]
    return products, shown, jobs


async def test_a_killed_runner_s_work_is_finished_by_another(pool, database, ask, start):
    reduction = await ask(11)
    first = await start(60)
    await first.expect("begun")
    await first.end(signal.SIGKILL)
    second = await start(0)
    await second.expect("begun")
    await _until_states(pool, {"succeeded": 1})
    await second.end(signal.SIGTERM)
    products, shown, jobs = await _facts(pool, database)
    assert len(products) == len(shown) == 1
    assert jobs == 0
    assert len(await events_of(pool, "reductions.finished")) == 1
    async with pool.acquire() as connection:
        assert (
            await connection.fetchval("SELECT attempt FROM reduction WHERE job_key = $1", reduction.job_key)
            == 2
        )
    assert list(database.work_dir.iterdir()) == []
    # Only what was registered is in the store.
    stored = [path for path in database.versions_dir.rglob("*.fits") if path.is_file()]
    assert stored == [database.data_dir / products[0]["stored_path"]]


async def test_a_stopped_runner_hands_back_at_once(pool, ask, start):
    await ask(11)
    first = await start(60)
    await first.expect("begun")
    assert await first.end(signal.SIGTERM) == 0
    async with pool.acquire() as connection:
        row = await connection.fetchrow("SELECT state, tries FROM reduction")
        job = await connection.fetchval("SELECT status::text FROM procrastinate_jobs")
        workers = await connection.fetchval("SELECT count(*) FROM procrastinate_workers")
    assert (row["state"], row["tries"], job, workers) == ("queued", 0, "todo", 0)


async def test_two_runners_share_the_work_and_none_is_done_twice(pool, database, ask, start):
    runners = [await start(0.02), await start(0.02)]
    for run in range(20):
        await ask(run)
    await _until_states(pool, {"succeeded": 20})
    for runner in runners:
        await runner.end(signal.SIGTERM)
    products, shown, jobs = await _facts(pool, database)
    assert len(products) == len(shown) == 20
    assert all(product["current"] for product in products)
    assert jobs == 0
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT max(attempt) FROM reduction") == 1
    assert len(await events_of(pool, "reductions.finished")) == 20


async def test_a_runner_outlives_its_database_connections(pool, ask, start):
    runner = await start(0)
    await ask(1)
    await _until_states(pool, {"succeeded": 1})
    async with pool.acquire() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await ask(2)
    await _until_states(pool, {"succeeded": 2})
    assert await runner.end(signal.SIGTERM) == 0
