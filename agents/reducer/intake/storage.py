"""The only I/O of the intake: one transaction a request."""

from __future__ import annotations

from datetime import datetime

from agents.reducer.adoption import adopt, adopts
from agents.reducer.events import announce_finished
from agents.reducer.intake.service import IntakeDecision, Known, decide
from agents.reducer.queue import cancel_waiting, enqueue_place, enqueue_reduction, raise_priority
from agents.reducer.settle import lock_slot, settle
from paws.database import Connection, Pool
from paws.log import get_logger
from paws.status import announce_frames, announce_reductions
from schemas.events import ReductionRequested
from schemas.layout import is_own
from schemas.reductions import Layout, Reduction
from schemas.vocabulary import Outcome, ReductionState

log = get_logger(__name__)

NOT_WANTED = "not_wanted"
FORGOTTEN = "forgotten"
"""Code of a reduction whose products were of no use for long and were removed; it is made again when wanted."""


async def take_request(pool: Pool, event: ReductionRequested, at: datetime) -> IntakeDecision:
    """Make a request durable, or recognise it. May be given the same request any number of times.

    Returns
    -------
    IntakeDecision
        What was done, with the reason.
    """
    async with pool.acquire() as connection, connection.transaction():
        event = await _in_its_slot(connection, event)
        reduction = event.reduction
        await lock_slot(connection, reduction.slot)
        row = await connection.fetchrow(
            "SELECT state, slot, queue_job_id FROM reduction WHERE job_key = $1 FOR UPDATE", reduction.job_key
        )
        if row is not None and adopts(row["slot"], reduction.slot, ReductionState(row["state"])):
            await adopt(connection, reduction)
        wanted_key = await connection.fetchval("SELECT job_key FROM slot WHERE slot = $1", reduction.slot)
        decision = decide(
            Known(ReductionState(row["state"])) if row is not None else None,
            force=event.force,
            wanted=wanted_key in (None, reduction.job_key),
        )
        if decision.action == "queue":
            await _queue(connection, event, at)
        elif decision.action == "hurry":
            await _hurry(connection, reduction, row["queue_job_id"])
        elif decision.action == "tell_again":
            settlement = await settle(connection, reduction.slot, at)
            if settlement.current:
                await enqueue_place(connection, reduction.slot)
            await announce_finished(connection, reduction.job_key, at)
        elif row is None:
            await _record(connection, event, at, ReductionState.CANCELLED)
            await _tell_cancelled(connection, [reduction.job_key], at)
        else:
            await announce_finished(connection, reduction.job_key, at)
        await cancel_unwanted(connection, reduction.slot, at)
    log.info(
        "request taken",
        job=reduction.job_key[:16],
        slot=reduction.slot,
        kind=reduction.kind.value,
        action=decision.action,
        reason=decision.reason,
    )
    return decision


async def _in_its_slot(connection: Connection, event: ReductionRequested) -> ReductionRequested:
    """A request beside the night's plan, for work that is known already: with the slot that it has.

    Where the planner gave that up, a person wants it still.
    """
    if not is_own(event.reduction.slot):
        return event
    row = await connection.fetchrow(
        "SELECT slot, state, document FROM reduction WHERE job_key = $1", event.reduction.job_key
    )
    if row is None:
        return event
    layout = Layout.model_validate(row["document"]["layout"])
    known = event.reduction.model_copy(update={"slot": row["slot"], "layout": layout})
    given_up = row["state"] == ReductionState.CANCELLED.value
    return event.model_copy(update={"reduction": known, "force": event.force or given_up})


async def cancel_unwanted(connection: Connection, slot: str, at: datetime) -> list[str]:
    """Take waiting reductions of a slot that the planner no longer wants out of the queue.

    What runs is left to end: its product may serve until the better one is there. What a person asked for
    stays.
    """
    rows = await connection.fetch(
        """
        SELECT r.job_key, r.queue_job_id FROM reduction r JOIN slot s USING (slot)
        WHERE slot = $1 AND r.job_key <> s.job_key AND r.state IN ('queued', 'retrying') AND NOT r.forced
        FOR UPDATE OF r
        """,
        slot,
    )
    cancelled = [
        row["job_key"]
        for row in rows
        # A job that a runner has just taken is no longer waiting; the runner looks for itself.
        if row["queue_job_id"] is None or await cancel_waiting(connection, row["queue_job_id"])
    ]
    if cancelled:
        await connection.execute(
            """
            UPDATE reduction SET state = 'cancelled', outcome = $2, error_code = $3, finished_at = $4,
                error = 'A better reduction of the same slot is wanted by now.'
            WHERE job_key = ANY($1::text[])
            """,
            cancelled,
            Outcome.NOT_OURS.value,
            NOT_WANTED,
            at,
        )
        await _tell_cancelled(connection, cancelled, at)
    return cancelled


async def queue_again(connection: Connection, job_key: str, at: datetime) -> None:
    """Put a known reduction into the queue, with all its tries."""
    row = await connection.fetchrow(
        "SELECT slot, engine, priority, document FROM reduction WHERE job_key = $1", job_key
    )
    job_id = await enqueue_reduction(
        connection, job_key=job_key, slot=row["slot"], engine=row["engine"], priority=row["priority"]
    )
    await connection.execute(
        """
        UPDATE reduction SET state = 'queued', tries = 0, stage = NULL, progress = NULL, outcome = NULL,
            error_code = NULL, error = NULL, queue_job_id = $2, queued_at = $3, started_at = NULL,
            engine_started_at = NULL, engine_finished_at = NULL, finished_at = NULL
        WHERE job_key = $1
        """,
        job_key,
        job_id,
        at,
    )
    await announce_reductions(connection, [job_key], at)
    await announce_frames(connection, row["document"]["subject_frame_ids"], at)


async def _queue(connection: Connection, event: ReductionRequested, at: datetime) -> None:
    await _record(connection, event, at, ReductionState.QUEUED)
    await queue_again(connection, event.reduction.job_key, at)


async def _record(
    connection: Connection, event: ReductionRequested, at: datetime, state: ReductionState
) -> None:
    reduction = event.reduction
    cancelled = state is ReductionState.CANCELLED
    await connection.execute(
        """
        INSERT INTO reduction (job_key, slot, kind, night, arm, state, priority, provisional, engine,
            engine_version, document, forced, requested_at, queued_at, outcome, error_code, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (job_key) DO UPDATE SET priority = excluded.priority, provisional = excluded.provisional,
            document = excluded.document, forced = excluded.forced, requested_at = excluded.requested_at
        """,
        reduction.job_key,
        reduction.slot,
        reduction.kind.value,
        reduction.night,
        reduction.arm.value if reduction.arm is not None else None,
        state.value,
        int(reduction.priority),
        reduction.provisional,
        reduction.engine,
        reduction.engine_version,
        reduction.model_dump(mode="json"),
        event.force,
        event.at,
        at,
        Outcome.NOT_OURS.value if cancelled else None,
        NOT_WANTED if cancelled else None,
        at if cancelled else None,
    )
    frames = {frame.frame_id for frame in reduction.frames} | set(reduction.subject_frame_ids)
    await connection.execute(
        """
        INSERT INTO reduction_frame (job_key, frame_id) SELECT $1, unnest($2::text[])
        ON CONFLICT DO NOTHING
        """,
        reduction.job_key,
        sorted(frames),
    )


async def _hurry(connection: Connection, reduction: Reduction, queue_job_id: int | None) -> None:
    await connection.execute(
        "UPDATE reduction SET priority = greatest(priority, $2) WHERE job_key = $1",
        reduction.job_key,
        int(reduction.priority),
    )
    if queue_job_id is not None:
        await raise_priority(connection, queue_job_id, int(reduction.priority))


async def _tell_cancelled(connection: Connection, job_keys: list[str], at: datetime) -> None:
    await announce_reductions(connection, job_keys, at)
    for job_key in job_keys:
        await announce_finished(connection, job_key, at)
