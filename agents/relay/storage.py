"""The relay's database I/O, all on one connection: the one that holds the publisher's lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from agents.relay.service import OUTBOX_KEPT, STATUS_FEED_KEPT, STATUS_OUTBOX_KEPT
from paws.database import Connection
from schemas.topics import STATUS_EVENTS

_PUBLISHER_LOCK = 0x70617773_0002
BATCH = 500
"""Most rows published at once."""


@dataclass(frozen=True)
class OutboxRow:
    """A row to publish; `payload` is the event as JSON."""

    id: int
    topic: str
    key: str
    event_id: str
    payload: str


async def become_publisher(connection: Connection) -> bool:
    """Try to become the only publisher, for as long as the connection lives."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _PUBLISHER_LOCK))


async def next_batch(connection: Connection) -> list[OutboxRow]:
    """Oldest rows that are not published. Status events have no numbers yet.

    Rows are found by not being published, never by being newer than the last one: transactions that run
    side by side become visible in another order than their rows were numbered.
    """
    rows = await connection.fetch(
        """
        SELECT id, topic, key, event_id, payload::text AS payload FROM outbox
        WHERE published_at IS NULL ORDER BY id LIMIT $1
        """,
        BATCH,
    )
    return [OutboxRow(**dict(row)) for row in rows]


async def number(connection: Connection, rows: list[OutboxRow]) -> list[OutboxRow]:
    """Status events with their numbers, which are durable before anybody sees them."""
    ids = [row.id for row in rows]
    async with connection.transaction():
        # A row numbered before, by a publisher that died, keeps its number.
        await connection.execute(
            """
            WITH fresh AS (
                SELECT o.id, o.key, o.payload,
                    (SELECT coalesce(max(seq), 0) FROM status_event) + row_number() OVER (ORDER BY o.id) AS seq
                FROM outbox o
                WHERE o.id = ANY($1::bigint[])
                    AND NOT EXISTS (SELECT 1 FROM status_event s WHERE s.outbox_id = o.id))
            INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)
            SELECT seq, id, key, payload ->> 'entity', payload ->> 'entity_id', payload ->> 'state',
                jsonb_set(payload, '{seq}', to_jsonb(seq)), (payload ->> 'at')::timestamptz
            FROM fresh ORDER BY seq
            """,
            ids,
        )
        numbered = await connection.fetch(
            "SELECT outbox_id, payload::text AS payload FROM status_event WHERE outbox_id = ANY($1::bigint[])",
            ids,
        )
    payloads = {row["outbox_id"]: row["payload"] for row in numbered}
    return [replace(row, payload=payloads[row.id]) for row in rows]


async def mark_published(connection: Connection, rows: list[OutboxRow]) -> None:
    """Record that rows are with the broker.

    The disk is not waited for: a record that a crash takes away means that its rows are published once more.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(
            "UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1::bigint[])",
            [row.id for row in rows],
        )


async def published_into(connection: Connection) -> str | None:
    """Incarnation of the broker that was last published into."""
    value = await connection.fetchval("SELECT incarnation FROM relay_state")
    return None if value is None else str(value)


async def set_published_into(connection: Connection, incarnation: str) -> None:
    """Record the incarnation that is published into from now on."""
    await connection.execute(
        """
        INSERT INTO relay_state (incarnation) VALUES ($1)
        ON CONFLICT (only_row) DO UPDATE SET incarnation = excluded.incarnation, since = now()
        """,
        incarnation,
    )


async def newest_night(connection: Connection, topics: list[str]) -> str | None:
    """Newest night that any event of some topics is of."""
    value = await connection.fetchval("SELECT max(key) FROM outbox WHERE topic = ANY($1::text[])", topics)
    return None if value is None else str(value)


async def published_rows(
    connection: Connection, topics: list[str], first_night: str, after: int
) -> list[OutboxRow]:
    """Published rows of some topics since a night, oldest first, a batch from after a row."""
    rows = await connection.fetch(
        """
        SELECT id, topic, key, event_id, payload::text AS payload FROM outbox
        WHERE published_at IS NOT NULL AND topic = ANY($1::text[]) AND key >= $2 AND id > $3
        ORDER BY id LIMIT $4
        """,
        topics,
        first_night,
        after,
        BATCH,
    )
    return [OutboxRow(**dict(row)) for row in rows]


async def prune(connection: Connection, now: datetime) -> int:
    """Forget old published rows. The newest status event stays: the numbering goes on from it.

    Returns
    -------
    int
        Number of rows removed.
    """
    removed = 0
    for command, arguments in (
        (
            "DELETE FROM outbox WHERE published_at < $1 AND topic = $2",
            (now - STATUS_OUTBOX_KEPT, STATUS_EVENTS.name),
        ),
        ("DELETE FROM outbox WHERE published_at < $1", (now - OUTBOX_KEPT,)),
        (
            "DELETE FROM status_event WHERE at < $1 AND seq < (SELECT max(seq) FROM status_event)",
            (now - STATUS_FEED_KEPT,),
        ),
    ):
        removed += int((await connection.execute(command, *arguments)).split()[-1])
    return removed
