"""Telling people that a disk is full, once, and that it is not any more."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime
from pathlib import Path

from agents.reducer.runner.engine_run import LEAST_ROOM
from paws.database import Pool
from paws.log import get_logger
from paws.notices import announce_notice
from paws.settings import Settings

log = get_logger(__name__)


class DiskNotices:
    """Notices of one runner about room on its disks; that one could not be written must not stop the work."""

    def __init__(self, settings: Settings, pool: Pool, runner: str) -> None:
        self._settings = settings
        self._pool = pool
        self._runner = runner
        self._folders = {"work": settings.work_dir.absolute(), "products": settings.products_dir.absolute()}
        self._full: set[str] = set()

    async def look(self, at: datetime) -> None:
        """See how much room there is, before a reduction finds none."""
        for name, folder in self._folders.items():
            free = await asyncio.to_thread(_free, folder)
            if free is None:
                continue
            if free < LEAST_ROOM:
                await self._say_full(name, f"There are only {free >> 20} MB left for {folder}.", at)
            elif free > 2 * LEAST_ROOM:
                await self._say_room(name, at)

    async def found_full(self, problem: str, at: datetime) -> None:
        """A reduction found no room."""
        await self.look(at)
        if not self._full:
            # Full for a moment, or another limit than that of the disk.
            await self._say_full("work", problem, at)

    async def _say_full(self, name: str, problem: str, at: datetime) -> None:
        text = f"{problem} Reductions wait until there is room; none is lost."
        if name not in self._full and await self._tell(name, "full", text, at):
            self._full.add(name)

    async def _say_room(self, name: str, at: datetime) -> None:
        if name in self._full and await self._tell(name, "room", "There is room for reductions again.", at):
            self._full.discard(name)

    async def _tell(self, name: str, state: str, text: str, at: datetime) -> bool:
        subject = f"disk:{name}:{self._runner}"
        try:
            async with self._pool.acquire() as connection:
                await announce_notice(connection, self._settings, subject, state, text, at)
        except Exception as error:
            log.warning("a notice could not be written", text=text, error=str(error))
            return False
        return True


def _free(folder: Path) -> int | None:
    """Bytes free for a folder; None while it is not made yet."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
