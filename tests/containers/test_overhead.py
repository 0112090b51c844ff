"""What a container costs a command: figures to read, beside the same program without one.

``pytest -m benchmark tests/containers -s``. Goals: 0.15 s warm, 1.5 s cold.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.reducer.engines import EngineResult

pytestmark = [pytest.mark.containers, pytest.mark.benchmark]

COMMANDS = 20


async def _seconds(run, *, skip=2):
    taken = []
    for _ in range(COMMANDS + skip):
        began = time.perf_counter()
        result = await run()
        taken.append(time.perf_counter() - began)
        assert result.exit_status == 0
    return taken[skip:]


async def _alone(program):
    process = await asyncio.create_subprocess_exec(program, "help", stdout=asyncio.subprocess.DEVNULL)
    return EngineResult(await process.wait(), True, datetime.now(UTC), datetime.now(UTC))


def _told(name, taken, without):
    over = [item - without for item in taken]
    line = f"{name}: {without:.3f} s alone, and more in it: median {statistics.median(over):.3f} s, 90 % within {statistics.quantiles(over, n=10)[-1]:.3f} s"
    print(f"\n{line}")
    return statistics.median(over)


async def test_overhead_of_containers(bench_of, stand_in, tmp_path):
    program = tmp_path / "aaorun"
    program.write_bytes((Path(__file__).parent / "aaorun.py").read_bytes())
    program.chmod(0o755)
    without = statistics.median(await _seconds(lambda: _alone(program)))
    warm = await bench_of(docker_commands=1000)
    figures = [_told("warm container", await _seconds(lambda: warm.run("help")), without)]

    def folder_of_eight() -> Path:
        return warm.folder(**{f"file{number}": "x" * 100_000 for number in range(8)})

    figures.append(
        _told(
            "warm container, 8 inputs and a product",
            await _seconds(lambda: warm.run("write", "ared.fits", folder=folder_of_eight())),
            without,
        )
    )
    cold = await bench_of(docker_commands=1)
    figures.append(_told("cold container", await _seconds(lambda: cold.run("help")), without))
    assert all(figure == figure for figure in figures)
