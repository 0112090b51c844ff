"""Which version of a product is current. One rule, for registration, for intake and for mending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paws.database import Connection
from paws.outbox import announce, status
from paws.status import plain
from schemas.events import StatusEvent
from schemas.layout import is_own

PRODUCT_COLUMNS = (
    "product_id, job_key, slot, kind, night, arm, version, current, path, checksum, size_bytes, plate, grating, "
    "field, run, level, provisional, quality, created_at, superseded_at"
)
"""Columns of the table ``product`` that the status feed carries."""

_RETURNING = f"RETURNING {PRODUCT_COLUMNS}"


WITHDRAWN = ""
"""Key in the table ``slot`` of a slot in which nothing is wanted any more, such as that of a junked frame.

The row stays: without it, what still runs for the slot would become current when it ends.
"""


@dataclass(frozen=True)
class Settlement:
    """What a slot's products should be: the ids that become current, and those that cease to be."""

    current: tuple[str, ...]
    superseded: tuple[str, ...]


def settle_decision(wanted: str | None, products: Iterable[Mapping[str, Any]]) -> Settlement:
    """Decide for the products of one slot. Pure.

    The product of the wanted reduction is current if there is one, else the newest. So a better reduction
    that finishes late wins, and a worse one that finishes late does not. In a withdrawn slot none is.

    Parameters
    ----------
    wanted
        Key of the reduction that the planner wants for the slot; `WITHDRAWN` when it wants none any more,
        None when it never wanted one.
    products
        Rows with ``product_id``, ``job_key``, ``kind``, ``version``, ``current``.

    Returns
    -------
    Settlement
        Changes only.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for product in products:
        by_kind.setdefault(product["kind"], []).append(product)
    current: list[str] = []
    superseded: list[str] = []
    for kind in sorted(by_kind):
        best = _best(wanted, by_kind[kind])
        for product in by_kind[kind]:
            if product is best and not product["current"]:
                current.append(product["product_id"])
            elif product is not best and product["current"]:
                superseded.append(product["product_id"])
    return Settlement(tuple(current), tuple(superseded))


def _best(wanted: str | None, products: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    if wanted == WITHDRAWN:
        return None
    return max(products, key=lambda product: (product["job_key"] == wanted, product["version"]))


async def lock_slot(connection: Connection, slot: str) -> None:
    """Hold a slot until the transaction ends: its versions and its links change together."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", slot)


async def settle(connection: Connection, slot: str, at: datetime) -> Settlement:
    """Make the right versions of a slot current, and announce what changed.

    Call it inside a transaction that holds the slot.
    """
    settlement, news = await settle_quietly(connection, slot, at)
    await announce(connection, news)
    return settlement


async def settle_quietly(
    connection: Connection, slot: str, at: datetime
) -> tuple[Settlement, list[StatusEvent]]:
    """Make the right versions of a slot current; what changed is for the caller to announce."""
    rows = await connection.fetch(
        """
        SELECT product_id, job_key, kind, version, current,
            (SELECT s.job_key FROM slot s WHERE s.slot = $1) AS wanted FROM product WHERE slot = $1
        """,
        slot,
    )
    if not rows:
        return Settlement((), ()), []
    # Beside the night's plan nothing is current, or it would supersede what people see.
    settlement = settle_decision(WITHDRAWN if is_own(slot) else rows[0]["wanted"], rows)
    changed: list[Any] = []
    # First down, then up: only one version of a slot may be current at any moment.
    if settlement.superseded:
        changed += await connection.fetch(
            f"UPDATE product SET current = false, superseded_at = $2 WHERE product_id = ANY($1::text[]) {_RETURNING}",  # noqa: S608 - constant columns
            settlement.superseded,
            at,
        )
    if settlement.current:
        changed += await connection.fetch(
            f"UPDATE product SET current = true, superseded_at = NULL WHERE product_id = ANY($1::text[]) {_RETURNING}",  # noqa: S608 - constant columns
            settlement.current,
        )
    changed.sort(key=lambda row: (row["current"], row["product_id"]))
    return settlement, [
        status(
            "product",
            row["product_id"],
            "current" if row["current"] else "superseded",
            row["night"],
            at,
            plain(row),
        )
        for row in changed
    ]
