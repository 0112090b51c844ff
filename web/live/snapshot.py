"""Snapshots for clients that start: read once for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

_FRESH: Final = 2.0
"""How long a snapshot may serve further clients (s), though nothing was announced since."""


@dataclass(frozen=True)
class SnapshotText:
    """A snapshot as it is sent, and the newest event that it includes."""

    seq: int
    text: str


Reader = Callable[[str | None], Awaitable[SnapshotText]]


@dataclass(frozen=True)
class _Kept:
    snapshot: SnapshotText
    read_at: float


class SnapshotDesk:
    """Gives each client a snapshot that is new enough for it, reading as seldom as possible.

    A hundred clients that connect or fall behind together cost one reading of the database.

    Parameters
    ----------
    read
        Reads the snapshot of a night (None: of the newest) from the database.
    clock
        Monotonic seconds.
    """

    def __init__(self, read: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._kept: dict[str | None, _Kept] = {}
        self._locks: dict[str | None, asyncio.Lock] = {}

    async def get(self, night: str | None, joined: int) -> SnapshotText:
        """Snapshot of a night that includes event `joined` and all before it."""
        lock = self._locks.setdefault(night, asyncio.Lock())
        async with lock:
            kept = self._kept.get(night)
            if kept and kept.snapshot.seq >= joined and self._clock() - kept.read_at <= _FRESH:
                return kept.snapshot
            begun = self._clock()
            snapshot = await self._read(night)
            self._kept = {name: old for name, old in self._kept.items() if begun - old.read_at <= _FRESH} | {
                night: _Kept(snapshot, begun)
            }
            self._locks = {
                name: one for name, one in self._locks.items() if name in self._kept or one.locked()
            }
            return snapshot
