"""Orders from end to end: written once, carried out by the matcher and the intake, taken back."""

from __future__ import annotations

import asyncio

import pytest

from paws.accounts.audit import Actor
from paws.clock import utc_now
from paws.errors import InvalidInputError
from paws.orders.book import carry_out
from paws.orders.order import Order, OrderKind
from schemas.events import FrameParametersSet
from tests.support.flow import Flow
from tests.support.reductions import FakeEngine, events_of

NIGHT = "20260312"
MIA = Actor("mia", "192.0.2.7")


@pytest.fixture
async def night(database, pool, raw_field):
    """A reduced night: flat, arc, two exposures and what they combine to."""
    settings = database.model_copy(update={"match_group_quiet": 0.0, "match_wait": 0.0})
    flow = Flow(settings, pool, FakeEngine())
    await flow.take_in(raw_field)
    await flow.run()
    return flow


async def make(pool, kind: str, run: int, once: str, parameters=None) -> Order:
    frame = await pool.fetchval("SELECT frame_id FROM frame WHERE run = $1", run)
    return Order(once, NIGHT, OrderKind(kind), (frame,), "a galaxy", MIA, utc_now(), parameters)


async def give(pool, order: Order):
    async with pool.acquire() as connection:
        return await carry_out(connection, order)


async def current(pool) -> dict[str, str]:
    rows = await pool.fetch("SELECT slot, kind, job_key FROM product WHERE current")
    return {f"{row['slot']} {row['kind']}": row["job_key"] for row in rows}


async def test_parameters_are_set_carried_out_and_taken_back(pool, night):
    before = await current(pool)
    await give(pool, await make(pool, "reduce", 4, "one", {"skysub": False}))
    await night.run()
    after = await current(pool)
    changed = {place for place in before if before[place] != after[place]}
    assert changed == {
        f"{NIGHT}/1/0004/object object",
        *(place for place in before if place.endswith(" combined")),
    }
    row = await pool.fetchrow(
        "SELECT document FROM reduction WHERE job_key = $1", after[f"{NIGHT}/1/0004/object object"]
    )
    assert row["document"]["parameters"] == {"SKYSUB": False}
    notes = await pool.fetchval(
        "SELECT decision -> 'notes' FROM frame_plan JOIN frame USING (frame_id) WHERE run = 4"
    )
    assert any("SKYSUB no: a galaxy (mia)" in note for note in notes)

    await give(pool, await make(pool, "reduce", 4, "two", {}))
    await night.run()
    assert await current(pool) == before
    versions = await pool.fetchval("SELECT count(*) FROM product WHERE kind = 'object' AND run = 4")
    assert versions == 2, "nothing is overwritten"


async def test_an_order_that_comes_twice_at_once_is_one(pool, night):
    order = await make(pool, "junk", 4, "one")
    first, second = await asyncio.gather(give(pool, order), give(pool, order))
    assert {first[0].action, second[0].action} == {"mark", "nothing"}
    assert len(await events_of(pool, "frames.junked")) == 1
    row = await pool.fetchrow("SELECT junked, junk_reason, junked_by FROM frame WHERE run = 4")
    assert tuple(row) == (True, "a galaxy", "mia")
    book = await pool.fetch(
        "SELECT o.kind, o.reason, o.who, o.address, f.effect FROM observer_order o JOIN observer_order_frame f"
        " USING (order_id)"
    )
    assert [tuple(row) for row in book] == [("junk", "a galaxy", "mia", "192.0.2.7", "junked")]
    audit = await pool.fetch("SELECT actor, action, subject, detail FROM audit")
    assert [(row["actor"], row["action"], row["detail"]["reason"]) for row in audit] == [
        ("mia", "frames declared unusable", "a galaxy")
    ]
    await night.run()
    assert not any("/0004/" in place for place in await current(pool))


async def test_what_is_repeated_runs_again(pool, night):
    order = await make(pool, "reduce", 3, "one")
    (effect,) = await give(pool, order)
    assert effect.action == "repeat"
    await night.run()
    attempts = await pool.fetch("SELECT kind, attempt FROM reduction WHERE attempt > 1 ORDER BY kind")
    assert [tuple(row) for row in attempts] == [("combine_spectra", 2), ("reduce_object", 2)]
    assert await give(pool, order) == [type(effect)(effect.frame_id, "nothing", effect.words)]


async def test_a_refused_order_leaves_nothing(pool, night):
    wrong = await make(pool, "junk", 4, "one")
    with pytest.raises(InvalidInputError):
        await give(pool, Order(**{**vars(wrong), "frame_ids": (*wrong.frame_ids, "nothing")}))
    assert await pool.fetchval("SELECT count(*) FROM observer_order") == 0
    assert await events_of(pool, "frames.junked") == []


async def test_parameters_outlive_the_matcher(pool, night, database):
    await give(pool, await make(pool, "reduce", 4, "one", {"SKYSUB": False}))
    event = FrameParametersSet.model_validate((await events_of(pool, "frames.parameters"))[0])
    assert event.parameters == {"SKYSUB": False}
    # Another matcher, which never hears of the event, finds them in the database.
    await pool.execute("UPDATE outbox SET topic = 'nowhere' WHERE topic = 'frames.parameters'")
    again = Flow(database.model_copy(update={"match_wait": 0.0}), pool, FakeEngine())
    again._carried = await pool.fetchval("SELECT max(id) FROM outbox")
    await again._planner.plan_again(NIGHT)
    await again.run()
    key = (await current(pool))[f"{NIGHT}/1/0004/object object"]
    assert (
        await pool.fetchval(
            "SELECT document -> 'parameters' ->> 'SKYSUB' FROM reduction WHERE job_key = $1", key
        )
        == "false"
    )
