"""The rebuild, stage by stage. Interrupted, it is run again and goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.calib_matcher.planner import Planner
from agents.ingest.backfill import run_backfill
from agents.obslog.storage import refresh
from agents.rebuild import storage
from agents.rebuild.marks import Marks
from agents.reducer.placing import reconcile_links
from agents.reducer.record import Record, UnreadableRecordError, find_records, read_record
from agents.reducer.settle import lock_slot, settle
from agents.runtime import AgentContext
from agents.tap_ingest.agent import take_in_products
from paws.clock import Clock, utc_now
from paws.database import Pool
from paws.errors import InvalidInputError, PawsError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)

OnStage = Callable[[str], None]


@dataclass
class RebuildReport:
    """What a rebuild did. Counts are of what was made now; a second run makes nothing.

    Attributes
    ----------
    problems
        Files and records that could not be used.
    seconds
        Time of each stage.
    """

    frames: int = 0
    rejected: int = 0
    live: int = 0
    marks: int = 0
    reductions: int = 0
    nights: int = 0
    spectra: int = 0
    links: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {**vars(self)}


async def rebuild(
    pool: Pool,
    settings: Settings,
    marks: Marks,
    *,
    workers: int | None = None,
    on_stage: OnStage = lambda _text: None,
    clock: Clock = utc_now,
) -> RebuildReport:
    """Make the database anew.

    Parameters
    ----------
    marks
        What people did; empty if that is lost.
    workers
        Threads that read raw files.

    Raises
    ------
    PawsError
        If the raw folders cannot be read or the database goes away. What was done stays.
    """
    if not settings.raw_dirs:
        raise InvalidInputError(
            "No raw folder is set. Set PAWS_RAW_DIRS to those the database was made from."
        )
    report = RebuildReport()
    began = time.monotonic()

    def stage(name: str, text: str) -> None:
        nonlocal began
        report.seconds[name] = round(time.monotonic() - began, 3)
        began = time.monotonic()
        on_stage(f"{name}: {text}")

    for folder in settings.raw_dirs:
        found = await run_backfill(str(folder), pool, settings.site_longitude, workers=workers)
        report.frames += found.registered
        report.rejected += len(found.rejected)
    stage("raw files", f"{report.frames} frames registered, {report.rejected} files rejected")

    records = await asyncio.to_thread(_read_records, settings, report)
    nights = {record.reduction.night for record in records} | set(marks.live_nights)
    report.live = await storage.make_live(pool, nights)
    report.marks = await storage.set_marks(pool, marks)
    for record in records:
        report.reductions += await storage.register_again(pool, record)
    stage("products", f"{report.reductions} reductions registered")

    report.nights = await _plan(pool, settings, clock)
    stage("plans", f"{report.nights} nights planned")

    for product_id in await storage.products_without_spectra(pool):
        try:
            report.spectra += await take_in_products(pool, settings, [product_id])
        except PawsError as error:
            report.problems.append(error.message)
    for night in await storage.live_nights(pool):
        await refresh(pool, await storage.frames_of(pool, night), night)
    stage("catalogues", f"{report.spectra} spectra taken in")

    report.links = await reconcile_links(pool, settings)
    stage("tree", f"{report.links} slots mended")
    return report


def _read_records(settings: Settings, report: RebuildReport) -> list[Record]:
    """Records in the order in which they were registered: versions are counted in it."""
    records = []
    for path in find_records(settings.versions_dir):
        try:
            record = read_record(path)
        except UnreadableRecordError as error:
            report.problems.append(error.message)
            continue
        missing = [
            item.stored_path
            for item in record.products
            if not (settings.data_dir / item.stored_path).is_file()
        ]
        if missing:
            report.problems.append(
                f"{missing[0]} is gone, so its reduction is not registered; its frames are reduced again."
            )
        else:
            records.append(record)
    return sorted(records, key=lambda record: (record.registered_at, record.reduction.job_key))


async def _plan(pool: Pool, settings: Settings, clock: Clock) -> int:
    """Plan every live night as the worker does, and make the right versions current."""
    context = AgentContext(settings=settings, clock=clock)
    context.pool = pool
    nights = await storage.live_nights(pool)
    planner = Planner(context, {})
    for night in nights:
        await planner.plan_again(night)
    await storage.withdraw_unwanted(pool, nights, clock())
    await storage.adopt_made(pool)
    for slot in await storage.slots_with_products(pool, nights):
        async with pool.acquire() as connection, connection.transaction():
            await lock_slot(connection, slot)
            await settle(connection, slot, clock())
    return len(nights)


def describe(problems: Sequence[str]) -> list[str]:
    """The first problems, for people."""
    shown = list(problems[:20])
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more; --json tells all")
    return shown
