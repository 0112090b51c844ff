"""Jobs whose time is over go, with their results; others stay."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from agents.tidy.main import TidyReport, _jobs
from paws.vo.jobs import job_folder, spool_folder
from tests.support.people import House
from tests.vo.conftest import as_program
from tests.vo.test_tap_jobs import create, run

OLD = time.time() - 3 * 86_400


async def test_jobs_go_when_their_time_is_over(vo: House):
    client = as_program(vo, address="198.51.100.20")
    over, kept = await create(client, DESTRUCTION="2026-03-13T02:00:30Z"), await create(client)
    for path in (over, kept):
        assert await run(client, path) == "COMPLETED"
    names = [path.rsplit("/", 1)[-1] for path in (over, kept)]
    folders = [job_folder(vo.settings, name) for name in names]
    stranger = job_folder(vo.settings, "00" * 16)
    stranger.mkdir(parents=True)
    spool = spool_folder(vo.settings)
    spool.mkdir(parents=True, exist_ok=True)
    fresh, torn = spool / "part-fresh", spool / "part-torn"
    fresh.touch()
    torn.write_bytes(b"half")
    for path in (torn, stranger):
        os.utime(path, (OLD, OLD))

    vo.clock.now += timedelta(minutes=1)
    for dry_run in (True, False):
        report = TidyReport()
        await _jobs(vo.pool, vo.settings, report, dry_run=dry_run, clock=vo.clock)
        assert names[0] in report.jobs
        assert names[1] not in report.jobs
        assert [folder.exists() for folder in folders] == [dry_run, True]
        assert (stranger.exists(), torn.exists(), fresh.exists()) == (dry_run, dry_run, True)
    fresh.unlink()
