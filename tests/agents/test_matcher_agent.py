"""The matcher's Faust agent: what it is told is kept in its table, and planned from there."""

from __future__ import annotations

from datetime import timedelta

from agents.calib_matcher.agent import register
from agents.calib_matcher.planner import Planner
from agents.runtime import AgentContext
from paws.database import open_pool
from paws.matching.items import Item, decode
from paws.matching.state import Finished
from paws.settings import Settings
from schemas.events import FrameArrived, FrameJunked, FrameRejected, ReductionFinished, dump_event
from schemas.frames import Frame
from schemas.vocabulary import Outcome, ReductionKind, ReductionState
from tests.support.fausting import faust_app, make_ready, results_of
from tests.support.nights import EVENING, NIGHT, make_frame


def arrived(frame: Frame) -> bytes:
    return dump_event(FrameArrived(event_id=frame.frame_id, night=frame.night, at=EVENING, frame=frame))


def finished(job_key: str, state: ReductionState, slot: str = f"{NIGHT}/1/0001/tlm") -> bytes:
    event = ReductionFinished(
        event_id=job_key,
        night=NIGHT,
        at=EVENING,
        job_key=job_key,
        slot=slot,
        kind=ReductionKind.MAKE_TLM,
        state=state,
        outcome=Outcome.SUCCESS if state is ReductionState.SUCCEEDED else Outcome.PERMANENT,
    )
    return dump_event(event)


async def test_events_become_items_of_the_table_and_then_a_plan(database: Settings) -> None:
    flat, arc = make_frame("MFFFF", 1), make_frame("MFARC", 2)
    junked = FrameJunked(
        event_id="j", night=NIGHT, at=EVENING, frame_id=arc.frame_id, junked=True, reason="lamp", who="me"
    )
    rejected = FrameRejected(
        event_id="r", night=NIGHT, at=EVENING, path="/x", name="x", size_bytes=0, code="empty", reason="empty"
    )
    async with open_pool(database) as pool:
        context = AgentContext(database, clock=lambda: EVENING)
        context.pool = pool
        with faust_app("matcher-test") as app:
            planner = register(app, context)
            make_ready(app)
            agent = next(agent for name, agent in app.agents.items() if "calib_matcher" in name)
            (table,) = app.tables.values()
            messages = [
                arrived(flat),
                arrived(flat),
                arrived(arc),
                dump_event(junked),
                finished("a" * 64, ReductionState.FAILED),
                finished("b" * 64, ReductionState.CANCELLED),
                dump_event(rejected),
                b"nonsense",
            ]
            async with agent.test_context() as probe:
                for message in messages:
                    await probe.put(message)
                receipts = await results_of(probe, len(messages))
                kept = dict(table.items())
                await planner.step()

        assert [receipt.outcome for receipt in receipts] == [
            *[Outcome.SUCCESS] * 6,
            Outcome.NOT_OURS,
            Outcome.INVALID_INPUT,
        ]
        assert sorted(kept) == [
            f"{NIGHT}|finished|{'a' * 64}".encode(),
            f"{NIGHT}|frame|{flat.frame_id}".encode(),
            f"{NIGHT}|frame|{arc.frame_id}".encode(),
            f"{NIGHT}|junk|{arc.frame_id}".encode(),
        ]
        topics = [row["topic"] for row in await pool.fetch("SELECT topic FROM outbox ORDER BY id")]
        assert topics.count("reductions.requested") == 1

        # Another worker goes on from the table.
        heir = Planner(context, kept)
        await heir.start()
        await heir.step()
        again = [row["topic"] for row in await pool.fetch("SELECT topic FROM outbox ORDER BY id")]
        rows = await pool.fetch("SELECT frame_id, state FROM frame_plan ORDER BY frame_id")
        assert {row["frame_id"]: row["state"] for row in rows} == {
            flat.frame_id: "waiting",
            arc.frame_id: "junked",
        }
        assert again.count("status.events") == topics.count("status.events")


def test_items_survive_the_table() -> None:
    error = 'it said: "no" | really'
    item = Finished(f"{NIGHT}/1/0001/tlm", ReductionState.FAILED, EVENING, error)
    for name in ("k" * 64, "name|with|bars"):
        original = Item(NIGHT, name, item)
        assert decode(original.key, original.encode()) == original


async def test_old_nights_leave_the_table_when_a_new_one_begins(database: Settings) -> None:
    async with open_pool(database) as pool:
        now = [EVENING]
        context = AgentContext(database, clock=lambda: now[0])
        context.pool = pool
        table: dict[bytes, bytes] = {}
        planner = Planner(context, table)
        for night in ("20260101", "20260310", "20260312"):
            frame = make_frame("MFARC", 1, night=night)
            event = FrameArrived(event_id=frame.frame_id, night=night, at=now[0], frame=frame)
            await planner.take(event)
            await planner.step()
            now[0] += timedelta(days=1)
        assert {key.split(b"|")[0] for key in table} == {b"20260310", b"20260312"}
