"""Jobs whose end the queue was not told of: noticed, and put back."""

from __future__ import annotations

import pytest

from agents.reducer.runner import strays
from agents.reducer.runner.strays import Strays
from schemas.vocabulary import ReductionKind
from tests.support.reductions import ask_for, reduction_of, stored_frame

ME, OTHER = "here/7/1", "there/8/1"


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(strays.time, "monotonic", lambda: now[0])
    return now


async def held(pool, folder, run, state, runner):
    """A reduction in a state, whose job the queue takes for being done."""
    frame = await stored_frame(pool, folder / "raw", run)
    reduction = await ask_for(pool, reduction_of(ReductionKind.REDUCE_BIAS, [frame]))
    await pool.execute(
        "UPDATE reduction SET state = $2, runner = $3 WHERE job_key = $1", reduction.job_key, state, runner
    )
    await pool.execute(
        "UPDATE procrastinate_jobs SET status = 'doing' WHERE queueing_lock = $1", reduction.job_key
    )
    return reduction.job_key


async def waiting(pool):
    rows = await pool.fetch("SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'")
    return {row["queueing_lock"] for row in rows}


async def test_jobs_that_nobody_does_are_put_back(database, pool, tmp_path, clock):
    doing = await held(pool, tmp_path, 1, "running", ME)
    theirs = await held(pool, tmp_path, 2, "running", OTHER)
    forgotten = await held(pool, tmp_path, 3, "running", ME)
    retried = await held(pool, tmp_path, 4, "retrying", OTHER)
    done = await held(pool, tmp_path, 5, "succeeded", ME)
    looks = Strays(ME, lambda: [doing], patience=10.0)
    assert await looks.take_back(pool, database) == 0
    clock[0] += 9.0
    assert await looks.take_back(pool, database) == 0
    clock[0] += 2.0
    assert await looks.take_back(pool, database) == 3
    assert await waiting(pool) == {forgotten, retried, done}
    # What runs elsewhere is known by its signs of life, and what runs here is being done.
    statuses = await pool.fetch(
        "SELECT status::text FROM procrastinate_jobs WHERE queueing_lock = ANY($1::text[])", [doing, theirs]
    )
    assert [row["status"] for row in statuses] == ["doing", "doing"]


async def test_who_is_only_between_two_steps_is_left_alone(database, pool, tmp_path, clock):
    job = await held(pool, tmp_path, 1, "queued", None)
    looks = Strays(ME, list, patience=10.0)
    await looks.take_back(pool, database)
    clock[0] += 8.0
    await pool.execute("UPDATE reduction SET state = 'running', runner = $1", OTHER)
    await looks.take_back(pool, database)
    await pool.execute("UPDATE reduction SET state = 'retrying'")
    clock[0] += 8.0
    # It was seen to run meanwhile, so its time counts anew.
    assert await looks.take_back(pool, database) == 0
    assert await waiting(pool) == set()
    clock[0] += 11.0
    assert await looks.take_back(pool, database) == 1
    assert await waiting(pool) == {job}
