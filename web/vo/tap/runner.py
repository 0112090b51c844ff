"""Running jobs in this process: taken one by one from all that wait, held by a lease, given back at the end."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from paws.access.rule import Sight, sees_all
from paws.clock import Clock
from paws.database import DATABASE_TROUBLES, Pool
from paws.log import get_logger
from paws.settings import Settings
from paws.vo import jobs as store
from paws.vo.jobs import MOST_ATTEMPTS, Job, Result, job_folder, label_of
from web.accounts.visitor import nobody, sight_of
from web.storage import accounts
from web.vo.problems import BadRequestError, ServiceError
from web.vo.tap.answering import Circumstances, answer
from web.vo.tap.asking import read_question
from web.vo.tap.bell import Bell
from web.vo.tap.executor import Asker, QueryDesk
from web.vo.tap.parameters import Parameters
from web.vo.tap.troubles import QueryTimeoutError
from web.vo.tap.uploads import kept_parts, uploaded

log = get_logger(__name__)

POLL: Final = 2.0
"""Seconds between looks for jobs that another process took on, or left."""
_BUFFER: Final = 1_000_000
_GONE: Final = "The account of this job is not there any more, or may not sign in."
_REMOVED: Final = "The folder of this job was removed while it ran. Make a new job."
_KILLED: Final = (
    f"The process that ran this job ended {MOST_ATTEMPTS} times before it was done. "
    "Ask for less at once, or tell the operators."
)


class _TooLargeError(Exception):
    """A result is larger than it may be."""


class JobRunner:
    """Takes jobs and runs them, until cancelled."""

    def __init__(
        self, settings: Settings, pool: Callable[[], Pool], queries: QueryDesk, bell: Bell, clock: Clock
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._queries = queries
        self._bell = bell
        self._clock = clock
        self._wake = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"

    def wake(self) -> None:
        """Look for jobs at once: one was queued."""
        self._wake.set()

    def stop(self, job_id: str) -> None:
        """Give up a job, if it runs here."""
        task = self._tasks.get(job_id)
        if task is not None:
            task.cancel()

    async def run(self) -> None:
        """Run jobs until cancelled; then those at work are left to others."""
        try:
            lease = asyncio.create_task(self._hold(), name="leases of jobs")
            try:
                while True:
                    await self._take_all()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL):
                            await self._wake.wait()
                    self._wake.clear()
            finally:
                lease.cancel()
                await asyncio.gather(lease, return_exceptions=True)
        finally:
            await self._leave()

    async def _take_all(self) -> None:
        """Take jobs while there are places and jobs."""
        try:
            while len(self._tasks) < self._settings.tap_async_at_once:
                job = await store.claim(self._pool(), self._settings, self.worker, self._clock())
                if job is None:
                    return
                task = asyncio.create_task(self._work(job), name=f"job {job.job_id}")
                self._tasks[job.job_id] = task
                task.add_done_callback(partial(self._done, job.job_id))
        except DATABASE_TROUBLES as error:
            log.warning("jobs wait for the database", error=repr(error))

    def _done(self, job_id: str, _task: asyncio.Task[None]) -> None:
        self._tasks.pop(job_id, None)
        self._bell.ring(job_id)
        self.wake()

    async def _hold(self) -> None:
        """Say again and again that we are alive; give up what is ours no more."""
        while True:
            # Often: a job that another process aborted before its query had a name is found out here alone.
            await asyncio.sleep(min(self._settings.tap_lease / 3, POLL))
            if not self._tasks:
                continue
            with suppress(*DATABASE_TROUBLES):
                ours = await store.keep_leases(self._pool(), self.worker, self._settings.tap_lease)
                for job_id in self._tasks.keys() - ours:
                    self.stop(job_id)

    async def _leave(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        with suppress(*DATABASE_TROUBLES):
            await store.hand_back(self._pool(), self.worker)

    async def _work(self, job: Job) -> None:
        """Run one job and note how it went."""
        self._bell.ring(job.job_id)
        folder = job_folder(self._settings, job.job_id)
        part = folder / f"part.{job.attempts}"
        try:
            if job.attempts > MOST_ATTEMPTS:
                await store.fail(self._pool(), job, _KILLED, self._clock())
                return
            try:
                result = await self._make(job, folder, part)
            except ServiceError as error:
                await store.fail(self._pool(), job, str(error.detail), self._clock())
            except DATABASE_TROUBLES as error:
                log.error("a job broke off", job=job.job_id, error=repr(error))
                await store.fail(
                    self._pool(), job, "The database or the disk failed. Try again.", self._clock()
                )
            except Exception as error:
                log.error("a job failed", job=job.job_id, error=repr(error), exc_info=error)
                await store.fail(
                    self._pool(), job, "Something unexpected went wrong; the log has it.", self._clock()
                )
            else:
                await self._keep(job, part, result)
        except DATABASE_TROUBLES as error:
            # Its lease ends, and it is taken up again.
            log.error("a job's end could not be noted", job=job.job_id, error=repr(error))
        finally:
            part.unlink(missing_ok=True)

    async def _keep(self, job: Job, part: Path, result: Result) -> None:
        """Keep the result of a job, if it is still wanted."""
        # Named by the attempt: should somebody else have taken it over, theirs is another file.
        whole = store.result_file(self._settings, job)
        try:
            await asyncio.to_thread(part.replace, whole)
        except FileNotFoundError:
            # The job was destroyed with its folder, and this is noted nowhere; or somebody removed the folder alone.
            await store.fail(self._pool(), job, _REMOVED, self._clock())
            return
        if not await store.complete(self._pool(), job, result, self._clock()):
            whole.unlink(missing_ok=True)

    async def _make(self, job: Job, folder: Path, part: Path) -> Result:
        """Write the result of a job into a file."""
        settings = self._settings
        parameters = Parameters(list(job.parameters), kept_parts(folder, job.parameters))
        question = read_question(parameters, settings)
        asker = await self._asker(job)
        _count, used = await store.count_of(self._pool(), job.asker)
        largest = min(settings.tap_result_size, settings.tap_user_size - used // 1_000_000) * 1_000_000
        if largest <= 0:
            raise BadRequestError(
                f"The results that you keep fill the {settings.tap_user_size} MB that you have. Delete some jobs."
            )
        rows: list[int] = []
        under = Circumstances(
            job.base_url, job.execution_duration, False, label_of(job.job_id), largest, rows.append
        )
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(job.execution_duration):
                async with uploaded(question.uploads, parameters.files, settings) as load:
                    pieces = answer(self._queries, settings, question, asker, under, load)
                    with part.open("wb") as file:
                        size = await _write(pieces, file, largest)
        except TimeoutError as error:
            raise QueryTimeoutError(job.execution_duration, synchronous=False) from error
        except _TooLargeError as error:
            raise BadRequestError(
                f"The result is larger than the {largest // 1_000_000} MB that it may have. Ask for fewer rows or "
                "columns, or for a denser format (votable/b2, parquet)."
            ) from error
        return Result(question.choice.content_type, size, rows[-1])

    async def _asker(self, job: Job) -> Asker:
        """Whom a job runs for, by what they may see now."""
        today = self._clock().date()
        if not self._settings.needs_accounts:
            return Asker(job.account_id, sees_all(today), job.asker)
        pool = self._pool()
        given = await accounts.grants(pool, list(job.shares), self._clock()) if job.shares else {}
        grants: frozenset[str] = frozenset().union(*given.values())
        sight: Sight
        if job.account_id is None:
            sight = nobody(today, grants).sight
        else:
            person = await accounts.person(pool, job.account_id)
            if person is None:
                raise BadRequestError(_GONE)
            sight = sight_of(person, today, grants)
        return Asker(job.account_id, sight, job.asker, job.shares)


async def _write(pieces: AsyncGenerator[bytes, None], file: BinaryIO, largest: int) -> int:
    """Write an answer into a file. Returns its bytes."""
    size = 0
    waiting: list[bytes] = []
    held = 0
    async with aclosing(pieces) as whole:
        async for piece in whole:
            size += len(piece)
            if size > largest:
                raise _TooLargeError
            waiting.append(piece)
            held += len(piece)
            if held >= _BUFFER:
                await asyncio.to_thread(file.write, b"".join(waiting))
                waiting.clear()
                held = 0
    file.write(b"".join(waiting))
    file.flush()
    return size
