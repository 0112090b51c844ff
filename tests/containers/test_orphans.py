"""Containers whose runner died: the busy ones go, the idle ones are used again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from agents.reducer.engines.docker import engine as engine_module
from tests.containers.daemons import ROOT, STAND_IN

pytestmark = pytest.mark.containers


@pytest.fixture
def dying_runner(stand_in, ours, tmp_path):
    """A runner with a busy container and an idle one."""
    options = {
        "data_dir": str(tmp_path / "data"),
        "engine": "test",
        "engines": {"test": f"docker:{STAND_IN}"},
        "runner_slots": 2,
        "docker_memory": 256,
        "docker_scratch": 32,
    }
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests.containers.runner_that_dies", json.dumps(options)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    with runner:
        assert any(line == "busy\n" for line in runner.stdout), "the runner ended before it was busy"
        yield runner
        runner.kill()
    for container in ours():
        if str(runner.pid) in container.labels["org.paws-live.runner"]:
            container.remove(force=True)


async def test_a_dead_runner_s_containers_are_adopted_or_removed(dying_runner, bench_of, ours, tmp_path):
    busy, idle = sorted(ours(), key=lambda item: -len(item.name))
    assert busy.name.endswith("-fedcba9876543210-1")
    dying_runner.kill()
    dying_runner.wait()
    assert {item.status for item in ours()} == {"running"}
    bench = await bench_of(runner_slots=2)
    assert [item.id for item in ours()] == [idle.id]
    boot = (await bench.facts("facts"))["boot"]
    files = (await bench.facts("facts"))["files"]
    assert boot
    assert not any("frame.fits" in name for name in files)
    rooms = os.listdir(tmp_path / "data" / "work" / "containers")
    assert sorted(rooms) == sorted(item.labels["org.paws-live.room"] for item in ours())


async def test_one_made_in_another_way_is_not_adopted(dying_runner, bench_of, ours):
    dying_runner.kill()
    dying_runner.wait()
    before = {item.id for item in ours()}
    await bench_of(runner_slots=2, docker_memory=300)
    assert before.isdisjoint(item.id for item in ours())


async def test_a_living_runner_s_containers_are_left_alone(dying_runner, bench_of, ours):
    before = {item.id for item in ours()}
    bench = await bench_of(runner_slots=1)
    assert before < {item.id for item in ours()}
    await bench.engine.close()
    assert before == {item.id for item in ours()}


async def test_a_runner_that_goes_on_clears_up_after_one_that_died(
    dying_runner, bench_of, ours, monkeypatch, until
):
    monkeypatch.setattr(engine_module, "TIDY_INTERVAL", 0.2)
    bench = await bench_of(runner_slots=1)
    assert len(ours()) == 3
    dying_runner.kill()
    dying_runner.wait()
    await until(lambda: len(ours()) == 1)
    assert (await bench.run("help")).exit_status == 0
