"""Telling people that the disk is full, once, and that it is not any more."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime

from agents.reducer.runner.engine_run import LEAST_ROOM
from paws.database import Pool
from paws.log import get_logger
from paws.notices import announce_notice
from paws.settings import Settings

log = get_logger(__name__)


class DiskNotices:
    """Notices of one runner about room on its disk; that one could not be written must not stop the work."""

    def __init__(self, settings: Settings, pool: Pool, runner: str) -> None:
        self._settings = settings
        self._pool = pool
        self._subject = f"disk:{runner}"
        self._folder = settings.work_dir.absolute()
        self._full = False

    async def look(self, at: datetime) -> None:
        """See how much room there is, before a reduction finds none."""
        try:
            free = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        except OSError:
            return  # not made yet
        if free < LEAST_ROOM:
            await self.full(f"There are only {free >> 20} MB left for {self._folder}.", at)
        elif free > 2 * LEAST_ROOM:
            await self.room(at)

    async def full(self, problem: str, at: datetime) -> None:
        """There is no room."""
        if not self._full:
            text = f"{problem} Reductions wait until there is room; none is lost."
            self._full = await self._tell("full", text, at)

    async def room(self, at: datetime) -> None:
        """There is room."""
        if self._full:
            self._full = not await self._tell("room", "There is room for reductions again.", at)

    async def _tell(self, state: str, text: str, at: datetime) -> bool:
        try:
            async with self._pool.acquire() as connection:
                await announce_notice(connection, self._settings, self._subject, state, text, at)
        except Exception as error:
            log.warning("a notice could not be written", text=text, error=str(error))
            return False
        return True
