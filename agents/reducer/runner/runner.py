"""One reduction from taken job to registered products. The only place where engine, files and rows meet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path, PurePosixPath

import asyncpg

from agents.reducer.engines import Engine, EngineResult
from agents.reducer.markers import Stage
from agents.reducer.placing import place_slot
from agents.reducer.provenance import Making
from agents.reducer.record import confirm_record, write_record
from agents.reducer.retry import RetryPolicy, Trouble, decide
from agents.reducer.runner.disk import DiskNotices
from agents.reducer.runner.engine_run import run_logged
from agents.reducer.runner.failure import Failure, classify, ends_alike, report
from agents.reducer.runner.keep import NewProduct, keep
from agents.reducer.runner.prepare import Prepared, prepare
from agents.reducer.runner.progress import StageReporter
from agents.reducer.runner.registration import record_of, register
from agents.reducer.runner.service import POSTPONED
from agents.reducer.runner.storage import (
    Begun,
    LostFenceError,
    begin,
    give_back,
    record_failure,
    record_retry,
    report_stage,
)
from agents.reducer.runner.workfolder import prepared_at, remove_work_folder
from agents.reducer.store import DiskFullError, StoredFile, remove_unregistered, store, version_folder
from paws.clock import Clock, utc_now
from paws.database import Pool
from paws.errors import PawsError
from paws.log import get_logger
from paws.settings import Settings
from schemas.reductions import Reduction
from schemas.vocabulary import Outcome

log = get_logger(__name__)

_DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.PostgresSystemError,
)


_AWAY_PAUSE = 0.5
"""Between two tries to write something down while the database is away, s."""


class TryAgainLater(Exception):  # noqa: N818 - no error: an instruction to the queue
    """The queue is to give the job again after some seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"again in {wait:g} s")
        self.wait = timedelta(seconds=wait)


class Runner:
    """Carries out reductions, several at once.

    Parameters
    ----------
    identity
        Who this runner is; see `agents.reducer.runner.identity`.

    Attributes
    ----------
    working
        Keys of the reductions that it is doing now.
    """

    def __init__(
        self, *, settings: Settings, pool: Pool, engine: Engine, identity: str, clock: Clock = utc_now
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._engine = engine
        self._identity = identity
        self._clock = clock
        self._disk = DiskNotices(settings, pool, identity)
        self.working: set[str] = set()
        self._policy = RetryPolicy(settings.runner_attempts, settings.runner_backoff)
        # Relative names in the database are resolved against it, also in other folders.
        self._data_dir = settings.data_dir.absolute()
        self._versions_dir = settings.versions_dir.absolute()

    async def reduce(self, job_key: str, queue_job_id: int | None = None) -> None:
        """Carry out a reduction, once, whatever became of earlier tries.

        Raises
        ------
        TryAgainLater
            If the queue is to give the job again.
        """
        begun = await begin(self._pool, job_key, self._identity, queue_job_id, self._policy, self._clock())
        if begun.decision.action == "postpone":
            raise TryAgainLater(POSTPONED)
        if begun.decision.action == "place":
            await self.place(begun.slot)
        if begun.decision.action != "start":
            log.info("not started", job=job_key[:16], slot=begun.slot, reason=begun.decision.reason)
            return
        assert begun.reduction is not None
        self.working.add(job_key)
        try:
            await self._carry_out(begun, begun.reduction)
        finally:
            self.working.discard(job_key)

    async def _carry_out(self, begun: Begun, reduction: Reduction) -> None:
        try:
            registered = await self._attempt(begun, reduction)
        except LostFenceError as error:
            log.warning("thrown away", job=reduction.job_key[:16], reason=error.message)
            return
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(begun))
            raise
        except Exception as error:
            await self._settle_failure(begun, reduction, error)
            return
        await self._show(begun, registered)

    async def look_at_disk(self) -> None:
        """Tell people when there is no room for reductions, and when there is again."""
        await self._disk.look(self._clock())

    async def place(self, slot: str) -> None:
        """Make the tree agree with the database for a slot."""
        await place_slot(self._pool, self._settings, slot)

    async def _attempt(self, begun: Begun, reduction: Reduction) -> set[str]:
        folder = self._settings.work_dir.absolute() / f"{reduction.job_key[:16]}-{begun.attempt}"
        log_path = self._log_path(begun, reduction)
        try:
            prepared = await asyncio.to_thread(
                prepare, reduction, begun.inputs, self._data_dir, folder, self._identity
            )
            result = await self._run_engine(begun, reduction, prepared)
            products = await asyncio.to_thread(self._keep, begun, reduction, prepared, result)
            at = self._clock()
            version = version_folder(self._versions_dir, reduction.job_key, begun.attempt)
            record = record_of(begun, products, result, str(log_path), at)
            await asyncio.to_thread(write_record, version, record)
            known = await register(self._pool, begun, products, result, str(log_path), at)
            await asyncio.to_thread(_confirm, version)
        finally:
            await asyncio.shield(asyncio.to_thread(remove_work_folder, folder))
        log.info(
            "reduced",
            job=reduction.job_key[:16],
            slot=begun.slot,
            kind=reduction.kind.value,
            attempt=begun.attempt,
            engine_seconds=round(result.seconds, 3),
        )
        return {PurePosixPath(path).parent.name for path in known}

    async def _show(self, begun: Begun, registered: set[str]) -> None:
        """Place what is registered, and clear away what earlier attempts stored without registering it."""
        assert begun.reduction is not None
        try:
            await self.place(begun.slot)
        except Exception as error:
            # It is registered, so the next try only places it.
            log.warning("could not be placed", slot=begun.slot, error=str(error))
            raise TryAgainLater(1.0) from error
        await asyncio.to_thread(
            remove_unregistered,
            self._settings.versions_dir,
            begun.reduction.job_key,
            registered,
            begun.attempt,
        )

    async def _run_engine(self, begun: Begun, reduction: Reduction, prepared: Prepared) -> EngineResult:
        async def tell(stage: Stage) -> None:
            await report_stage(
                self._pool, reduction, begun.attempt, stage.name, stage.progress, self._clock()
            )

        reporter = StageReporter(tell)
        log_path = self._data_dir / self._log_path(begun, reduction)
        async with reporter.reporting():
            return await run_logged(
                self._engine,
                reduction,
                prepared,
                log_path,
                reporter.feed,
                self._settings.runner_deadline,
                self._clock,
            )

    def _keep(
        self, begun: Begun, reduction: Reduction, prepared: Prepared, result: EngineResult
    ) -> list[NewProduct]:
        """Check what the command left and put it into the store."""
        making = Making(
            reduction=reduction,
            attempt=begun.attempt,
            inputs=prepared.inputs,
            command=prepared.command,
            engine_seconds=result.seconds,
            made_at=result.finished_at,
            log_path=str(self._log_path(begun, reduction)),
        )

        def put(made: Path, _path: PurePosixPath) -> StoredFile:
            return store(made, made.name, making, self._data_dir, self._versions_dir)

        # Not by our clock, which may have been stepped since, or differ from the file server's.
        return keep(prepared, making, prepared_at(prepared.folder), put)

    async def _settle_failure(self, begun: Begun, reduction: Reduction, error: Exception) -> None:
        failure = _classify(error)
        same_end = begun.tries > 1 and ends_alike(failure, begun.previous_code, begun.previous_error)
        trouble = Trouble(
            failure.outcome, begun.tries, begun.attempt, failure.counts, same_end, failure.killed
        )
        decision = decide(trouble, self._policy)
        outcome, code = (Outcome.PERMANENT if same_end else failure.outcome), failure.code
        log_path = str(self._log_path(begun, reduction))
        told = report(failure, decision.reason, log_path)
        log.log(
            30 if decision.action == "retry" else 40,
            "a try went wrong",
            job=reduction.job_key[:16],
            slot=begun.slot,
            attempt=begun.attempt,
            code=code,
            error=failure.sentence,
            next=decision.reason,
            exc_info=error if not isinstance(error, PawsError) else None,
        )
        if code == DiskFullError.code:
            await self._disk.found_full(failure.sentence, self._clock())
        try:
            if decision.action == "retry":
                await self._patiently(
                    lambda: record_retry(
                        self._pool, begun, outcome, code, told, log_path, self._clock(), counts=failure.counts
                    )
                )
                raise TryAgainLater(decision.wait)
            await record_failure(self._pool, begun, outcome, code, told, log_path, self._clock())
        except LostFenceError as lost:
            log.warning("not recorded", job=reduction.job_key[:16], reason=lost.message)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Write down what happened, also when the database goes away just now: people want to see it."""
        until = time.monotonic() + self._settings.database_deadline
        while True:
            try:
                return await work()
            except (*_DATABASE_AWAY, OSError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_AWAY_PAUSE)

    async def _hand_back(self, begun: Begun) -> None:
        try:
            await give_back(self._pool, begun, self._clock())
        except Exception as error:
            # The lease runs out by itself then.
            log.warning("could not be handed back", slot=begun.slot, error=str(error))

    def _log_path(self, begun: Begun, reduction: Reduction) -> Path:
        """Log of an attempt, relative to the data folder."""
        return (
            self._settings.logs_dir.relative_to(self._settings.data_dir)
            / "reductions"
            / reduction.night
            / f"{reduction.job_key[:16]}-{begun.attempt}.log"
        )


def _confirm(version: Path) -> None:
    try:
        confirm_record(version)
    except OSError as error:
        # It is registered all the same, and a pending record of what is registered counts too.
        log.warning("a record could not be confirmed", folder=str(version), error=str(error))


def _classify(error: Exception) -> Failure:
    if isinstance(error, _DATABASE_AWAY):
        return Failure(Outcome.RETRIABLE, "database", f"The database went away: {error}.", counts=False)
    return classify(error)
