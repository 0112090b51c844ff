"""Telling people that the disk is full, once, and that it is not any more."""

from __future__ import annotations

from datetime import datetime

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
        self._full = False

    async def full(self, problem: str, at: datetime) -> None:
        """A reduction found no room."""
        if not self._full:
            text = f"{problem} Reductions wait until there is room; none is lost."
            self._full = await self._tell("full", text, at)

    async def room(self, at: datetime) -> None:
        """A reduction found room."""
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
