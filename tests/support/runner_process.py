"""A runner in a process of its own, with the fake engine: to be killed by tests.

``python -m tests.support.runner_process SECONDS [GRACE]`` takes its settings from the environment; every command
takes so long, and running ones get so many seconds when it is asked to stop. It says ``ready`` on standard output when it takes jobs, and ``begun`` for each command.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.reducer.engines import EngineResult
from agents.reducer.runner import worker
from paws.log import configure_logging
from paws.settings import load_settings
from tests.support.reductions import FakeEngine


class SlowEngine(FakeEngine):
    """Says when it begins, and takes its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def run(
        self, command: Sequence[str], cwd: Path, on_line: Callable[[str], None], deadline: float
    ) -> EngineResult:
        """Run a command slowly."""
        print("begun", flush=True)
        await asyncio.sleep(self._seconds)
        return await super().run(command, cwd, on_line, deadline)


if __name__ == "__main__":
    configure_logging()
    if len(sys.argv) > 2:
        worker.STOP_GRACE = float(sys.argv[2])
    asyncio.run(
        worker.run_runner(
            load_settings(), engine=SlowEngine(float(sys.argv[1])), ready=lambda: print("ready", flush=True)
        )
    )
