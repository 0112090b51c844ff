"""The backup: everything that raw files and products cannot give back, in two files of one folder and one a table.

Former files stay beside the present ones for a month, and what an empty database has to tell replaces nothing:
whoever starts with a new database by mistake must not lose the backup of the old one to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.rebuild.marks import gather_marks, marks_path, write_marks
from agents.rebuild.people import has_people, is_fresh, people_path, save_people
from paws.database import Connection
from paws.settings import Settings
from paws.vo.publish.saving import SavedTables, save_tables

FORMER_KEPT = 30
"""Former files that stay, one a day; of a published table, days for which its former versions stay."""
TABLES = "tables"
"""Folder of the published tables, beside the other files."""

_DATED = re.compile(r"\.\d{8}")


@dataclass(frozen=True)
class Saved:
    """How much was saved, and where; None where an empty database had nothing to replace the former file with."""

    folder: Path
    marks: int | None
    messages: int | None
    people: int | None
    tables: SavedTables


def tables_path(settings: Settings) -> Path:
    """Where published tables are kept."""
    return people_path(settings).parent / TABLES


async def save_all(connection: Connection, settings: Settings, folder: Path | None = None) -> Saved:
    """Write both files, and each version of a published table that has none.

    Parameters
    ----------
    folder
        That below the data folder when None.
    """
    marks_file, people_file = marks_path(settings), people_path(settings)
    if folder is not None:
        marks_file, people_file = folder / marks_file.name, folder / people_file.name
    marks = await gather_marks(connection)
    marked = bool(marks.marks or marks.told or marks.live_nights)
    if marked or not marks_file.exists():
        await asyncio.to_thread(_keep_former, marks_file)
        await asyncio.to_thread(write_marks, marks_file, marks)
        marked = True
    rows: int | None = None
    fresh = await is_fresh(connection)
    if not fresh or not await asyncio.to_thread(has_people, people_file):
        await asyncio.to_thread(_keep_former, people_file)
        rows = await save_people(connection, people_file)
    # Last, for it takes longest, and with patience that the others do not need.
    tables = await save_tables(settings, people_file.parent / TABLES, FORMER_KEPT, retire=not fresh)
    return Saved(
        marks_file.parent.absolute(),
        len(marks.marks) if marked else None,
        len(marks.told) if marked else None,
        rows,
        tables,
    )


def _keep_former(path: Path) -> None:
    """Keep the present file under its date, and forget the oldest."""
    try:
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return
    former = path.with_name(f"{path.name}.{made:%Y%m%d}")
    # The last one of a day stays: it is the newest that its day has.
    temporary = path.with_name(f".{former.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.hardlink_to(path)
    temporary.replace(former)
    temporary.unlink(missing_ok=True)  # two names of one file are not exchanged by rename
    dated = sorted(
        other
        for other in path.parent.glob(f"{path.name}.*")
        if _DATED.fullmatch(other.name.removeprefix(path.name))
    )
    for old in dated[:-FORMER_KEPT]:
        with contextlib.suppress(FileNotFoundError):
            old.unlink()
