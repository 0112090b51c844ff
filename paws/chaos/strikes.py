"""Disturbances of processes: kills without warning, and pauses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from paws.chaos.faults import ENGINE, SYSTEM, Fault
from paws.chaos.processes import descendants, processor_time
from paws.chaos.running import AwayError, SystemUnderTest
from paws.clock import utc_now

PATIENCE = 30.0
"""Longest wait for a victim to be there, s."""

LOOK_EVERY = 0.05


@dataclass
class Strike:
    """A disturbance that was carried out.

    Attributes
    ----------
    at
        When it began, by this process's clock.
    pid
        Of the process that it struck; 0 where it struck none.
    mark
        Name of the host that it struck, where that is not this one.
    done
        Whether there was anything to strike.
    relieved_at
        Monotonic time at which it was over: a pause ended, a disk was emptied.
    recovery
        Seconds from then until all was as before; None while (or if) it was not.
    visible
        Whether the status feed tells of it.
    """

    fault: Fault
    at: datetime
    pid: int = 0
    mark: str = ""
    done: bool = False
    relieved_at: float = 0.0
    recovery: float | None = None
    visible: bool = False


class Disturber(Protocol):
    """Carries out faults of one kind."""

    async def strike(self, fault: Fault) -> Strike:
        """Disturb, wait as long as the fault lasts, and take the disturbance away."""


_WORKING = "SELECT count(*) AS n FROM reduction WHERE state = 'running' AND stage <> 'preparing'"
SAMPLE = 0.1
"""Seconds over which processes are seen to work."""


class Kill:
    """Kills a process of the system, its engine, or the whole system.

    Parameters
    ----------
    warm_engine
        Whether the engine's processes outlive their commands. Then one is killed that works: with one that
        waits for work nothing is lost, and nothing to be told.
    """

    def __init__(self, system: SystemUnderTest, source: random.Random, *, warm_engine: bool = False) -> None:
        self._system = system
        self._source = source
        self._warm_engine = warm_engine

    async def strike(self, fault: Fault) -> Strike:
        """Kill as soon as the victim is there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            strike = Strike(fault, utc_now())
            if fault.target == SYSTEM:
                if self._system.alive:
                    strike.relieved_at, strike.done = time.monotonic(), True
                    strike.pid = await self._system.kill()
                    return strike
            else:
                victim = await self._victim(fault.target)
                if victim and self._system.signal(victim, signal.SIGKILL):
                    strike.pid, strike.done, strike.relieved_at = victim, True, time.monotonic()
                    return strike
            await asyncio.sleep(LOOK_EVERY)
        return Strike(fault, utc_now())

    async def _victim(self, target: str) -> int:
        if target != ENGINE:
            found = self._system.find(target)
            return 0 if found is None else found.pid
        workers = self._system.below("runner")
        if not workers:
            return 0
        if not self._warm_engine:
            return self._source.choice(workers).pid
        with contextlib.suppress(AwayError):
            if (await self._system.rows(_WORKING))[0]["n"]:
                before = {worker.pid: processor_time(worker.pid) for worker in workers}
                await asyncio.sleep(SAMPLE)
                used = {pid: processor_time(pid) - ticks for pid, ticks in before.items()}
                busiest = max(used, key=lambda pid: used[pid])
                return busiest if used[busiest] > 0 else 0
        return 0


class Pause:
    """Stops a process and everything below it for a while, as a machine does that is short of memory."""

    def __init__(self, system: SystemUnderTest) -> None:
        self._system = system

    async def strike(self, fault: Fault) -> Strike:
        """Stop, wait, let go on."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # One that is only starting is not told apart from one that is slow.
            ready = fault.target not in ("worker", "runner", "ingest", "web") or await self._system.is_ready(
                fault.target
            )
            found = self._system.find(fault.target) if ready else None
            if found is not None:
                return await self._pause(fault, found.pid)
            await asyncio.sleep(LOOK_EVERY)
        return Strike(fault, utc_now())

    async def _pause(self, fault: Fault, pid: int) -> Strike:
        strike = Strike(fault, utc_now(), pid)
        stopped = [pid, *(process.pid for process in descendants(pid))]
        stopped = [one for one in stopped if self._system.signal(one, signal.SIGSTOP)]
        strike.done = pid in stopped
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            for one in reversed(stopped):
                # It may have been killed meanwhile, and the whole system with it.
                self._system.signal(one, signal.SIGCONT)
        strike.relieved_at = time.monotonic()
        return strike
