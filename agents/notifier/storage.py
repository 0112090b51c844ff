"""What the notifier reads of the night, and the messages it keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.notifier.messages import Message
from agents.notifier.service import Failure, FieldProgress, Kind, RejectedFile, ScienceFrame
from paws.database import Connection, Pool
from schemas.events import ReductionFinished
from schemas.layout import OWN
from schemas.vocabulary import FrameClass, FrameState, ProductKind

_SCIENCE = [kind.value for kind in FrameClass if kind.is_science]
_SPECTRA = [kind.value for kind in ProductKind if kind.has_spectra]
_PACE = 12
"""Newest frames of a night that tell its pace."""


@dataclass(frozen=True)
class Unsent:
    """A message that is not delivered yet."""

    message: Message
    created_at: datetime


async def failure_of(pool: Pool, event: ReductionFinished) -> Failure:
    """What a failed reduction was about."""
    row = await pool.fetchrow(
        """
        -- What somebody asked for beside the night's plan is told to them by the request's own mail.
        SELECT r.log_path, coalesce(s.job_key = r.job_key, NOT starts_with(r.slot, $2)) AS wanted
        FROM reduction r LEFT JOIN slot s USING (slot) WHERE r.job_key = $1
        """,
        event.job_key,
        OWN,
    )
    names = await pool.fetch(
        "SELECT name FROM frame WHERE frame_id = ANY($1::text[]) ORDER BY run, arm",
        list(event.subject_frame_ids),
    )
    return Failure(
        job_key=event.job_key,
        night=event.night,
        kind=event.kind.value,
        slot=event.slot,
        wanted=row is None or row["wanted"],
        frames=tuple(item["name"] for item in names),
        code=event.error_code or "",
        error=event.error or "",
        attempts=event.attempts,
        log_path=(row["log_path"] if row else None) or "",
    )


async def untold_rejections(pool: Pool) -> dict[str, list[RejectedFile]]:
    """Rejected files that no message has named, by night."""
    rows = await pool.fetch(
        """
        SELECT path, name, night, mtime_ns, code, reason, last_seen FROM rejected_file
        WHERE resolved_at IS NULL AND told_in IS NULL ORDER BY path
        """
    )
    nights: defaultdict[str, list[RejectedFile]] = defaultdict(list)
    for row in rows:
        values = dict(row)
        nights[values.pop("night")].append(RejectedFile(**values))
    return nights


async def recent_nights(pool: Pool, since: datetime) -> list[str]:
    """Nights with live science frames that arrived since a moment."""
    rows = await pool.fetch(
        """
        SELECT DISTINCT night FROM frame
        WHERE source = 'live' AND arrived_at >= $1 AND frame_class = ANY($2::text[])
        """,
        since,
        _SCIENCE,
    )
    return [row["night"] for row in rows]


async def fields_of(pool: Pool, night: str) -> list[FieldProgress]:
    """How far the fields of a night have come."""
    science = await pool.fetch(
        """
        SELECT frame_id, name, run, arm, object_name, field, plate, exposed, utmjd, completed_at, state, reason,
               level, provisional, signal_to_noise, finished_at
        FROM frame_status WHERE night = $1 AND source = 'live' AND frame_class = ANY($2::text[])
        """,
        night,
        _SCIENCE,
    )
    if not science:
        return []
    taken = await pool.fetch(
        "SELECT run, field, plate, completed_at FROM frame WHERE night = $1 AND source = 'live'", night
    )
    working = await pool.fetch(
        """
        SELECT document -> 'layout' ->> 'field' AS field, count(*) AS open FROM reduction
        WHERE night = $1 AND state IN ('queued', 'running', 'retrying') AND NOT starts_with(slot, $2) GROUP BY 1
        """,
        night,
        OWN,
    )
    products = await pool.fetch(
        "SELECT field, plate, path FROM product WHERE night = $1 AND current AND kind = ANY($2::text[]) ORDER BY path",
        night,
        _SPECTRA,
    )
    arrivals = tuple(sorted(row["completed_at"] for row in taken)[-_PACE:])
    under_way = {row["field"]: row["open"] for row in working}
    groups: defaultdict[tuple[str, int | None], list[Any]] = defaultdict(list)
    for row in science:
        groups[row["field"], row["plate"]].append(row)
    return [
        FieldProgress(
            night=night,
            field=field,
            plate=plate,
            frames=tuple(_science_frame(row) for row in rows),
            followed=_followed(rows, taken, field, plate),
            open_reductions=under_way.get(field, 0),
            arrivals=arrivals,
            products=tuple(row["path"] for row in products if (row["field"], row["plate"]) == (field, plate)),
        )
        for (field, plate), rows in sorted(
            groups.items(), key=lambda item: min(row["run"] for row in item[1])
        )
    ]


def _followed(rows: Sequence[Any], taken: Sequence[Any], field: str, plate: int | None) -> bool:
    last = max(row["run"] for row in rows)
    return any(row["run"] > last and (row["field"], row["plate"]) != (field, plate) for row in taken)


def _science_frame(row: Any) -> ScienceFrame:
    return ScienceFrame(
        frame_id=row["frame_id"],
        name=row["name"],
        run=row["run"],
        arm=row["arm"],
        object_name=row["object_name"],
        exposed=row["exposed"],
        utmjd=row["utmjd"],
        completed_at=row["completed_at"],
        state=FrameState(row["state"]),
        reason=row["reason"] or "",
        level=row["level"],
        provisional=bool(row["provisional"]),
        signal_to_noise=row["signal_to_noise"],
        finished_at=row["finished_at"],
    )


async def keep(pool: Pool, message: Message, now: datetime, files: Sequence[RejectedFile] = ()) -> bool:
    """Keep a message for delivery, unless its occasion was told before.

    Parameters
    ----------
    files
        Rejected files that it names: they are marked as told with it.

    Returns
    -------
    bool
        Whether it is new.
    """
    async with pool.acquire() as connection, connection.transaction():
        new = await connection.fetchval(
            """
            INSERT INTO notification (notification_id, night, kind, subject, body, created_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (notification_id) DO NOTHING RETURNING true
            """,
            message.notification_id,
            message.night,
            message.kind.value,
            message.subject,
            message.body,
            now,
        )
        for file in files:
            await connection.execute(
                "UPDATE rejected_file SET told_in = $1 WHERE path = $2 AND mtime_ns = $3 AND code = $4",
                message.notification_id,
                file.path,
                file.mtime_ns,
                file.code,
            )
    return bool(new)


async def already_told(pool: Pool, notification_ids: Sequence[str]) -> set[str]:
    """Which occasions were told before."""
    rows = await pool.fetch(
        "SELECT notification_id FROM notification WHERE notification_id = ANY($1::text[])",
        list(notification_ids),
    )
    return {row["notification_id"] for row in rows}


async def next_unsent(connection: Connection, skip: Sequence[str]) -> Unsent | None:
    """Oldest message that is not delivered and that nobody else delivers now; locked until the transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT notification_id, night, kind, subject, body, recipient, created_at FROM notification
        WHERE sent_at IS NULL AND notification_id <> ALL($1::text[])
        ORDER BY created_at, notification_id LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        list(skip),
    )
    if row is None:
        return None
    message = Message(
        row["notification_id"], row["night"], Kind(row["kind"]), row["subject"], row["body"], row["recipient"]
    )
    return Unsent(message, row["created_at"])


async def mark_sent(connection: Connection, notification_id: str, location: str, now: datetime) -> None:
    """Note where a message went. One about an account is not kept: it may hold a secret."""
    await connection.execute(
        "UPDATE notification SET sent_at = $2, location = $3, body = CASE WHEN kind = $4 THEN '' ELSE body END"
        " WHERE notification_id = $1",
        *(notification_id, now, location, Kind.ACCOUNT.value),
    )
