"""Waiting for a job to change, without asking the database all the time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress


class Bell:
    """Rung when a job changes in this process; who waits looks again then, and every now and then besides."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, job_id: str) -> None:
        """Wake all who wait for a job."""
        for event in self._waiting.get(job_id, ()):
            event.set()

    async def wait(self, job_id: str, seconds: float) -> None:
        """Wait until a job changes, or a time is over."""
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]
