"""How the work stands: queue, leases, times of the phases, failures, disk. For metrics and for `paws doctor`."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paws.database import Pool
from paws.settings import Settings

WINDOW = 3600.0
"""Seconds that "lately" means: times and failures are those of reductions that ended since."""

PHASES = ("queue", "prepare", "engine", "keep")
"""What a reduction's time goes into: waiting for a runner, making its folder, the engine, storing products."""

QUANTILES = (0.5, 0.95)


@dataclass(frozen=True)
class Disk:
    """Room on the file system of a folder, bytes. `device` tells file systems apart."""

    folder: Path
    free: int
    size: int
    device: int = 0


@dataclass(frozen=True)
class Work:
    """How the work stands.

    Attributes
    ----------
    jobs
        Jobs of the queue by queue and state (``todo``, ``doing``).
    oldest_queued
        Age of the reduction that has waited longest, s; 0 if none waits.
    lease_ages
        Time since the last sign of life of each runner that has given one lately, s.
    stale_leases
        Runners at work that have been silent for longer than the lease.
    phases
        Time of a phase, s, by kind of reduction, phase and quantile.
    ended
        Reductions that ended lately, by kind and state.
    failures
        Reductions that failed lately, by error code.
    """

    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    oldest_queued: float = 0.0
    lease_ages: Sequence[float] = ()
    stale_leases: int = 0
    phases: Mapping[tuple[str, str, float], float] = field(default_factory=dict)
    ended: Mapping[tuple[str, str], int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)


async def work(pool: Pool, settings: Settings) -> Work:
    """How the work stands, from the database.

    Parameters
    ----------
    pool
        A pool or a connection.

    Raises
    ------
    One of DATABASE_TROUBLES
        If the database does not answer.
    """
    jobs = await pool.fetch(
        "SELECT queue_name, status::text AS status, count(*) AS n FROM procrastinate_jobs"
        " WHERE status IN ('todo', 'doing') GROUP BY 1, 2"
    )
    oldest = await pool.fetchval(
        "SELECT extract(epoch FROM now() - min(queued_at))::float8 FROM reduction WHERE state = 'queued'"
    )
    leases = await pool.fetch(
        """
        SELECT extract(epoch FROM now() - w.last_heartbeat)::float8 AS age,
            EXISTS (SELECT FROM procrastinate_jobs j WHERE j.worker_id = w.id AND j.status = 'doing') AS working
        FROM procrastinate_workers w WHERE w.last_heartbeat > now() - interval '1 day'
        """
    )
    ended = await pool.fetch(
        """
        SELECT kind, state, count(*) AS n FROM reduction
        WHERE finished_at > now() - make_interval(secs => $1) GROUP BY 1, 2
        """,
        WINDOW,
    )
    failures = await pool.fetch(
        """
        SELECT coalesce(error_code, 'unknown') AS code, count(*) AS n FROM reduction
        WHERE finished_at > now() - make_interval(secs => $1) AND state = 'failed' GROUP BY 1
        """,
        WINDOW,
    )
    return Work(
        jobs={(row["queue_name"], row["status"]): row["n"] for row in jobs},
        oldest_queued=max(0.0, float(oldest or 0.0)),
        lease_ages=[
            max(0.0, row["age"]) for row in leases if row["working"] or row["age"] <= settings.runner_lease
        ],
        stale_leases=sum(row["working"] and row["age"] > settings.runner_lease for row in leases),
        phases=await _phases(pool),
        ended={(row["kind"], row["state"]): row["n"] for row in ended},
        failures={row["code"]: row["n"] for row in failures},
    )


async def _phases(pool: Pool) -> dict[tuple[str, str, float], float]:
    rows = await pool.fetch(
        """
        SELECT kind, phase, percentile_cont($2::float8[]) WITHIN GROUP (ORDER BY seconds) AS found
        FROM reduction, LATERAL (VALUES
            ('queue', extract(epoch FROM started_at - queued_at)::float8),
            ('prepare', extract(epoch FROM engine_started_at - started_at)::float8),
            ('engine', extract(epoch FROM engine_finished_at - engine_started_at)::float8),
            ('keep', extract(epoch FROM finished_at - engine_finished_at)::float8)
        ) AS spent (phase, seconds)
        WHERE finished_at > now() - make_interval(secs => $1) AND state = 'succeeded' AND seconds IS NOT NULL
        GROUP BY 1, 2
        """,
        WINDOW,
        list(QUANTILES),
    )
    return {
        (row["kind"], row["phase"], quantile): max(0.0, float(value))
        for row in rows
        for quantile, value in zip(QUANTILES, row["found"], strict=True)
    }


def folders_of(settings: Settings) -> dict[str, Path]:
    """Folders whose room matters, by the name under which figures tell of them."""
    found = {"products": settings.products_dir, "work": settings.work_dir, "logs": settings.logs_dir}
    return found | {f"raw {number}": path for number, path in enumerate(settings.raw_dirs, start=1)}


async def disks(settings: Settings) -> dict[str, Disk]:
    """Room in each folder. A folder that is not there yet counts as its nearest parent; one that hangs is left out."""
    found = {}
    for name, folder in folders_of(settings).items():
        try:
            # A network file system that is away answers never; the thread is left to itself then.
            disk = await asyncio.wait_for(asyncio.to_thread(room, folder), 5.0)
        except (OSError, TimeoutError):
            continue
        found[name] = disk
    return found


def room(folder: Path) -> Disk:
    """Room on the file system of a folder, or of where it would be made.

    Raises
    ------
    OSError
        If it cannot be asked.
    """
    place = folder.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    usage = shutil.disk_usage(place)
    return Disk(folder, usage.free, usage.total, place.stat().st_dev)
