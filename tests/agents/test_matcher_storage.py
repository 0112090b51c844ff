"""The matcher against a real database: differences only, one transaction, nothing lost by a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from agents.calib_matcher.junking import junk_by_name
from agents.calib_matcher.planner import Planner
from agents.calib_matcher.storage import read_night, read_written
from agents.reducer.settle import WITHDRAWN
from agents.runtime import AgentContext
from paws.database import open_pool
from paws.errors import InvalidInputError
from paws.settings import Settings
from schemas.events import FrameArrived, FrameJunked, ReductionFinished, parse_event
from schemas.frames import Frame
from schemas.reductions import Reduction
from schemas.vocabulary import Arm, Outcome, ReductionState
from tests.support.nights import EVENING, NIGHT, make_frame, make_night


class World:
    """A database, a clock turned by hand, and an engine that obeys; the planner can be started anew."""

    def __init__(self, settings: Settings, pool: Any) -> None:
        self.now = EVENING
        self.pool = pool
        self.context = AgentContext(settings, clock=lambda: self.now)
        self.context.pool = pool
        self.restart()

    def restart(self, *, keep_table: bool = False) -> None:
        self.table: dict[bytes, bytes] = self.table if keep_table else {}
        self.planner = Planner(self.context, self.table)

    async def arrive(self, *frames: Frame, event: bool = True, source: str = "live") -> None:
        for frame in frames:
            await self.pool.execute(
                "INSERT INTO frame (frame_id, night, name, path, checksum, size_bytes, source, arm, run,"
                " frame_class, exposed, utmjd, document, completed_at, arrived_at)"
                " VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$14) ON CONFLICT DO NOTHING",
                frame.frame_id,
                frame.night,
                frame.name,
                frame.path,
                frame.checksum,
                frame.size_bytes,
                source,
                frame.arm.value,
                frame.run,
                frame.frame_class.value,
                frame.exposed,
                frame.utmjd,
                frame.model_dump(mode="json"),
                self.now,
            )
            if event:
                await self.planner.take(
                    FrameArrived(event_id=frame.frame_id, night=frame.night, at=self.now, frame=frame)
                )

    async def requests(self) -> list[Reduction]:
        rows = await self.pool.fetch(
            "SELECT payload FROM outbox WHERE topic = 'reductions.requested' ORDER BY id"
        )
        return [Reduction.model_validate(row["payload"]["reduction"]) for row in rows]

    async def settle(self) -> None:
        """Plan, and let everything asked for succeed, until nothing more is asked for."""
        done = set()
        while True:
            await self.planner.step()
            new = [item for item in await self.requests() if item.job_key not in done]
            if not new:
                return
            for reduction in new:
                done.add(reduction.job_key)
                await self.record(reduction, "succeeded")
                await self.planner.take(self.finished(reduction))

    async def record(self, reduction: Reduction, state: str) -> None:
        await self.pool.execute(
            "INSERT INTO reduction (job_key, slot, kind, night, state, priority, engine, engine_version,"
            " document, requested_at, finished_at) VALUES ($1,$2,$3,$4,$5,0,'e','1',$6,$7,$7)"
            " ON CONFLICT (job_key) DO UPDATE SET state = excluded.state",
            reduction.job_key,
            reduction.slot,
            reduction.kind.value,
            reduction.night,
            state,
            reduction.model_dump(mode="json"),
            self.now,
        )

    def finished(self, reduction: Reduction) -> ReductionFinished:
        return ReductionFinished(
            event_id=reduction.job_key,
            night=reduction.night,
            at=self.now,
            job_key=reduction.job_key,
            slot=reduction.slot,
            kind=reduction.kind,
            state=ReductionState.SUCCEEDED,
            outcome=Outcome.SUCCESS,
            subject_frame_ids=reduction.subject_frame_ids,
        )

    async def count(self, table: str) -> int:
        return int(await self.pool.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.fixture
async def world(database: Settings) -> AsyncIterator[World]:
    async with open_pool(database) as pool:
        yield World(database, pool)


async def test_a_night_is_planned_written_and_announced(world: World) -> None:
    frames = make_night(fields=1, exposures=2, biases=2)
    await world.arrive(*frames)
    await world.settle()

    asked = await world.requests()
    assert len({item.job_key for item in asked}) == len(asked)
    rows = {row["frame_id"]: row for row in await world.pool.fetch("SELECT * FROM frame_plan")}
    assert rows.keys() == {frame.frame_id for frame in frames}
    assert {row["state"] for row in rows.values()} == {"planned", "set_aside"}
    science = rows[next(frame.frame_id for frame in frames if frame.frame_class.is_science)]
    assert science["level"] == 0
    roles = {choice["role"] for choice in science["decision"]["choices"]}
    assert roles == {"tlm", "arc", "fflat", "bias"}
    assert all(choice["reason"] for choice in science["decision"]["choices"])
    slots = {row["slot"]: row["job_key"] for row in await world.pool.fetch("SELECT * FROM slot")}
    assert slots == {item.slot: item.job_key for item in asked}
    states = await world.pool.fetch("SELECT payload FROM outbox WHERE topic = 'status.events'")
    assert {row["payload"]["entity_id"] for row in states} >= rows.keys()


async def test_only_differences_are_written(world: World) -> None:
    frames = make_night(fields=1, exposures=2, biases=2)
    await world.arrive(*frames)
    await world.settle()
    before = await world.count("outbox")

    await world.arrive(*frames)
    for reduction in await world.requests():
        await world.planner.take(world.finished(reduction))
    await world.planner.step()
    assert await world.count("outbox") == before

    # The same with a planner that knows only what the table, or only what the database kept.
    for keep_table in (True, False):
        world.restart(keep_table=keep_table)
        await world.planner.start()
        await world.planner.step()
        assert await world.count("outbox") == before, f"table kept: {keep_table}"


async def test_an_event_that_was_lost_is_made_good_from_the_database(world: World) -> None:
    frames = make_night(fields=1, exposures=1, biases=0, arms=(Arm.BLUE,))
    await world.arrive(*frames, event=False)
    world.restart()
    await world.planner.start()
    await world.settle()
    assert len(await world.requests()) == 4


async def test_what_is_in_the_queue_is_not_asked_for_again_after_a_restart(world: World) -> None:
    await world.arrive(make_frame("MFFFF", 1))
    await world.planner.step()
    (request,) = await world.requests()
    await world.record(request, "running")
    world.restart()
    await world.planner.start()
    await world.planner.step()
    assert len(await world.requests()) == 1


async def test_archived_frames_are_candidates_only(world: World) -> None:
    archived = [make_frame("MFFFF", 1, night="20260311"), make_frame("MFARC", 2, night="20260311")]
    await world.arrive(*archived, event=False, source="backfill")
    await world.arrive(make_frame("MFOBJECT", 3))
    await world.planner.step()
    world.now += timedelta(minutes=10)
    await world.settle()
    kinds = sorted(item.kind.value for item in await world.requests())
    assert kinds == ["make_tlm", "reduce_arc", "reduce_fflat", "reduce_object"]
    assert await world.count("frame_plan") == 1
    assert {row["night"] for row in await world.pool.fetch("SELECT night FROM slot")} == {NIGHT}


async def test_a_junked_frames_products_are_withdrawn(world: World) -> None:
    frames = make_night(fields=1, exposures=1, biases=0, arms=(Arm.BLUE,))
    await world.arrive(*frames)
    await world.settle()
    slot = f"{NIGHT}/1/0004/object"
    key = await world.pool.fetchval("SELECT job_key FROM slot WHERE slot = $1", slot)
    await world.pool.execute(
        "INSERT INTO product (product_id, job_key, slot, kind, night, version, current, path, stored_path,"
        " checksum, size_bytes) VALUES ('p', $1, $2, 'object', $3, 1, true, 'a', 'b', 'c', 1)",
        key,
        slot,
        NIGHT,
    )
    result = await junk_by_name(
        world.context.settings, frames[-1].stem, night=None, junked=True, reason=" clouds ", who="me"
    )
    assert result["changed"]
    payload = await world.pool.fetchval("SELECT payload FROM outbox WHERE topic = 'frames.junked'")
    event = FrameJunked.model_validate(payload)
    assert (event.frame_id, event.reason) == (frames[-1].frame_id, "clouds")
    await world.planner.take(event)
    await world.planner.step()

    assert await world.pool.fetchval("SELECT job_key FROM slot WHERE slot = $1", slot) == WITHDRAWN
    assert not await world.pool.fetchval("SELECT current FROM product")
    state = await world.pool.fetchval("SELECT state FROM frame_plan WHERE frame_id = $1", frames[-1].frame_id)
    assert state == "junked"

    again = await junk_by_name(
        world.context.settings, frames[-1].name, night=NIGHT, junked=True, reason="clouds", who="me"
    )
    assert not again["changed"]
    back = await junk_by_name(
        world.context.settings, frames[-1].frame_id, night=None, junked=False, reason="", who="me"
    )
    assert back["changed"]
    record = await read_night(world.pool, NIGHT)
    assert any(item.name == frames[-1].frame_id for item in record.items)


async def test_a_name_must_tell_which_frame_is_meant(world: World) -> None:
    await world.arrive(make_frame("MFARC", 1), make_frame("MFARC", 1, content="other"))
    for name, word in (("99mar10001", "no frame"), ("12mar10001", "More than one")):
        with pytest.raises(InvalidInputError, match=word):
            await junk_by_name(world.context.settings, name, night=None, junked=True, reason="why", who="me")


async def test_everything_is_written_or_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.arrive(make_frame("MFFFF", 1))

    async def fail(*_: Any) -> None:
        raise ValueError("no announcement today")

    with monkeypatch.context() as patch:
        patch.setattr("agents.calib_matcher.storage.announce_frames", fail)
        await world.planner.step()
    assert await world.count("slot") == 0
    assert await world.count("frame_plan") == 0
    notices = await world.pool.fetch("SELECT payload FROM outbox")
    (notice,) = [parse_event(__import__("json").dumps(row["payload"])) for row in notices]
    assert "could not be planned" in notice.payload["reason"]

    await world.arrive(make_frame("MFARC", 2))
    await world.planner.step()
    assert await world.count("frame_plan") == 2
    assert len(await world.requests()) == 1
    assert len((await read_written(world.pool, NIGHT)).rows) == 2
