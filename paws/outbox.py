"""Announcing: events are written in the transaction that makes them true; the relay publishes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from paws.database import Connection
from schemas.events import Event, StatusEvent
from schemas.topics import TOPIC_OF

OUTBOX_CHANNEL = "outbox"
"""PostgreSQL channel on which the relay is woken."""


async def announce(connection: Connection, events: Iterable[Event]) -> None:
    """Write events into the outbox, in order.

    Call it inside the transaction that changes what the events tell, so that both happen or neither.
    Topic names are stored without the prefix, which is the relay's matter.
    """
    rows: Sequence[tuple[str, str, str, Any]] = [
        (TOPIC_OF[type(event)].name, event.night, event.event_id, event.model_dump(mode="json"))
        for event in events
    ]
    if rows:
        await connection.executemany(
            "INSERT INTO outbox (topic, key, event_id, payload) VALUES ($1, $2, $3, $4)", rows
        )


def status(
    entity: Literal["frame", "reduction", "product", "file", "notice"],
    entity_id: str,
    state: str,
    night: str,
    at: datetime,
    payload: dict[str, Any] | None = None,
) -> StatusEvent:
    """Status event of an entity's new state. `payload` is the entity's whole state, for people to see."""
    return StatusEvent(
        event_id=f"{entity}:{entity_id}:{state}:{at.isoformat()}",
        night=night,
        at=at,
        entity=entity,
        entity_id=entity_id,
        state=state,
        payload=payload or {},
    )
