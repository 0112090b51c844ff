"""The matcher's only I/O: reads a night back, and writes what a plan changed in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from agents.reducer.adoption import adopt_wanted
from agents.reducer.intake.storage import cancel_unwanted
from agents.reducer.queue import enqueue_place
from agents.reducer.settle import WITHDRAWN, lock_slot, settle
from paws.clock import night_date
from paws.database import Connection, Pool
from paws.matching.items import Item
from paws.matching.plan import Plan
from paws.matching.sighting import JunkMark, ParameterMark, Sighting, in_order
from paws.matching.state import Finished
from paws.matching.verdict import FrameDecision
from paws.outbox import announce
from paws.status import announce_frames
from schemas.events import ReductionRequested
from schemas.frames import Frame
from schemas.vocabulary import ReductionState

RowKey = tuple[str, str, str | None, int | None, bool]
"""State, reason, job key, level and whether provisional: what a written plan row says."""


@dataclass
class Written:
    """What stands in the database for a night, so that only differences are written.

    Attributes
    ----------
    decisions
        Decisions written by this process, by frame.
    rows
        Rows found at start, by frame.
    slots
        Wanted keys, by slot.
    """

    decisions: dict[str, FrameDecision] = field(default_factory=dict)
    rows: dict[str, RowKey] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)

    def changed(self, frame_id: str, decision: FrameDecision) -> bool:
        """Whether a decision differs from what is written."""
        known = self.decisions.get(frame_id)
        return known != decision if known is not None else self.rows.get(frame_id) != row_key(decision)


@dataclass
class NightRecord:
    """What the database knows of a night."""

    items: list[Item] = field(default_factory=list)
    requested: dict[str, datetime] = field(default_factory=dict)


def row_key(decision: FrameDecision) -> RowKey:
    """A decision as its row is compared."""
    level = int(decision.level) if decision.level is not None else None
    return decision.state, decision.reason, decision.job_key, level, decision.provisional


async def nights_around(pool: Pool, night: str, horizon: int) -> list[str]:
    """Nights with frames within some nights of a night, itself included."""
    first, last = (
        (night_date(night) + timedelta(days=days)).strftime("%Y%m%d") for days in (-horizon, horizon)
    )
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT night FROM frame WHERE night BETWEEN $1 AND $2", first, last
        )
    return sorted({row["night"] for row in rows} | {night})


async def newest_nights(pool: Pool, count: int) -> list[str]:
    """Newest nights with frames to reduce."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT night FROM frame WHERE source = 'live' ORDER BY night DESC LIMIT $1", count
        )
    return [row["night"] for row in rows]


async def unsettled_nights(pool: Pool, count: int) -> list[str]:
    """Newest nights in which frames still wait, or were reduced provisionally."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT night FROM frame_plan WHERE state = 'waiting' OR provisional"
            " ORDER BY night DESC LIMIT $1",
            count,
        )
    return [row["night"] for row in rows]


async def read_night(pool: Pool, night: str) -> NightRecord:
    """Read what the database knows of a night: it closes any gap in the events."""
    record = NightRecord()
    async with pool.acquire() as connection:
        frames = await connection.fetch(
            "SELECT frame_id, document, source, arrived_at, junked, junk_reason, junked_by, junked_at"
            " FROM frame WHERE night = $1",
            night,
        )
        reductions = await connection.fetch(
            "SELECT job_key, slot, state, error, requested_at, finished_at FROM reduction WHERE night = $1",
            night,
        )
        parameters = await connection.fetch(
            "SELECT frame_id, parameters, reason, who, at FROM frame_parameters WHERE night = $1", night
        )
    for row in frames:
        sighting = Sighting(Frame.model_validate(row["document"]), row["arrived_at"], row["source"] == "live")
        record.items.append(Item(night, row["frame_id"], sighting))
        if row["junked_at"] is not None:
            mark = JunkMark(row["junked"], row["junk_reason"] or "", row["junked_by"] or "", row["junked_at"])
            record.items.append(Item(night, row["frame_id"], mark))
    for row in parameters:
        own = ParameterMark(in_order(row["parameters"]), row["reason"], row["who"], row["at"])
        record.items.append(Item(night, row["frame_id"], own))
    for row in reductions:
        state = ReductionState(row["state"])
        if state in (ReductionState.SUCCEEDED, ReductionState.FAILED):
            at = row["finished_at"] or row["requested_at"]
            finished = Finished(row["slot"], state, at, (row["error"] or "")[:500])
            record.items.append(Item(night, row["job_key"], finished))
        elif not state.is_final:
            record.requested[row["job_key"]] = row["requested_at"]
    return record


async def read_written(pool: Pool, night: str) -> Written:
    """Read what earlier plans of a night wrote."""
    async with pool.acquire() as connection:
        plans = await connection.fetch(
            "SELECT frame_id, state, reason, job_key, level, provisional FROM frame_plan WHERE night = $1",
            night,
        )
        slots = await connection.fetch("SELECT slot, job_key FROM slot WHERE night = $1", night)
    return Written(
        rows={
            row["frame_id"]: (
                row["state"],
                row["reason"],
                row["job_key"],
                row["level"],
                row["provisional"],
            )
            for row in plans
        },
        slots={row["slot"]: row["job_key"] for row in slots if row["job_key"] != WITHDRAWN},
    )


async def write_plan(pool: Pool, plan: Plan, written: Written, at: datetime) -> int:
    """Write what differs from what is written, and announce it, in one transaction.

    Returns
    -------
    int
        Number of frames whose decision changed.
    """
    changed = {
        frame_id: decision
        for frame_id, decision in plan.frames.items()
        if written.changed(frame_id, decision)
    }
    slots = {slot: key for slot, key in plan.slots.items() if written.slots.get(slot) != key}
    gone = sorted(written.slots.keys() - plan.slots.keys())
    if not (changed or slots or gone or plan.ready):
        return 0
    async with pool.acquire() as connection, connection.transaction():
        await _write_decisions(connection, plan.night, changed, at)
        await _write_slots(connection, plan.night, slots, gone, at)
        await announce(
            connection,
            [
                ReductionRequested(
                    event_id=reduction.job_key, night=reduction.night, at=at, reduction=reduction
                )
                for reduction in plan.ready
            ],
        )
        # Their state is the plan's overlaid with the reduction's; a row may tell the same in other words.
        await announce_frames(connection, changed, at)
    # Without their tasks: these would keep every plan in memory in which a frame last changed.
    written.decisions.update(
        {frame_id: replace(decision, task=None) for frame_id, decision in changed.items()}
    )
    written.slots = dict(plan.slots)
    return len(changed)


async def _write_decisions(
    connection: Connection, night: str, decisions: Mapping[str, FrameDecision], at: datetime
) -> None:
    if not decisions:
        return
    rows: list[tuple[Any, ...]] = [
        (frame_id, night, *row_key(decision), decision.document(), at)
        for frame_id, decision in sorted(decisions.items())
    ]
    await connection.executemany(
        """
        INSERT INTO frame_plan (frame_id, night, state, reason, job_key, level, provisional, decision, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (frame_id) DO UPDATE SET
            state = excluded.state, reason = excluded.reason, job_key = excluded.job_key,
            level = excluded.level, provisional = excluded.provisional, decision = excluded.decision,
            updated_at = excluded.updated_at
        """,
        rows,
    )


async def _write_slots(
    connection: Connection, night: str, slots: Mapping[str, str], gone: list[str], at: datetime
) -> None:
    if slots:
        await connection.executemany(
            """
            INSERT INTO slot (slot, night, job_key, updated_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (slot) DO UPDATE SET job_key = excluded.job_key, updated_at = excluded.updated_at
            """,
            [(slot, night, key, at) for slot, key in sorted(slots.items())],
        )
        await adopt_wanted(connection, list(slots))
        await _bring_back(connection, slots, at)
    if gone:
        await _withdraw(connection, gone, at)


async def _bring_back(connection: Connection, slots: Mapping[str, str], at: datetime) -> None:
    """Make products current that were made before and are wanted again: a frame's junk or parameters taken back."""
    rows = await connection.fetch(
        "SELECT DISTINCT p.slot FROM product p JOIN unnest($1::text[], $2::text[]) AS w (slot, job_key)"
        " USING (slot, job_key) WHERE NOT p.current ORDER BY p.slot",
        list(slots.keys()),
        list(slots.values()),
    )
    for row in rows:
        await lock_slot(connection, row["slot"])
        await settle(connection, row["slot"], at)
        await enqueue_place(connection, row["slot"])


async def _withdraw(connection: Connection, gone: list[str], at: datetime) -> None:
    """Empty slots in which nothing is wanted any more, such as those of a frame that was junked."""
    for slot in gone:
        await lock_slot(connection, slot)
    await connection.execute(
        "UPDATE slot SET job_key = $2, updated_at = $3 WHERE slot = ANY($1::text[])", gone, WITHDRAWN, at
    )
    for slot in gone:
        if (await settle(connection, slot, at)).superseded:
            await enqueue_place(connection, slot)
        await cancel_unwanted(connection, slot, at)
