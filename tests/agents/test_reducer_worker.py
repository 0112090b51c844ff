"""Runners as processes: killed, stopped, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import pytest

from paws.settings import as_environment
from schemas.vocabulary import Priority, ReductionKind
from tests.support.reductions import ask_for, events_of, reduction_of, stored_frame

DEADLINE = 120.0


@pytest.fixture
async def ask(pool, tmp_path):
    async def make(run, priority=Priority.LIVE):
        frame = await stored_frame(pool, tmp_path / "raw", run)
        return await ask_for(pool, reduction_of(ReductionKind.REDUCE_BIAS, [frame], priority=priority))

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

    async def start(seconds, awaited="ready", grace=None, **changes):
        # A runner that is dead on its own machine is known at once; one that the machine halts is not dead.
        settings = database.model_copy(update={"runner_lease": DEADLINE, "runner_heartbeat": 0.5, **changes})
        environment = as_environment(settings)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.runner_process", str(seconds)),
            *(() if grace is None else (str(grace),)),
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        runner = RunnerProcess(process)
        if awaited:
            await runner.expect(awaited)
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
    # What was on its way to it when the connection broke is taken back after so long.
    runner = await start(0, runner_lease=3.0)
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


async def test_runners_of_a_host_share_its_slots(pool, ask, start):
    """Two processes of four slots each, on a host of three: never more than three at work, and all is done."""
    # What the killed one had taken and not begun is taken back after its lease.
    limits = {"runner_host_slots": 3, "runner_slots": 4, "runner_lease": 3.0}
    first = await start(0.3, **limits)
    # It finds none free, and waits.
    second = await start(0.3, awaited="", **limits)
    for run in range(12):
        await ask(run)
    most = 0
    async with asyncio.timeout(DEADLINE):
        while True:
            async with pool.acquire() as connection:
                row = await connection.fetchrow(
                    "SELECT count(*) FILTER (WHERE state = 'running') AS running,"
                    " count(*) FILTER (WHERE state = 'succeeded') AS done FROM reduction"
                )
            most = max(most, row["running"])
            if row["done"] >= 6:
                break
            await asyncio.sleep(0.02)
    # The first ends, and its slots go over to the second.
    await first.end(signal.SIGKILL)
    await second.expect("ready")
    await _until_states(pool, {"succeeded": 12})
    assert 1 <= most <= 3
    await second.end(signal.SIGTERM)


async def test_a_runner_takes_slots_of_its_host_when_they_become_free(pool, ask, start):
    """It began with one of the two that it wants; when the other runner ends, it does two at once."""
    first = await start(600, runner_host_slots=2, runner_slots=1)
    await ask(1)
    await first.expect("begun")
    second = await start(600, runner_host_slots=2, runner_slots=2)
    for run in (2, 3):
        await ask(run)
    await second.expect("begun")
    running = "SELECT runner, count(*) AS jobs FROM reduction WHERE state = 'running' GROUP BY runner"
    assert [row["jobs"] for row in await pool.fetch(running)] == [1, 1]
    await first.end(signal.SIGKILL)
    await second.expect("begun")
    # That of the dead one may not have been taken back yet.
    assert max(row["jobs"] for row in await pool.fetch(running)) == 2
    # Both are handed back by whoever holds them.
    assert await second.end(signal.SIGTERM) == 0
    assert await pool.fetchval("SELECT count(*) FROM reduction WHERE state = 'queued'") >= 2


async def test_the_most_urgent_comes_first_with_several_runners(pool, ask, start):
    """Jobs are queued while nobody works; whoever starts takes them by priority."""
    slow = [await ask(run, priority=Priority.FINAL) for run in range(4)]
    live = [await ask(run, priority=Priority.LIVE) for run in range(4, 8)]
    runners = [await start(0.05, runner_slots=1) for _ in range(2)]
    await _until_states(pool, {"succeeded": 8})
    for runner in runners:
        await runner.end(signal.SIGTERM)
    async with pool.acquire() as connection:
        rows = await connection.fetch("SELECT job_key, runner FROM reduction ORDER BY started_at")
    order = [row["job_key"] for row in rows]
    urgent, others = ({item.job_key for item in asked} for asked in (live, slow))
    assert set(order) == urgent | others
    # The last urgent one may be in one runner's hands, and not begun, when the other finds none of them left.
    assert set(order[:3]) < urgent
    for runner in {row["runner"] for row in rows}:
        own = [row["job_key"] in urgent for row in rows if row["runner"] == runner]
        assert own == sorted(own, reverse=True), "what is urgent comes first"


async def test_a_stopped_runner_lets_what_is_nearly_done_end(pool, ask, start):
    await ask(11)
    # With more time than the machine can take for the rest: that it waits is the point, not for how long.
    first = await start(0.5, grace=DEADLINE)
    await first.expect("begun")
    assert await first.end(signal.SIGTERM) == 0
    async with pool.acquire() as connection:
        row = await connection.fetchrow("SELECT state, attempt FROM reduction")
    assert (row["state"], row["attempt"]) == ("succeeded", 1)
