"""Reductions beside the night's plan: they supersede nothing, and are adopted when the plan wants them after all."""

from __future__ import annotations

import asyncio
from typing import Any

import faust
import pytest

import agents.requests.agent
from agents.reducer.intake.storage import take_request
from agents.reducer.runner.mend import mend
from agents.reducer.runner.runner import Runner
from agents.runtime import AgentContext
from paws.requests.planning import beside
from schemas.events import RequestOrdered, dump_event
from schemas.vocabulary import Outcome, Priority, ReductionKind
from tests.support.reductions import AT, NIGHT, FakeEngine, reduction_of, request_of, stored_frame, want

VARIANT = "0123456789ab"


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def runner(database, pool, engine):
    return Runner(settings=database, pool=pool, engine=engine, identity="here/1/1")


@pytest.fixture
async def live(pool, tmp_path):
    """A reduction as the planner of the night would want it."""
    return reduction_of(ReductionKind.REDUCE_BIAS, [await stored_frame(pool, tmp_path / "raw", 11)])


@pytest.fixture
def own(live):
    """The same, asked for on demand."""
    return beside(live.model_copy(update={"priority": Priority.ON_DEMAND}), VARIANT)


async def product(pool) -> Any:
    return await pool.fetchrow("SELECT slot, current, path, version FROM product")


async def state(pool, reduction) -> tuple[str, str]:
    row = await pool.fetchrow("SELECT slot, state FROM reduction WHERE job_key = $1", reduction.job_key)
    return row["slot"], row["state"]


def shown(database) -> list[str]:
    return [path.name for path in database.products_dir.rglob("*.fits") if ".versions" not in path.as_posix()]


async def test_it_is_made_and_never_current(database, pool, runner, own):
    await take_request(pool, request_of(own), AT)
    await runner.reduce(own.job_key)
    row = await product(pool)
    assert (row["slot"], row["current"]) == (own.slot, False)
    assert row["path"].startswith(f"own/{VARIANT}/")
    assert shown(database) == []


async def test_asking_twice_is_one_work_and_adoption_places_it(database, pool, runner, engine, live, own):
    await take_request(pool, request_of(own), AT)
    await runner.reduce(own.job_key)
    await take_request(pool, request_of(own), AT)
    await want(pool, live)
    await take_request(pool, request_of(live), AT)
    assert len(engine.commands) == 1
    row = await product(pool)
    assert (row["slot"], row["current"], row["version"]) == (live.slot, True, 1)
    assert not row["path"].startswith("own/")
    await runner.place(live.slot)
    assert shown(database) == [row["path"].rsplit("/", 1)[-1]]


async def test_waiting_one_becomes_urgent_when_the_night_wants_it(pool, live, own):
    await take_request(pool, request_of(own), AT)
    assert await pool.fetchval("SELECT priority FROM procrastinate_jobs") == Priority.ON_DEMAND
    await want(pool, live)
    await take_request(pool, request_of(live), AT)
    assert await state(pool, live) == (live.slot, "queued")
    assert await pool.fetchval("SELECT priority FROM procrastinate_jobs") == Priority.LIVE


async def test_one_that_runs_is_adopted_when_it_ends(database, pool, runner, engine, live, own):
    await take_request(pool, request_of(own), AT)

    async def wanted_meanwhile(_folder) -> int:
        await want(pool, live)
        await take_request(pool, request_of(live), AT)
        assert await state(pool, live) == (own.slot, "running")
        return 0

    engine.behaviour[1] = wanted_meanwhile
    await runner.reduce(own.job_key)
    row = await product(pool)
    assert (row["slot"], row["current"]) == (live.slot, True)
    assert not row["path"].startswith("own/")
    assert await state(pool, live) == (live.slot, "succeeded")
    assert await pool.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'place'") == 1


async def test_mending_finds_what_was_missed(database, pool, runner, live, own):
    await take_request(pool, request_of(own), AT)
    await runner.reduce(own.job_key)
    await want(pool, live)
    mended = await mend(pool, database, AT)
    assert (mended.adopted, mended.settled) == (1, 1)
    assert (await product(pool))["current"]
    assert not (await mend(pool, database, AT)).adopted


async def test_work_of_the_live_slot_is_reused_where_it_lies(pool, runner, engine, live, own):
    await want(pool, live)
    await take_request(pool, request_of(live), AT)
    await runner.reduce(live.job_key)
    await take_request(pool, request_of(own), AT)
    assert await state(pool, live) == (live.slot, "succeeded")
    assert len(engine.commands) == 1
    assert (await product(pool))["current"]


async def test_what_the_planner_gave_up_is_made_for_whoever_wants_it_still(pool, runner, live, own):
    better = live.model_copy(update={"job_key": "b" * 64})
    await want(pool, better)
    await take_request(pool, request_of(live), AT)
    assert await state(pool, live) == (live.slot, "cancelled")
    await take_request(pool, request_of(own), AT)
    assert await state(pool, live) == (live.slot, "queued")
    await runner.reduce(live.job_key)
    row = await product(pool)
    assert (row["slot"], row["current"]) == (live.slot, True), "nothing better is there yet"
    assert not row["path"].startswith("own/")


async def test_many_at_once_agree(pool, live, own):
    await want(pool, live)
    asked = [request_of(own), request_of(live)] * 5
    await asyncio.gather(*(take_request(pool, one, AT) for one in asked))
    assert await state(pool, live) == (live.slot, "queued")
    assert await pool.fetchval("SELECT count(*) FROM procrastinate_jobs") == 1


async def test_faust_agent_settles_every_event(database, pool):
    context = AgentContext(database)
    context.pool = pool
    app = faust.App("test", store="memory://", broker="kafka://localhost:1", autodiscover=False)
    desk = agents.requests.agent.register(app, context)
    app.finalize()
    app.flow_control.resume()
    (agent,) = app.agents.values()
    order = RequestOrdered(
        event_id="x", night=NIGHT, at=AT, request_id="0123456789abcdef", order="submit", who="mia"
    )
    async with agent.test_context() as tested:
        await tested.put(dump_event(order))
        await tested.put(b"no event at all")
        async with asyncio.timeout(30):
            while len(tested.results) < 2:  # noqa: ASYNC110 - the wrapper tells no event
                await asyncio.sleep(0.01)
    # Faust makes a loop for its consumer's thread, which never starts here and so never closes it.
    app.consumer._thread.thread_loop.close()
    outcomes = [tested.results[offset].outcome for offset in sorted(tested.results)]
    assert outcomes == [Outcome.SUCCESS, Outcome.INVALID_INPUT]
    assert desk.waits
    await desk.step()
    assert not desk.waits, "a request that is not there is nobody's"
