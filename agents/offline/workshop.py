"""One reduction carried out without a database: from raw frames and products to products in the tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from agents.offline.agenda import Ending
from agents.offline.done import Done, DoneList, DoneProduct
from agents.reducer.commands import output_name
from agents.reducer.engines import Engine, EngineResult
from agents.reducer.engines.builtin import KEEP_INTERMEDIATE
from agents.reducer.provenance import Making
from agents.reducer.retry import RetryPolicy, Trouble, decide
from agents.reducer.runner.engine_run import run_logged
from agents.reducer.runner.failure import classify, ends_alike, report
from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.keep import keep
from agents.reducer.runner.prepare import Prepared, prepare
from agents.reducer.runner.workfolder import remove_work_folder
from agents.reducer.store import StoredFile, write_product
from paws.clock import Clock, utc_now
from paws.errors import PawsError
from paws.log import get_logger
from paws.settings import Settings
from schemas.reductions import Reduction, input_keys

log = get_logger(__name__)

_INTERMEDIATE = ("im", "ex")
"""Suffixes of what a reduction leaves besides its product. The tramline map is a product of its own."""


class Workshop:
    """Carries out reductions, several at once.

    Parameters
    ----------
    settings
        Its data folder holds work folders and logs.
    engine
        Started.
    done
        What is done so far; successes are added.
    out
        Folder of products.
    keep_intermediate
        Whether image and extracted frames are laid beside the products.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        engine: Engine,
        done: DoneList,
        out: Path,
        keep_intermediate: bool,
        clock: Clock = utc_now,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._done = done
        self._out = out
        self._keep_intermediate = keep_intermediate
        self._clock = clock
        self._policy = RetryPolicy(settings.runner_attempts, settings.runner_backoff)

    async def reduce(self, reduction: Reduction) -> Ending:
        """Carry out a reduction; what may pass by itself is tried again."""
        attempt = tries = 1
        previous: tuple[str | None, str | None] = (None, None)
        while True:
            log_path = self._log_path(reduction, attempt)
            try:
                self._done.add(await self._attempt(reduction, attempt, log_path))
                return _ending(reduction)
            except Exception as error:
                if not isinstance(error, PawsError | OSError):
                    log.exception("unexpected error", slot=reduction.slot, job=reduction.job_key[:16])
                failure = classify(error)
                same_end = ends_alike(failure, *previous)
                trouble = Trouble(failure.outcome, tries, attempt, failure.counts, same_end)
                decision = decide(trouble, self._policy)
                told = report(failure, decision.reason, str(log_path))
                previous = (failure.code, told)
                tries += failure.counts
                if decision.action == "fail":
                    return replace(_ending(reduction), error=told, log=str(log_path))
            await asyncio.sleep(decision.wait)
            attempt += 1

    async def _attempt(self, reduction: Reduction, attempt: int, log_path: Path) -> Done:
        folder = self._settings.work_dir / f"{reduction.job_key[:16]}-{attempt}"
        try:
            found = self._done.find(input_keys(reduction))
            prepared = await asyncio.to_thread(
                prepare, reduction, found, self._out, folder, runner_identity()
            )
            prepared = replace(prepared, command=(*prepared.command, *self._switches()))
            result = await run_logged(
                self._engine,
                reduction,
                prepared,
                log_path,
                _ignore,
                self._settings.runner_deadline,
                self._clock,
            )
            return await asyncio.to_thread(self._keep, reduction, attempt, log_path, prepared, result)
        finally:
            await asyncio.shield(asyncio.to_thread(remove_work_folder, folder))

    def _switches(self) -> tuple[str, ...]:
        # Not among the parameters: it changes no product, so it must not change the key of the reduction.
        # 2dFdr always writes them.
        if self._engine.name != "builtin":
            return ()
        return (KEEP_INTERMEDIATE, "1" if self._keep_intermediate else "0")

    def _keep(
        self, reduction: Reduction, attempt: int, log_path: Path, prepared: Prepared, result: EngineResult
    ) -> Done:
        making = Making(
            reduction=reduction,
            attempt=attempt,
            inputs=prepared.inputs,
            command=prepared.command,
            engine_seconds=result.seconds,
            made_at=result.finished_at,
            log_path=str(log_path),
        )

        def put(made: Path, path: PurePosixPath) -> StoredFile:
            return StoredFile(path, *write_product(made, self._out / path, making))

        kept = keep(prepared, making, result.started_at.timestamp(), put)
        products = tuple(
            DoneProduct(
                kind=item.kind,
                path=str(item.path),
                made_name=output_name(reduction, item.kind, prepared.files),
                checksum=item.checksum,
                size_bytes=item.size_bytes,
            )
            for item in kept
        )
        self._lay_figures(prepared, products)
        return Done(
            job_key=reduction.job_key,
            night=reduction.night,
            slot=reduction.slot,
            kind=reduction.kind,
            products=products,
            beside=self._lay_intermediate(prepared, products) if self._keep_intermediate else None,
        )

    def _lay_figures(self, prepared: Prepared, products: Sequence[DoneProduct]) -> None:
        """Lay the figures of quality beside the products, where the engine writes any."""
        for product in products:
            made = prepared.folder / f"{PurePosixPath(product.made_name).stem}.quality.json"
            if made.is_file():
                made.replace((self._out / product.path).with_suffix(".quality.json"))

    def _lay_intermediate(self, prepared: Prepared, products: Sequence[DoneProduct]) -> tuple[str, ...]:
        laid = []
        for made, path in intermediate_paths(prepared.files.frames, products):
            if (prepared.folder / made).is_file():
                (prepared.folder / made).replace(self._out / path)
                laid.append(str(path))
        return tuple(laid)

    def _log_path(self, reduction: Reduction, attempt: int) -> Path:
        name = f"{reduction.job_key[:16]}-{attempt}.log"
        return self._settings.logs_dir / "reductions" / reduction.night / name


def intermediate_paths(
    frames: Sequence[str], products: Sequence[DoneProduct]
) -> Iterator[tuple[str, PurePosixPath]]:
    """Intermediate frames that a command on one raw frame may leave, and where they belong. Pure."""
    if len(frames) != 1 or not products:
        return
    path = PurePosixPath(products[0].path)
    stem = path.stem.removesuffix("red").removesuffix("tlm")
    for suffix in _INTERMEDIATE:
        yield f"{PurePosixPath(frames[0]).stem}{suffix}.fits", path.with_name(f"{stem}{suffix}.fits")


def _ending(reduction: Reduction) -> Ending:
    return Ending(reduction.night, reduction.job_key, reduction.slot, reduction.kind)


def _ignore(_line: str) -> None:
    """Output goes to the log only."""
