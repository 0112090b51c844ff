"""The status feed in the database, and the state of a night that a client starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paws.database import Pool
from paws.status import FRAME_COLUMNS, plain


@dataclass(frozen=True)
class NightState:
    """State of a night, with the number of the newest status event that it includes."""

    seq: int
    night: str | None
    frames: list[dict[str, Any]]
    rejected: list[dict[str, Any]]


async def event_bounds(pool: Pool) -> tuple[int, int]:
    """Numbers of the oldest and newest status event in the table; (1, 0) when there is none."""
    row = await pool.fetchrow("SELECT min(seq) AS oldest, max(seq) AS newest FROM status_event")
    if row["newest"] is None:
        return 1, 0
    return int(row["oldest"]), int(row["newest"])


async def events_after(pool: Pool, seq: int, limit: int) -> list[dict[str, Any]]:
    """The status events that follow a number, in order, at most `limit`."""
    rows = await pool.fetch(
        "SELECT seq, payload FROM status_event WHERE seq > $1 ORDER BY seq LIMIT $2", seq, limit
    )
    # The column decides the number, so that an event is never handed out under another.
    return [{**row["payload"], "seq": row["seq"]} for row in rows]


async def newest_night(pool: Pool) -> str | None:
    """Newest night with live frames, else with any frame, else with a rejected file."""
    night = await pool.fetchval(
        "SELECT coalesce((SELECT max(night) FROM frame WHERE source = 'live'),"
        " (SELECT max(night) FROM frame), (SELECT max(night) FROM rejected_file WHERE resolved_at IS NULL))"
    )
    return None if night is None else str(night)


async def night_state(pool: Pool, night: str | None) -> NightState:
    """State of a night (None: of the newest), all of one moment."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        seq = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM status_event")
        chosen = night or await newest_night(connection)
        frames = await connection.fetch(
            f"SELECT {FRAME_COLUMNS} FROM frame_status WHERE night = $1 ORDER BY run, arm, arrived_at",  # noqa: S608 - constant columns
            chosen,
        )
        rejected = await rejected_files(connection, chosen)
    return NightState(int(seq), chosen, [plain(row) for row in frames], rejected)


async def rejected_files(pool: Pool, night: str | None) -> list[dict[str, Any]]:
    """Files that cannot be used and still lie there, the newest first; of all nights when None."""
    rows = await pool.fetch(
        "SELECT path, name, night, size_bytes, code, reason, first_seen, last_seen FROM rejected_file"
        " WHERE resolved_at IS NULL AND ($1::text IS NULL OR night = $1) ORDER BY first_seen DESC, path LIMIT 1000",
        night,
    )
    return [plain(row) for row in rows]


async def history(pool: Pool, night: str, entity_ids: list[str], limit: int = 300) -> list[dict[str, Any]]:
    """What was announced of some entities of a night, the oldest first, as far back as it is kept."""
    rows = await pool.fetch(
        "SELECT seq, entity, entity_id, state, at, payload FROM status_event"
        " WHERE night = $1 AND entity_id = ANY($2::text[]) ORDER BY seq DESC LIMIT $3",
        night,
        entity_ids,
        limit,
    )
    return [dict(row) for row in reversed(rows)]


async def notices(pool: Pool, night: str, limit: int = 5) -> list[dict[str, Any]]:
    """What the agents told people in a night: time and text, the newest first."""
    rows = await pool.fetch(
        "SELECT at, coalesce(payload #>> '{payload,text}', payload #>> '{payload,reason}', state) AS text"
        " FROM status_event WHERE night = $1 AND entity = 'notice' ORDER BY seq DESC LIMIT $2",
        night,
        limit,
    )
    return [dict(row) for row in rows]
