"""The files of tidying up: which are left over, by name and age. Looks only; `main` removes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from agents.reducer.record import RECORD

DAY = 86400.0

_TORN = re.compile(r"\..+\.[0-9a-f]{8}")
"""Names under which files are written until they are whole."""


def age_of(path: Path, now: float) -> float:
    """Seconds since something was last changed; 0 if it is gone."""
    try:
        return now - path.lstat().st_mtime
    except OSError:
        return 0.0


def left_work_folders(work_dir: Path, now: float, age: float) -> Iterator[Path]:
    """Work folders that are older than any reduction may take: their runners died on other machines."""
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(work_dir.iterdir()):
            if folder.is_dir() and age_of(folder, now) > age:
                yield folder


def unregistered_folders(
    versions_dir: Path, data_dir: Path, registered: Collection[str], now: float
) -> Iterator[Path]:
    """Folders of attempts that nobody registered, a day after they were made.

    One with a confirmed record is left alone, whatever the database says: should the database be lost, these are
    what `paws rebuild` makes it of.
    """
    for folder in sorted(versions_dir.glob("??/*/*")):
        if not folder.name.isdigit() or age_of(folder, now) < DAY or (folder / RECORD).exists():
            continue
        if folder.relative_to(data_dir).as_posix() not in registered:
            yield folder


def torn_files(products_dir: Path, now: float) -> Iterator[Path]:
    """Half-written files, a day after they were left."""
    for parent, _, names in os.walk(products_dir):
        for name in names:
            path = Path(parent, name)
            if _TORN.fullmatch(name) and age_of(path, now) > DAY:
                yield path


def old_logs(
    logs_dir: Path, data_dir: Path, named: Collection[str], now: float, age: float
) -> Iterator[Path]:
    """Logs of reductions that are old and that nothing names any more."""
    for path in sorted((logs_dir / "reductions").glob("*/*.log")):
        if age_of(path, now) > age and path.relative_to(data_dir).as_posix() not in named:
            yield path


def left_of_queries(tap_dir: Path, known: Collection[str], now: float) -> Iterator[Path]:
    """Folders of jobs that nobody knows any more, and temporary files of queries, a day after they were left."""
    for folder in sorted((tap_dir / "jobs").glob("??/*")):
        if folder.name not in known and age_of(folder, now) > DAY:
            yield folder
    for path in sorted((tap_dir / "spool").glob("*")):
        if age_of(path, now) > DAY:
            yield path
