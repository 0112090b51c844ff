"""Disturbances of processes: kills without warning, and pauses."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from paws.chaos.faults import ENGINE, SYSTEM, Fault
from paws.chaos.processes import descendants
from paws.chaos.running import SystemUnderTest
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


class Kill:
    """Kills a process of the system, its engine, or the whole system."""

    def __init__(self, system: SystemUnderTest, source: random.Random) -> None:
        self._system = system
        self._source = source

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
                victim = self._victim(fault.target)
                if victim and self._system.signal(victim, signal.SIGKILL):
                    strike.pid, strike.done, strike.relieved_at = victim, True, time.monotonic()
                    return strike
            await asyncio.sleep(LOOK_EVERY)
        return Strike(fault, utc_now())

    def _victim(self, target: str) -> int:
        if target != ENGINE:
            found = self._system.find(target)
            return 0 if found is None else found.pid
        workers = self._system.below("runner")
        return self._source.choice(workers).pid if workers else 0


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
