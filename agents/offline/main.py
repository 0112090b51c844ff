"""The whole night: find the frames, plan, reduce what is ready, until nothing is left."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.offline.agenda import Agenda, Ending
from agents.offline.done import DoneList
from agents.offline.scan import Scan, scan
from agents.offline.summary import NightSummary
from agents.offline.workshop import Workshop
from agents.reducer.engines import create_engine
from agents.reducer.runner.workfolder import remove_stale_folders
from paws.embedded.errors import DataFolderBusyError
from paws.embedded.lock import DataLock
from paws.errors import InvalidInputError, PermanentError
from paws.matching.policy import MatchPolicy
from paws.settings import Settings
from schemas.frames import Frame

KEEPING = ".paws"
"""Folder below that of the products for the list of what is done, logs and work folders."""

DONE_LIST = "done.jsonl"
"""File in `KEEPING`."""

_TORN = re.compile(r"\..+\.fits\.[0-9a-f]{8}")
"""Names under which products are written until they are whole."""


class OutputBusyError(PermanentError):
    """Another process reduces into the same folder."""

    code = "output_busy"


class Watcher(Protocol):
    """Told how far the work has come."""

    def scanned(self, done: int, total: int) -> None:
        """So many files were read."""

    def reduced(self, done: int, total: int) -> None:
        """So many of the reductions wanted are done."""


@dataclass(frozen=True)
class Request:
    """What to reduce, where to, and how.

    Attributes
    ----------
    jobs
        Reductions at once.
    choose
        Chooses among the frames that lie there; may raise `InvalidInputError`.
    """

    night_dir: Path
    out: Path
    jobs: int
    keep_intermediate: bool = False
    choose: Callable[[Sequence[Frame]], Sequence[Frame]] = tuple


async def reduce_night(request: Request, settings: Settings, watcher: Watcher) -> NightSummary:
    """Reduce every frame below a folder that can be reduced, and is not yet.

    Parameters
    ----------
    settings
        Its data folder is `KEEPING` below the folder of products.

    Raises
    ------
    InvalidInputError
        If a folder cannot be used.
    ConfigurationError
        If the engine does not start.
    OutputBusyError
        If another process reduces into the same folder.
    """
    began = time.monotonic()
    _check_folders(request)
    with _alone_in(request.out, settings.data_dir):
        found = await scan(
            request.night_dir, request.out, settings.site_longitude, request.jobs, watcher.scanned
        )
        await asyncio.to_thread(_clear_away, request.out, settings)
        done = await asyncio.to_thread(
            DoneList.read,
            settings.data_dir / DONE_LIST,
            request.out,
            with_intermediate=request.keep_intermediate,
        )
        frames = request.choose(found.frames)
        if not frames:
            return NightSummary([], found.rejected, found.not_ours, [], 0, 0, time.monotonic() - began)
        # One engine is started here, for all nights.
        policy = MatchPolicy.of(settings.model_copy(update={"engine_nights": {}}))
        agenda = Agenda(frames, done.endings, policy)
        endings = await _work_off(agenda, request, settings, done, watcher)
    return _summary(agenda, found, done, endings, time.monotonic() - began)


async def _work_off(
    agenda: Agenda, request: Request, settings: Settings, done: DoneList, watcher: Watcher
) -> list[Ending]:
    first = agenda.next(request.jobs)
    watcher.reduced(*agenda.progress)
    if not first:
        return []
    engine = create_engine(settings)
    workshop = Workshop(
        settings=settings,
        engine=engine,
        done=done,
        out=request.out,
        keep_intermediate=request.keep_intermediate,
    )
    endings: list[Ending] = []
    running = set()
    try:
        await engine.start()
        running = {asyncio.create_task(workshop.reduce(item)) for item in first}
        while running:
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                endings.append(task.result())
                agenda.take(endings[-1])
            running |= {
                asyncio.create_task(workshop.reduce(item))
                for item in agenda.next(request.jobs - len(running))
            }
            watcher.reduced(*agenda.progress)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await engine.close()
    return endings


def _summary(
    agenda: Agenda, found: Scan, done: DoneList, endings: list[Ending], seconds: float
) -> NightSummary:
    return NightSummary(
        outcomes=agenda.outcomes(),
        rejected=found.rejected,
        not_ours=found.not_ours,
        failures=[item for item in endings if not item.succeeded],
        made=sum(item.succeeded for item in endings),
        products=done.count_products(key for _, key in agenda.wanted),
        seconds=seconds,
        wanted=frozenset(key for _, key in agenda.wanted),
    )


def _check_folders(request: Request) -> None:
    if not request.night_dir.is_dir():
        raise InvalidInputError(f"There is no folder {request.night_dir}. Name a folder of raw frames.")
    if request.out.resolve() == request.night_dir.resolve():
        raise InvalidInputError(
            f"Products would lie among the raw frames of {request.night_dir}. Name another folder with --out."
        )


@contextmanager
def _alone_in(out: Path, keeping: Path) -> Iterator[None]:
    lock = DataLock(keeping)
    try:
        lock.acquire(patience=5.0)
    except DataFolderBusyError:
        holder = lock.holder()
        raise OutputBusyError(
            f"{out} is in use by process {holder.pid} ({holder.command}), since {holder.since}. Wait until it ends, "
            "or name another folder with --out."
        ) from None
    except OSError as error:
        raise InvalidInputError(
            f"{out} cannot be written: {error.strerror}. Name another folder with --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _clear_away(out: Path, settings: Settings) -> None:
    """Remove what a killed run left: work folders and half-written products."""
    remove_stale_folders(settings.work_dir)
    # Those of other machines, too: nobody else works here.
    shutil.rmtree(settings.work_dir, ignore_errors=True)
    for folder in (path for path in out.iterdir() if path.is_dir() and path.name != KEEPING):
        for path in folder.rglob(".*"):
            if _TORN.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)
