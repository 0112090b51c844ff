"""The job queue, as seen from inside our own transactions.

The queue is procrastinate's; its SQL functions are called directly, because a job must come into being in the
transaction that makes the reduction's row, and this connection is not procrastinate's.
"""

from __future__ import annotations

from datetime import datetime

from paws.database import Connection

REDUCE_TASK = "reduce"
"""Carry out the reduction ``job_key``."""

PLACE_TASK = "place"
"""Make the tree of current products agree with the database for ``slot``."""

PLACE_QUEUE = "place"
PLACE_PRIORITY = 1000


def queue_of(engine: str) -> str:
    """Queue of an engine's reductions: a runner takes only what its engine can do."""
    return f"reduce-{engine}"


async def enqueue_reduction(
    connection: Connection,
    *,
    job_key: str,
    slot: str,
    engine: str,
    priority: int,
    scheduled_at: datetime | None = None,
) -> int:
    """Put a reduction into the queue; at most one of a slot runs at a time.

    Returns
    -------
    int
        Queue's id of the job; of the one that waits already, if there is one.
    """
    waiting = await _waiting(connection, job_key)
    if waiting is not None:
        return waiting
    return await _defer(
        connection,
        queue=queue_of(engine),
        task=REDUCE_TASK,
        priority=priority,
        lock=slot,
        queueing_lock=job_key,
        args={"job_key": job_key},
        scheduled_at=scheduled_at,
    )


async def enqueue_place(connection: Connection, slot: str) -> int:
    """Have a runner place the current products of a slot; asked twice, it is done once."""
    queueing_lock = f"place:{slot}"
    waiting = await _waiting(connection, queueing_lock)
    if waiting is not None:
        return waiting
    return await _defer(
        connection,
        queue=PLACE_QUEUE,
        task=PLACE_TASK,
        priority=PLACE_PRIORITY,
        lock=None,
        queueing_lock=queueing_lock,
        args={"slot": slot},
        scheduled_at=None,
    )


async def raise_priority(connection: Connection, job_id: int, priority: int) -> None:
    """Let a waiting job come earlier; it never comes later."""
    await connection.execute(
        "UPDATE procrastinate_jobs SET priority = $2 WHERE id = $1 AND status = 'todo' AND priority < $2",
        job_id,
        priority,
    )


async def cancel_waiting(connection: Connection, job_id: int) -> bool:
    """Take a waiting job out of the queue. A running one is left alone.

    Returns
    -------
    bool
        Whether there was one.
    """
    return (
        await connection.fetchval("SELECT procrastinate_cancel_job_v1($1, false, true)", job_id) is not None
    )


async def take_back_stalled(connection: Connection, queues: list[str], lease: float) -> list[int]:
    """Put jobs whose runner gives no sign of life back into the queue.

    Returns
    -------
    list of int
        Queue's ids of the jobs taken back.
    """
    stalled = await connection.fetch(
        """
        SELECT job.id FROM procrastinate_jobs job
        LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
        WHERE job.status = 'doing' AND job.queue_name = ANY($1::text[])
          AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => $2))
        ORDER BY job.id
        FOR UPDATE OF job SKIP LOCKED
        """,
        queues,
        lease,
    )
    return await take_back(connection, [row["id"] for row in stalled])


async def take_back(connection: Connection, job_ids: list[int]) -> list[int]:
    """Put running jobs back into the queue, whoever ran them.

    A job for which another waits already is dropped instead: the queue allows one waiting job of a kind.
    """
    taken: list[int] = []
    for job_id in job_ids:
        dropped = await connection.fetchval(
            """
            DELETE FROM procrastinate_jobs job WHERE job.id = $1 AND job.status = 'doing' AND EXISTS (
                SELECT 1 FROM procrastinate_jobs other
                WHERE other.queueing_lock = job.queueing_lock AND other.status = 'todo')
            RETURNING job.id
            """,
            job_id,
        )
        if dropped is None:
            updated = await connection.fetchval(
                """
                UPDATE procrastinate_jobs
                SET status = 'todo', attempts = attempts + 1, scheduled_at = now(), worker_id = NULL,
                    abort_requested = false
                WHERE id = $1 AND status = 'doing' RETURNING id
                """,
                job_id,
            )
            if updated is None:
                continue
        taken.append(job_id)
    return taken


async def _waiting(connection: Connection, queueing_lock: str) -> int | None:
    job_id = await connection.fetchval(
        "SELECT id FROM procrastinate_jobs WHERE queueing_lock = $1 AND status = 'todo' FOR UPDATE",
        queueing_lock,
    )
    return None if job_id is None else int(job_id)


async def _defer(
    connection: Connection,
    *,
    queue: str,
    task: str,
    priority: int,
    lock: str | None,
    queueing_lock: str,
    args: dict[str, str],
    scheduled_at: datetime | None,
) -> int:
    ids = await connection.fetchval(
        """
        SELECT procrastinate_defer_jobs_v1(ARRAY[
            ROW($1, $2, $3, $4, $5, $6, $7)::procrastinate_job_to_defer_v1
        ])
        """,
        queue,
        task,
        priority,
        lock,
        queueing_lock,
        args,
        scheduled_at,
    )
    return int(ids[0])
