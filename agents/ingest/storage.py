"""What ingest writes into and reads from the database. All of it is idempotent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from agents.ingest.inspect import Inspection, Signature
from agents.ingest.service import Admission, AdmissionDecision, Holder, Rejection, admit
from paws.database import Connection, Pool
from paws.outbox import announce, status
from paws.status import announce_frames, plain
from schemas.events import FrameArrived
from schemas.frames import Frame

FRAME_COLUMNS: tuple[tuple[str, str], ...] = (
    ("frame_id", "text"),
    ("night", "text"),
    ("name", "text"),
    ("path", "text"),
    ("checksum", "text"),
    ("size_bytes", "bigint"),
    ("mtime_ns", "bigint"),
    ("source", "text"),
    ("arm", "text"),
    ("run", "integer"),
    ("frame_class", "text"),
    ("object_name", "text"),
    ("field", "text"),
    ("configuration", "text"),
    ("plate", "smallint"),
    ("grating", "text"),
    ("central_wavelength", "integer"),
    ("proposal", "text"),
    ("exposed", "real"),
    ("utmjd", "double precision"),
    ("ra", "double precision"),
    ("dec", "double precision"),
    ("airmass", "real"),
    ("document", "jsonb"),
    ("header", "jsonb"),
    ("completed_at", "timestamptz"),
    ("arrived_at", "timestamptz"),
)
"""Columns of the table ``frame`` that ingest fills, with their types."""

_NAMES = ", ".join(name for name, _ in FRAME_COLUMNS)
_INSERT = (  # constant columns
    f"INSERT INTO frame ({_NAMES}) VALUES ({', '.join(f'${n}' for n in range(1, len(FRAME_COLUMNS) + 1))})"  # noqa: S608 - constant columns
    " ON CONFLICT (frame_id) DO NOTHING"
)


_PLACE = {name: number for number, (name, _) in enumerate(FRAME_COLUMNS)}
_ARRAYS = ", ".join(
    f"${number}::{'text' if kind == 'jsonb' else kind}[]" for number, (_, kind) in enumerate(FRAME_COLUMNS, 1)
)
_FILL_BATCH = (
    f"INSERT INTO batch ({_NAMES}) SELECT {', '.join(f'{name}::{kind}' for name, kind in FRAME_COLUMNS)}"  # noqa: S608 - constant columns
    f" FROM unnest({_ARRAYS}) AS u ({_NAMES})"
)


def frame_row(inspection: Inspection, source: str, arrived_at: datetime) -> tuple[Any, ...]:
    """Row of the table ``frame``, in the order of `FRAME_COLUMNS`."""
    frame = inspection.frame
    assert frame is not None, "only valid frames are stored"
    given = {
        "mtime_ns": inspection.signature.mtime_ns,
        "source": source,
        "arm": frame.arm.value,
        "frame_class": frame.frame_class.value,
        "document": frame.model_dump(mode="json"),
        "header": inspection.header,
        "arrived_at": arrived_at,
    }
    return tuple(given[name] if name in given else getattr(frame, name) for name, _ in FRAME_COLUMNS)


@dataclass(frozen=True)
class Known:
    """What is registered of a path.

    Attributes
    ----------
    signature
        Of the content that was read.
    live
        Whether the frame was announced; a frame of an archive was not.
    """

    signature: Signature
    live: bool


async def known_frames(pool: Pool, paths: Sequence[str]) -> dict[str, Known]:
    """What is registered of paths that hold valid frames.

    A path whose newer content was rejected is left out: what is wrong with a file need not show in its
    size and time, so rejected files are looked into once more after a restart.
    """
    rows = await pool.fetch(
        """
        SELECT f.path, f.size_bytes, f.mtime_ns, f.source FROM frame f WHERE f.path = ANY($1::text[])
        AND NOT EXISTS (SELECT FROM rejected_file r WHERE r.path = f.path AND r.resolved_at IS NULL)
        """,
        list(paths),
    )
    return {
        row["path"]: Known(Signature(row["size_bytes"], row["mtime_ns"]), row["source"] == "live")
        for row in rows
    }


async def record_frame(pool: Pool, inspection: Inspection, now: datetime) -> AdmissionDecision:
    """Register a valid frame, and announce it when it is new.

    Returns
    -------
    AdmissionDecision
        For a duplicate nothing has been written: it is the caller's to reject it.
    """
    frame = inspection.frame
    assert frame is not None, "only valid frames are recorded"
    async with pool.acquire() as connection, connection.transaction():
        # Two processes that see two files of one name at once must not both find the name free.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"frame {frame.night} {frame.name}"
        )
        decision = admit(frame, await _holders(connection, frame))
        if decision.admission is Admission.DUPLICATE:
            return decision
        if decision.admission in (Admission.NEW, Admission.ADOPTED):
            if decision.admission is Admission.NEW:
                await connection.execute(_INSERT, *frame_row(inspection, "live", now))
            else:
                await _adopt(connection, frame, now)
            await announce(
                connection,
                [FrameArrived(event_id=frame.frame_id, night=frame.night, at=now, frame=frame)],
            )
            await announce_frames(connection, [frame.frame_id], now)
        elif decision.admission is Admission.MOVED:
            await _move(connection, frame)
        await connection.execute(
            "UPDATE frame SET mtime_ns = $2 WHERE frame_id = $1 AND path = $3 AND mtime_ns <> $2",
            frame.frame_id,
            inspection.signature.mtime_ns,
            frame.path,
        )
        await _resolve(connection, [frame.path], "accepted", now)
    return decision


async def _holders(connection: Connection, frame: Frame) -> list[Holder]:
    rows = await connection.fetch(
        "SELECT frame_id, path, source FROM frame WHERE night = $1 AND name = $2 ORDER BY arrived_at, frame_id",
        frame.night,
        frame.name,
    )
    return [
        Holder(
            row["frame_id"],
            row["path"],
            present=os.path.exists(row["path"]),  # noqa: ASYNC240 - one stat
            live=row["source"] == "live",
        )
        for row in rows
    ]


async def _adopt(connection: Connection, frame: Frame, now: datetime) -> None:
    """Make a frame of an archive a live one. What people said of it, such as that it is junk, stays."""
    await connection.execute(
        """
        UPDATE frame SET source = 'live', path = $2, document = $3, completed_at = $4, arrived_at = $5
        WHERE frame_id = $1
        """,
        frame.frame_id,
        frame.path,
        frame.model_dump(mode="json"),
        frame.completed_at,
        now,
    )


async def _move(connection: Connection, frame: Frame) -> None:
    await connection.execute(
        "UPDATE frame SET path = $2, document = jsonb_set(document, '{path}', to_jsonb($2::text))"
        " WHERE frame_id = $1",
        frame.frame_id,
        frame.path,
    )


async def record_rejection(pool: Pool, rejected: Rejection, now: datetime, quietly: bool = False) -> bool:
    """Record a file that cannot be used; announce it when that is news.

    Parameters
    ----------
    quietly
        Record without announcing, for archives.

    Returns
    -------
    bool
        Whether it was news.
    """
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            """
            INSERT INTO rejected_file AS r
                (path, name, night, size_bytes, mtime_ns, code, reason, first_seen, last_seen, told_in)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
            ON CONFLICT (path) DO UPDATE SET
                name = excluded.name, night = excluded.night, size_bytes = excluded.size_bytes,
                mtime_ns = excluded.mtime_ns, code = excluded.code, reason = excluded.reason,
                last_seen = excluded.last_seen, resolved_at = NULL, told_in = excluded.told_in
            WHERE (r.size_bytes, r.mtime_ns, r.code) IS DISTINCT FROM
                  (excluded.size_bytes, excluded.mtime_ns, excluded.code) OR r.resolved_at IS NOT NULL
            RETURNING *
            """,
            rejected.path,
            rejected.name,
            rejected.night,
            rejected.size_bytes,
            rejected.mtime_ns,
            rejected.code,
            rejected.reason,
            now,
            # Whoever fills an archive reads the report; no mail follows.
            "backfill" if quietly else None,
        )
        if row is None:
            return False
        if not quietly:
            await announce(
                connection,
                [
                    rejected.event(now),
                    status("file", rejected.path, "rejected", rejected.night, now, plain(row)),
                ],
            )
    return True


async def open_rejections(pool: Pool) -> list[str]:
    """Paths of all rejections that stand."""
    rows = await pool.fetch("SELECT path FROM rejected_file WHERE resolved_at IS NULL")
    return [row["path"] for row in rows]


async def resolve_rejections(pool: Pool, paths: Iterable[str], how: str, now: datetime) -> None:
    """Close rejections: the file is accepted now, or gone."""
    async with pool.acquire() as connection, connection.transaction():
        await _resolve(connection, paths, how, now)


async def _resolve(connection: Connection, paths: Iterable[str], how: str, now: datetime) -> None:
    rows = await connection.fetch(
        "UPDATE rejected_file SET resolved_at = $2 WHERE path = ANY($1::text[]) AND resolved_at IS NULL RETURNING *",
        list(paths),
        now,
    )
    await announce(
        connection, [status("file", row["path"], how, row["night"], now, plain(row)) for row in rows]
    )


async def record_notice(pool: Pool, entity_id: str, state: str, night: str, text: str, now: datetime) -> None:
    """Announce something that people should see, such as a raw folder that vanished."""
    async with pool.acquire() as connection, connection.transaction():
        await announce(connection, [status("notice", entity_id, state, night, now, {"text": text})])


def archive_row(inspection: Inspection, arrived_at: datetime) -> tuple[Any, ...]:
    """Row for `insert_archive`: like `frame_row`, with documents as JSON text, made where the file was read."""
    row = list(frame_row(inspection, "backfill", arrived_at))
    frame = inspection.frame
    assert frame is not None, "only valid frames are stored"
    row[_PLACE["document"]] = frame.model_dump_json()
    row[_PLACE["header"]] = orjson.dumps(inspection.header).decode()
    return tuple(row)


async def insert_archive(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> dict[str, str]:
    """Register frames of an archive in one statement, announcing nothing.

    Parameters
    ----------
    rows
        Made by `archive_row`.

    Returns
    -------
    dict
        Paths of frames not taken because their name is held by another frame, with that frame's identifier.
    """
    if not rows:
        return {}
    async with connection.transaction():
        await connection.execute(
            "CREATE TEMPORARY TABLE batch (LIKE frame INCLUDING DEFAULTS) ON COMMIT DROP"
        )
        await connection.execute(_FILL_BATCH, *[list(column) for column in zip(*rows, strict=True)])
        held = await connection.fetch(
            """
            SELECT b.path, coalesce(f.frame_id, e.frame_id) AS holder FROM batch b
            LEFT JOIN frame f ON f.night = b.night AND f.name = b.name AND f.frame_id <> b.frame_id
            LEFT JOIN batch e ON e.night = b.night AND e.name = b.name AND e.frame_id < b.frame_id
            WHERE f.frame_id IS NOT NULL OR e.frame_id IS NOT NULL
            """
        )
        holders = {row["path"]: row["holder"] for row in held}
        await connection.execute(
            f"""
            INSERT INTO frame ({_NAMES}) SELECT DISTINCT ON (frame_id) {_NAMES} FROM batch
            WHERE path <> ALL($1::text[])
            ON CONFLICT (frame_id) DO UPDATE SET mtime_ns = excluded.mtime_ns WHERE frame.path = excluded.path
            """,  # noqa: S608 - constant columns
            list(holders),
        )
    return holders
