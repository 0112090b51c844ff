"""How long it takes after a disturbance until what it struck works again."""

from __future__ import annotations

import asyncio
import time

from paws.chaos.faults import CONTAINER, DAEMON, ENGINE, FAR_RUNNER, OWN, SYSTEM, FaultKind
from paws.chaos.running import AwayError, SystemUnderTest
from paws.chaos.strikes import Strike

LOOK_EVERY = 0.1
LONGEST = 120.0
"""What has not recovered after so many seconds counts as not recovered."""

_DISTURBED = """
SELECT count(*) AS n FROM reduction WHERE state = 'retrying' AND error_code = ANY($1::text[])
"""
_FRESH = "SELECT count(*) AS n FROM procrastinate_workers WHERE last_heartbeat > now() - interval '3 seconds'"


async def time_recovery(system: SystemUnderTest, strike: Strike) -> None:
    """Wait until what was struck works again, and note the seconds since it was left alone."""
    until = strike.relieved_at + LONGEST
    while time.monotonic() < until:
        if await _works(system, strike):
            strike.recovery = round(time.monotonic() - strike.relieved_at, 2)
            return
        await asyncio.sleep(LOOK_EVERY)


async def _works(system: SystemUnderTest, strike: Strike) -> bool:
    kind, target = strike.fault.kind, strike.fault.target
    try:
        if kind is FaultKind.DISK_FULL:
            return await _none(system, "disk_full", "database") and await system.database_writes()
        if kind is FaultKind.FOLDER_AWAY:
            return await _none(system, "input_gone") and await system.is_ready("ingest")
        if target in (ENGINE, CONTAINER):
            return await _none(system, "engine_died", "container_gone")
        if target == FAR_RUNNER:
            return bool((await system.rows(_FRESH))[0]["n"] >= 2)
        if target == DAEMON:
            return await _none(system, "docker_away", "docker_refused", "container_gone", "engine_died")
    except AwayError:
        return False
    if target == SYSTEM:
        return await system.complete()
    if target == "postgres":
        return await system.database_answers()
    if target == "broker":
        return await system.broker_answers() and await system.is_ready("worker")
    if target == "web":
        return await system.is_ready("web") and await system.page_answers()
    if target in OWN:
        found = system.find(target)
        replaced = kind is not FaultKind.KILL or (found is not None and found.pid != strike.pid)
        return replaced and await system.is_ready(target)
    return True


async def _none(system: SystemUnderTest, *codes: str) -> bool:
    return bool((await system.rows(_DISTURBED, list(codes)))[0]["n"] == 0)
