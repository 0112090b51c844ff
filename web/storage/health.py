"""Figures about the system's own state."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from paws.access.rule import sees_all
from paws.clock import utc_now
from paws.database import Pool
from web.storage.status import newest_night

DEADLINE: Final = 3.0
"""Longest wait (s): who asks for health wants an answer, not patience."""


async def outbox_lag(pool: Pool) -> tuple[int, float]:
    """Events that the relay has not published yet: how many, and the age of the oldest (s).

    Raises
    ------
    One of DATABASE_TROUBLES
        If the database does not answer.
    """
    row = await asyncio.wait_for(
        pool.fetchrow(
            "SELECT count(*) AS waiting, extract(epoch FROM now() - min(created_at))::float8 AS lag"
            " FROM outbox WHERE published_at IS NULL",
            timeout=DEADLINE,
        ),
        DEADLINE,
    )
    return int(row["waiting"]), max(0.0, float(row["lag"] or 0.0))


async def figures(pool: Pool) -> dict[str, Any]:
    """Figures for Prometheus. Raises as `outbox_lag`."""
    waiting, lag = await outbox_lag(pool)
    night = await newest_night(pool, sees_all(utc_now().date()))
    frames = await pool.fetch(
        "SELECT state, count(*) AS n FROM frame_status WHERE night = $1 GROUP BY state", night
    )
    reductions = await pool.fetch(
        "SELECT kind, state, count(*) AS n FROM reduction WHERE night = $1 GROUP BY kind, state", night
    )
    open_ones = await pool.fetchrow(
        "SELECT count(*) FILTER (WHERE state IN ('queued', 'retrying')) AS queued,"
        " count(*) FILTER (WHERE state = 'running') AS running FROM reduction"
        " WHERE state IN ('queued', 'running', 'retrying')"
    )
    asked = await pool.fetch(
        "SELECT state, count(*) AS n FROM request WHERE submitted_at > now() - interval '7 days' GROUP BY state"
    )
    return {
        "requests": [((row["state"],), row["n"]) for row in asked],
        "webhooks": await pool.fetchval("SELECT count(*) FROM webhook_delivery WHERE next_at IS NOT NULL"),
        "frames": [((row["state"],), row["n"]) for row in frames],
        "reductions": [((row["kind"], row["state"]), row["n"]) for row in reductions],
        "queued": open_ones["queued"],
        "running": open_ones["running"],
        "outbox_waiting": waiting,
        "outbox_lag": lag,
    }
