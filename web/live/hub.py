"""The hub: takes numbered status events in order and hands each to every client that wants it.

Nothing here waits or does I/O. A client that does not keep up loses its queue, not its place: it is told to
start again from a snapshot.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

import orjson

MEMORY: Final = 4096
"""Newest events kept, so that a client that was away for a moment gets what it missed."""


class Delta(NamedTuple):
    """One status event, ready to be sent: written as text once for all clients."""

    seq: int
    night: str
    text: str


def make_delta(event: Mapping[str, Any]) -> Delta:
    """Message of a numbered status event.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the event has no number or no night.
    """
    seq = int(event["seq"])
    text = orjson.dumps({"type": "delta", "seq": seq, "event": event}).decode()
    return Delta(seq, str(event["night"]), text)


@dataclass(frozen=True)
class Resume:
    """How a client is brought up to date: from an event on, or by a snapshot (`first` is None)."""

    first: int | None
    reason: str


def plan_resume(since: int | None, oldest: int, newest: int) -> Resume:
    """Decide how a client that has seen everything up to `since` is brought up to date.

    Parameters
    ----------
    since
        Number of the last event the client has seen, or None for a new client.
    oldest, newest
        Numbers of the events kept; ``oldest == newest + 1`` when none is.
    """
    if since is None:
        return Resume(None, "a new client starts from a snapshot")
    if since > newest:
        return Resume(None, f"event {since} is not known here: the newest is {newest}")
    if since + 1 < oldest:
        return Resume(None, f"events {since + 1} to {oldest - 1} are no longer kept")
    return Resume(since + 1, f"{newest - since} events were missed")


class Step(Enum):
    """What became of an event offered to the hub."""

    TAKEN = "taken"
    KNOWN = "known"
    GAP = "gap"


class Client:
    """The hub's end of one websocket.

    Attributes
    ----------
    night
        Only events of this night are wanted; None wants all.
    joined
        Newest event of the hub when the queue was last emptied: the queue holds all that came after it.
    behind
        Whether events were dropped, so that the client needs a fresh snapshot.
    """

    def __init__(self, night: str | None, limit: int, joined: int) -> None:
        self.night = night
        self.joined = joined
        self.behind = False
        self._limit = limit
        self._queue: deque[Delta] = deque()
        self._wake = asyncio.Event()

    def offer(self, delta: Delta) -> None:
        """Queue an event, or note that the client is behind."""
        if self.behind or (self.night is not None and delta.night != self.night):
            return
        if len(self._queue) >= self._limit:
            self.fall_behind()
            return
        self._queue.append(delta)
        self._wake.set()

    def fall_behind(self) -> None:
        """Give up the queue: the client has to start again from a snapshot."""
        self._queue.clear()
        self.behind = True
        self._wake.set()

    def restart(self, joined: int) -> None:
        """Start queueing again; the snapshot to send must be no older than event `joined`."""
        self._queue.clear()
        self.behind = False
        self.joined = joined

    def take(self) -> list[Delta]:
        """All queued events, which leave the queue."""
        taken = list(self._queue)
        self._queue.clear()
        self._wake.clear()
        if self.behind:
            self._wake.set()
        return taken

    async def wait(self, seconds: float) -> bool:
        """Wait until there is something to do. False when the time is up."""
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return False
        return True


class Hub:
    """Numbered events in, the same events out to every client, in order and without a gap.

    Parameters
    ----------
    memory
        Number of newest events kept for clients that come back.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self.newest = 0
        self._kept: deque[Delta] = deque(maxlen=memory)
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        """Number of clients."""
        return len(self._clients)

    @property
    def oldest(self) -> int:
        """Number of the oldest event kept; one past the newest when none is."""
        return self._kept[0].seq if self._kept else self.newest + 1

    def accept(self, event: Mapping[str, Any]) -> Step:
        """Take the event that follows the newest one. Others change nothing.

        Returns
        -------
        Step
            GAP when events before this one are missing and have to be fetched first.
        """
        seq = int(event["seq"])
        if seq <= self.newest:
            return Step.KNOWN
        if seq != self.newest + 1:
            return Step.GAP
        delta = make_delta(event)
        self.newest = seq
        self._kept.append(delta)
        for client in self._clients:
            client.offer(delta)
        return Step.TAKEN

    def restart_at(self, seq: int) -> None:
        """Forget everything and go on after event `seq`: the numbering began anew, or events were pruned."""
        self.newest = seq
        self._kept.clear()
        for client in self._clients:
            client.fall_behind()

    def join(self, night: str | None, since: int | None, limit: int) -> tuple[Client, Resume, list[Delta]]:
        """Add a client, with what it missed when it can be brought up to date without a snapshot."""
        client = Client(night, limit, self.newest)
        resume = plan_resume(since, self.oldest, self.newest)
        missed = [
            delta
            for delta in self._kept
            if resume.first is not None and delta.seq >= resume.first and night in (None, delta.night)
        ]
        self._clients.add(client)
        return client, resume, missed

    def leave(self, client: Client) -> None:
        """Remove a client."""
        self._clients.discard(client)
