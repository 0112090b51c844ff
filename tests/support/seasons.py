"""An archive of many nights and proposals, written straight into the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import orjson

from agents.ingest.inspect import Inspection, Signature, Verdict
from agents.ingest.storage import archive_row, insert_archive
from paws.database import Connection
from schemas.frames import Frame
from tests.support.nights import make_night

CARDS = {f"CARD{number:04d}": f"value {number} of a header of ordinary length" for number in range(120)}
FIRST = date(2024, 3, 12)
_MJD = 60381


def night_name(number: int) -> str:
    """Night of a season, from 0."""
    return (FIRST + timedelta(days=number)).strftime("%Y%m%d")


def proposal_of(number: int) -> str:
    """Proposal of a night: most belong to large programmes, every fiftieth to a small one."""
    return "A/2024A/050" if number % 50 == 7 else f"A/2024A/{number % 5:03d}"


def season_night(number: int, fields: int = 7, exposures: int = 67, biases: int = 10) -> list[Frame]:
    """Frames of a night. A field has its own place on the sky, and is observed in many nights."""
    found = []
    for frame in make_night(fields=fields, exposures=exposures, biases=biases, night=night_name(number)):
        changes: dict[str, Any] = {
            "proposal": proposal_of(number),
            "utmjd": _MJD + number + frame.utmjd % 1,
            "completed_at": frame.completed_at,
        }
        if frame.field:
            place = int(frame.field.removeprefix("FLD")) + 7 * (number % 9)
            changes |= {
                "field": f"SGP{place:04d}",
                "configuration": f"SGP{place:04d}_{frame.night[2:]}_r01_p{frame.plate}.sds",
                "ra": (37.0 * place) % 360,
                "dec": -60 + (11.0 * place) % 70,
            }
            if frame.frame_class.is_science:
                changes["object_name"] = f"SGP{place:04d} survey"
        found.append(frame.model_copy(update=changes))
    return found


def rows_of(frames: list[Frame]) -> list[tuple[Any, ...]]:
    """Rows as ingest makes them."""
    return [
        archive_row(
            Inspection(
                frame.path,
                Verdict.FRAME,
                Signature(frame.size_bytes, 0),
                frame,
                {**CARDS, "OBJECT": frame.object_name},
            ),
            frame.completed_at,
        )
        for frame in frames
    ]


def parts(rows: list[Any], size: int = 256) -> Iterator[list[Any]]:
    """Rows in parts, as a backfill writes them."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


async def write_frames(connection: Connection, frames: list[Frame]) -> None:
    """Register frames as a backfill does."""
    for part in parts(rows_of(frames)):
        held = await insert_archive(connection, part)
        assert not held, orjson.dumps(held)
