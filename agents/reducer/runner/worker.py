"""The runner's process: takes jobs from the queue until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import procrastinate
import psycopg
from procrastinate import exceptions

from agents.reducer.engines import Engine, create_engine
from agents.reducer.placing import reconcile_links
from agents.reducer.queue import PLACE_QUEUE, PLACE_TASK, REDUCE_TASK, queue_of
from agents.reducer.runner.host_slots import HostSlots, Share
from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.mend import mend, take_back_jobs
from agents.reducer.runner.presence import Presence
from agents.reducer.runner.runner import Runner, TryAgainLater
from agents.reducer.runner.strays import Strays
from agents.reducer.runner.workfolder import remove_stale_folders
from paws.clock import Clock, utc_now
from paws.database import Pool, open_pool
from paws.database_clock import LOOK_INTERVAL, DatabaseClock
from paws.log import get_logger
from paws.settings import Settings
from paws.tasks import in_background, on_stop_signals

log = get_logger(__name__)

STOP_GRACE = 2.0
"""Seconds that running reductions get to end when the runner is asked to stop; then they are handed back."""

TAKE_BACK_INTERVAL = 2.0
MEND_INTERVAL = 20.0
"""The rest of mending looks at every product: not so often."""

POLL_INTERVAL = 1.0
"""The queue wakes us for new jobs, not for those that come back after a wait."""

KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A database on another machine may vanish without a word; the kernel alone would wait a quarter of an hour."""

_RECONNECT_FIRST, _RECONNECT_MOST = 0.5, 5.0


DUE = datetime(2000, 1, 1, tzinfo=UTC)
"""A time that has passed by any clock."""


class Strategy(procrastinate.BaseRetryStrategy):
    """How jobs come back: the reduction's own decision, made and recorded before, is carried out here.

    Parameters
    ----------
    clock
        The database's time, by which the queue wakes jobs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision | None:
        """Wait as the reduction says; at once when the runner stops; soon when the database went away."""
        if isinstance(exception, TryAgainLater):
            return procrastinate.RetryDecision(retry_at=self._clock() + exception.wait)
        if isinstance(exception, asyncio.CancelledError):
            return procrastinate.RetryDecision(retry_at=DUE)
        return procrastinate.RetryDecision(retry_at=self._clock() + timedelta(seconds=2))


def create_queue_app(
    settings: Settings, runner: Runner, clock: Clock = utc_now, *, slots: int = 0
) -> procrastinate.App:
    """Queue's app with our two tasks; its pool is opened by the caller.

    Parameters
    ----------
    slots
        Most reductions at once, ever; those of the settings when 0.
    """
    connector = procrastinate.PsycopgConnector(
        conninfo=settings.require_database(),
        min_size=1,
        # The listener, the heartbeat, and one for each reduction that begins or ends.
        max_size=(slots or settings.runner_slots) + 3,
        timeout=settings.database_deadline,
        kwargs={"connect_timeout": max(2, int(settings.database_deadline)), **KEEPALIVE},
        # Every one of the queue's questions is a single statement: it needs no transaction around it.
        configure=_commit_by_itself,
    )
    app = procrastinate.App(connector=connector)

    @app.task(name=REDUCE_TASK, queue=queue_of(settings.engine), retry=Strategy(clock), pass_context=True)
    async def reduce(context: procrastinate.JobContext, job_key: str) -> None:
        await runner.reduce(job_key, context.job.id)

    @app.task(name=PLACE_TASK, queue=PLACE_QUEUE, retry=Strategy(clock))
    async def place(slot: str) -> None:
        await runner.place(slot)

    return app


async def _commit_by_itself(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)


async def run_runner(
    settings: Settings, *, engine: Engine | None = None, ready: Callable[[], None] = lambda: None
) -> None:
    """Run until SIGTERM or SIGINT; then hand back what is not done.

    Parameters
    ----------
    engine
        Another than the settings name.
    ready
        Called once, when jobs can be taken.

    Raises
    ------
    ConfigurationError
        If the engine or the database cannot be used.
    """
    stop = asyncio.Event()
    with HostSlots.of(settings) as host_slots:
        share = Share(host_slots, settings.runner_slots)
        with on_stop_signals(stop.set):
            if await _unless_stopped(share.begin(), stop):
                return
            settings = settings.model_copy(update={"runner_slots": share.unserved()})
            await _run(settings, share, engine or create_engine(settings), stop, ready)


async def _run(
    settings: Settings, share: Share, engine: Engine, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    async with open_pool(settings) as pool:
        try:
            if await _unless_stopped(engine.start(), stop):
                return
            clock = DatabaseClock(settings, "runner")
            await clock.look(pool)
            identity = runner_identity()
            runner = Runner(settings=settings, pool=pool, engine=engine, identity=identity, clock=clock.now)
            presence = Presence(settings, pool, identity)
            strays = Strays(identity, lambda: runner.working, settings.runner_lease)
            await asyncio.to_thread(remove_stale_folders, settings.work_dir)

            async def look() -> None:
                await clock.look(pool)
                await presence.reached(clock.now())

            async with (
                _repeated(lambda: take_back_jobs(pool, settings, clock.now()), TAKE_BACK_INTERVAL),
                _repeated(lambda: strays.take_back(pool, settings), TAKE_BACK_INTERVAL),
                _repeated(lambda: mend(pool, settings, clock.now()), MEND_INTERVAL),
                _repeated(look, LOOK_INTERVAL),
                _repeated(runner.look_at_disk, LOOK_INTERVAL),
                _once(pool, settings),
            ):
                await presence.begin(clock.now())
                ready()
                await _work_until(stop, settings, runner, clock.now, share, engine)
                await presence.end(clock.now())
        finally:
            await engine.close()


async def _work_until(
    stop: asyncio.Event, settings: Settings, runner: Runner, clock: Clock, share: Share, engine: Engine
) -> None:
    pause = _RECONNECT_FIRST
    while not stop.is_set():
        try:
            async with create_queue_app(settings, runner, clock, slots=share.wanted).open_async() as app:
                pause = _RECONNECT_FIRST
                await _unless_stopped(_take_jobs(app, settings, share, engine), stop)
        except (exceptions.ConnectorException, OSError) as error:
            log.warning("the queue cannot be reached", error=str(error), pause=pause)
            await _unless_stopped(asyncio.sleep(pause), stop)
            pause = min(2 * pause, _RECONNECT_MOST)


async def _take_jobs(app: procrastinate.App, settings: Settings, share: Share, engine: Engine) -> None:
    """Take jobs, and more at once whenever slots of the host become free; until one of the takers ends."""
    engine.grow(share.unserved())
    takers = [asyncio.create_task(_take(app, settings, share.held))]
    growing = asyncio.create_task(share.grow())
    try:
        while True:
            done, _ = await asyncio.wait([*takers, growing], return_when=asyncio.FIRST_COMPLETED)
            if not done.isdisjoint(takers):
                break
            growing.result()
            more = share.unserved()
            engine.grow(more)
            log.info("more slots of this host became free", taken=more, held=share.held)
            takers.append(asyncio.create_task(_take(app, settings, more)))
            growing = asyncio.create_task(share.grow())
    finally:
        for task in (*takers, growing):
            task.cancel()
        ends = await asyncio.gather(*takers, growing, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _take(app: procrastinate.App, settings: Settings, slots: int) -> None:
    await app.run_worker_async(
        queues=[queue_of(settings.engine), PLACE_QUEUE],
        name="runner",
        concurrency=slots,
        wait=True,
        fetch_job_polling_interval=POLL_INTERVAL,
        shutdown_graceful_timeout=STOP_GRACE,
        listen_notify=True,
        # The reduction's row is the record; the queue need not keep a second one.
        delete_jobs="always",
        install_signal_handlers=False,
        update_heartbeat_interval=settings.runner_heartbeat,
        stalled_worker_timeout=settings.runner_lease,
    )


async def _unless_stopped(work: Any, stop: asyncio.Event) -> bool:
    """Do some work; cancel it, and wait for its end, when we are asked to stop. Whether we were."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return stop.is_set()
    finally:
        waiter.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


@asynccontextmanager
async def _repeated(work: Callable[[], Any], interval: float) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.warning("mending did not succeed; it is tried again", error=str(error))
            await asyncio.sleep(interval)

    async with in_background(repeat()):
        yield


@asynccontextmanager
async def _once(pool: Pool, settings: Settings) -> AsyncIterator[None]:
    """Look through the tree in the background: a season of products takes a while."""

    async def look() -> None:
        try:
            await reconcile_links(pool, settings)
        except Exception as error:
            log.warning("the tree could not be looked through", error=str(error))

    async with in_background(look()):
        yield
