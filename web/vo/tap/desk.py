"""What the query service of one web process has: connections, turns, and the jobs that it runs."""

from __future__ import annotations

from collections.abc import Callable

from paws.clock import Clock
from paws.database import Pool
from paws.settings import Settings
from web.vo.tap.bell import Bell
from web.vo.tap.executor import QueryDesk
from web.vo.tap.runner import JobRunner
from web.vo.tap.turns import Turns

_RECEIVING, _RECEIVING_EACH, _RECEIVING_WAITING = 8, 4, 20
"""Uploads that arrive at once: of all, of one user; and those of one user that wait."""


class TapDesk:
    """The query service of one process.

    Parameters
    ----------
    pool
        Gives the process's usual connections, for the rows of jobs.
    """

    def __init__(self, settings: Settings, pool: Callable[[], Pool], clock: Clock) -> None:
        self.settings = settings
        self.queries = QueryDesk(settings)
        self.turns = Turns(settings.tap_sync_at_once, settings.tap_sync_per_user, settings.tap_sync_waiting)
        self.receiving = Turns(_RECEIVING, _RECEIVING_EACH, _RECEIVING_WAITING)
        self.bell = Bell()
        self.jobs = JobRunner(settings, pool, self.queries, self.bell, clock)

    async def close(self) -> None:
        """Close connections."""
        await self.queries.close()
