"""Following what a command prints."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from agents.reducer.engines.base import TAIL_LINES, OnLine
from agents.reducer.markers import is_exit_marker


class OutputFollower:
    """Passes lines on, and remembers the last ones and whether the exit marker was among them."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.exit_marker = False

    def feed(self, line: str) -> None:
        """Take one line."""
        line = line.rstrip("\r\n")
        if line.strip():
            self._tail.append(line)
        self.exit_marker = self.exit_marker or is_exit_marker(line)
        self._on_line(line)

    @property
    def tail(self) -> tuple[str, ...]:
        """Last lines that are not empty."""
        return tuple(self._tail)


async def lines_of(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of a stream; one that is longer than the stream's limit comes in pieces."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                yield end.partial.decode(errors="replace")
            return
        except asyncio.LimitOverrunError as long:
            line = await stream.read(max(long.consumed, 1))
        yield line.decode(errors="replace")
