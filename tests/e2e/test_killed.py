"""Processes killed during a night, without warning: the same night in the end, and nothing twice."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from tests.e2e.conftest import NIGHT, wait_for_night
from tests.support.live import paws, product_set, summary_of, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def reduced(running) -> int:
    return running.query("SELECT count(*) AS n FROM reduction WHERE state = 'succeeded'")[0]["n"]


def kill(running, process: str) -> None:
    """Kill a process of the running system, and wait until another has taken its place."""

    def killed() -> int | None:
        pid = running.runtime().pids.get(process)
        with contextlib.suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                return pid
        return None

    # It may just be starting anew by itself, as a worker does that misses a message.
    victim = wait_until(f"{process} is there to be killed", killed)
    wait_until(f"{process} runs again", lambda: running.runtime().pids.get(process) not in (None, victim))


def test_killed_processes_change_nothing_in_the_end(quiet_night, folder):
    data = folder / "killed"
    with paws(["demo", *NIGHT, "--cadence", "2", "--data", str(data)], data) as running:
        running.ready()
        for number, process in enumerate(["worker", "runner", "web", "runner", "ingest", "worker"], start=1):
            wait_until(f"{number * 3} reductions", lambda number=number: reduced(running) >= number * 3)
            kill(running, process)
        wait_for_night(running)
        assert product_set(running) == product_set(quiet_night)
        twice = running.query("SELECT job_key, kind FROM product GROUP BY job_key, kind HAVING count(*) > 1")
        assert twice == []
        tree = [path for path in (data / "products").rglob("*.fits") if ".versions" not in path.parts]
        assert len(tree) == running.query("SELECT count(*) AS n FROM product WHERE current")[0]["n"]
        assert not [
            path for path in (data / "products").rglob("*") if path.name.startswith(".") and path.is_file()
        ]


def test_a_killed_system_goes_on_where_it_ended(quiet_night, folder):
    data = folder / "begun"
    arguments = ["demo", *NIGHT, "--cadence", "1", "--data", str(data), "--exit-when-done", "--json"]
    with paws(arguments, data) as running:
        running.ready()
        wait_until("some reductions", lambda: reduced(running) >= 6)
        running.process.kill()
        running.process.wait()
    with paws(arguments, data) as again:
        summary = summary_of(again.finish())
    assert summary["failed"] == summary["waiting"] == summary["duplicates"] == 0
    assert summary["reduced"] == summary["frames"] == 20
    assert summary["products"] == len(product_set(quiet_night))
