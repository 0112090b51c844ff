"""Our TAP service side by side with GAVO DaCHS: the same 200,000 rows, the same questions, one run.

``apt-get install gavodachs2-server`` and a running cluster (``pg_ctlcluster 15 main start``); without it our figures
are printed alone. ``BENCH_SECONDS`` sets how long cones are asked (10).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table

from paws.settings import Settings, as_environment
from tests.benchmarks import dachs, stars
from tests.benchmarks.processes import a_web_process, process_figures

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(1800)]

ROWS = 200_000
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
FORMS = ("votable", "votable/b2", "csv")


async def figures(service: stars.Service, table: Table) -> dict[str, Any]:
    """Everything that is measured of a service."""
    found: dict[str, Any] = {"cones": {}}
    for clients in (1, 4, 16):
        found["cones"][clients] = rounded(await stars.cone_times(service, clients, SECONDS))
    for rows in (1000, 20_000):
        try:
            times = [await stars.upload_join(service, stars.upload_of(table, rows)) for _ in range(3)]
            found[f"upload {rows}"] = {
                "s": rounded(statistics.median(time for time, _ in times)),
                "pairs": times[0][1],
            }
        except AssertionError as error:
            found[f"upload {rows}"] = str(error)[-200:]
    found["async s"] = rounded(statistics.median([await stars.async_round_trip(service) for _ in range(5)]))
    for form in FORMS:
        seconds, size = await stars.whole_table(service, form)
        found[form] = {"s": rounded(seconds), "MB": rounded(size / 1e6)}
    return found


def rounded(value: Any) -> Any:
    return (
        {name: round(number, 2) for name, number in value.items()}
        if isinstance(value, dict)
        else round(value, 3)
    )


def take_in(settings: Settings, csv: Path) -> float:
    """Publish the table by the command, and say the seconds it took."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "paws", "tap", "publish", str(csv), "--table", "bench.stars"],
        env={**os.environ, **as_environment(settings)},
        check=True,
        timeout=600,
    )
    return time.perf_counter() - start


async def test_beside_dachs(database: Settings, tmp_path: Path) -> None:
    table = stars.stars(ROWS)
    csv = tmp_path / "stars.csv"
    stars.write_csv(table, csv)
    report: dict[str, Any] = {}
    ours = database.model_copy(update={"tap_sync_per_user": 16})
    took = take_in(ours, csv)
    async with a_web_process(ours, tmp_path / "web.log") as (pid, port):
        service = stars.Service("ours", f"http://127.0.0.1:{port}/tap", "bench.stars")
        await stars.cone_times(service, 1, 1)
        before = process_figures(pid)[1]
        report["ours"] = {"import s": rounded(took), **await figures(service, table)}
        report["ours"]["memory MB"] = {"before": round(before), "after": round(process_figures(pid)[1])}
    if dachs.is_here():
        took = dachs.take_in(csv)
        with dachs.serving(tmp_path / "dachs.log") as peer:
            await stars.cone_times(peer, 1, 1)
            report["DaCHS"] = {"import s": rounded(took), **await figures(peer, table)}
    report["load"] = os.getloadavg()[0]
    print(json.dumps(report, indent=1))
