"""Following a command: its whole output goes to the log, its stages to people, a few a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from agents.reducer.markers import Stage, advance
from paws.log import get_logger
from paws.tasks import in_background

log = get_logger(__name__)

REPORT_INTERVAL = 0.4
"""Least seconds between two reports of one reduction."""

LARGEST_LOG = 8_000_000
"""Characters of one command's log; a command gone mad must not fill the disk."""


class CommandLog:
    """The log of one attempt: what was run, when, and every line of it.

    Parameters
    ----------
    path
        Made with its folder; an existing file is replaced.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = path.open("w", encoding="utf-8", errors="replace")
        self._room = LARGEST_LOG

    def note(self, at: datetime, text: str) -> None:
        """Write a line of our own."""
        self.line(f"# {at.isoformat(timespec='milliseconds')} {text}")

    def line(self, text: str) -> None:
        """Write a line of the command."""
        if self._room <= 0:
            return
        self._room -= len(text) + 1
        self._stream.write(text + "\n" if self._room > 0 else "# The log is full; the rest is left out.\n")

    def close(self) -> None:
        """Finish."""
        self._stream.close()


class StageReporter:
    """Remembers the newest stage; tells it at most every `REPORT_INTERVAL` seconds."""

    def __init__(self, tell: Callable[[Stage], Awaitable[None]]) -> None:
        self._tell = tell
        self._stage: Stage | None = None
        self._changed = asyncio.Event()

    def feed(self, line: str) -> None:
        """Take a line of output."""
        stage = advance(self._stage, line)
        if stage is not self._stage:
            self._stage = stage
            self._changed.set()

    async def _report(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._stage is not None:
                try:
                    await self._tell(self._stage)
                except Exception as error:
                    # That people see no progress is no reason to end the work.
                    log.warning("a stage could not be reported", error=str(error))
            await asyncio.sleep(REPORT_INTERVAL)

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Report in the background while the block runs."""
        async with in_background(self._report()):
            yield
