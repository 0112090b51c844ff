"""An engine in a process that a test kills: a busy container, an idle one, and then silence.

``python -m tests.containers.runner_that_dies SETTINGS_JSON`` prints ``busy`` once a command hangs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from agents.reducer.engines.docker import DockerEngine
from paws.engines import engine_reference
from paws.settings import load_settings


async def main(options: dict[str, object]) -> None:
    settings = load_settings(**options)
    engine = DockerEngine(settings, engine_reference(settings))
    await engine.start()
    folders = [settings.work_dir / f"fedcba9876543210-{number}" for number in (1, 2)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "frame.fits").write_text("raw")
    begun = asyncio.Event()
    hanging = asyncio.create_task(engine.run(["hang"], folders[0], lambda _: begun.set(), 600))
    await begun.wait()
    await engine.run(["help"], folders[1], lambda _: None, 60)
    print("busy", flush=True)
    await hanging


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    asyncio.run(main({**options, "data_dir": Path(options["data_dir"])}))
