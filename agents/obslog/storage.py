"""Reads frames and what became of them; writes the observing log. Idempotent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from agents.obslog.service import FrameOutcome, LogEntry, log_entry
from paws.database import Connection, Pool
from schemas.frames import Frame
from schemas.vocabulary import FrameState

_COLUMNS = tuple(field.name for field in fields(LogEntry))
_CHANGING = tuple(name for name in _COLUMNS if name != "frame_id")
_UPSERT = f"""
    INSERT INTO observing_log AS l ({", ".join(_COLUMNS)})
    VALUES ({", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))})
    ON CONFLICT (frame_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}, updated_at = now()
    WHERE ({", ".join(f"l.{name}" for name in _CHANGING)})
        IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _CHANGING)})
"""  # noqa: S608 - constant columns


async def refresh(pool: Pool, frame_ids: Iterable[str], night: str) -> int:
    """Bring the log entries of frames up to date.

    Frames of the night that were set aside come along: no reduction of theirs ever finishes.

    Returns
    -------
    int
        Number of frames found.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            """
            SELECT f.document, s.state, s.reason, s.level, s.provisional, s.signal_to_noise
            FROM frame f JOIN frame_status s USING (frame_id)
            WHERE f.frame_id = ANY($1::text[]) OR f.frame_id IN (
                SELECT p.frame_id FROM frame_plan p JOIN observing_log l USING (frame_id)
                WHERE p.night = $2 AND p.state = 'set_aside' AND l.result = ''
            )
            ORDER BY f.frame_id
            """,
            sorted(set(frame_ids)),
            night,
        )
        for row in rows:
            outcome = FrameOutcome(
                state=FrameState(row["state"]),
                reason=row["reason"] or "",
                level=row["level"],
                provisional=bool(row["provisional"]),
                signal_to_noise=row["signal_to_noise"],
            )
            await _upsert(connection, log_entry(Frame.model_validate(row["document"]), outcome))
    return len(rows)


async def _upsert(connection: Connection, entry: LogEntry) -> None:
    await connection.execute(_UPSERT, *(getattr(entry, name) for name in _COLUMNS))
