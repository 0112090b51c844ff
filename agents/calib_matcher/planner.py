"""The planner at work: takes events in, and plans the nights that need it, one after the other.

Events are folded in at once and planning follows in its own task, so that a hundred frames that arrive
together are planned together. What is folded in is kept in the Faust table before the event is
acknowledged; what a restart finds neither there nor planned, it finds in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from time import perf_counter

from agents.calib_matcher.service import Matcher
from agents.calib_matcher.storage import (
    Written,
    newest_nights,
    nights_around,
    read_night,
    read_written,
    unsettled_nights,
    write_plan,
)
from agents.runtime import AgentContext, is_retriable, notify, persist
from paws.clock import night_date
from paws.errors import NotOursError
from paws.log import get_logger
from paws.matching.items import decode, night_of_key
from paws.matching.policy import MatchPolicy
from schemas.events import AnyEvent, FrameArrived, FrameJunked, FrameParametersSet, ReductionFinished
from schemas.vocabulary import Outcome

log = get_logger(__name__)

NIGHTS_AT_START = 2
"""Newest nights that are planned again at start, in case an event was lost."""
UNSETTLED_AT_START = 20
KEPT_NIGHTS = 30
"""Nights beyond the horizon that stay in the table."""
LONGEST_SLEEP = 60.0

Table = MutableMapping[bytes, bytes]


class Planner:
    """Plans nights.

    Parameters
    ----------
    table
        Where items are kept: a Faust table, or a dictionary in tests. It is written inside `take` only,
        because a Faust table can be changed only while an event is handled.
    """

    def __init__(self, context: AgentContext, table: Table) -> None:
        self._context = context
        self._table = table
        self._matcher = Matcher(MatchPolicy.of(context.settings))
        self._written: dict[str, Written] = {}
        self._read: set[str] = set()
        self._wake = asyncio.Event()
        self._restored = False

    async def take(self, event: AnyEvent) -> None:
        """Take an event in and keep what it tells. The planning task does the rest.

        Raises
        ------
        NotOursError
            If the event is of no use to the matcher.
        """
        if not isinstance(event, FrameArrived | FrameJunked | FrameParametersSet | ReductionFinished):
            raise NotOursError(f"the matcher has no use for {event.event}")
        self._restore_table()
        newest = max(self._matcher.nights, default="")
        item = self._matcher.take(event, self._context.clock())
        if item is not None:
            self._table[item.key] = item.encode()
            if item.night > newest:
                self._forget_before(item.night)
        if self._matcher.dirty:
            self._wake.set()

    async def run(self) -> None:
        """Plan for ever. Ends the process when the database stays away."""
        await persist(self._context, self.start)
        while True:
            pause = self._sleep()
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)
            self._wake.clear()
            began = perf_counter()
            await self.step()
            # Leave the event loop to others for twice as long, so that a flood cannot starve them.
            await asyncio.sleep(min(2 * (perf_counter() - began), 1.0) if self._matcher.dirty else 0)

    async def start(self) -> None:
        """Take in what the table kept, and find the nights that may need planning."""
        self._restore_table()
        pool = self._context.pool
        nights = await newest_nights(pool, NIGHTS_AT_START) + await unsettled_nights(pool, UNSETTLED_AT_START)
        self._matcher.dirty.update(nights, sorted(self._matcher.nights)[-NIGHTS_AT_START:])

    async def step(self) -> None:
        """Plan every night that is due."""
        for night in self._matcher.due(self._context.clock()):
            try:
                await persist(self._context, lambda night=night: self._plan(night))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            except Exception as error:
                if is_retriable(error):
                    raise
                log.exception("a night could not be planned", night=night, error=str(error))
                self._matcher.postpone(night)
                reason = f"Night {night} could not be planned: {error}. The log of the worker tells more."
                await notify(self._context, f"plan-{night}", Outcome.PERMANENT, reason, night)

    async def plan_again(self, night: str) -> None:
        """Plan a night that the database knows; for many nights, call it from the oldest to the newest."""
        self._forget_before(night, 0)
        await self._plan(night)

    async def _plan(self, night: str) -> None:
        await self._read_around(night)
        now = self._context.clock()
        began = perf_counter()
        made = self._matcher.plan(night, now)
        took = perf_counter() - began
        try:
            changed = await write_plan(self._context.pool, made, self._written[night], now)
        except Exception:
            self._matcher.dirty.add(night)
            raise
        self._matcher.written(made, now)
        log.debug(
            "night planned", night=night, asked=len(made.ready), changed=changed, milliseconds=1000 * took
        )

    async def _read_around(self, night: str) -> None:
        """Read a night and its neighbours from the database, each once."""
        pool = self._context.pool
        if night not in self._written:
            for other in await nights_around(pool, night, self._matcher.policy.horizon):
                if other in self._read:
                    continue
                record = await read_night(pool, other)
                self._matcher.restore(record.items)
                state = self._matcher.state(other)
                for job_key, at in record.requested.items():
                    state.requested.setdefault(job_key, at)
                self._read.add(other)
            self._written[night] = await read_written(pool, night)

    def _restore_table(self) -> None:
        if not self._restored:
            self._matcher.restore(decode(key, value) for key, value in list(self._table.items()))
            self._restored = True

    def _forget_before(self, newest: str, kept: int = KEPT_NIGHTS) -> None:
        """A new night began: drop what is too old to serve it."""
        days = self._matcher.policy.horizon + kept
        before = (night_date(newest) - timedelta(days=days)).strftime("%Y%m%d")
        for key in [key for key in self._table if night_of_key(key) < before]:
            del self._table[key]
        self._matcher.forget(before)
        for night in [night for night in self._written if night not in self._matcher.nights]:
            del self._written[night]
        self._read &= self._matcher.nights.keys()

    def _sleep(self) -> float:
        """Seconds until time alone calls for a plan; zero if something is to be done now."""
        now = self._context.clock()
        if self._matcher.due(now):
            return 0.0
        wakeups = [plan.next_wakeup for plan in self._matcher.planned.values() if plan.next_wakeup]
        soonest: datetime | None = min(wakeups, default=None)
        return LONGEST_SLEEP if soonest is None else min((soonest - now).total_seconds(), LONGEST_SLEEP)
