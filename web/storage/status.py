"""The status feed in the database, and the state of a night that a client starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paws.access.predicate import condition, seen, values_of
from paws.access.rule import Scope, Sight
from paws.database import Pool
from paws.status import FRAME_COLUMNS, plain
from web.access import told_rows

_SCOPES: Final = {
    "frame": "SELECT frame_id AS id, ARRAY[owner] AS owners, public_on, field FROM frame WHERE frame_id = ANY($1::text[])",
    "reduction": "SELECT job_key AS id, owners, public_on, field FROM reduction WHERE job_key = ANY($1::text[])",
    "product": "SELECT product_id AS id, owners, public_on, field FROM product WHERE product_id = ANY($1::text[])",
    "name": "SELECT name AS id, ARRAY[owner] AS owners, public_on, field FROM frame WHERE name = ANY($1::text[])",
}


@dataclass(frozen=True)
class NightState:
    """State of a night, with the number of the newest status event that it includes.

    Attributes
    ----------
    frames
        Each with what the rule needs to know of it.
    """

    seq: int
    night: str | None
    frames: list[tuple[Scope, dict[str, Any]]]
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


async def scopes(pool: Pool, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Scope]]:
    """What the rule needs to know of some things: kind (frame, reduction, product, name) and identifier.

    A name of a file may be that of several frames. What is not known is not in the answer.
    """
    by_kind: dict[str, set[str]] = {}
    for kind, identifier in wanted:
        if kind in _SCOPES:
            by_kind.setdefault(kind, set()).add(identifier)
    found: dict[tuple[str, str], list[Scope]] = {}
    for kind, identifiers in by_kind.items():
        for row in await pool.fetch(_SCOPES[kind], sorted(identifiers)):
            thing = row["id"] if kind in ("reduction", "product") else ""
            scope = Scope(frozenset(row["owners"]), row["public_on"], row["field"], thing)
            found.setdefault((kind, row["id"]), []).append(scope)
    return found


async def newest_night(pool: Pool, sight: Sight) -> str | None:
    """Newest night with live frames, else with any frame, else with a rejected file, of what is seen."""
    allowed = condition("frame", 1)
    night = await pool.fetchval(
        f"SELECT coalesce((SELECT max(night) FROM frame WHERE source = 'live' AND {allowed}),"  # noqa: S608 - constant condition
        f" (SELECT max(night) FROM frame WHERE {allowed}),"
        " (SELECT max(night) FROM rejected_file WHERE resolved_at IS NULL AND $1))",
        *values_of(sight),
    )
    return None if night is None else str(night)


async def night_state(pool: Pool, night: str | None) -> NightState:
    """Whole state of a night, all of one moment. Who gets how much of it is decided where it is sent."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        seq = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM status_event")
        rows = await connection.fetch(
            f"SELECT {FRAME_COLUMNS}, owner, public_on FROM frame_status WHERE night = $1 ORDER BY run, arm, arrived_at",  # noqa: S608 - constant columns
            night,
        )
        rejected = await _rejected(connection, night)
    frames = []
    for row in rows:
        values = plain(row)
        owner, day = values.pop("owner"), row["public_on"]
        del values["public_on"]
        frames.append((Scope(frozenset({owner}), day, row["field"]), values))
    return NightState(int(seq), night, frames, rejected)


async def rejected_files(pool: Pool, night: str | None, sight: Sight) -> list[dict[str, Any]]:
    """Files that cannot be used and still lie there, the newest first; of all nights when None.

    Whose they are cannot be told, so they are for who sees everything.
    """
    return await _rejected(pool, night) if sight.everything else []


async def _rejected(pool: Pool, night: str | None) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "SELECT path, name, night, size_bytes, code, reason, first_seen, last_seen FROM rejected_file"
        " WHERE resolved_at IS NULL AND ($1::text IS NULL OR night = $1) ORDER BY first_seen DESC, path LIMIT 1000",
        night,
    )
    return [plain(row) for row in rows]


async def history(
    pool: Pool, night: str, frame_ids: Sequence[str], sight: Sight, limit: int = 300
) -> list[dict[str, Any]]:
    """What was announced of some frames of a night, the oldest first, as far back as it is kept."""
    allowed, values = seen("frame", sight, [night, list(frame_ids), limit], "f")
    rows = await pool.fetch(
        "SELECT e.seq, e.entity, e.entity_id, e.state, e.at, e.payload FROM status_event e"  # noqa: S608 - constant condition
        " JOIN frame f ON f.frame_id = e.entity_id"
        f" WHERE e.night = $1 AND e.entity_id = ANY($2::text[]) AND {allowed} ORDER BY e.seq DESC LIMIT $3",
        *values,
    )
    return await told_rows(pool, [dict(row) for row in reversed(rows)], sight, ("payload",))


async def notices(pool: Pool, night: str, sight: Sight, limit: int = 5) -> list[dict[str, Any]]:
    """What the agents told people in a night: time and text, the newest first. For who sees everything."""
    if not sight.everything:
        return []
    rows = await pool.fetch(
        "SELECT at, coalesce(payload #>> '{payload,text}', payload #>> '{payload,reason}', state) AS text"
        " FROM status_event WHERE night = $1 AND entity = 'notice' ORDER BY seq DESC LIMIT $2",
        night,
        limit,
    )
    return [dict(row) for row in rows]
