"""One command in its engine: its whole output in a log, its end judged. Knows no database."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from agents.reducer.check import judge
from agents.reducer.engines import Engine, EngineResult
from agents.reducer.engines.base import EngineAwayError, OnLine
from agents.reducer.runner.prepare import Prepared
from agents.reducer.runner.progress import CommandLog
from agents.reducer.store import DiskFullError
from paws.clock import Clock
from paws.errors import PawsError, RetriableError
from schemas.reductions import Reduction

LEAST_ROOM = 64 << 20
"""Free bytes below which a failure is put down to the disk: less than the products of one command."""


async def run_logged(
    engine: Engine,
    reduction: Reduction,
    prepared: Prepared,
    log_path: Path,
    on_line: OnLine,
    deadline: float,
    clock: Clock,
) -> EngineResult:
    """Run the command of a reduction; every line of it goes to its log and to `on_line`.

    Raises
    ------
    PawsError
        If the command did not succeed; command and last lines are in its context.
    """
    try:
        return await _run(engine, reduction, prepared, log_path, on_line, deadline, clock)
    except PawsError as error:
        error.context.setdefault("command", prepared.command)
        if isinstance(error, RetriableError) and not isinstance(error, EngineAwayError):
            await asyncio.to_thread(_refuse_full_disk, prepared.folder, error)
        raise


def _refuse_full_disk(folder: Path, error: PawsError) -> None:
    """A program that finds no room fails in ways that look like its own faults."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free < LEAST_ROOM:
        raise DiskFullError(
            f"{error.message.rstrip('.')}. There are only {free >> 20} MB left for {folder}. Make room; it is tried again.",
            **error.context,
        ) from error


async def _run(
    engine: Engine,
    reduction: Reduction,
    prepared: Prepared,
    log_path: Path,
    on_line: OnLine,
    deadline: float,
    clock: Clock,
) -> EngineResult:
    command_log = await asyncio.to_thread(CommandLog, log_path)

    def line(text: str) -> None:
        command_log.line(text)
        on_line(text)

    try:
        command_log.note(clock(), f"{reduction.engine} {' '.join(map(repr, prepared.command))}")
        result = await engine.run(prepared.command, prepared.folder, line, deadline)
        command_log.note(clock(), f"exit status {result.exit_status} after {result.seconds:.3f} s")
    except Exception as error:
        command_log.note(clock(), f"{type(error).__name__}: {error}")
        raise
    finally:
        command_log.close()
    failure = judge(reduction.kind.value, result, engine.invalid_status)
    if failure is not None:
        failure.context["tail"] = list(result.tail)
        raise failure
    return result
