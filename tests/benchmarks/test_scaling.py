"""How runners scale. Prints figures; asserts only that the work was done."""

from __future__ import annotations

import json
import os

import pytest

from paws.database import open_pool
from tests.benchmarks.scaling import measure

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(1800)]

RUNNERS = [int(item) for item in os.environ.get("BENCH_RUNNERS", "1,2,4,8,16,32").split(",")]
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))


@pytest.mark.parametrize("runners", RUNNERS)
async def test_throughput_against_runners(database, tmp_path, runners):
    async with open_pool(database) as pool:
        figures = await measure(database, pool, tmp_path / "raw", runners, 6, SECONDS)
        print("scaling", json.dumps(figures.as_dict()))
        rows = await pool.fetch("SELECT state, attempt FROM reduction")
        assert {(row["state"], row["attempt"]) for row in rows} == {("succeeded", 1)}


async def test_cost_of_a_job_besides_the_engine(database, tmp_path):
    async with open_pool(database) as pool:
        figures = await measure(database, pool, tmp_path / "raw", 1, 300, 0.0)
        print("cost", json.dumps(figures.as_dict()))
        assert await pool.fetchval("SELECT count(*) FROM product WHERE current") == 300
