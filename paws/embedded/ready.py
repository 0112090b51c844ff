"""Probes that tell whether a process is ready. Each is asked again and again until a deadline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

#: Given the process id, tells whether the process is ready now.
ReadyProbe = Callable[[int], Awaitable[bool]]

#: Longest time one question may take [s].
ANSWER_WITHIN = 2.0


def tcp_ready(host: str, port: int) -> ReadyProbe:
    """Ready when something accepts connections there."""

    async def probe(_pid: int) -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return probe


def file_ready(path: Path) -> ReadyProbe:
    """Ready when the file exists and holds the process id, written by the process when it is ready.

    The id tells a fresh file from one that an earlier process left.
    """

    async def probe(pid: int) -> bool:
        try:
            text = await asyncio.to_thread(path.read_text)
        except OSError:
            return False
        return text.split()[:1] == [str(pid)]

    return probe
