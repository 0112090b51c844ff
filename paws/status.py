"""The status feed: whoever changes a frame or a reduction announces its whole new state, here and only so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from paws.database import Connection
from paws.outbox import announce, status
from schemas.events import StatusEvent

FRAME_COLUMNS = (
    "frame_id, night, name, arm, run, frame_class, object_name, field, plate, grating, central_wavelength, "
    "exposed, utmjd, airmass, exposure, state, reason, level, provisional, job_key, reduction_kind, stage, progress, "
    "attempt, error_code, completed_at, arrived_at, finished_at, signal_to_noise"
)
"""Columns of the view ``frame_status`` that the feed carries."""

REDUCTION_COLUMNS = (
    "job_key, slot, kind, night, arm, state, priority, provisional, engine, engine_version, attempt, stage, "
    "progress, outcome, error_code, error, runner, requested_at, queued_at, started_at, finished_at"
)
"""Columns of the table ``reduction`` that the feed carries."""

_REDUCTION_NAMES = REDUCTION_COLUMNS.split(", ")


async def announce_frames(connection: Connection, frame_ids: Iterable[str], at: datetime) -> None:
    """Announce the present state of frames, inside the transaction that changed it."""
    await announce(connection, await frame_statuses(connection, frame_ids, at))


async def frame_statuses(connection: Connection, frame_ids: Iterable[str], at: datetime) -> list[StatusEvent]:
    """Present state of frames, to be announced with what else a transaction announces."""
    rows = await connection.fetch(
        f"SELECT {FRAME_COLUMNS} FROM frame_status WHERE frame_id = ANY($1::text[])",  # noqa: S608 - constant columns
        sorted(set(frame_ids)),
    )
    return [status("frame", row["frame_id"], row["state"], row["night"], at, plain(row)) for row in rows]


async def announce_reductions(connection: Connection, job_keys: Iterable[str], at: datetime) -> None:
    """Announce the present state of reductions, inside the transaction that changed it."""
    await announce(connection, await reduction_statuses(connection, job_keys, at))


async def reduction_statuses(
    connection: Connection, job_keys: Iterable[str], at: datetime
) -> list[StatusEvent]:
    """Present state of reductions, to be announced with what else a transaction announces."""
    rows = await connection.fetch(
        f"SELECT {REDUCTION_COLUMNS} FROM reduction WHERE job_key = ANY($1::text[])",  # noqa: S608 - constant columns
        sorted(set(job_keys)),
    )
    return [reduction_status(row, at) for row in rows]


def reduction_status(row: Mapping[str, Any], at: datetime) -> StatusEvent:
    """State of a reduction, from a row with `REDUCTION_COLUMNS` and perhaps more."""
    shown = plain({name: row[name] for name in _REDUCTION_NAMES})
    return status("reduction", row["job_key"], row["state"], row["night"], at, shown)


def plain(row: Any) -> dict[str, Any]:
    """Database row as values that JSON has."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in dict(row).items()
    }
