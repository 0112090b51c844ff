"""The only database I/O of a runner. Whatever changes a reduction is fenced by its attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.reducer.events import finished
from agents.reducer.intake.storage import FORGOTTEN, NOT_WANTED, queue_again
from agents.reducer.retry import RetryPolicy
from agents.reducer.runner.prepare import InputProduct
from agents.reducer.runner.service import Situation, StartDecision, start_decision
from paws.database import Connection, Pool
from paws.errors import PermanentError
from paws.outbox import announce
from paws.status import REDUCTION_COLUMNS, frame_statuses, reduction_status, reduction_statuses
from schemas.events import StatusEvent
from schemas.reductions import ProductInput, Reduction, input_keys
from schemas.vocabulary import Outcome, ProductKind, ReductionState


class LostFenceError(PermanentError):
    """Another runner has taken the reduction over; what this one made is thrown away."""

    code = "lost_fence"


@dataclass(frozen=True)
class Begun:
    """A reduction that this runner may now work on; `decision` tells if it may not.

    Attributes
    ----------
    previous_code, previous_error
        How the try before went wrong, if it did.
    times
        When it was requested, queued and started.
    priority
        That it has now; it may have been raised since it was requested.
    """

    decision: StartDecision
    slot: str = ""
    reduction: Reduction | None = None
    attempt: int = 0
    tries: int = 0
    inputs: tuple[InputProduct, ...] = ()
    previous_code: str | None = None
    previous_error: str | None = None
    times: tuple[datetime, datetime, datetime] | None = None
    priority: int = 0


async def begin(
    pool: Pool, job_key: str, runner: str, queue_job_id: int | None, policy: RetryPolicy, at: datetime
) -> Begun:
    """Take a reduction on: count the attempt before the work, so that a crash counts too."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            """
            SELECT r.*, s.job_key AS wanted FROM reduction r LEFT JOIN slot s USING (slot)
            WHERE r.job_key = $1 FOR UPDATE OF r
            """,
            job_key,
        )
        if row is None:
            return Begun(StartDecision("nothing", "The database does not know it any more."))
        slot = str(row["slot"])
        reduction = Reduction.model_validate(row["document"])
        needed = input_keys(reduction)
        open_inputs = 0
        if needed:
            await _make_forgotten_again(connection, needed, at)
            open_inputs = await _count_open(connection, needed)
        situation = Situation(
            state=ReductionState(row["state"]),
            forced=row["forced"],
            wanted=row["wanted"] in (None, job_key),
            tries=row["tries"],
            open_inputs=open_inputs,
        )
        decision = start_decision(situation, policy)
        if decision.action == "cancel":
            await _close(
                connection,
                reduction,
                ReductionState.CANCELLED,
                Outcome.NOT_OURS,
                NOT_WANTED,
                decision.reason,
                at,
            )
        elif decision.action == "fail":
            reason = f"{decision.reason} Its log and the runner's tell what it was doing; `paws reprocess` tries again."
            await _close(
                connection, reduction, ReductionState.FAILED, Outcome.RETRIABLE, "runner_died", reason, at
            )
        if decision.action != "start":
            return Begun(decision, slot, reduction)
        inputs = await _find_inputs(connection, needed) if needed else ()
        previous = (row["error_code"], row["error"])
        row = await connection.fetchrow(
            f"""
            UPDATE reduction SET state = 'running', attempt = attempt + 1, tries = tries + 1, runner = $2,
                queue_job_id = coalesce($3, queue_job_id), started_at = $4, stage = 'preparing', progress = 0,
                engine_started_at = NULL, engine_finished_at = NULL, finished_at = NULL
            WHERE job_key = $1 RETURNING tries, {REDUCTION_COLUMNS}
            """,  # noqa: S608 - constant columns
            job_key,
            runner,
            queue_job_id,
            at,
        )
        frames = await frame_statuses(connection, reduction.subject_frame_ids, at)
        await announce(connection, [reduction_status(row, at), *frames])
    times = (row["requested_at"], row["queued_at"], row["started_at"])
    return Begun(
        decision,
        slot,
        reduction,
        row["attempt"],
        row["tries"],
        inputs,
        *previous,
        times=times,
        priority=row["priority"],
    )


async def report_stage(
    pool: Pool, reduction: Reduction, attempt: int, stage: str, progress: float, at: datetime
) -> None:
    """Tell people how far a reduction has come."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            f"""
            UPDATE reduction SET stage = $3, progress = $4
            WHERE job_key = $1 AND attempt = $2 AND state = 'running' RETURNING {REDUCTION_COLUMNS}
            """,  # noqa: S608 - constant columns
            reduction.job_key,
            attempt,
            stage,
            progress,
        )
        if row is not None:
            frames = await frame_statuses(connection, reduction.subject_frame_ids, at)
            await announce(connection, [reduction_status(row, at), *frames])


async def record_retry(
    pool: Pool,
    begun: Begun,
    outcome: Outcome,
    code: str,
    error: str,
    log_path: str,
    at: datetime,
    *,
    counts: bool,
) -> None:
    """Record a try that went wrong and is followed by another; `counts` tells whether it counts."""
    reduction = begun.reduction
    assert reduction is not None
    async with pool.acquire() as connection, connection.transaction():
        await hold_fence(connection, reduction, begun.attempt)
        await connection.execute(
            """
            UPDATE reduction SET state = 'retrying', outcome = $2, error_code = $3, error = $4, log_path = $5,
                tries = tries - $6
            WHERE job_key = $1
            """,
            reduction.job_key,
            outcome.value,
            code,
            error,
            log_path,
            0 if counts else 1,
        )
        await announce_reduction(connection, reduction, at)


async def record_failure(
    pool: Pool, begun: Begun, outcome: Outcome, code: str, error: str, log_path: str, at: datetime
) -> None:
    """Record that a reduction failed for good, and announce it."""
    reduction = begun.reduction
    assert reduction is not None
    async with pool.acquire() as connection, connection.transaction():
        await hold_fence(connection, reduction, begun.attempt)
        await connection.execute(
            "UPDATE reduction SET log_path = $2 WHERE job_key = $1", reduction.job_key, log_path
        )
        await _close(connection, reduction, ReductionState.FAILED, outcome, code, error, at)


async def give_back(pool: Pool, begun: Begun, at: datetime) -> None:
    """Hand a reduction back unfinished, because this runner stops. The try does not count."""
    reduction = begun.reduction
    assert reduction is not None
    async with pool.acquire() as connection, connection.transaction():
        await hold_fence(connection, reduction, begun.attempt)
        await connection.execute(
            """
            UPDATE reduction SET state = 'queued', tries = tries - 1, stage = NULL, progress = NULL, runner = NULL
            WHERE job_key = $1
            """,
            reduction.job_key,
        )
        await announce_reduction(connection, reduction, at)


async def hold_fence(connection: Connection, reduction: Reduction, attempt: int) -> None:
    """Hold a reduction until the transaction ends.

    Raises
    ------
    LostFenceError
        If another runner has taken it over.
    """
    row = await connection.fetchrow(
        "SELECT attempt, state FROM reduction WHERE job_key = $1 FOR UPDATE", reduction.job_key
    )
    if row is None or row["attempt"] != attempt or row["state"] != ReductionState.RUNNING.value:
        raise LostFenceError(
            f"Attempt {attempt} of reduction {reduction.job_key[:16]} was taken over by another runner.",
            attempt=attempt,
        )


async def _close(
    connection: Connection,
    reduction: Reduction,
    state: ReductionState,
    outcome: Outcome,
    code: str,
    error: str,
    at: datetime,
) -> None:
    await connection.execute(
        """
        UPDATE reduction SET state = $2, outcome = $3, error_code = $4, error = $5, finished_at = $6,
            forced = false
        WHERE job_key = $1
        """,
        reduction.job_key,
        state.value,
        outcome.value,
        code,
        error,
        at,
    )
    states = await statuses(connection, reduction, at)
    await announce(connection, [*states, await finished(connection, reduction.job_key, at)])


async def announce_reduction(connection: Connection, reduction: Reduction, at: datetime) -> None:
    """Announce the present state of a reduction and of the frames that it decides."""
    await announce(connection, await statuses(connection, reduction, at))


async def statuses(connection: Connection, reduction: Reduction, at: datetime) -> list[StatusEvent]:
    """Present state of a reduction and of the frames that it decides, to be announced."""
    states = await reduction_statuses(connection, [reduction.job_key], at)
    return [*states, *await frame_statuses(connection, reduction.subject_frame_ids, at)]


async def _make_forgotten_again(connection: Connection, needed: Sequence[ProductInput], at: datetime) -> None:
    """Ask again for inputs that were of no use for so long that they were removed."""
    rows = await connection.fetch(
        "SELECT job_key FROM reduction WHERE job_key = ANY($1::text[]) AND state = 'cancelled' AND error_code = $2"
        " FOR UPDATE",
        [item.job_key for item in needed],
        FORGOTTEN,
    )
    for row in rows:
        await queue_again(connection, row["job_key"], at)
        # Its slot may want another by now; this one is needed all the same.
        await connection.execute("UPDATE reduction SET forced = true WHERE job_key = $1", row["job_key"])


async def _count_open(connection: Connection, needed: Sequence[ProductInput]) -> int:
    return int(
        await connection.fetchval(
            """
            SELECT count(*) FROM reduction
            WHERE job_key = ANY($1::text[]) AND state IN ('queued', 'running', 'retrying')
            """,
            [item.job_key for item in needed],
        )
    )


async def _find_inputs(connection: Connection, needed: Sequence[ProductInput]) -> tuple[InputProduct, ...]:
    rows = await connection.fetch(
        """
        SELECT p.job_key, p.kind, p.stored_path, p.checksum, p.size_bytes, p.level, p.provisional
        FROM product p JOIN unnest($1::text[], $2::text[]) AS wanted (job_key, kind)
            ON p.job_key = wanted.job_key AND p.kind = wanted.kind
        """,
        [item.job_key for item in needed],
        [item.kind.value for item in needed],
    )
    return tuple(
        InputProduct(
            product=ProductInput(job_key=row["job_key"], kind=ProductKind(row["kind"])),
            stored_path=row["stored_path"],
            checksum=row["checksum"],
            size_bytes=row["size_bytes"],
            level=row["level"],
            provisional=row["provisional"],
        )
        for row in rows
    )
