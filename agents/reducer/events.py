"""Events of the reducer, made from what the database holds, so that telling twice tells the same."""

from __future__ import annotations

from datetime import datetime

from paws.database import Connection
from paws.outbox import announce
from schemas.events import ProductRecord, ReductionFinished, Timing
from schemas.vocabulary import Outcome, ProductKind, ReductionKind, ReductionState


async def announce_finished(connection: Connection, job_key: str, at: datetime) -> None:
    """Announce that a reduction is in a final state; inside the transaction that brought it there.

    Raises
    ------
    ValueError
        If the reduction is not in a final state.
    """
    await announce(connection, [await finished(connection, job_key, at)])


async def finished(connection: Connection, job_key: str, at: datetime) -> ReductionFinished:
    """That a reduction is in a final state, to be announced with what else a transaction announces.

    Raises
    ------
    ValueError
        If the reduction is not in a final state.
    """
    row = await connection.fetchrow("SELECT * FROM reduction WHERE job_key = $1", job_key)
    state = ReductionState(row["state"])
    if not state.is_final:
        raise ValueError(f"expected a reduction in a final state, got {state.value}: {job_key}")
    products = await connection.fetch("SELECT * FROM product WHERE job_key = $1 ORDER BY kind", job_key)
    timing = None
    if row["started_at"] is not None and row["finished_at"] is not None:
        timing = Timing(
            requested_at=row["requested_at"],
            queued_at=row["queued_at"],
            started_at=row["started_at"],
            engine_started_at=row["engine_started_at"],
            engine_finished_at=row["engine_finished_at"],
            finished_at=row["finished_at"],
        )
    succeeded = state is ReductionState.SUCCEEDED
    return ReductionFinished(
        event_id=f"{job_key}:{row['attempt']}:{state.value}",
        night=row["night"],
        at=at,
        job_key=job_key,
        slot=row["slot"],
        kind=ReductionKind(row["kind"]),
        state=state,
        outcome=Outcome(row["outcome"] or (Outcome.SUCCESS if succeeded else Outcome.NOT_OURS)),
        products=tuple(
            ProductRecord(
                product_id=product["product_id"],
                kind=ProductKind(product["kind"]),
                product_version=product["version"],
                path=product["path"],
                checksum=product["checksum"],
                size_bytes=product["size_bytes"],
                quality=product["quality"],
            )
            for product in products
            if succeeded
        ),
        subject_frame_ids=tuple(row["document"]["subject_frame_ids"]),
        error_code=row["error_code"],
        error=row["error"],
        attempts=max(row["tries"], 1),
        timing=timing,
    )
