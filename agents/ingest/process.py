"""The ingest process: notices and sweeps in, frames and rejections out. Decides nothing itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import asyncpg

from agents.ingest import storage
from agents.ingest.attention import Attention
from agents.ingest.completeness import (
    Completeness,
    Notice,
    Patience,
    Step,
    after_inspection,
    before_inspection,
)
from agents.ingest.folders import Sighting, look
from agents.ingest.inspect import Inspection, Verdict, inspect_file
from agents.ingest.names import NameKind, name_kind, printable
from agents.ingest.service import Admission, rejection
from paws.clock import Clock, utc_now
from paws.database import DATABASE_TROUBLES, Pool
from paws.errors import RetriableError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)

_WORKERS = 2
_LONGEST_PAUSE = 5.0
_ANY_CHANGE = 0


class Ingest:
    """Takes files to a decision, each alone, and remembers which are settled.

    Parameters
    ----------
    pool
        Database pool.
    clock
        What tells the time.
    """

    def __init__(self, settings: Settings, pool: Pool, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._patience = Patience.of(settings.ingest_settle, settings.ingest_growth_deadline)
        self._attentions: dict[str, Attention] = {}
        self._settled: dict[str, Sighting] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._busy: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._rejected: set[str] = set()
        self._database_away = 0

    @property
    def in_mind(self) -> int:
        """Files that are not settled yet."""
        return len(self._attentions)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_WORKERS):
                    group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def remember_rejections(self) -> None:
        """Read which rejections stand, so that those of vanished files can be closed."""
        self._rejected.update(await storage.open_rejections(self._pool))

    def notify(self, path: str, notice: Notice) -> None:
        """Take a notice about a file. Call it in the event loop."""
        if name_kind(os.path.basename(path)) not in (NameKind.RAW, NameKind.FOREIGN):
            return
        attention = self._attentions.setdefault(path, Attention(path))
        attention.notify(notice, self._clock())
        self._enqueue(path)

    async def take_sweep(self, sightings: list[Sighting], folders: set[str]) -> None:
        """Take what a sweep found: whatever is not settled comes to attention.

        Parameters
        ----------
        folders
            Those that were looked through: rejections of files that are gone from there are closed.
        """
        fresh = [
            item for item in sightings if not self._is_settled(item) and item.path not in self._attentions
        ]
        known = await self._known(fresh)
        for item in fresh:
            # A frame of an archive that lies in a watched night is announced now.
            if known.get(item.path) == storage.Known(item.signature, live=True):
                self._settled[item.path] = replace(item, changed_ns=_ANY_CHANGE)
            else:
                self.notify(item.path, Notice.FOUND)
        await self._close_rejections({printable(item.path) for item in sightings}, folders)

    def forget_all_but(self, paths: set[str]) -> None:
        """Forget settled files that no sweep sees any more: memory does not grow with the seasons."""
        for path in set(self._settled) - paths:
            del self._settled[path]

    async def _known(self, sightings: list[Sighting]) -> dict[str, storage.Known]:
        paths = [item.path for item in sightings if printable(item.path) == item.path]
        return await storage.known_frames(self._pool, paths) if paths else {}

    async def _close_rejections(self, present: set[str], folders: set[str]) -> None:
        shown = {printable(folder) for folder in folders}
        gone = [path for path in self._rejected - present if path.rsplit("/", 1)[0] in shown]
        if gone:
            await storage.resolve_rejections(self._pool, gone, "gone", self._clock())
            self._rejected.difference_update(gone)
            log.info("rejected files are gone", paths=gone)

    def _enqueue(self, path: str) -> None:
        timer = self._timers.pop(path, None)
        if timer is not None:
            timer.cancel()
        if path not in self._queued:
            self._queued.add(path)
            self._queue.put_nowait(path)

    def _enqueue_later(self, path: str, pause: float) -> None:
        if path in self._queued or path in self._timers:
            return
        self._timers[path] = asyncio.get_running_loop().call_later(pause, self._enqueue, path)

    async def _work(self) -> None:
        while True:
            path = await self._queue.get()
            self._queued.discard(path)
            attention = self._attentions.get(path)
            if attention is None:
                continue
            if path in self._busy:
                self._enqueue_later(path, 0.05)
                continue
            self._busy.add(path)
            try:
                await self._attend(attention)
            finally:
                self._busy.discard(path)

    async def _attend(self, attention: Attention) -> None:
        try:
            decision = await self._decide(attention)
            if decision is None:
                return
            if decision.step is Step.WAIT:
                log.debug("waiting", path=printable(attention.path), reason=decision.reason)
                # A growing file is looked at now and then, so that its last change is not missed.
                pause = min(decision.wait, max(self._settings.ingest_poll_interval, 0.05))
                self._enqueue_later(attention.path, max(pause, 0.02))
                return
            await self._carry_out(attention, decision)
        except Exception as error:
            await self._after_failure(attention, error)
        else:
            self._settle(attention)

    async def _decide(self, attention: Attention) -> Completeness | None:
        """Decision on a file; None when there is nothing to decide any more."""
        path = attention.path
        sighting = await asyncio.to_thread(look, path)
        if sighting is None:
            self._attentions.pop(path, None)
            return None
        if self._is_settled(sighting):
            self._attentions.pop(path, None)
            return None
        loop = asyncio.get_running_loop()
        attention.observe(sighting, loop.time())
        quiet = attention.quiet(loop.time(), time.time())
        name = os.path.basename(path)
        decision = before_inspection(name, attention.notice, quiet, self._patience)
        if decision.step is not Step.INSPECT:
            return decision
        inspection = attention.inspection
        if inspection is None:
            inspection = await asyncio.to_thread(
                inspect_file, path, self._settings.site_longitude, attention.noticed_at or self._clock()
            )
            if inspection.verdict is not Verdict.CHANGED:
                attention.inspection = inspection
        return after_inspection(inspection, attention.notice, quiet, self._patience)

    async def _carry_out(self, attention: Attention, decision: Completeness) -> None:
        inspection = attention.inspection
        if decision.step is Step.IGNORE:
            log.debug("not taken", path=printable(attention.path), reason=decision.reason)
        elif inspection is not None and decision.step is Step.READY:
            await self._accept(inspection)
        elif inspection is not None:
            await self._reject(inspection, inspection.code, decision.reason)

    async def _accept(self, inspection: Inspection) -> None:
        frame = inspection.frame
        assert frame is not None, "a file that is ready is a frame"
        now = self._clock()
        decision = await storage.record_frame(self._pool, inspection, now)
        if decision.admission is Admission.DUPLICATE:
            await self._reject(inspection, "duplicate_name", decision.reason)
            return
        self._rejected.discard(inspection.path)
        write = log.info if decision.admission is not Admission.KNOWN else log.debug
        write(
            "frame " + decision.admission.value,
            frame=frame.frame_id,
            frame_class=frame.frame_class.value,
            arm=frame.arm.value,
            seconds=round((now - frame.completed_at).total_seconds(), 3),
        )

    async def _reject(self, inspection: Inspection, code: str, reason: str) -> None:
        rejected = rejection(inspection, self._settings.site_longitude, code, reason)
        if await storage.record_rejection(self._pool, rejected, self._clock()):
            log.warning("file rejected", path=rejected.path, code=rejected.code, reason=rejected.reason)
        self._rejected.add(rejected.path)

    def _is_settled(self, sighting: Sighting) -> bool:
        settled = self._settled.get(sighting.path)
        return (
            settled is not None
            and settled.signature == sighting.signature
            and settled.changed_ns in (_ANY_CHANGE, sighting.changed_ns)
        )

    def _settle(self, attention: Attention) -> None:
        self._database_away = 0
        path, sighting = attention.path, attention.sighting
        if sighting is None:
            return
        if attention.inspection is not None and attention.inspection.verdict is Verdict.FRAME:
            # Runners link raw frames into their work folders, which changes the inode and nothing else.
            sighting = replace(sighting, changed_ns=_ANY_CHANGE)
        self._settled[path] = sighting
        if path not in self._queued:
            self._attentions.pop(path, None)

    async def _after_failure(self, attention: Attention, error: Exception) -> None:
        path = printable(attention.path)
        if not _may_pass(error):
            # Another try would end the same way. The file is looked at again when it changes, and after a restart.
            log.error("a file cannot be recorded", path=path, error=str(error), exc_info=error)
            self._settle(attention)
            return
        attention.failures += 1
        pause = min(_LONGEST_PAUSE, 0.1 * 2 ** min(attention.failures, 10))
        self._database_away += 1
        if self._database_away in (1, 100, 10000):
            log.warning(
                "the database does not take a file; it is kept in mind and tried again",
                path=path,
                error=f"{type(error).__name__}: {error}",
                in_mind=self.in_mind,
            )
        self._enqueue_later(attention.path, pause)


def _may_pass(error: Exception) -> bool:
    """Whether another try may succeed: the database is away, full, restarting, or not migrated yet."""
    if isinstance(error, (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError)):
        return False  # asyncpg calls a wrong argument an InterfaceError that is a ValueError too
    return isinstance(error, (RetriableError, *DATABASE_TROUBLES))


def threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[..., None]) -> Callable[..., None]:
    """Function that may be called in any thread and calls another in the event loop."""

    def schedule(*arguments: object) -> None:
        # At the very end the loop is closed before the watcher's thread is.
        if not loop.is_closed():
            loop.call_soon_threadsafe(partial(call, *arguments))

    return schedule
