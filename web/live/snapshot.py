"""Snapshots for clients that start: read once for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from paws.access.rule import Sight

_FRESH: Final = 2.0
"""How long a snapshot may serve further clients (s), though nothing was announced since."""


class Snapshot(Protocol):
    """A night at one moment."""

    @property
    def seq(self) -> int:
        """Newest event that it includes."""

    def text_for(self, sight: Sight) -> str:
        """What is sent to somebody."""


Reader = Callable[[str | None], Awaitable[Snapshot]]
Newest = Callable[[Sight], Awaitable[str | None]]


@dataclass(frozen=True)
class _Kept:
    snapshot: Snapshot
    read_at: float


class SnapshotDesk:
    """Gives each client a snapshot that is new enough for it, reading as seldom as possible.

    A hundred clients that connect or fall behind together cost one reading of the database.

    Parameters
    ----------
    read
        Reads the snapshot of a night (None: of none at all) from the database.
    newest
        Finds the newest night that somebody sees something of.
    clock
        Monotonic seconds.
    """

    def __init__(self, read: Reader, newest: Newest, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._newest = newest
        self._nights: dict[Sight, tuple[float, str | None]] = {}
        self._clock = clock
        self._kept: dict[str | None, _Kept] = {}
        self._locks: dict[str | None, asyncio.Lock] = {}

    async def text(self, night: str | None, joined: int, sight: Sight) -> tuple[int, str]:
        """Snapshot for somebody, of a night or of the newest they see (None), and the newest event in it."""
        found = await self.get(night or await self._newest_night(sight), joined)
        return found.seq, found.text_for(sight)

    async def _newest_night(self, sight: Sight) -> str | None:
        kept = self._nights.get(sight)
        begun = self._clock()
        if kept and begun - kept[0] <= _FRESH:
            return kept[1]
        night = await self._newest(sight)
        self._nights = {one: old for one, old in self._nights.items() if begun - old[0] <= _FRESH}
        self._nights[sight] = (begun, night)
        return night

    async def get(self, night: str | None, joined: int) -> Snapshot:
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
