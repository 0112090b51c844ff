"""Mending what a death at any instruction leaves behind. Run at start and again and again, by every runner."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, fields
from datetime import datetime

from agents.reducer.adoption import adopt_wanted
from agents.reducer.intake.storage import cancel_unwanted, queue_again
from agents.reducer.placing import place_slot
from agents.reducer.queue import (
    PLACE_QUEUE,
    enqueue_reduction,
    queue_of,
    take_back,
    take_back_stalled,
)
from agents.reducer.runner.identity import is_dead
from agents.reducer.runner.workfolder import attempt_folders, remove_abandoned
from agents.reducer.settle import lock_slot, settle
from paws.database import Pool
from paws.log import get_logger
from paws.notices import announce_notice
from paws.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True)
class Mended:
    """How many things of each kind were mended.

    Attributes
    ----------
    taken_back
        Jobs of runners that are dead or silent.
    revived
        Reductions that were set aside and are wanted again.
    requeued
        Reductions that had lost their job.
    cancelled
        Waiting reductions that are wanted no more.
    adopted
        Reductions that were asked for beside the night's plan and are wanted by it.
    settled
        Slots whose current version was not the wanted one.
    cleared
        Work folders in which nobody works any more.
    """

    taken_back: int = 0
    revived: int = 0
    requeued: int = 0
    cancelled: int = 0
    adopted: int = 0
    settled: int = 0
    cleared: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, item.name) for item in fields(self))


async def mend(pool: Pool, settings: Settings, at: datetime) -> Mended:
    """Mend once. What several runners mend at the same time is mended once."""
    mended = Mended(
        taken_back=await take_back_jobs(pool, settings, at),
        revived=await _revive(pool, at),
        requeued=await _requeue(pool),
        cancelled=await _cancel(pool, at),
        adopted=await _adopt(pool),
        settled=await _settle(pool, settings, at),
        cleared=await _clear_work(pool, settings),
    )
    if mended:
        log.warning("mended", **{item.name: getattr(mended, item.name) for item in fields(mended)})
    return mended


async def take_back_jobs(pool: Pool, settings: Settings, at: datetime) -> int:
    """Put the jobs of dead and silent runners back into the queue, and tell people of it.

    Returns
    -------
    int
        How many.
    """
    queues = [queue_of(settings.engine), PLACE_QUEUE]
    async with pool.acquire() as connection, connection.transaction():
        # On its own machine a dead runner is known at once; elsewhere its lease must run out.
        running = await connection.fetch(
            """
            SELECT queue_job_id, runner FROM reduction
            WHERE state = 'running' AND queue_job_id IS NOT NULL
            """
        )
        runner_of = {row["queue_job_id"]: row["runner"] for row in running}
        dead = [job for job, runner in runner_of.items() if is_dead(runner)]
        taken = await take_back(connection, dead)
        taken += await take_back_stalled(connection, queues, settings.runner_lease)
        for runner, number in Counter(runner_of.get(job, "unknown") for job in taken).items():
            text = f"Runner {runner} is dead or silent; {number} job(s) of it were put back into the queue."
            await announce_notice(
                connection, settings, f"runner:{runner}", "taken back", text, at, jobs=number
            )
    return len(taken)


async def _revive(pool: Pool, at: datetime) -> int:
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            """
            SELECT r.job_key FROM reduction r JOIN slot s ON s.slot = r.slot AND s.job_key = r.job_key
            WHERE r.state = 'cancelled' FOR UPDATE OF r SKIP LOCKED
            """
        )
        for row in rows:
            await queue_again(connection, row["job_key"], at)
    return len(rows)


async def _requeue(pool: Pool) -> int:
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            """
            SELECT r.job_key, r.slot, r.engine, r.priority FROM reduction r
            WHERE r.state IN ('queued', 'running', 'retrying') AND NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs j
                WHERE j.queueing_lock = r.job_key AND j.status IN ('todo', 'doing'))
            FOR UPDATE OF r SKIP LOCKED
            """
        )
        for row in rows:
            job_id = await enqueue_reduction(
                connection,
                job_key=row["job_key"],
                slot=row["slot"],
                engine=row["engine"],
                priority=row["priority"],
            )
            await connection.execute(
                "UPDATE reduction SET queue_job_id = $2 WHERE job_key = $1", row["job_key"], job_id
            )
    return len(rows)


async def _cancel(pool: Pool, at: datetime) -> int:
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            """
            SELECT DISTINCT r.slot FROM reduction r JOIN slot s USING (slot)
            WHERE r.job_key <> s.job_key AND r.state IN ('queued', 'retrying') AND NOT r.forced
            """
        )
    cancelled = 0
    for row in rows:
        async with pool.acquire() as connection, connection.transaction():
            await lock_slot(connection, row["slot"])
            cancelled += len(await cancel_unwanted(connection, row["slot"], at))
    return cancelled


async def _adopt(pool: Pool) -> int:
    """Move what was made on demand while its night began to want it."""
    async with pool.acquire() as connection, connection.transaction():
        return len(await adopt_wanted(connection))


async def _settle(pool: Pool, settings: Settings, at: datetime) -> int:
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            """
            SELECT DISTINCT p.slot FROM product p JOIN slot s ON s.slot = p.slot AND s.job_key = p.job_key
            WHERE NOT p.current
            """
        )
    for row in rows:
        async with pool.acquire() as connection, connection.transaction():
            await lock_slot(connection, row["slot"])
            await settle(connection, row["slot"], at)
        await place_slot(pool, settings, row["slot"])
    return len(rows)


async def _clear_work(pool: Pool, settings: Settings) -> int:
    """Remove work folders of attempts that do not run, whichever machine's runner left them.

    An attempt is counted before its folder is made, so a folder that was there before we asked, and whose
    attempt is not the running one, is nobody's; or that of a runner which lost its lease without knowing.
    """
    names = await asyncio.to_thread(attempt_folders, settings.work_dir)
    if not names:
        return 0
    rows = await pool.fetch(
        """
        SELECT left(job_key, 16) AS job, attempt FROM reduction
        WHERE state = 'running' AND left(job_key, 16) = ANY($1::text[])
        """,
        [name.partition("-")[0] for name in names],
    )
    running = {f"{row['job']}-{row['attempt']}" for row in rows}
    abandoned = [name for name in names if name not in running]
    for name in abandoned:
        await asyncio.to_thread(remove_abandoned, settings.work_dir / name)
    return len(abandoned)
