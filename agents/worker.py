"""Running the Faust app: everything it needs is opened first, and an app that stopped by itself is told."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Sequence

import faust

from agents.app import AGENTS, changelog_topics, create_app, declare_topics, fetch_wait
from agents.faust_driver import fetch_promptly
from agents.runtime import EXIT_STATUS, AgentContext
from paws.database import open_pool
from paws.database_clock import DatabaseClock
from paws.errors import ServiceUnavailableError
from paws.log import get_logger
from paws.settings import Settings
from paws.tasks import on_stop_signals

log = get_logger(__name__)

STOP_DEADLINE = 15.0
"""Seconds for a clean stop; after that the process ends as if it had been killed, which it survives."""
GC_THRESHOLDS = (20_000, 20, 20)
"""A plan makes many short-lived objects and no cycles; Python's defaults would collect several times in each."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0


async def run_worker(
    settings: Settings, *, ready: Callable[[], None] = lambda: None, agents: Sequence[str] = AGENTS
) -> int:
    """Run the agents until SIGTERM or SIGINT.

    Parameters
    ----------
    ready
        Called once, when events are taken.

    Returns
    -------
    int
        Exit status: 0 after a signal, another when the app stopped by itself.

    Raises
    ------
    ServiceUnavailableError
        If the broker or the database does not answer.
    """
    stop = asyncio.Event()
    # Faust makes its own folder there, and no folder above it.
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    clock = DatabaseClock(settings, "worker")
    context = AgentContext(settings, clock.now)
    with on_stop_signals(stop.set):
        async with open_pool(settings) as pool:
            context.pool = pool
            await clock.look(pool)
            app = create_app(settings, context, agents)
            app.finalize()
            fetch_promptly(app, fetch_wait(await _declare(settings, app)), context.starts)
            await app.start()
            # What is there now stays: a full collection that walks through it halts every agent for a while.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            watches = [
                asyncio.create_task(clock.follow(pool)),
                asyncio.create_task(context.repeats.follow(pool, settings, clock.now)),
            ]
            try:
                ready()
                log.info("worker ready", agents=len(agents))
                return await _until_stopped(app, stop)
            finally:
                for watch in watches:
                    watch.cancel()
                await asyncio.gather(*watches, return_exceptions=True)
                await _stop(app)


async def _declare(settings: Settings, app: faust.App) -> str:
    """Declare the topics, waiting a while for a broker that is only starting."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.database_deadline
    pause = FIRST_PAUSE
    while True:
        try:
            return await declare_topics(settings, changelog_topics(app))
        except ServiceUnavailableError:
            if loop.time() + pause > deadline:
                raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _until_stopped(app: faust.App, stop: asyncio.Event) -> int:
    signalled = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(app.wait_until_stopped())
    done, pending = await asyncio.wait({signalled, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if signalled in done:
        return 0
    log.critical("the app stopped by itself", reason=str(app.crash_reason))
    return EXIT_STATUS


async def _stop(app: faust.App) -> None:
    try:
        async with asyncio.timeout(STOP_DEADLINE):
            await app.stop()
    except TimeoutError:
        log.error("the app does not stop; ending the process")
        os._exit(EXIT_STATUS)
