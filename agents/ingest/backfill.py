"""Index an archive of raw frames: read every file once, on all processors, and register what is valid.

Nothing is announced: nobody waits for the frames of other years. Rejections are recorded and reported.
What is registered already is passed over unread, so a backfill that was interrupted goes on where it ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agents.ingest import storage
from agents.ingest.folders import Sighting, sweep
from agents.ingest.inspect import Inspection, Verdict
from agents.ingest.names import printable
from agents.ingest.reading import FileTime, in_threads, inspect_old
from agents.ingest.service import rejection
from paws.clock import utc_now
from paws.database import Pool
from paws.errors import PermanentError

_BATCH = 256
_LOOKUP = 5000


@dataclass
class BackfillReport:
    """What a backfill did.

    Attributes
    ----------
    found
        Files with names of FITS files.
    known
        Passed over, because they are registered and have not changed.
    registered
        Frames registered now.
    not_ours
        Dummy and glance exposures.
    rejected
        Path, code and reason of each file that cannot be used.
    """

    found: int = 0
    known: int = 0
    registered: int = 0
    not_ours: int = 0
    rejected: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Files read a second."""
        read = self.registered + self.not_ours + len(self.rejected)
        return read / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Indexed:
    """What a reading thread gives back: the verdict, and the row of a valid frame, ready to be stored."""

    inspection: Inspection
    row: tuple[Any, ...] = ()


async def run_backfill(
    folder: str,
    pool: Pool,
    longitude: float,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    workers: int | None = None,
) -> BackfillReport:
    """Index a folder.

    Parameters
    ----------
    folder
        Any folder above raw frames.
    pool
        Database pool.
    longitude
        Of the site, degrees east.
    on_progress
        Called with the number of files done and of all.
    workers
        Threads that read; one a processor when not given.

    Raises
    ------
    PermanentError
        If the folder cannot be read.
    """
    began = time.monotonic()
    found = await asyncio.to_thread(sweep, folder, None)
    if not found.present:
        raise PermanentError(f"Folder {folder} cannot be indexed: {found.problem}. Name one that exists.")
    report = BackfillReport(found=len(found.sightings))
    fresh = await _unknown(pool, found.sightings)
    report.known = report.found - len(fresh)
    done = report.known
    on_progress(done, report.found)
    frames: list[Indexed] = []
    async for part in in_threads(fresh, partial(_inspect_chunk, longitude=longitude), workers):
        for indexed in part:
            inspection = indexed.inspection
            if indexed.row:
                frames.append(indexed)
            elif inspection.verdict is Verdict.NOT_OURS:
                report.not_ours += 1
            else:
                await _reject(pool, report, inspection, longitude, inspection.code, inspection.reason)
        if len(frames) >= _BATCH:
            await _register(pool, report, frames, longitude)
            frames = []
        done += len(part)
        on_progress(done, report.found)
    await _register(pool, report, frames, longitude)
    report.seconds = round(time.monotonic() - began, 3)
    return report


async def _unknown(pool: Pool, sightings: Sequence[Sighting]) -> list[Sighting]:
    fresh: list[Sighting] = []
    for start in range(0, len(sightings), _LOOKUP):
        part = sightings[start : start + _LOOKUP]
        paths = [item.path for item in part if printable(item.path) == item.path]
        known = await storage.known_frames(pool, paths)
        fresh += [item for item in part if not _is_known(item, known.get(item.path))]
    return fresh


def _is_known(item: Sighting, known: storage.Known | None) -> bool:
    return known is not None and known.signature == item.signature


async def _register(pool: Pool, report: BackfillReport, frames: list[Indexed], longitude: float) -> None:
    async with pool.acquire() as connection:
        holders = await storage.insert_archive(connection, [indexed.row for indexed in frames])
    report.registered += len(frames) - len(holders)
    for inspection in (indexed.inspection for indexed in frames if indexed.inspection.path in holders):
        reason = (
            f"Another frame of this name in the same night has other content: {holders[inspection.path]}. "
            "It stays the valid one; remove the file that is wrong."
        )
        await _reject(pool, report, inspection, longitude, "duplicate_name", reason)


async def _reject(
    pool: Pool, report: BackfillReport, inspection: Inspection, longitude: float, code: str, reason: str
) -> None:
    rejected = rejection(inspection, longitude, code, reason)
    if inspection.verdict not in (Verdict.GONE, Verdict.CHANGED):
        await storage.record_rejection(pool, rejected, utc_now(), quietly=True)
    report.rejected.append({"path": rejected.path, "code": rejected.code, "reason": rejected.reason})


def _inspect_chunk(files: list[FileTime], longitude: float) -> list[Indexed]:
    return [_index(inspect_old(file, longitude)) for file in files]


def _index(inspection: Inspection) -> Indexed:
    if inspection.frame is None:
        return Indexed(inspection)
    row = storage.archive_row(inspection, utc_now())
    return Indexed(inspection, row)
