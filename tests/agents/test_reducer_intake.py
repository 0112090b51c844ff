from __future__ import annotations

import asyncio

import pytest

from agents.reducer.intake.storage import take_request
from schemas.vocabulary import Priority, ReductionKind
from tests.support.reductions import AT, events_of, reduction_of, request_of, stored_frame, want


@pytest.fixture
async def reduction(pool, tmp_path):
    reduction = reduction_of(ReductionKind.REDUCE_BIAS, [await stored_frame(pool, tmp_path / "raw", 11)])
    await want(pool, reduction)
    return reduction


async def _queue(pool):
    async with pool.acquire() as connection:
        return await connection.fetch(
            "SELECT id, status::text, priority, lock, queueing_lock, queue_name, args FROM procrastinate_jobs ORDER BY id"
        )


async def _state(pool, reduction):
    async with pool.acquire() as connection:
        return await connection.fetchval("SELECT state FROM reduction WHERE job_key = $1", reduction.job_key)


async def _set_state(pool, reduction, state):
    async with pool.acquire() as connection:
        await connection.execute(
            "UPDATE reduction SET state = $2, outcome = 'permanent', error_code = 'x' WHERE job_key = $1",
            reduction.job_key,
            state,
        )
        await connection.execute("DELETE FROM procrastinate_jobs")


async def test_a_request_becomes_one_job_however_often_it_comes(pool, reduction):
    await asyncio.gather(*(take_request(pool, request_of(reduction), AT) for _ in range(5)))
    jobs = await _queue(pool)
    assert len(jobs) == 1
    assert jobs[0]["queueing_lock"] == reduction.job_key
    assert jobs[0]["lock"] == reduction.slot
    assert jobs[0]["queue_name"] == "reduce-builtin"
    assert jobs[0]["args"] == {"job_key": reduction.job_key}
    assert await _state(pool, reduction) == "queued"
    states = [
        event["state"] for event in await events_of(pool, "status.events") if event["entity"] == "frame"
    ]
    assert states == ["queued"]


async def test_asking_more_urgently_raises_the_priority(pool, reduction):
    await take_request(pool, request_of(reduction), AT)
    urgent = reduction.model_copy(update={"priority": Priority.LIVE_CALIBRATION})
    await take_request(pool, request_of(urgent), AT)
    idle = reduction.model_copy(update={"priority": Priority.SPARE})
    await take_request(pool, request_of(idle), AT)
    assert [job["priority"] for job in await _queue(pool)] == [110]


@pytest.mark.parametrize("state", ["succeeded", "failed"])
async def test_what_has_ended_is_told_again(pool, reduction, state):
    await take_request(pool, request_of(reduction), AT)
    await _set_state(pool, reduction, state)
    await take_request(pool, request_of(reduction), AT)
    finished = await events_of(pool, "reductions.finished")
    assert [event["state"] for event in finished] == [state]
    assert await _queue(pool) == []


async def test_a_person_may_have_it_done_again(pool, reduction):
    await take_request(pool, request_of(reduction), AT)
    await _set_state(pool, reduction, "failed")
    await take_request(pool, request_of(reduction, force=True), AT)
    assert await _state(pool, reduction) == "queued"
    assert len(await _queue(pool)) == 1


async def test_waiting_jobs_of_a_slot_that_wants_another_are_cancelled(pool, reduction):
    await take_request(pool, request_of(reduction), AT)
    better = reduction.model_copy(update={"job_key": "b" * 64})
    await want(pool, better)
    await take_request(pool, request_of(better), AT)
    assert await _state(pool, reduction) == "cancelled"
    assert await _state(pool, better) == "queued"
    assert [job["queueing_lock"] for job in await _queue(pool)] == ["b" * 64]
    finished = await events_of(pool, "reductions.finished")
    assert [(event["state"], event["outcome"]) for event in finished] == [("cancelled", "not_ours")]


async def test_a_late_request_for_what_is_wanted_no_more_is_set_aside(pool, reduction):
    await want(pool, reduction.model_copy(update={"job_key": "b" * 64}))
    await take_request(pool, request_of(reduction), AT)
    assert await _state(pool, reduction) == "cancelled"
    assert await _queue(pool) == []
    # The planner comes back to it.
    await want(pool, reduction)
    await take_request(pool, request_of(reduction), AT)
    assert await _state(pool, reduction) == "queued"


async def test_nothing_is_left_when_the_transaction_fails(pool, reduction):
    broken = request_of(reduction.model_copy(update={"slot": "x\x00y"}))  # PostgreSQL holds no NUL in a text
    with pytest.raises(Exception, match="0x00"):
        await take_request(pool, broken, AT)
    assert await _queue(pool) == []
    assert await _state(pool, reduction) is None
