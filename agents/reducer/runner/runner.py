"""One reduction from taken job to registered products. The only place where engine, files and rows meet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

import asyncpg

from agents.reducer.check import check_product, judge
from agents.reducer.commands import WorkFiles, command_line, input_keys, output_name, plain_names
from agents.reducer.engines import Engine, EngineResult
from agents.reducer.markers import Stage
from agents.reducer.placing import place_slot
from agents.reducer.provenance import InputFile, Making, document
from agents.reducer.retry import RetryPolicy, decide
from agents.reducer.runner.progress import CommandLog, StageReporter
from agents.reducer.runner.quality import read_quality
from agents.reducer.runner.registration import NewProduct, register
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
from agents.reducer.runner.workfolder import (
    InputGoneError,
    ManifestEntry,
    make_work_folder,
    plain_name,
    remove_work_folder,
)
from agents.reducer.store import remove_unregistered, store
from paws.clock import Clock, utc_now
from paws.database import Pool
from paws.errors import InvalidInputError, PawsError
from paws.log import get_logger
from paws.settings import Settings
from schemas.layout import product_path
from schemas.reductions import ProductInput, Reduction
from schemas.vocabulary import Outcome

log = get_logger(__name__)

_TAIL_IN_REPORT = 5
_DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)


class TryAgainLater(Exception):  # noqa: N818 - no error: an instruction to the queue
    """The queue is to give the job again after some seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"again in {wait:g} s")
        self.wait = timedelta(seconds=wait)


@dataclass(frozen=True)
class Prepared:
    """A work folder with its files, and the command to run in it."""

    folder: Path
    files: WorkFiles
    inputs: tuple[InputFile, ...]
    command: tuple[str, ...]


class Runner:
    """Carries out reductions, several at once.

    Parameters
    ----------
    identity
        Who this runner is; see `agents.reducer.runner.identity`.
    """

    def __init__(
        self, *, settings: Settings, pool: Pool, engine: Engine, identity: str, clock: Clock = utc_now
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._engine = engine
        self._identity = identity
        self._clock = clock
        self._policy = RetryPolicy(settings.runner_attempts, settings.runner_backoff)
        # Relative names in the database are resolved against it, also in other folders.
        self._data_dir = settings.data_dir.absolute()

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
        try:
            registered = await self._attempt(begun, begun.reduction)
        except LostFenceError as error:
            log.warning("thrown away", job=job_key[:16], reason=error.message)
            return
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(begun))
            raise
        except Exception as error:
            await self._settle_failure(begun, begun.reduction, error)
            return
        await self._show(begun, registered)

    async def place(self, slot: str) -> None:
        """Make the tree agree with the database for a slot."""
        await place_slot(self._pool, self._settings, slot)

    async def _attempt(self, begun: Begun, reduction: Reduction) -> set[str]:
        folder = self._settings.work_dir.absolute() / f"{reduction.job_key[:16]}-{begun.attempt}"
        log_path = self._log_path(begun, reduction)
        try:
            prepared = await asyncio.to_thread(self._prepare, begun, reduction, folder)
            result = await self._run_engine(begun, reduction, prepared)
            failure = judge(reduction.kind.value, result, self._engine.invalid_status)
            if failure is not None:
                failure.context["tail"] = list(result.tail)
                raise failure
            products = await asyncio.to_thread(self._keep, begun, reduction, prepared, result)
            known = await register(self._pool, begun, products, result, str(log_path), self._clock())
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

    def _prepare(self, begun: Begun, reduction: Reduction, folder: Path) -> Prepared:
        if begun.missing:
            missing = ", ".join(f"{item.kind.value} of {item.job_key[:16]}" for item in begun.missing)
            raise InputGoneError(
                f"Products that are needed are not registered: {missing}. Reprocess what makes them."
            )
        by_product = {item.product: item for item in begun.inputs}
        products = [by_product[wanted] for wanted in input_keys(reduction)]
        names = plain_names(
            [plain_name(frame.name) for frame in reduction.frames]
            + [PurePosixPath(item.stored_path).name for item in products]
        )
        split = len(reduction.frames)
        name_of: dict[ProductInput, str] = {
            item.product: name for item, name in zip(products, names[split:], strict=True)
        }
        role_of = {choice.product: choice.role for choice in reduction.calibrations}
        manifest: list[ManifestEntry] = [
            ManifestEntry(name, Path(frame.path), frame.checksum, verify=True)
            for frame, name in zip(reduction.frames, names[:split], strict=True)
        ] + [
            ManifestEntry(
                name_of[item.product], self._data_dir / item.stored_path, item.checksum, verify=False
            )
            for item in products
        ]
        files = WorkFiles(
            frames=tuple(names[:split]),
            inputs=tuple(name_of[item] for item in reduction.inputs),
            calibrations={role: name_of[product] for product, role in role_of.items()},
        )
        command = command_line(reduction, files)
        make_work_folder(folder, self._identity, manifest)
        inputs = [
            InputFile(name, frame.checksum, frame.frame_id, "raw")
            for frame, name in zip(reduction.frames, names[:split], strict=True)
        ] + [
            InputFile(
                name_of[item.product],
                item.checksum,
                item.product.job_key,
                role_of[item.product].value if item.product in role_of else "input",
            )
            for item in products
        ]
        return Prepared(folder, files, tuple(inputs), tuple(command))

    async def _run_engine(self, begun: Begun, reduction: Reduction, prepared: Prepared) -> EngineResult:
        async def tell(stage: Stage) -> None:
            await report_stage(
                self._pool, reduction, begun.attempt, stage.name, stage.progress, self._clock()
            )

        reporter = StageReporter(tell)
        path = self._data_dir / self._log_path(begun, reduction)
        command_log = await asyncio.to_thread(CommandLog, path)

        def on_line(line: str) -> None:
            command_log.line(line)
            reporter.feed(line)

        try:
            command_log.note(self._clock(), f"{reduction.engine} {' '.join(map(repr, prepared.command))}")
            async with reporter.reporting():
                result = await self._engine.run(
                    prepared.command, prepared.folder, on_line, self._settings.runner_deadline
                )
            command_log.note(self._clock(), f"exit status {result.exit_status} after {result.seconds:.3f} s")
        except Exception as error:
            command_log.note(self._clock(), f"{type(error).__name__}: {error}")
            raise
        finally:
            command_log.close()
        return result

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
        products: list[NewProduct] = []
        for kind in reduction.products:
            made = prepared.folder / output_name(reduction, kind, prepared.files)
            facts = check_product(made, kind, result.started_at.timestamp())
            try:
                path = product_path(kind, reduction.layout)
            except ValueError as error:
                raise InvalidInputError(f"The product has no place: {error}.") from error
            stored = store(made, made.name, making, self._data_dir, self._settings.versions_dir.absolute())
            products.append(
                NewProduct(
                    kind=kind,
                    path=path,
                    stored_path=stored.path,
                    checksum=stored.checksum,
                    size_bytes=stored.size_bytes,
                    quality={
                        **read_quality(made),
                        "shape": list(facts.shape),
                        "finite_fraction": round(facts.finite_fraction, 4),
                    },
                    provenance=document(making),
                )
            )
        return products

    async def _settle_failure(self, begun: Begun, reduction: Reduction, error: Exception) -> None:
        outcome, code, sentence, tail = _classify(error)
        decision = decide(outcome, begun.tries, self._policy)
        log_path = str(self._log_path(begun, reduction))
        report = _report(sentence, decision.reason, tail, log_path)
        log.log(
            30 if decision.action == "retry" else 40,
            "a try went wrong",
            job=reduction.job_key[:16],
            slot=begun.slot,
            attempt=begun.attempt,
            code=code,
            error=sentence,
            next=decision.reason,
            exc_info=error if not isinstance(error, PawsError) else None,
        )
        try:
            if decision.action == "retry":
                await record_retry(self._pool, begun, outcome, code, report, log_path, self._clock())
                raise TryAgainLater(decision.wait)
            await record_failure(self._pool, begun, outcome, code, report, log_path, self._clock())
        except LostFenceError as lost:
            log.warning("not recorded", job=reduction.job_key[:16], reason=lost.message)

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


def _classify(error: Exception) -> tuple[Outcome, str, str, list[str]]:
    if isinstance(error, PawsError):
        return error.outcome, error.code, error.message, [str(line) for line in error.context.get("tail", [])]
    if isinstance(error, _DATABASE_AWAY):
        return Outcome.RETRIABLE, "database", f"The database went away: {error}.", []
    if isinstance(error, OSError):
        return Outcome.RETRIABLE, "file_system", f"A file could not be read or written: {error}.", []
    return Outcome.PERMANENT, "internal", f"An unexpected error ({type(error).__name__}): {error}.", []


def _report(sentence: str, then: str, tail: list[str], log_path: str) -> str:
    """What people read: what went wrong, what follows, the last lines, and where all of them are."""
    sentence = sentence.rstrip()
    lines = [f"{sentence}{'' if sentence.endswith(('.', '!', '?')) else '.'} {then}"]
    if tail:
        lines += ["Last lines:", *(f"  {line[:200]}" for line in tail[-_TAIL_IN_REPORT:])]
    return "\n".join([*lines, f"Log: {log_path}"]).replace("\x00", "")
