"""Registration: what a reduction made becomes known, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agents.reducer.adoption import adopt, as_wanted, wanted_slot
from agents.reducer.engines import EngineResult
from agents.reducer.events import finished
from agents.reducer.queue import enqueue_place
from agents.reducer.record import Record, RecordedInput, RecordedProduct, recorded
from agents.reducer.runner.keep import NewProduct
from agents.reducer.runner.storage import Begun, hold_fence, statuses
from agents.reducer.settle import lock_slot, settle_quietly
from paws.database import Connection, Pool
from paws.outbox import announce
from schemas.layout import product_path
from schemas.reductions import Reduction
from schemas.vocabulary import ProductKind


def product_id(job_key: str, kind: ProductKind) -> str:
    """Identifier of a product: derived, and short enough for an address."""
    return f"{job_key[:20]}-{kind.value}"


def record_of(
    begun: Begun, products: Sequence[NewProduct], result: EngineResult, log_path: str, at: datetime
) -> Record:
    """What is laid beside the products, so that they can be registered again from it alone."""
    reduction = begun.reduction
    assert reduction is not None
    assert begun.times is not None, "it was started"
    requested_at, queued_at, started_at = begun.times
    return Record(
        reduction=reduction,
        attempt=begun.attempt,
        tries=begun.tries,
        priority=begun.priority,
        inputs=tuple(RecordedInput(level=item.level, provisional=item.provisional) for item in begun.inputs),
        products=recorded(products),
        log_path=log_path,
        requested_at=requested_at,
        queued_at=queued_at,
        started_at=started_at,
        engine_started_at=result.started_at,
        engine_finished_at=result.finished_at,
        registered_at=at,
    )


async def register(
    pool: Pool,
    begun: Begun,
    products: Sequence[NewProduct],
    result: EngineResult,
    log_path: str,
    at: datetime,
) -> set[str]:
    """Register what a reduction made, and announce that it succeeded: all in one transaction.

    Returns
    -------
    set of str
        Stored paths of this reduction that the database knows: of its products and of earlier ones that
        a forced repetition replaced.

    Raises
    ------
    LostFenceError
        If another runner has taken the reduction over.
    """
    reduction = begun.reduction
    assert reduction is not None
    async with pool.acquire() as connection, connection.transaction():
        slot = await wanted_slot(connection, reduction)
        await lock_slot(connection, begun.slot)
        if slot is not None:
            await lock_slot(connection, slot)
        await hold_fence(connection, reduction, begun.attempt)
        if slot is not None:
            reduction = as_wanted(reduction, slot)
            await adopt(connection, reduction)
        inputs = [RecordedInput(level=item.level, provisional=item.provisional) for item in begun.inputs]
        known: set[str] = set()
        for product in recorded(products):
            if slot is not None:
                product = product.model_copy(
                    update={"path": str(product_path(product.kind, reduction.layout))}
                )
            known |= await write_product_row(connection, reduction, inputs, product, at)
        await connection.execute(
            """
            UPDATE reduction SET state = 'succeeded', outcome = 'success', stage = 'done', progress = 1,
                error_code = NULL, error = NULL, forced = false, log_path = $2, engine_started_at = $3,
                engine_finished_at = $4, finished_at = $5
            WHERE job_key = $1
            """,
            reduction.job_key,
            log_path,
            result.started_at,
            result.finished_at,
            at,
        )
        _, news = await settle_quietly(connection, reduction.slot, at)
        if slot is not None:
            await enqueue_place(connection, slot)
        states = await statuses(connection, reduction, at)
        # In one go: every statement is a way to the server and back.
        await announce(connection, [*news, *states, await finished(connection, reduction.job_key, at)])
    return known


async def write_product_row(
    connection: Connection,
    reduction: Reduction,
    inputs: Sequence[RecordedInput],
    product: RecordedProduct,
    at: datetime,
) -> set[str]:
    """Write a product's row. A repetition of the same reduction keeps the identifier and counts a version.

    Call it inside a transaction that holds the slot.

    Returns
    -------
    set of str
        Stored paths of this product that the database knows: the present one and replaced ones.
    """
    layout = reduction.layout
    earlier = await connection.fetchrow(
        """
        SELECT stored_path, checksum, version, created_at, provenance FROM product
        WHERE job_key = $1 AND kind = $2 FOR UPDATE
        """,
        reduction.job_key,
        product.kind.value,
    )
    replaced = [] if earlier is None else [*earlier["provenance"].get("replaced", []), _replaced(earlier)]
    levels = [item.level for item in inputs if item.level is not None]
    if reduction.worst_level is not None:
        levels.append(int(reduction.worst_level))
    frames = {frame.frame_id for frame in reduction.frames} | set(reduction.subject_frame_ids)
    identifier = product_id(reduction.job_key, product.kind)
    await connection.execute(
        """
        WITH made AS (
            INSERT INTO product (product_id, job_key, slot, kind, night, arm, version, path, stored_path, checksum,
                size_bytes, plate, grating, field, run, level, provisional, quality, provenance, created_at)
            VALUES ($1, $2, $3, $4, $5, $6,
                (SELECT coalesce(max(version), 0) + 1 FROM product WHERE slot = $3 AND kind = $4),
                $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
            ON CONFLICT (job_key, kind) DO UPDATE SET version = excluded.version, path = excluded.path,
                stored_path = excluded.stored_path, checksum = excluded.checksum, size_bytes = excluded.size_bytes,
                level = excluded.level, provisional = excluded.provisional, quality = excluded.quality,
                provenance = excluded.provenance, created_at = excluded.created_at
            RETURNING product_id)
        INSERT INTO product_frame (product_id, frame_id) SELECT product_id, unnest($20::text[]) FROM made
        ON CONFLICT DO NOTHING
        """,
        identifier,
        reduction.job_key,
        reduction.slot,
        product.kind.value,
        reduction.night,
        reduction.arm.value if reduction.arm is not None else None,
        product.path,
        product.stored_path,
        product.checksum,
        product.size_bytes,
        layout.plate,
        layout.grating,
        layout.field,
        layout.run,
        max(levels, default=None),
        reduction.provisional or any(item.provisional for item in inputs),
        product.quality,
        {**product.provenance, "replaced": replaced},
        at,
        sorted(frames),
    )
    return {product.stored_path, *(item["stored_path"] for item in replaced)}


def _replaced(row: Any) -> dict[str, Any]:
    return {
        "version": row["version"],
        "stored_path": row["stored_path"],
        "checksum": row["checksum"],
        "created_at": row["created_at"].isoformat(),
    }
