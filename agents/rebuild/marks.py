"""What people did and what they were told: the little that no file can tell. Kept as one JSON file.

Raw files and products give everything else back. This file is small, and written every day by `paws tidy`.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from paws.database import Connection
from paws.errors import InvalidInputError
from paws.settings import Settings
from schemas.frames import Model, Night


class Mark(Model):
    """What somebody said of a frame: that it is junk, or, having taken it back, that it is not."""

    frame_id: str
    junked: bool
    reason: str | None
    who: str | None
    at: datetime


class Told(Model):
    """A message that was written; it is not to be sent again."""

    notification_id: str
    night: str
    kind: str
    subject: str
    body: str
    created_at: datetime
    sent_at: datetime | None
    location: str | None


class Marks(Model):
    """All of it.

    Attributes
    ----------
    live_nights
        Nights whose frames came live; those of other nights were indexed only.
    """

    version: Literal[1] = 1
    marks: tuple[Mark, ...] = ()
    told: tuple[Told, ...] = ()
    live_nights: tuple[Night, ...] = ()


def marks_path(settings: Settings) -> Path:
    """Where marks are kept."""
    return settings.data_dir / "backup" / "marks.json"


async def gather_marks(connection: Connection) -> Marks:
    """Marks as the database has them."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        marks = await connection.fetch(
            "SELECT frame_id, junked, junk_reason AS reason, junked_by AS who, junked_at AS at FROM frame"
            " WHERE junked_at IS NOT NULL ORDER BY frame_id"
        )
        told = await connection.fetch(
            "SELECT notification_id, night, kind, subject, body, created_at, sent_at, location"
            # Letters to one person may hold a secret, and without their recipient would go to everyone.
            " FROM notification WHERE recipient IS NULL ORDER BY notification_id"
        )
        nights = await connection.fetch(
            "SELECT DISTINCT night FROM frame WHERE source = 'live' ORDER BY night"
        )
    return Marks(
        marks=tuple(Mark(**dict(row)) for row in marks),
        told=tuple(Told(**dict(row)) for row in told),
        live_nights=tuple(row["night"] for row in nights),
    )


def write_marks(path: Path, marks: Marks) -> None:
    """Write the file in one step, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(marks.model_dump_json(indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_marks(path: Path) -> Marks:
    """Read the file.

    Raises
    ------
    InvalidInputError
        If it is not there, or is damaged.
    """
    try:
        return Marks.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InvalidInputError(
            f"There are no marks at {path}. Name a copy with --marks, or rebuild without them (--without-marks): "
            "junked frames then count again, and old messages may be sent again."
        ) from None
    except (OSError, ValidationError) as error:
        raise InvalidInputError(f"Marks at {path} cannot be read: {str(error)[:300]}.") from error
