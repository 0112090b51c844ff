"""What a container costs a command: figures to read, beside the same program without one.

``pytest -m benchmark tests/containers -s``. Goals: 0.15 s warm, 1.5 s cold.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from agents.reducer.engines.local import LocalEngine

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


def _told(name, taken, without):
    over = [item - without for item in taken]
    line = f"{name}: median {statistics.median(over):.3f} s, 90 % within {statistics.quantiles(over, n=10)[-1]:.3f} s"
    print(f"\n{line}")
    return statistics.median(over)


async def test_overhead_of_containers(bench_of, stand_in, tmp_path):
    program = tmp_path / "aaorun"
    program.write_bytes((Path(__file__).parent / "aaorun.py").read_bytes())
    program.chmod(0o755)
    local = LocalEngine(str(program))
    await local.start()
    folder = tmp_path / "here"
    folder.mkdir()
    without = statistics.median(await _seconds(lambda: local.run(["help"], folder, lambda _: None, 60)))
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
