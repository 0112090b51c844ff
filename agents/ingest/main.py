"""Start and stop of the ingest process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from agents.ingest.process import Ingest
from agents.ingest.raw_folders import RawFolders
from paws.clock import Clock
from paws.database import DATABASE_TROUBLES, Pool, open_pool
from paws.database_clock import DatabaseClock
from paws.errors import ServiceUnavailableError
from paws.log import get_logger
from paws.running import mark_ready
from paws.settings import Settings
from paws.tasks import on_stop_signals

log = get_logger(__name__)

_LONGEST_PAUSE = 5.0


async def run_ingest(
    settings: Settings, clock: Clock | None = None, on_ready: Callable[[], None] | None = None
) -> None:
    """Watch the raw folders until cancelled.

    Parameters
    ----------
    clock
        What tells the time; the database's when not given.
    on_ready
        Called once nothing can be missed any more; marks the process ready when not given.

    Raises
    ------
    ConfigurationError
        If a setting is wrong, such as a database that refuses us.
    """
    async with _patient_pool(settings) as pool:
        shared = DatabaseClock(settings, "ingest")
        await _patiently(lambda: _read(shared, pool))
        clock = clock or shared.now
        ingest = Ingest(settings, pool, clock)
        await _patiently(ingest.remember_rejections)
        folders = RawFolders(settings, pool, ingest, clock)

        def ready() -> None:
            mark_ready(settings, "ingest")
            log.info(
                "watching", folders=[str(path) for path in settings.raw_dirs], kernel_notices=folders.listens
            )

        async with asyncio.TaskGroup() as group:
            group.create_task(ingest.run())
            group.create_task(shared.follow(pool))
            group.create_task(folders.run(on_ready or ready))


async def _read(clock: DatabaseClock, pool: Pool) -> None:
    await clock.look(pool)


@asynccontextmanager
async def _patient_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Database pool, waited for: the first sweep finds whatever came meanwhile."""
    pause = 0.2
    async with contextlib.AsyncExitStack() as stack:
        while True:
            try:
                pool = await stack.enter_async_context(open_pool(settings))
                break
            except ServiceUnavailableError as error:
                log.warning("waiting for the database", error=error.message, pause=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        yield pool


async def _patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Carry out work on the database, which may have gone away again or have no tables yet."""
    pause = 0.2
    while True:
        try:
            return await work()
        except DATABASE_TROUBLES as error:
            log.warning(
                "waiting for the database; if it is new, `paws migrate` makes its tables",
                error=f"{type(error).__name__}: {error}",
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Carry out work until it ends, or SIGTERM or SIGINT asks for an end, which is then an orderly one."""
    task = asyncio.create_task(work)
    try:
        with on_stop_signals(task.cancel):
            await task
    except asyncio.CancelledError:
        log.info("stopped")
    except BaseExceptionGroup as group:
        # One error ended the work: it is told as itself.
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group
