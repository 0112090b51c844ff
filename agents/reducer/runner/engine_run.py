"""One command in its engine: its whole output in a log, its end judged. Knows no database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agents.reducer.check import judge
from agents.reducer.engines import Engine, EngineResult
from agents.reducer.engines.base import OnLine
from agents.reducer.runner.prepare import Prepared
from agents.reducer.runner.progress import CommandLog
from paws.clock import Clock
from schemas.reductions import Reduction


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
        If the command did not succeed; the last lines are in its context.
    """
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
