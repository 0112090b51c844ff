"""The database I/O of a rebuild. Every step may be repeated: what is there already is left alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from agents.rebuild.marks import Marks
from agents.reducer.adoption import adopt_wanted
from agents.reducer.record import Record
from agents.reducer.runner.registration import write_product_row
from agents.reducer.settle import WITHDRAWN, lock_slot
from paws.database import Connection, Pool
from schemas.layout import OWN
from schemas.vocabulary import ProductKind

_SPECTRA = [kind.value for kind in ProductKind if kind.has_spectra]


async def make_live(pool: Pool, nights: Collection[str]) -> int:
    """Count frames of some nights as live ones, that came when they were complete.

    Returns
    -------
    int
        How many.
    """
    async with pool.acquire() as connection:
        done = await connection.execute(
            "UPDATE frame SET source = 'live', arrived_at = completed_at"
            " WHERE night = ANY($1::text[]) AND source <> 'live'",
            sorted(nights),
        )
    return int(done.split()[-1])


async def set_marks(pool: Pool, marks: Marks) -> int:
    """Say again what people said, and remember what they were told.

    Returns
    -------
    int
        Marks of frames that exist.
    """
    async with pool.acquire() as connection, connection.transaction():
        found = 0
        for mark in marks.marks:
            done = await connection.execute(
                "UPDATE frame SET junked = $2, junk_reason = $3, junked_by = $4, junked_at = $5"
                " WHERE frame_id = $1 AND junked_at IS NULL",
                mark.frame_id,
                mark.junked,
                mark.reason,
                mark.who,
                mark.at,
            )
            found += int(done.split()[-1])
        await connection.executemany(
            "INSERT INTO notification (notification_id, night, kind, subject, body, created_at, sent_at, location)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            [tuple(item.model_dump().values()) for item in marks.told],
        )
    return found


async def register_again(pool: Pool, record: Record) -> bool:
    """Register a reduction and its products as they were.

    Returns
    -------
    bool
        False if the database knows this attempt or a later one.
    """
    reduction = record.reduction
    async with pool.acquire() as connection, connection.transaction():
        await lock_slot(connection, reduction.slot)
        known = await connection.fetchval(
            "SELECT attempt FROM reduction WHERE job_key = $1 FOR UPDATE", reduction.job_key
        )
        if known is not None and known >= record.attempt:
            return False
        await _write_reduction(connection, record)
        for product in record.products:
            await write_product_row(connection, reduction, record.inputs, product, record.registered_at)
    return True


async def _write_reduction(connection: Connection, record: Record) -> None:
    reduction = record.reduction
    await connection.execute(
        """
        INSERT INTO reduction (job_key, slot, kind, night, arm, state, priority, provisional, engine,
            engine_version, document, attempt, tries, stage, progress, outcome, log_path, requested_at, queued_at,
            started_at, engine_started_at, engine_finished_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, 'succeeded', $6, $7, $8, $9, $10, $11, $12, 'done', 1, 'success', $13, $14,
            $15, $16, $17, $18, $19)
        ON CONFLICT (job_key) DO UPDATE SET priority = excluded.priority, provisional = excluded.provisional,
            document = excluded.document, attempt = excluded.attempt, tries = excluded.tries,
            log_path = excluded.log_path, requested_at = excluded.requested_at, queued_at = excluded.queued_at,
            started_at = excluded.started_at, engine_started_at = excluded.engine_started_at,
            engine_finished_at = excluded.engine_finished_at, finished_at = excluded.finished_at
        """,
        reduction.job_key,
        reduction.slot,
        reduction.kind.value,
        reduction.night,
        reduction.arm.value if reduction.arm is not None else None,
        record.priority,
        reduction.provisional,
        reduction.engine,
        reduction.engine_version,
        reduction.model_dump(mode="json"),
        record.attempt,
        record.tries,
        record.log_path,
        record.requested_at,
        record.queued_at,
        record.started_at,
        record.engine_started_at,
        record.engine_finished_at,
        record.registered_at,
    )
    frames = {frame.frame_id for frame in reduction.frames} | set(reduction.subject_frame_ids)
    await connection.execute(
        "INSERT INTO reduction_frame (job_key, frame_id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
        reduction.job_key,
        sorted(frames),
    )


async def withdraw_unwanted(pool: Pool, nights: Iterable[str], at: datetime) -> None:
    """Say that nothing is wanted any more in slots that have products and no plan, such as of junked frames."""
    await pool.execute(
        "INSERT INTO slot (slot, night, job_key, updated_at)"
        " SELECT DISTINCT slot, night, $2, $3::timestamptz FROM product"
        " WHERE night = ANY($1::text[]) AND NOT starts_with(slot, $4) ON CONFLICT DO NOTHING",
        sorted(nights),
        WITHDRAWN,
        at,
        OWN,
    )


async def adopt_made(pool: Pool) -> None:
    """Move into their slots what was asked for beside the plan, and is wanted by the plan all the same.

    Records lie where reductions were made; that the planner wanted one later stands in the database alone.
    """
    async with pool.acquire() as connection, connection.transaction():
        await adopt_wanted(connection)


async def slots_with_products(pool: Pool, nights: Iterable[str]) -> list[str]:
    """Slots of some nights that have products."""
    rows = await pool.fetch(
        "SELECT DISTINCT slot FROM product WHERE night = ANY($1::text[]) ORDER BY slot", sorted(nights)
    )
    return [row["slot"] for row in rows]


async def products_without_spectra(pool: Pool) -> list[str]:
    """Products of spectra whose spectra nobody took in, or a version of ours that took in less."""
    rows = await pool.fetch(
        "SELECT product_id FROM product WHERE kind = ANY($1::text[]) AND NOT EXISTS"
        " (SELECT FROM product_spectra d WHERE d.product_id = product.product_id) ORDER BY product_id",
        _SPECTRA,
    )
    return [row["product_id"] for row in rows]


async def live_nights(pool: Pool) -> list[str]:
    """Nights of live frames, oldest first."""
    rows = await pool.fetch("SELECT DISTINCT night FROM frame WHERE source = 'live' ORDER BY night")
    return [row["night"] for row in rows]


async def frames_of(pool: Pool, night: str) -> list[str]:
    """Live frames of a night."""
    rows = await pool.fetch(
        "SELECT frame_id FROM frame WHERE night = $1 AND source = 'live' ORDER BY frame_id", night
    )
    return [row["frame_id"] for row in rows]
