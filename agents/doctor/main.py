"""All looks at once, each with a deadline: a part that hangs must not hide the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from agents.doctor.engines import look_at_engines
from agents.doctor.finding import Finding, error
from agents.doctor.machine import look_at_machine
from agents.doctor.services import look_at_broker, look_at_database
from paws.settings import Settings

DEADLINE = 30.0
"""Longest look at a part, s."""

Look = Callable[[], Awaitable[list[Finding]]]


async def examine(settings: Settings) -> list[Finding]:
    """Look at every part; findings in a stable order."""
    looks: dict[str, Look] = {
        "machine": lambda: _in_thread(lambda: look_at_machine(settings)),
        "database": lambda: look_at_database(settings),
        "broker": lambda: look_at_broker(settings),
        "engines": lambda: _in_thread(lambda: look_at_engines(settings)),
    }
    found = await asyncio.gather(*(within(name, look) for name, look in looks.items()))
    return [finding for part in found for finding in part]


async def within(name: str, look: Look, deadline: float = DEADLINE) -> list[Finding]:
    """One look, ended by its deadline; whatever goes wrong in it is a finding too."""
    try:
        async with asyncio.timeout(deadline):
            return await look()
    except TimeoutError:
        return [
            error(
                name,
                f"no answer within {deadline:g} s",
                "Something hangs: a network file system that is away, or a service that takes connections only.",
            )
        ]
    except Exception as problem:
        return [error(name, f"{type(problem).__name__}: {problem}", "Report it, with this output.")]


async def _in_thread(look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    return await asyncio.to_thread(lambda: list(look()))
