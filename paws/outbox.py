"""Announcing: events are written in the transaction that makes them true; the relay publishes them."""

from __future__ import annotations

from collections.abc import Iterable
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
    told = list(events)
    if told:
        # One statement, however many: each would wake the relay by a trigger of its own.
        await connection.execute(
            """
            INSERT INTO outbox (topic, key, event_id, payload)
            SELECT topic, key, event_id, payload
            FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])
                WITH ORDINALITY AS event (topic, key, event_id, payload, number) ORDER BY number
            """,
            [TOPIC_OF[type(event)].name for event in told],
            [event.night for event in told],
            [event.event_id for event in told],
            [event.model_dump(mode="json") for event in told],
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
