"""Noticing that a process was stopped by a signal: it lives, and does nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from paws.embedded.events import EventKind
from paws.tasks import in_background

#: Pause between two looks [s].
LOOK_EVERY = 0.5

Tell = Callable[[EventKind, str], None]


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal (state T of proc(5)) or is held by a debugger (t)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")


@asynccontextmanager
async def pauses_told(pid: int, tell: Tell) -> AsyncIterator[None]:
    """Tell, while the block runs, when the process is stopped by a signal and when it goes on."""

    async def look() -> None:
        since: float | None = None
        while True:
            await asyncio.sleep(LOOK_EVERY)
            stopped = is_stopped(pid)
            if stopped and since is None:
                since = time.monotonic()
                tell(EventKind.PAUSED, "was stopped by a signal and does nothing; SIGCONT lets it go on")
            elif not stopped and since is not None:
                tell(EventKind.RESUMED, f"goes on after a pause of {time.monotonic() - since:.0f} s")
                since = None

    async with in_background(look(), f"pauses of {pid}"):
        yield
