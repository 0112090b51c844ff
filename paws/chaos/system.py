"""A live system as ``paws up`` starts it, some of whose processes live by a clock of their own.

``python -m paws.chaos.system`` takes its settings from the environment, and from `CLOCKS` the clocks: a JSON
object that gives processes by name the file in which their clock's offset stands (see libfaketime's
``FAKETIME_TIMESTAMP_FILE``). Only those processes see it; the machine's clock is never touched.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from paws.embedded.process import ProcessSpec
from paws.log import configure_logging
from paws.settings import load_settings
from paws.system import live_system

CLOCKS = "CHAOS_CLOCKS"
"""Name of the variable."""

_PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def find_faketime() -> str:
    """Path of libfaketime, as Debian's package of that name installs it; empty when there is none."""
    for place in _PLACES:
        found = sorted(Path("/").glob(place.removeprefix("/")))
        if found:
            return str(found[0])
    return ""


def forget_clocks() -> None:
    """Remove what libfaketime leaves in shared memory of processes that were killed."""
    for pattern in ("faketime_shm_*", "sem.faketime_sem_*"):
        for path in Path("/dev/shm").glob(pattern):  # noqa: S108 - where the library keeps it
            if not Path(f"/proc/{path.name.rpartition('_')[2]}").exists():
                path.unlink(missing_ok=True)


def with_clock(spec: ProcessSpec, file: Path) -> ProcessSpec:
    """A process that reads its clock's offset from a file, again and again."""
    added = {
        "LD_PRELOAD": find_faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        # Looked at every second: at every question for the time it would bring a process of threads to a halt.
        "FAKETIME_CACHE_DURATION": "1",
        # As when a machine's clock is stepped: what measures durations is not touched, nor are files' times.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }

    def environment() -> Mapping[str, str | None]:
        own = spec.environment() if callable(spec.environment) else spec.environment
        return {**own, **added}

    return replace(spec, environment=environment)


async def run() -> None:
    """Run until a signal."""
    settings = load_settings()
    clocks = {name: Path(file) for name, file in json.loads(os.environ.pop(CLOCKS, "{}")).items()}
    configure_logging(settings.log_format, settings.log_level, process="chaos system")

    def adapt(spec: ProcessSpec) -> ProcessSpec:
        return with_clock(spec, clocks[spec.name]) if spec.name in clocks else spec

    async with live_system(settings, adapt=adapt) as system:
        await system.supervisor.wait()


if __name__ == "__main__":
    asyncio.run(run())
