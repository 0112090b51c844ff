"""Requests from end to end: submitted once, planned as the live night is, reused, cancelled, tried again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.notifier.desk import Desk
from agents.requests.desk import RequestDesk
from agents.runtime import AgentContext
from paws.accounts.audit import Actor
from paws.clock import utc_now
from paws.engines import engine_reference
from paws.matching.policy import MatchPolicy
from paws.requests import orders
from paws.requests.orders import OrderError, Submission
from paws.requests.wish import Options, Wish
from schemas.layout import is_own
from tests.support.flow import Flow
from tests.support.reductions import FakeEngine, events_of

NIGHT = "20260312"
MIA = Actor("mia", "192.0.2.7")


@pytest.fixture
def settings(database):
    return database.model_copy(update={"match_group_quiet": 0.0, "match_wait": 0.0, "runner_attempts": 1})


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
async def flow(settings, pool, raw_field, engine):
    flow = Flow(settings, pool, engine)
    await flow.take_in(raw_field)
    return flow


@pytest.fixture
async def night(flow):
    """The night, reduced live."""
    await flow.run()
    return flow


@pytest.fixture
async def archive(flow, pool):
    """The night as an archive has it: indexed, and not reduced."""
    await pool.execute("UPDATE frame SET source = 'backfill'")
    await pool.execute("DELETE FROM outbox")
    await flow.run()
    assert await pool.fetchval("SELECT count(*) FROM reduction") == 0
    return flow


def wish(settings, parameters: dict[str, Any] | None = None, **options: Any) -> Wish:
    version = engine_reference(settings).version
    return Wish(settings.engine, version, parameters or {}, Options(**options))


async def frames(pool, *runs: int) -> list[str]:
    rows = await pool.fetch("SELECT frame_id FROM frame WHERE run = ANY($1::int[]) ORDER BY run", list(runs))
    return [row["frame_id"] for row in rows]


async def ask(pool, settings, runs, nonce="once", mail="", webhook="", parameters=None, **options) -> str:
    submission = Submission(
        await frames(pool, *runs), wish(settings, parameters, **options), nonce, mail=mail, webhook=webhook
    )
    async with pool.acquire() as connection, connection.transaction():
        return await orders.submit(connection, submission, None, MIA, utc_now())


async def order(pool, what, request_id: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await what(connection, request_id, MIA, utc_now())


async def row_of(pool, request_id: str) -> dict[str, Any]:
    return dict(await pool.fetchrow("SELECT * FROM request WHERE request_id = $1", request_id))


async def current(pool) -> dict[str, str]:
    rows = await pool.fetch("SELECT slot, kind, job_key FROM product WHERE current")
    return {f"{row['slot']} {row['kind']}": row["job_key"] for row in rows}


def tree(settings) -> set[str]:
    found = settings.products_dir.rglob("*.fits")
    return {
        str(path.relative_to(settings.products_dir))
        for path in found
        if ".versions" not in path.relative_to(settings.products_dir).parts
    }


async def test_what_was_done_live_is_reused_at_once(settings, pool, night, engine):
    before, commands = await current(pool), len(engine.commands)
    request_id = await ask(pool, settings, (3, 4))
    await night.run()
    row = await row_of(pool, request_id)
    assert (row["state"], row["reason"]) == ("Finished", "everything was done before")
    assert row["parts"] == row["parts_done"] == row["parts_reused"] == 6
    assert len(engine.commands) == commands, "nothing was done twice"
    assert await current(pool) == before


async def test_other_parameters_supersede_nothing(settings, pool, night, engine):
    before, shown, commands = await current(pool), tree(settings), len(engine.commands)
    request_id = await ask(pool, settings, (3, 4), parameters={"SKYSUB": False})
    await night.run()
    row = await row_of(pool, request_id)
    assert row["state"] == "Finished", row["reason"]
    assert (row["parts"], row["parts_reused"]) == (6, 3), "flat, map and arc do not know of the sky"
    assert len(engine.commands) == commands + 3
    assert all(
        "-SKYSUB" in command for command in engine.commands[commands:] if command[0] == "reduce_object"
    )
    assert await current(pool) == before
    assert tree(settings) == shown
    products = await pool.fetch(
        "SELECT d.slot, d.current, d.path, d.stored_path FROM request_part JOIN product d USING (job_key)"
        " WHERE request_id = $1 AND NOT reused",
        request_id,
    )
    assert len(products) == 3
    for product in products:
        assert is_own(product["slot"])
        assert not product["current"]
        assert product["path"].startswith(f"own/{row['variant']}/p")
        assert (settings.data_dir / product["stored_path"]).is_file()


async def test_same_wish_of_two_people_is_one_work(settings, pool, night, engine):
    first = await ask(pool, settings, (3,), "one", parameters={"VELCOR": True})
    second = await ask(pool, settings, (3,), "two", parameters={"VELCOR": True})
    commands = len(engine.commands)
    await night.run()
    assert first != second
    assert len(engine.commands) == commands + 1
    assert {(await row_of(pool, one))["state"] for one in (first, second)} == {"Finished"}


async def test_archive_is_reduced_with_the_calibrations_it_needs(settings, pool, archive):
    request_id = await ask(pool, settings, (3,))
    await archive.run()
    row = await row_of(pool, request_id)
    assert row["state"] == "Finished", row["reason"]
    parts = await pool.fetch(
        "SELECT kind, result FROM request_part WHERE request_id = $1 ORDER BY position", request_id
    )
    assert [(part["kind"], part["result"]) for part in parts] == [
        ("make_tlm", False),
        ("reduce_arc", False),
        ("reduce_fflat", False),
        ("reduce_object", True),
    ]
    assert await current(pool) == {}, "the tree shows what the planner of the night wants"
    priorities = await pool.fetch("SELECT DISTINCT priority FROM reduction")
    assert [item["priority"] for item in priorities] == [20]
    states = [event["kind"] for event in await pool.fetch("SELECT kind FROM request_event ORDER BY event_id")]
    assert states[0] == "submit"
    assert states[-1] == "Finished"


async def test_planner_adopts_what_was_made_on_demand(settings, pool, archive, engine):
    await ask(pool, settings, (3, 4))
    await archive.run()
    commands = len(engine.commands)
    await pool.execute("UPDATE frame SET source = 'live'")
    again = Flow(settings, pool, engine)
    await again.plan(NIGHT)
    await again.run()
    assert len(engine.commands) == commands, "the same work is not done again"
    shown = await current(pool)
    assert f"{NIGHT}/1/0003/object object" in shown
    assert not any(is_own(slot) for slot in shown)
    assert {path.rsplit("/", 1)[-1] for path in tree(settings)} >= {"OBJ0003red.fits", "combined_red.fits"}
    assert await pool.fetchval("SELECT count(*) FROM product WHERE starts_with(path, 'own/')") == 0


async def test_options_decide_what_is_made(settings, pool, archive):
    request_id = await ask(pool, settings, (3, 4), combine=False)
    await archive.run()
    kinds = await pool.fetch("SELECT DISTINCT kind FROM request_part WHERE request_id = $1", request_id)
    assert "combine_spectra" not in {row["kind"] for row in kinds}


async def test_form_sent_twice_is_one_request(settings, pool, night):
    both = await asyncio.gather(*(ask(pool, settings, (3,)) for _ in range(4)))
    assert len(set(both)) == 1
    assert await pool.fetchval("SELECT count(*) FROM request") == 1
    assert len(await events_of(pool, "requests.ordered")) == 1


async def test_failure_is_told_and_tried_again(settings, pool, archive, engine):
    engine.behaviour[4] = lambda _cwd: 2  # the object
    request_id = await ask(pool, settings, (3,))
    await archive.run()
    row = await row_of(pool, request_id)
    assert (row["state"], row["parts_failed"]) == ("Failed", 1)
    with pytest.raises(OrderError, match="ended"):
        await order(pool, orders.cancel, request_id)
    await order(pool, orders.retry, request_id)
    await archive.run()
    row = await row_of(pool, request_id)
    assert (row["state"], row["parts_failed"], row["retries"]) == ("Finished", 0, 1)
    with pytest.raises(OrderError, match="Nothing failed"):
        await order(pool, orders.retry, request_id)


async def test_part_failure_is_shown_as_such(settings, pool, archive, engine):
    engine.behaviour[5] = lambda _cwd: 2  # the second object
    request_id = await ask(pool, settings, (3, 4))
    await archive.run()
    row = await row_of(pool, request_id)
    assert (row["state"], row["parts_failed"]) == ("Finished", 1)
    assert row["reason"].startswith("1 of 5 parts failed: ")


async def test_frame_without_calibrations_says_what_is_missing(settings, pool, archive):
    await pool.execute("UPDATE frame SET junked = true, junked_at = now(), junk_reason = 'x' WHERE run = 2")
    request_id = await ask(pool, settings, (3,))
    await archive.run()
    row = await row_of(pool, request_id)
    assert row["state"] == "Failed"
    assert "arc" in row["reason"]
    assert [item["label"] for item in row["missing"]] == ["12mar10003"]


async def test_cancelled_request_leaves_the_queue_and_others_alone(settings, pool, archive, engine):
    first = await ask(pool, settings, (3,), "one")
    second = await ask(pool, settings, (4,), "two", parameters={"VELCOR": True})
    context = AgentContext(settings=settings)
    context.pool = pool
    desk = RequestDesk(context, pauses=0.0)
    await desk.step()
    await archive.carry()
    assert await pool.fetchval("SELECT count(*) FROM reduction WHERE state = 'queued'") == 1, (
        "the map, for both"
    )
    await order(pool, orders.cancel, first)
    await order(pool, orders.cancel, first)
    await archive.run()
    assert (await row_of(pool, first))["state"] == "Cancelled"
    assert (await row_of(pool, second))["state"] == "Finished"
    keys = "SELECT job_key FROM request_part WHERE request_id = $1 AND result"
    assert await pool.fetchval(f"SELECT count(*) FROM reduction WHERE job_key IN ({keys})", first) == 0
    await order(pool, orders.retry, first)
    await archive.run()
    assert (await row_of(pool, first))["state"] == "Finished"


async def test_cancelling_alone_empties_the_queue(settings, pool, archive, engine):
    request_id = await ask(pool, settings, (3,))
    context = AgentContext(settings=settings)
    context.pool = pool
    await RequestDesk(context).step()
    await archive.carry(to_requests=False)
    await order(pool, orders.cancel, request_id)
    await RequestDesk(context).step()
    await archive.run()
    assert engine.commands == []
    assert await pool.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'reduce'") == 0
    events = [event["state"] for event in await events_of(pool, "reductions.finished")]
    assert events == ["cancelled"]


async def test_desk_that_dies_at_any_event_loses_and_repeats_nothing(
    settings, pool, archive, raw_field, engine
):
    request_id = await ask(pool, settings, (3, 4), mail="mia@example.org")
    for _ in range(60):
        # A desk of its own each time: it remembers nothing, and hears of no event.
        context = AgentContext(settings=settings)
        context.pool = pool
        await RequestDesk(context, pauses=0.0).step()
        if not await archive.carry(to_requests=False) + await archive.reduce():
            break
    row = await row_of(pool, request_id)
    assert row["state"] == "Finished", row["reason"]
    assert len(engine.commands) == 6
    letters = await pool.fetch(
        "SELECT subject, recipient, kind FROM notification WHERE recipient IS NOT NULL"
    )
    assert sorted(letter["subject"].split(":")[0].split()[-1] for letter in letters) == ["begun", "finished"]


async def test_mail_tells_one_digest_at_the_end(settings, pool, night):
    settings = settings.model_copy(update={"web_url": "https://paws.example.org"})
    flow = Flow(settings, pool, FakeEngine())
    request_id = await ask(pool, settings, (3, 4), mail="mia@example.org")
    await flow.run()
    (letter,) = await pool.fetch("SELECT * FROM notification WHERE kind = 'request'")
    assert letter["recipient"] == "mia@example.org"
    assert f"https://paws.example.org/requests/{request_id}" in letter["body"]
    assert "12mar10003" in letter["body"]
    context = AgentContext(settings=settings)
    context.pool = pool
    await Desk(context).tick()
    (mail,) = settings.outbox_dir.glob("*-request-*.eml")
    assert mail.stat().st_mode & 0o077 == 0, "for one person alone"
    text = mail.read_text()
    assert "To: mia@example.org" in text
    assert f"Subject: [PAWS Live] Request {request_id[:8]} finished: 2 frames" in text


async def test_frames_that_come_later_do_not_change_a_request(settings, pool, archive):
    request_id = await ask(pool, settings, (3,))
    await pool.execute("UPDATE frame SET arrived_at = now() + interval '1 hour' WHERE run = 1")
    await archive.run()
    assert (await row_of(pool, request_id))["state"] == "Failed"


async def test_unknown_request_and_foreign_events_do_no_harm(settings, pool, archive):
    context = AgentContext(settings=settings)
    context.pool = pool
    desk = RequestDesk(context)
    event = (await _finished(pool, archive, settings))[0]
    await pool.execute("DELETE FROM request")
    with pytest.raises(Exception, match="no open request"):
        await desk.take(event)
    await desk.step()


async def _finished(pool, archive, settings):
    from schemas.events import ReductionFinished

    await ask(pool, settings, (3,))
    await archive.run()
    return [ReductionFinished.model_validate(item) for item in await events_of(pool, "reductions.finished")]


def test_policy_of_a_wish_leaves_the_site_rules_alone(settings):
    site = MatchPolicy.of(settings)
    made = wish(settings, {"SKYSUB": False}, max_level=4).policy(site)
    assert (made.match_wait, made.max_level) == (site.match_wait, 4)
    assert site.changes == ()


async def test_request_names_an_engine(settings, pool, night):
    """Its reductions wait for a runner of that engine, whatever the night was reduced with."""
    before = await current(pool)
    submission = Submission(await frames(pool, 3), Wish("2dfdr-8.0", "image:8.0"), "once")
    async with pool.acquire() as connection, connection.transaction():
        request_id = await orders.submit(connection, submission, None, MIA, utc_now())
    context = AgentContext(settings=settings)
    context.pool = pool
    await RequestDesk(context).step()
    await night.carry()
    queues = await pool.fetch("SELECT DISTINCT queue_name FROM procrastinate_jobs WHERE task_name = 'reduce'")
    assert [row["queue_name"] for row in queues] == ["reduce-2dfdr-8.0"]
    rows = await pool.fetch(
        "SELECT r.engine, r.engine_version, r.slot FROM reduction r JOIN request_part USING (job_key) WHERE request_id = $1",
        request_id,
    )
    assert {(row["engine"], row["engine_version"]) for row in rows} == {("2dfdr-8.0", "image:8.0")}
    assert all(is_own(row["slot"]) for row in rows)
    assert await current(pool) == before
