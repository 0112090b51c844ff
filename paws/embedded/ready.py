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


def http_ready(host: str, port: int, path: str = "/healthz") -> ReadyProbe:
    """Ready when a GET of the path is answered with status 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("ascii")

    async def probe(_pid: int) -> bool:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(request)
                words = (await reader.readline()).split()
        except (OSError, TimeoutError, ValueError):
            return False
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        return len(words) > 1 and words[1] == b"200"

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
