"""The database I/O of tidying up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agents.reducer.intake.storage import FORGOTTEN
from agents.reducer.settle import lock_slot
from paws.database import Pool
from schemas.vocabulary import Outcome

# Kept is what is current, wanted, under way or of a request, and all that went into it: a redo reads it again.
_KEPT = """
    WITH RECURSIVE kept (job_key) AS (
        SELECT job_key FROM product WHERE current
        UNION SELECT job_key FROM slot WHERE job_key <> ''
        UNION SELECT job_key FROM reduction WHERE state IN ('queued', 'running', 'retrying')
        UNION SELECT job_key FROM request_part
        UNION SELECT read.job_key FROM kept JOIN reduction r ON r.job_key = kept.job_key CROSS JOIN LATERAL (
            SELECT item -> 'product' ->> 'job_key' FROM jsonb_array_elements(r.document -> 'calibrations') AS c (item)
            UNION ALL SELECT item ->> 'job_key' FROM jsonb_array_elements(r.document -> 'inputs') AS i (item)
        ) AS read (job_key)
    )
"""


@dataclass(frozen=True)
class OldVersion:
    """A reduction of which no product has been current for long."""

    job_key: str
    slot: str
    night: str
    size_bytes: int


async def old_versions(pool: Pool, before: datetime) -> list[OldVersion]:
    """Reductions whose products were all superseded before a moment, and are of no use any more."""
    rows = await pool.fetch(
        _KEPT  # noqa: S608 - constant
        + """
        SELECT p.job_key, p.slot, min(p.night) AS night, sum(p.size_bytes)::bigint AS size_bytes FROM product p
        WHERE NOT EXISTS (SELECT FROM kept k WHERE k.job_key = p.job_key)
        GROUP BY p.job_key, p.slot HAVING bool_and(NOT p.current AND coalesce(p.superseded_at < $1, false))
        ORDER BY p.job_key
        """,
        before,
    )
    return [OldVersion(**dict(row)) for row in rows]


async def forget_version(pool: Pool, version: OldVersion) -> bool:
    """Forget a reduction and its products, unless they have come to use meanwhile.

    Returns
    -------
    bool
        Whether they are forgotten.
    """
    async with pool.acquire() as connection, connection.transaction():
        await lock_slot(connection, version.slot)
        await connection.execute("SELECT FROM reduction WHERE job_key = $1 FOR UPDATE", version.job_key)
        used = await connection.fetchval(
            _KEPT + "SELECT EXISTS (SELECT FROM kept WHERE job_key = $1)",  # noqa: S608 - constant
            version.job_key,
        )
        if used:
            return False
        await connection.execute("DELETE FROM product WHERE job_key = $1", version.job_key)
        # The reduction stays, as one that made nothing: should it be wanted again, it is made again.
        await connection.execute(
            "UPDATE reduction SET state = 'cancelled', outcome = $2, error_code = $3, error = $4 WHERE job_key = $1",
            version.job_key,
            Outcome.NOT_OURS.value,
            FORGOTTEN,
            "Its products were superseded long ago and are kept no longer; it is made again when it is wanted.",
        )
    return True


async def stored_folders(pool: Pool) -> set[str]:
    """Folders, relative to the data folder, that hold registered products, replaced ones included."""
    rows = await pool.fetch(
        """
        SELECT regexp_replace(stored_path, '/[^/]*$', '') AS folder FROM product
        UNION SELECT regexp_replace(item ->> 'stored_path', '/[^/]*$', '')
            FROM product, jsonb_array_elements(coalesce(provenance -> 'replaced', '[]')) AS r (item)
        """
    )
    return {row["folder"] for row in rows}


async def named_logs(pool: Pool) -> set[str]:
    """Logs, relative to the data folder, that reductions and products name."""
    rows = await pool.fetch(
        "SELECT log_path FROM reduction WHERE log_path IS NOT NULL"
        " UNION SELECT provenance ->> 'log' FROM product WHERE provenance ->> 'log' IS NOT NULL"
    )
    return {row["log_path"] for row in rows}
