"""When the planner of a night wants what somebody had asked for beside its plan: the reduction moves into its slot."""

from __future__ import annotations

from collections.abc import Sequence

from agents.reducer.queue import raise_priority
from agents.reducer.settle import lock_slot
from paws.database import Connection
from schemas.layout import OWN, is_own, product_path
from schemas.reductions import Reduction
from schemas.vocabulary import Priority, ProductKind, ReductionState


def adopts(known_slot: str, wanted_slot: str, state: ReductionState) -> bool:
    """Whether a reduction moves at once. Pure. One that runs moves when it is registered."""
    return is_own(known_slot) and not is_own(wanted_slot) and state is not ReductionState.RUNNING


def as_wanted(reduction: Reduction, slot: str) -> Reduction:
    """The same reduction as part of the night's plan. Its key is the same: neither slot nor layout is part of it."""
    layout = reduction.layout.model_copy(update={"variant": ""})
    return reduction.model_copy(update={"slot": slot, "layout": layout})


async def wanted_slot(connection: Connection, reduction: Reduction) -> str | None:
    """Slot in which the planner wants a reduction that stands beside its plan; None if it does not."""
    if not is_own(reduction.slot):
        return None
    found = await connection.fetchval(
        "SELECT slot FROM slot WHERE job_key = $1 ORDER BY slot LIMIT 1", reduction.job_key
    )
    return None if found is None else str(found)


async def adopt(connection: Connection, reduction: Reduction) -> None:
    """Move a reduction and its products into the slot of the night's plan.

    Call it inside a transaction that holds that slot; settle the slot after it.

    Parameters
    ----------
    reduction
        As the planner wants it: `as_wanted`.
    """
    await connection.execute(
        "UPDATE reduction SET slot = $2, document = $3 WHERE job_key = $1",
        reduction.job_key,
        reduction.slot,
        reduction.model_dump(mode="json"),
    )
    rows = await connection.fetch(
        "SELECT product_id, kind FROM product WHERE job_key = $1 AND slot <> $2 ORDER BY kind",
        reduction.job_key,
        reduction.slot,
    )
    for row in rows:
        await connection.execute(
            """
            UPDATE product SET slot = $2, path = $3, version =
                (SELECT coalesce(max(other.version), 0) + 1 FROM product other WHERE other.slot = $2 AND other.kind = $4)
            WHERE product_id = $1
            """,
            row["product_id"],
            reduction.slot,
            str(product_path(ProductKind(row["kind"]), reduction.layout)),
            row["kind"],
        )


async def adopt_wanted(connection: Connection, slots: Sequence[str] | None = None) -> list[str]:
    """Move what slots want and what stands beside the plan: wherever the planner finds something made already.

    Parameters
    ----------
    slots
        Only these; all when None.

    Returns
    -------
    list of str
        Slots that got something. They are held until the transaction ends, and are to be settled.
    """
    rows = await connection.fetch(
        # A constant, so that the index of what stands beside the plan serves.
        "SELECT s.slot, r.document, r.queue_job_id FROM reduction r JOIN slot s USING (job_key)"  # noqa: S608 - constant
        f" WHERE starts_with(r.slot, '{OWN}') AND r.state <> 'running'"
        " AND ($1::text[] IS NULL OR s.slot = ANY($1)) ORDER BY s.slot",
        None if slots is None else list(slots),
    )
    for row in rows:
        await lock_slot(connection, row["slot"])
        await adopt(connection, as_wanted(Reduction.model_validate(row["document"]), row["slot"]))
        if row["queue_job_id"] is not None:
            # The night waits for it now.
            await raise_priority(connection, row["queue_job_id"], int(Priority.LIVE))
    return [row["slot"] for row in rows]
