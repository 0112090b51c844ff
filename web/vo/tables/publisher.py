"""Sees to it that uploaded tables are published, and rows of former ones dropped.

It starts the process that publishes, and looks for what one that died left over.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from paws.database import Pool
from paws.log import get_logger
from paws.settings import Settings, as_environment
from paws.vo.publish.queue import anything_waits, uploads_dir
from paws.vo.publish.shelf import tidy

log = get_logger(__name__)

_LOOK_EVERY: Final = 60.0
"""Seconds between two looks for uploads that a process which died left over."""
_END_WAIT: Final = 5.0


class PublisherDesk:
    """Starts a process when an upload waits. It takes a slot itself: many web servers start no more than there are.

    Parameters
    ----------
    pool
        Gives the connections, once the application has started.
    """

    def __init__(self, settings: Settings, pool: Callable[[], Pool]) -> None:
        self._settings = settings
        self._pool = pool
        self._bell = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    def ring(self) -> None:
        """Tell that an upload waits."""
        self._bell.set()

    async def run(self) -> None:
        """Have uploads published as they come, until cancelled."""
        while True:
            self._bell.clear()
            async with self._pool().acquire() as connection:
                await tidy(connection)
            if await anything_waits(self._pool()):
                await self._work()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), _LOOK_EVERY)

    async def close(self) -> None:
        """End the process. What it was at is taken back by the database, and taken up again by the next one."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_WAIT)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _work(self) -> None:
        folder = uploads_dir(self._settings)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("PAWS_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "paws.vo.publish.work",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            # What comes out of compression may be too much for a /tmp that is kept in memory.
            env={
                **foreign,
                **as_environment(self._settings),
                "OMP_NUM_THREADS": "1",
                "TMPDIR": str(folder.absolute()),
            },
        )
        try:
            code = await self._process.wait()
        except asyncio.CancelledError:
            await self.close()
            raise
        if code:
            log.warning("the process that publishes tables ended", code=code)
