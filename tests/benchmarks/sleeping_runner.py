"""A runner whose engine sleeps: ``python -m tests.benchmarks.sleeping_runner SECONDS PRODUCT``.

Each command takes so long and leaves a copy of a small product. The process says ``ready`` when it takes jobs, and at
its end the processor time that it used since, in seconds.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agents.reducer.engines import EngineResult
from agents.reducer.runner.worker import run_runner
from paws.log import configure_logging
from paws.settings import load_settings
from tests.support.reductions import output_of


class SleepingEngine:
    """Does nothing, for some time."""

    name = "builtin"
    invalid_status = frozenset({2})

    def __init__(self, seconds: float, product: Path) -> None:
        self._seconds, self._product = seconds, product

    async def start(self) -> None:
        """Nothing to do."""

    def grow(self, slots: int) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def run(
        self, command: Sequence[str], cwd: Path, on_line: Callable[[str], None], deadline: float
    ) -> EngineResult:
        """Sleep, then leave the product."""
        started = datetime.now(UTC)
        await asyncio.sleep(self._seconds)
        shutil.copyfile(self._product, cwd / output_of(command))
        on_line('Action "EXIT", Task "CMD00001", completed.')
        return EngineResult(0, True, started, datetime.now(UTC))


def main() -> None:
    """Run until SIGTERM."""
    configure_logging(level="WARNING")
    used = 0.0

    def ready() -> None:
        nonlocal used
        used = time.process_time()
        print("ready", flush=True)

    engine = SleepingEngine(float(sys.argv[1]), Path(sys.argv[2]))
    asyncio.run(run_runner(load_settings(), engine=engine, ready=ready))
    print(time.process_time() - used, flush=True)


if __name__ == "__main__":
    main()
