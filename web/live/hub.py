"""The hub: takes numbered status events in order and hands each to every client that wants it and may see it.

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

from paws.access.rule import UNKNOWN, Scope, Sight, may_see

MEMORY: Final = 4096
"""Newest events kept, so that a client that was away for a moment gets what it missed."""


@dataclass(frozen=True)
class Whose:
    """Whom a status event concerns.

    Attributes
    ----------
    scope
        Of the frame, reduction or product.
    mentions
        Of other frames that its text names.
    reserved
        The event as it is for who may see it, but not all that it mentions.
    """

    scope: Scope = UNKNOWN
    mentions: tuple[Scope, ...] = ()
    reserved: Mapping[str, Any] | None = None


_OF_NOBODY: Final = Whose()


class Delta(NamedTuple):
    """One status event, ready to be sent: written as text once for all clients.

    Attributes
    ----------
    text
        For clients that see everything: with the event's number.
    body, reserved
        The event for others, who get numbers of their own: in full, and without what it mentions of others.
    """

    seq: int
    night: str
    text: str
    whose: Whose
    body: str
    reserved: str

    def seen_by(self, sight: Sight) -> bool:
        """Whether somebody gets the event."""
        return may_see(sight, self.whose.scope)

    def text_for(self, sight: Sight, number: int) -> str:
        """Message for somebody with limits, numbered as they count."""
        whole = all(may_see(sight, scope) for scope in self.whose.mentions)
        body = self.body if whole else self.reserved
        return f'{{"type":"delta","seq":{number},"event":{body[:-1]},"seq":{number}}}}}'


def make_delta(event: Mapping[str, Any], whose: Whose = _OF_NOBODY) -> Delta:
    """Message of a numbered status event.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the event has no number or no night.
    """
    seq = int(event["seq"])
    text = orjson.dumps({"type": "delta", "seq": seq, "event": event}).decode()
    body = reserved = ""
    if whose.scope.owners:  # else nobody with limits gets it
        body = _unnumbered(event)
        reserved = body if whose.reserved is None else _unnumbered(whose.reserved)
    return Delta(seq, str(event["night"]), text, whose, body, reserved)


def _unnumbered(event: Mapping[str, Any]) -> str:
    # Numbers count what happens to others too.
    return orjson.dumps({name: value for name, value in event.items() if name != "seq"}).decode()


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
    sight
        What it may see. It may change while the websocket is open.
    ended
        Whether it has to go: who it was is no longer known.
    night
        Only events of this night are wanted; None wants all.
    joined
        Newest event of the hub when the queue was last emptied: the queue holds all that came after it.
    behind
        Whether events were dropped, so that the client needs a fresh snapshot.
    """

    def __init__(self, night: str | None, limit: int, joined: int, sight: Sight) -> None:
        self.night = night
        self.sight = sight
        self.ended = False
        self.joined = joined
        self.behind = False
        self._limit = limit
        self._queue: deque[Delta] = deque()
        self._wake = asyncio.Event()

    def offer(self, delta: Delta) -> None:
        """Queue an event, or note that the client is behind."""
        if self.behind or (self.night is not None and delta.night != self.night):
            return
        if not self.sight.everything and not delta.seen_by(self.sight):
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

    def see(self, sight: Sight) -> None:
        """Take another sight. What was shown may be too much now, or too little: a snapshot follows."""
        if sight != self.sight:
            self.sight = sight
            self.fall_behind()

    def end(self) -> None:
        """Have the websocket closed."""
        self.ended = True
        self.fall_behind()

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
        if self._wake.is_set():
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
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

    def everyone(self) -> list[Client]:
        """All clients."""
        return list(self._clients)

    @property
    def oldest(self) -> int:
        """Number of the oldest event kept; one past the newest when none is."""
        return self._kept[0].seq if self._kept else self.newest + 1

    def accept(self, event: Mapping[str, Any], whose: Whose | None = _OF_NOBODY) -> Step:
        """Take the event that follows the newest one. Others change nothing.

        Parameters
        ----------
        whose
            Whom it concerns; None when that cannot be told now: clients with limits then start again.

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
        delta = make_delta(event, whose or _OF_NOBODY)
        self.newest = seq
        self._kept.append(delta)
        for client in self._clients:
            if whose is None and not client.sight.everything:
                client.fall_behind()
            else:
                client.offer(delta)
        return Step.TAKEN

    def restart_at(self, seq: int) -> None:
        """Forget everything and go on after event `seq`: the numbering began anew, or events were pruned."""
        self.newest = seq
        self._kept.clear()
        for client in self._clients:
            client.fall_behind()

    def join(
        self, night: str | None, since: int | None, limit: int, sight: Sight
    ) -> tuple[Client, Resume, list[Delta]]:
        """Add a client, with what it missed when it can be brought up to date without a snapshot.

        Numbers are for who sees everything: to others they would tell how much happens that is not theirs.
        """
        client = Client(night, limit, self.newest, sight)
        if sight.everything:
            resume = plan_resume(since, self.oldest, self.newest)
        else:
            resume = Resume(None, "whoever sees a part starts from a snapshot")
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
