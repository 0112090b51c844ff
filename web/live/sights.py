"""Keeps what open websockets may see up to date: sessions end, links are revoked, members come and go."""

from __future__ import annotations

import asyncio
from typing import Final

from paws.database import DATABASE_TROUBLES, Pool
from paws.log import get_logger
from web.accounts.desk import VisitorDesk
from web.accounts.visitor import Visitor
from web.live.hub import Client, Hub

log = get_logger(__name__)

EVERY: Final = 10.0
"""Seconds between looks: as long may somebody see on who no longer may."""


class Sights:
    """Remembers who is behind each client, and asks again who they are: a few questions for all of them."""

    def __init__(self, hub: Hub, desk: VisitorDesk, pool: Pool) -> None:
        self._hub = hub
        self._desk = desk
        self._pool = pool
        self._visitors: dict[Client, Visitor] = {}

    def remember(self, client: Client, visitor: Visitor) -> None:
        """Remember who is behind a client."""
        self._visitors[client] = visitor

    async def look(self) -> None:
        """Ask once who everybody is now."""
        open_now = set(self._hub.everyone())
        self._visitors = {client: who for client, who in self._visitors.items() if client in open_now}
        before = list(self._visitors.items())
        after = await self._desk.resolve([who for _client, who in before], self._pool)
        for (client, old), new in zip(before, after, strict=True):
            if old.kind in ("session", "token") and new.kind != old.kind:
                client.end()
                continue
            self._visitors[client] = new
            client.see(new.sight)

    async def run(self, every: float = EVERY) -> None:
        """Ask for ever."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.look()
            except DATABASE_TROUBLES as error:
                # Nobody learns anything new meanwhile: events come from the same database.
                log.warning("who looks on cannot be asked now", error=repr(error))
