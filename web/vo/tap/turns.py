"""Whose turn it is: a few queries at work at once, and a user with many waits behind users with few."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyError(Exception):
    """A user has as many waiting as they may."""


class Turns:
    """Places at work, given to users in turn.

    Parameters
    ----------
    places
        At work at once.
    each
        Of them, those of one user.
    waiting
        That one user may have waiting.
    """

    def __init__(self, places: int, each: int, waiting: int) -> None:
        self._places = places
        self._each = min(each, places)
        self._most = waiting
        self._working: dict[str, int] = defaultdict(int)
        # In order of whose turn it is: who got a place goes to the end.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def working(self) -> int:
        """Places that are taken."""
        return sum(self._working.values())

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def turn(self, user: str) -> AsyncIterator[None]:
        """A place, once it is this user's turn.

        Raises
        ------
        TooManyError
            If they have too many waiting already.
        """
        await self._take(user)
        try:
            yield
        finally:
            self._leave(user)

    async def _take(self, user: str) -> None:
        if user not in self._queues and self._has_place(user):
            self._working[user] += 1
            return
        queue = self._queues.setdefault(user, deque())
        if len(queue) >= self._most:
            if not queue:
                del self._queues[user]
            raise TooManyError
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # It was given while we were being cancelled: pass it on.
                self._leave(user)
            else:
                self._forget(user, place)
            raise

    def _has_place(self, user: str) -> bool:
        return self.working < self._places and self._working.get(user, 0) < self._each

    def _leave(self, user: str) -> None:
        self._working[user] -= 1
        if not self._working[user]:
            del self._working[user]
        self._give()

    def _give(self) -> None:
        """Give free places to those who wait, one to each user in turn."""
        given = True
        while given and self.working < self._places:
            given = False
            for user in list(self._queues):
                if not self._has_place(user):
                    continue
                queue = self._queues[user]
                place = queue.popleft()
                del self._queues[user]
                if queue:
                    self._queues[user] = queue
                if not place.done():
                    self._working[user] += 1
                    place.set_result(None)
                given = True
                break

    def _forget(self, user: str, place: asyncio.Future[None]) -> None:
        queue = self._queues.get(user)
        if queue is None:
            return
        if place in queue:
            queue.remove(place)
        if not queue:
            del self._queues[user]
