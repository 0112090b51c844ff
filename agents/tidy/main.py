"""Tidying up, step by step. May run beside a live system, and be ended at any moment."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from agents.rebuild.save import save_all
from agents.reducer.placing import place_slot
from agents.reducer.record import unconfirm_records
from agents.reducer.runner.workfolder import remove_stale_folders
from agents.tidy import files, storage
from agents.tidy.files import DAY
from paws.clock import Clock, utc_now
from paws.database import DATABASE_TROUBLES, Pool
from paws.errors import PawsError
from paws.log import get_logger
from paws.settings import Settings
from paws.tasks import on_stop_signals
from paws.vo import jobs

log = get_logger(__name__)

RETRY_PAUSE = 300.0
"""Seconds until a tidying that failed is tried again, where it is done again and again."""


@dataclass
class TidyReport:
    """What was removed, or would be. Names are relative to the data folder."""

    versions: list[str] = field(default_factory=list)
    work_folders: list[str] = field(default_factory=list)
    unregistered: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    bytes: int = 0
    backup: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return dict(vars(self))


async def tidy(
    pool: Pool, settings: Settings, *, dry_run: bool = False, clock: Clock = utc_now
) -> TidyReport:
    """Remove what is kept no longer, and save what no file can tell.

    Parameters
    ----------
    dry_run
        Only tell what would be done.
    """
    # Names in the database are relative to it.
    settings = settings.model_copy(update={"data_dir": settings.data_dir.absolute()})
    report = TidyReport()
    if not dry_run:
        async with pool.acquire() as connection:
            saved = await save_all(connection, settings)
        report.backup = str(saved.folder)
    if settings.tidy_versions > 0:
        await _versions(pool, settings, report, dry_run=dry_run, clock=clock)
    await _jobs(pool, settings, report, dry_run=dry_run, clock=clock)
    registered, named = await storage.stored_folders(pool), await storage.named_logs(pool)
    await asyncio.to_thread(_files, settings, report, registered, named, dry_run=dry_run)
    log.info(
        "tidied up",
        **{name: len(value) for name, value in vars(report).items() if isinstance(value, list)},
        megabytes=report.bytes // 1_000_000,
        dry_run=dry_run,
    )
    return report


async def repeatedly(work: Callable[[], Awaitable[None]], pause: float) -> None:
    """Do some work again and again until SIGTERM or SIGINT. When it fails, it is tried again earlier.

    Parameters
    ----------
    pause
        Seconds between two times.
    """
    stop = asyncio.Event()
    with on_stop_signals(stop.set):
        await _until(stop, work, pause)


async def _until(stop: asyncio.Event, work: Callable[[], Awaitable[None]], pause: float) -> None:
    ended = asyncio.create_task(stop.wait())
    while not stop.is_set():
        once = asyncio.create_task(_try(work))
        await asyncio.wait({once, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not once.done():
            # It may be ended at any moment.
            once.cancel()
            await asyncio.gather(once, return_exceptions=True)
            return
        wait = pause if once.result() else min(pause, RETRY_PAUSE)
        await asyncio.wait({ended}, timeout=wait)


async def _try(work: Callable[[], Awaitable[None]]) -> bool:
    try:
        await work()
    except (PawsError, *DATABASE_TROUBLES) as error:
        log.warning("tidying up did not succeed; it is tried again", error=str(error), pause=RETRY_PAUSE)
        return False
    return True


async def _versions(
    pool: Pool, settings: Settings, report: TidyReport, *, dry_run: bool, clock: Clock
) -> None:
    before = clock() - timedelta(days=settings.tidy_versions)
    for version in await storage.old_versions(pool, before):
        home = settings.versions_dir / version.job_key[:2] / version.job_key
        if not dry_run:
            # From now on the files count as left over, should we be ended before they are gone.
            await asyncio.to_thread(unconfirm_records, home)
            if not await storage.forget_version(pool, version):
                continue
            await place_slot(pool, settings, version.slot)
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
        report.versions.append(home.relative_to(settings.data_dir).as_posix())
        report.bytes += version.size_bytes


async def _jobs(pool: Pool, settings: Settings, report: TidyReport, *, dry_run: bool, clock: Clock) -> None:
    """Jobs of queries whose time is over, with their results; and what killed processes left of others."""
    for job_id in await jobs.expired(pool, clock()):
        folder = jobs.job_folder(settings, job_id)
        report.jobs.append(job_id)
        report.bytes += await asyncio.to_thread(_size, folder)
        if not dry_run:
            await jobs.destroy(pool, settings, job_id)
    known = await jobs.known(pool)
    left = await asyncio.to_thread(list, files.left_of_queries(settings.tap_dir, known, time.time()))
    for path in left:
        report.jobs.append(path.relative_to(settings.data_dir).as_posix())
        report.bytes += await asyncio.to_thread(_size, path)
        if not dry_run:
            await asyncio.to_thread(_remove, path)


def _files(
    settings: Settings, report: TidyReport, registered: set[str], named: set[str], *, dry_run: bool
) -> None:
    now = time.time()
    data_dir = settings.data_dir
    # Three times as long as a reduction may take, so that a clock that is off by an hour does no harm.
    work_age = max(DAY, 3 * settings.runner_deadline)
    if not dry_run:
        report.work_folders += [f"work/{name}" for name in remove_stale_folders(settings.work_dir)]
    found: dict[str, Iterable[Path]] = {
        "work_folders": files.left_work_folders(settings.work_dir, now, work_age),
        "unregistered": files.unregistered_folders(settings.versions_dir, data_dir, registered, now),
        "torn": files.torn_files(settings.products_dir, now),
        "logs": files.old_logs(settings.logs_dir, data_dir, named, now, settings.tidy_logs * DAY)
        if settings.tidy_logs > 0
        else (),
    }
    for name, paths in found.items():
        for path in list(paths):
            report.bytes += _size(path)
            getattr(report, name).append(path.relative_to(data_dir).as_posix())
            if not dry_run:
                _remove(path)


def _size(path: Path) -> int:
    try:
        parts = path.rglob("*") if path.is_dir() else (path,)
        # A further name of a file that stays frees nothing.
        return sum(
            status.st_size for part in parts if (status := part.lstat()).st_nlink == 1 and not part.is_dir()
        )
    except OSError:
        return 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
