"""Jobs of queries in the database, and their folders: shared by all web processes and by tidying up."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from paws.database import Connection, Pool
from paws.settings import Settings
from paws.vo.uws import Phase

MOST_ATTEMPTS: Final = 2
"""Times that a job is begun: processes that run it may be killed once."""
LABEL: Final = "paws tap "
"""Before the name of a job in ``application_name``: how its query is found in the database."""
_CLAIM_LOCK: Final = 0x74617071  # "tapq"
_COLUMNS: Final = (
    "job_id, account_id, asker, shares, base_url, run_id, parameters, phase, execution_duration, created_at,"
    " queued_at, started_at, ended_at, destruction, error, media_type, result_bytes, result_rows, upload_bytes,"
    " worker, attempts"
)


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes
    ----------
    account_id
        Whose it is; None for nobody's, which whoever knows its name may use.
    asker
        For whom it counts: an account or an address.
    shares
        Digests of the share links they hold.
    base_url
        Under which they reached us.
    parameters
        Pairs of name, in capitals, and value.
    execution_duration
        Seconds that it may run.
    media_type
        Of its result.
    result_rows
        Rows of its result; None for one that was made before they were counted.
    """

    job_id: str
    account_id: int | None
    asker: str
    shares: tuple[bytes, ...]
    base_url: str
    run_id: str | None
    parameters: tuple[tuple[str, str], ...]
    phase: Phase
    execution_duration: int
    created_at: datetime
    destruction: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None
    media_type: str | None = None
    result_bytes: int = 0
    result_rows: int | None = None
    upload_bytes: int = 0
    worker: str | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Result:
    """What a job made."""

    media_type: str
    size: int
    rows: int


def job_folder(settings: Settings, job_id: str) -> Path:
    """Folder of a job's uploads and result."""
    return settings.tap_dir / "jobs" / job_id[:2] / job_id


def result_file(settings: Settings, job: Job) -> Path:
    """File of a job's result, once it is done."""
    return job_folder(settings, job.job_id) / f"result.{job.attempts}"


def spool_folder(settings: Settings) -> Path:
    """Folder of what arrives and is sent: temporary files."""
    return settings.tap_dir / "spool"


def _job(row: Any) -> Job:
    values = dict(row)
    return Job(
        **{
            **values,
            "phase": Phase(values["phase"]),
            "parameters": tuple((name, value) for name, value in values["parameters"]),
            "shares": tuple(values["shares"]),
        }
    )


async def add(connection: Connection, job: Job) -> None:
    """Write a new job."""
    await connection.execute(
        "INSERT INTO tap_job (job_id, account_id, asker, shares, base_url, run_id, parameters, execution_duration,"
        " created_at, destruction, upload_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        *(job.job_id, job.account_id, job.asker, list(job.shares), job.base_url, job.run_id),
        *([list(pair) for pair in job.parameters], job.execution_duration, job.created_at, job.destruction),
        job.upload_bytes,
    )


async def count_of(pool: Pool, asker: str) -> tuple[int, int]:
    """Jobs that an asker has, and bytes of their uploads and results."""
    row = await pool.fetchrow(
        "SELECT count(*) AS jobs, coalesce(sum(result_bytes + upload_bytes), 0)::bigint AS size FROM tap_job WHERE asker = $1",
        asker,
    )
    return row["jobs"], row["size"]


async def find(pool: Pool, job_id: str, now: datetime) -> Job | None:
    """A job by its name, unless its time is over."""
    row = await pool.fetchrow(
        f"SELECT {_COLUMNS} FROM tap_job WHERE job_id = $1 AND destruction > $2",  # noqa: S608 - constant columns
        *(job_id, now),
    )
    return None if row is None else _job(row)


async def of_account(
    pool: Pool,
    account_id: int | None,
    now: datetime,
    phases: Sequence[str],
    after: datetime | None,
    last: int,
) -> list[Job]:
    """Jobs of an account, the newest first; of nobody where accounts are not needed.

    Parameters
    ----------
    phases
        Those in one of these; empty: all.
    after
        Made after this moment.
    last
        At most so many.
    """
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM tap_job WHERE account_id IS NOT DISTINCT FROM $1 AND destruction > $2"  # noqa: S608 - constant columns
        " AND (cardinality($3::text[]) = 0 OR phase = ANY($3)) AND ($4::timestamptz IS NULL OR created_at > $4)"
        " ORDER BY created_at DESC, job_id LIMIT $5",
        *(account_id, now, list(phases), after, last),
    )
    return [_job(row) for row in rows]


async def change_phase(pool: Pool, job_id: str, current: Phase, to: Phase, now: datetime) -> bool:
    """Move a job from one phase to another. False when somebody else was first."""
    done = await pool.fetchval(
        "UPDATE tap_job SET phase = $3, queued_at = CASE WHEN $3 = 'QUEUED' THEN $4 ELSE queued_at END,"
        " ended_at = CASE WHEN $3 = 'ABORTED' THEN $4 ELSE ended_at END"
        " WHERE job_id = $1 AND phase = $2 RETURNING true",
        *(job_id, current.value, to.value, now),
    )
    return bool(done)


async def set_parameters(
    pool: Pool, job: Job, parameters: Sequence[tuple[str, str]], uploaded: int = 0
) -> bool:
    """Give a pending job other parameters, and bytes of further uploads. False when it is pending no more."""
    run_id = next((value for name, value in parameters if name == "RUNID" and value), None)
    done = await pool.fetchval(
        "UPDATE tap_job SET parameters = $2, run_id = $3, upload_bytes = upload_bytes + $4"
        " WHERE job_id = $1 AND phase = 'PENDING' RETURNING true",
        *(job.job_id, [list(pair) for pair in parameters], run_id, uploaded),
    )
    return bool(done)


async def set_duration(pool: Pool, job_id: str, seconds: int) -> bool:
    """Set how long a pending job may run. False when it is pending no more."""
    return bool(
        await pool.fetchval(
            "UPDATE tap_job SET execution_duration = $2 WHERE job_id = $1 AND phase = 'PENDING' RETURNING true",
            *(job_id, seconds),
        )
    )


async def set_destruction(pool: Pool, job_id: str, moment: datetime) -> None:
    """Set when a job is destroyed."""
    await pool.execute("UPDATE tap_job SET destruction = $2 WHERE job_id = $1", job_id, moment)


async def claim(pool: Pool, settings: Settings, worker: str, now: datetime) -> Job | None:
    """Take the job whose turn it is: of the user with the fewest at work, the one that waits for longest.

    A job whose worker was silent for longer than its lease is taken over.
    """
    async with pool.acquire() as connection, connection.transaction():
        # One claims at a time, in all processes, so that limits hold.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _CLAIM_LOCK)
        row = await connection.fetchrow(
            """
            WITH working AS (
                SELECT asker, count(*) AS n FROM tap_job
                WHERE phase = 'EXECUTING' AND lease_until >= now() GROUP BY asker
            )
            SELECT j.job_id FROM tap_job j LEFT JOIN working w USING (asker)
            WHERE (j.phase = 'QUEUED' OR (j.phase = 'EXECUTING' AND j.lease_until < now()))
                AND coalesce(w.n, 0) < $1 AND coalesce((SELECT sum(n) FROM working), 0) < $2
            ORDER BY coalesce(w.n, 0), j.queued_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
            """,  # held from here on: one that is just being aborted or destroyed would come back to life
            *(settings.tap_async_per_user, settings.tap_async_at_once),
        )
        if row is None:
            return None
        taken = await connection.fetchrow(
            f"""
            UPDATE tap_job SET phase = 'EXECUTING', worker = $2, attempts = attempts + 1, started_at = $3,
                lease_until = now() + $4 WHERE job_id = $1 RETURNING {_COLUMNS}
            """,  # noqa: S608 - constant columns
            *(row["job_id"], worker, now, timedelta(seconds=settings.tap_lease)),
        )
        return _job(taken)


async def keep_leases(pool: Pool, worker: str, seconds: float) -> set[str]:
    """Go on holding the jobs of a worker. Returns those that are still its own; others were aborted or taken over."""
    rows = await pool.fetch(
        "UPDATE tap_job SET lease_until = now() + $2 WHERE worker = $1 AND phase = 'EXECUTING' RETURNING job_id",
        *(worker, timedelta(seconds=seconds)),
    )
    return {row["job_id"] for row in rows}


async def hand_back(pool: Pool, worker: str) -> None:
    """Let others have the jobs of a worker that ends: they did not fail, and begin anew."""
    await pool.execute(
        "UPDATE tap_job SET phase = 'QUEUED', worker = NULL, lease_until = NULL, started_at = NULL,"
        " attempts = attempts - 1 WHERE worker = $1 AND phase = 'EXECUTING'",
        worker,
    )


async def complete(pool: Pool, job: Job, result: Result, now: datetime) -> bool:
    """Note that a job is done. False when it was aborted or taken over: the result is nobody's then."""
    return bool(
        await pool.fetchval(
            "UPDATE tap_job SET phase = 'COMPLETED', ended_at = $3, media_type = $4, result_bytes = $5,"
            " result_rows = $6, lease_until = NULL"
            " WHERE job_id = $1 AND worker = $2 AND attempts = $7 AND phase = 'EXECUTING' RETURNING true",
            *(job.job_id, job.worker, now, result.media_type, result.size, result.rows, job.attempts),
        )
    )


async def fail(pool: Pool, job: Job, error: str, now: datetime) -> bool:
    """Note that a job failed, with the reason for whoever asked. False when it was aborted or taken over."""
    return bool(
        await pool.fetchval(
            "UPDATE tap_job SET phase = 'ERROR', ended_at = $3, error = $4, lease_until = NULL"
            " WHERE job_id = $1 AND worker = $2 AND attempts = $5 AND phase = 'EXECUTING' RETURNING true",
            *(job.job_id, job.worker, now, error[:4000], job.attempts),
        )
    )


async def stop_query(pool: Pool, job_id: str) -> None:
    """Have the database give up the query of a job, whichever process runs it."""
    await pool.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = $1 AND datname = current_database() AND state = 'active'",
        label_of(job_id),
    )


def label_of(job_id: str) -> str:
    """``application_name`` of a job's query. PostgreSQL keeps 63 bytes of it."""
    return f"{LABEL}{job_id}"


async def destroy(pool: Pool, settings: Settings, job_id: str) -> bool:
    """Remove a job, its query, its uploads and its result. False when there is none."""
    # The row first: whoever runs it finds out, and files without a row are removed in time.
    gone = await pool.fetchval("DELETE FROM tap_job WHERE job_id = $1 RETURNING phase", job_id)
    if gone is None:
        return False
    if Phase(gone) is Phase.EXECUTING:
        await stop_query(pool, job_id)
    shutil.rmtree(job_folder(settings, job_id), ignore_errors=True)
    return True


async def expired(pool: Pool, now: datetime) -> list[str]:
    """Jobs whose time is over."""
    rows = await pool.fetch("SELECT job_id FROM tap_job WHERE destruction <= $1 ORDER BY destruction", now)
    return [row["job_id"] for row in rows]


async def known(pool: Pool) -> set[str]:
    """All jobs that there are."""
    return {row["job_id"] for row in await pool.fetch("SELECT job_id FROM tap_job")}
