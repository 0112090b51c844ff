"""Telling people that events came again. They change nothing, since every handler recognises them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from paws.clock import Clock
from paws.database import DATABASE_TROUBLES, Pool
from paws.errors import PawsError
from paws.log import get_logger
from paws.notices import announce_notice
from paws.settings import Settings

log = get_logger(__name__)

REMEMBERED = 5000
"""Events that each agent is remembered to have seen, the newest."""

TELL_INTERVAL = 5.0
"""Between two notices, s: a broker that begins again brings hundreds of events in one go."""


class Repeats:
    """Which events came before in the life of this process, and how many came again."""

    def __init__(self) -> None:
        self._seen: dict[str, OrderedDict[str, None]] = {}
        self._again = 0

    def take(self, agent: str, event_id: str) -> bool:
        """Take an event; whether the agent has seen it before."""
        seen = self._seen.setdefault(agent, OrderedDict())
        again = event_id in seen
        seen[event_id] = None
        seen.move_to_end(event_id)
        if len(seen) > REMEMBERED:
            seen.popitem(last=False)
        self._again += again
        return again

    async def tell_once(self, pool: Pool, settings: Settings, clock: Clock) -> int:
        """Tell how many came again since this was last told.

        Returns
        -------
        int
            How many.
        """
        count, self._again = self._again, 0
        if not count:
            return 0
        text = f"{count} event(s) came again. They were recognised, and nothing was done twice."
        try:
            async with pool.acquire() as connection:
                await announce_notice(
                    connection, settings, "repeats:worker", "recognised", text, clock(), events=count
                )
        except (PawsError, *DATABASE_TROUBLES) as error:
            self._again += count
            log.info("a notice waits for the database", text=text, error=str(error))
        return count

    async def follow(self, pool: Pool, settings: Settings, clock: Clock) -> None:
        """Tell again and again, until cancelled."""
        while True:
            await asyncio.sleep(TELL_INTERVAL)
            await self.tell_once(pool, settings, clock)
