"""``paws ingest`` as a process: orderly end, and nothing twice when it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from paws.running import ready_path
from paws.settings import Settings, as_environment
from tests.agents.test_ingest_live import deliver
from tests.support.rawfiles import raw_frame

DEADLINE = 120.0


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from paws.cli import main; main()", "ingest"),
        env=as_environment(settings),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def until_ready(settings: Settings, running: asyncio.subprocess.Process) -> None:
    path = ready_path(settings, "ingest")
    async with asyncio.timeout(DEADLINE):
        while not path.exists() or path.read_text().strip() != str(running.pid):
            assert running.returncode is None
            await asyncio.sleep(0.05)


def settings_for(database: Settings, raw: Path) -> Settings:
    return Settings(
        raw_dirs=(raw,),
        data_dir=database.data_dir,
        database_url=database.database_url,
        ingest_sweep_interval=0.5,
    )


async def test_a_killed_process_goes_on_where_it_ended(database: Settings, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    folder = raw / "260312" / "ccd_1"
    folder.mkdir(parents=True)
    settings = settings_for(database, raw)
    async with process(settings) as running:
        await until_ready(settings, running)
        for run in range(6):
            deliver(folder, f"12mar1{run:04d}.fits", raw_frame(seed=run))
        os.kill(running.pid, signal.SIGKILL)
        await running.wait()
    connection = await asyncpg.connect(database.require_database())
    try:
        async with process(settings) as running, asyncio.timeout(DEADLINE):
            await until_ready(settings, running)
            while await connection.fetchval("SELECT count(*) FROM frame") < 6:  # noqa: ASYNC110 - other processes tell nobody
                await asyncio.sleep(0.05)
            running.send_signal(signal.SIGTERM)
            assert await running.wait() == 0
        ids = await connection.fetch("SELECT event_id FROM outbox WHERE topic = 'frames.arrived'")
        assert len(ids) == 6
        assert len({row["event_id"] for row in ids}) == 6
    finally:
        await connection.close()


async def test_a_wrong_setting_is_one_clear_line(database: Settings, tmp_path: Path) -> None:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from paws.cli import main; main()", "ingest"),
        env=as_environment(database),
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await asyncio.wait_for(running.communicate(), DEADLINE)
    assert running.returncode == 1
    assert stderr.decode().strip() == (
        "paws: No raw folder is named. Give one with --raw DIR, or set PAWS_RAW_DIRS."
    )
