"""Real processes for benchmarks, and what they cost."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from paws.settings import Settings, as_environment
from web.server import bind

TICK = os.sysconf("SC_CLK_TCK")


def process_figures(pid: int) -> tuple[float, float]:
    """CPU time, s, and resident memory, MB, of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / TICK, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def a_web_process(settings: Settings, log: Path) -> AsyncIterator[tuple[int, int]]:
    """The web server in a process of its own: its number, and its port."""
    with bind(settings.model_copy(update={"web_port": 0})) as listener:
        port = listener.getsockname()[1]
    settings = settings.model_copy(update={"web_port": port})
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "paws", "web",
            env={**os.environ, **as_environment(settings)}, stdout=stream, stderr=stream,
        )  # fmt: skip
        try:
            async with asyncio.timeout(90):
                while True:
                    try:
                        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        assert process.returncode is None, f"the web process ended: see {log}"
                        await asyncio.sleep(0.1)
                        continue
                    writer.close()
                    break
            yield process.pid, port
        finally:
            process.terminate()
            await process.wait()
