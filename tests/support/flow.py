"""A live system in one task, without broker: files go in at one end, and events are carried by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from agents.calib_matcher.planner import Planner
from agents.ingest.reading import inspect_old
from agents.ingest.service import rejection
from agents.ingest.storage import record_frame, record_rejection
from agents.obslog.storage import refresh
from agents.reducer.engines import Engine
from agents.reducer.intake.storage import take_request
from agents.reducer.runner.runner import Runner, TryAgainLater
from agents.requests.desk import RequestDesk
from agents.runtime import AgentContext
from agents.tap_ingest.agent import take_in
from paws.clock import utc_now
from paws.database import Pool
from paws.errors import NotOursError
from paws.settings import Settings
from schemas.events import (
    FrameArrived,
    FrameJunked,
    FrameParametersSet,
    ReductionFinished,
    ReductionRequested,
    RequestOrdered,
    parse_event,
)

MOST_TURNS = 500


class Flow:
    """Carries what the outbox announces to those who listen, until nothing is left to do."""

    def __init__(self, settings: Settings, pool: Pool, engine: Engine) -> None:
        self._settings, self._pool = settings, pool
        context = AgentContext(settings=settings)
        context.pool = pool
        self._context = context
        self._planner = Planner(context, {})
        self._requests = RequestDesk(context, pauses=0.0)
        self._runner = Runner(settings=settings, pool=pool, engine=engine, identity="here/1/1")
        self._carried = 0

    async def take_in(self, files: Sequence[Path]) -> None:
        """Register files, in the order in which they come."""
        for path in files:
            longitude = self._settings.site_longitude
            inspection = inspect_old((str(path), path.stat().st_mtime_ns), longitude)
            if inspection.frame is not None:
                await record_frame(self._pool, inspection, utc_now())
            else:
                rejected = rejection(inspection, longitude, inspection.code, inspection.reason)
                await record_rejection(self._pool, rejected, utc_now())

    async def run(self) -> None:
        """Go on until nothing changes any more."""
        for _ in range(MOST_TURNS):
            moved = await self.carry() + await self.reduce()
            await self._planner.step()
            await self._requests.step()
            if not moved and not self._requests.waits and not await self._open():
                return
        raise AssertionError("the flow does not come to an end")

    async def plan(self, night: str) -> None:
        """Plan a night, as the matcher does when it begins."""
        await self._planner.plan_again(night)

    async def carry(self, *, to_requests: bool = True) -> int:
        """Carry what was announced since the last time."""
        rows = await self._pool.fetch(
            "SELECT id, payload::text AS payload FROM outbox WHERE id > $1 AND topic NOT LIKE '%status.events'"
            " ORDER BY id",
            self._carried,
        )
        for row in rows:
            self._carried = row["id"]
            await self._deliver(orjson.loads(row["payload"]), to_requests)
        return len(rows)

    async def _deliver(self, payload: dict, to_requests: bool) -> None:
        event = parse_event(orjson.dumps(payload))
        match event:
            case ReductionRequested():
                await take_request(self._pool, event, utc_now())
            case FrameArrived():
                await self._planner.take(event)
                await refresh(self._pool, [event.frame.frame_id], event.night)
            case FrameParametersSet():
                await self._planner.take(event)
            case FrameJunked():
                await self._planner.take(event)
                await refresh(self._pool, [event.frame_id], event.night)
            case ReductionFinished():
                await self._planner.take(event)
                await refresh(self._pool, event.subject_frame_ids, event.night)
                with contextlib.suppress(NotOursError):
                    await take_in(self._context, event)
                if to_requests:
                    with contextlib.suppress(NotOursError):
                        await self._requests.take(event)
            case RequestOrdered():
                if to_requests:
                    await self._requests.take(event)
            case _:
                pass

    async def reduce(self) -> int:
        """Carry out what waits in the queue."""
        rows = await self._pool.fetch(
            "SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY priority DESC, id"
        )
        done = 0
        for row in rows:
            try:
                if row["task_name"] == "reduce":
                    await self._runner.reduce(row["args"]["job_key"], row["id"])
                else:
                    await self._runner.place(row["args"]["slot"])
            except TryAgainLater:
                continue
            await self._pool.execute("DELETE FROM procrastinate_jobs WHERE id = $1", row["id"])
            done += 1
        return done

    async def _open(self) -> bool:
        return bool(
            await self._pool.fetchval(
                "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo')"
                " OR EXISTS (SELECT FROM outbox WHERE id > $1 AND topic NOT LIKE '%status.events')",
                self._carried,
            )
        )
