"""What a command in a container can reach: its own files, and nothing else. The tests try."""

from __future__ import annotations

import asyncio
import os
import socket
import stat

import pytest

from agents.reducer.engines.base import EngineOutOfMemoryError

pytestmark = pytest.mark.containers

_REFUSED = ("OSError 30", "PermissionError 13", "PermissionError 1")
"""Read-only file system, and no permission."""


async def test_a_command_has_no_rights(bench):
    facts = await bench.facts("facts")
    assert facts["uid"] != 0
    assert facts["gid"] != 0
    assert {int(value, 16) for value in facts["capabilities"]} == {0}
    assert facts["no_new_privileges"] == "1"
    assert facts["seccomp"] == "2"


async def test_nothing_but_the_work_folder_can_be_written(bench, tmp_path):
    raw = tmp_path / "frame.fits"
    raw.write_text("raw")
    folder = bench.folder()
    (folder / "frame.fits").hardlink_to(raw)
    mode = stat.S_IMODE(raw.stat().st_mode)
    facts = await bench.facts("intrude", str(tmp_path), folder=folder)
    for what in (
        "write_input",
        "chmod_input",
        "unlink_input",
        "add_input",
        "write_root",
        "write_etc",
        "root",
    ):
        assert facts[what] in _REFUSED, (what, facts[what])
    assert facts["mount"] != 0
    assert facts["other_folder"] == facts["docker"] == "FileNotFoundError 2"
    assert (raw.read_text(), stat.S_IMODE(raw.stat().st_mode)) == ("raw", mode)


async def test_the_network_cannot_be_reached(bench):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        port = str(server.getsockname()[1])
        abstract.bind(f"\0paws-test-{port}")
        abstract.listen()
        assert (await bench.facts("facts"))["interfaces"] == ["lo"]
        facts = await bench.facts("reach", port)
    assert facts["loopback"] == "ConnectionRefusedError 111"
    assert facts["outside"] == "OSError 101"
    assert facts["abstract"] == "ConnectionRefusedError 111"
    assert facts["name"].startswith("gaierror")


async def test_nothing_of_a_job_is_seen_by_the_next(bench):
    folder = bench.folder(secret="x")
    assert (await bench.run("leave", folder=folder)).exit_status == 0
    # Links and pipes are no products; what is hidden is none either.
    assert sorted(os.listdir(folder)) == ["left-behind", "secret.fits"]
    facts = await bench.facts("facts", folder=bench.folder(mine="x"))
    assert not any("left-behind" in name or "hidden" in name or "secret" in name for name in facts["files"])
    assert [name for name in facts["files"] if name.startswith(("/job", "/inputs"))] == [
        "/inputs/mine.fits",
        "/job/mine.fits",
    ]
    assert "sleep" not in facts["processes"]
    assert facts["processes"].count("python3") + facts["processes"].count("aaorun") == 1


async def test_nothing_of_a_job_is_seen_by_one_that_runs_beside_it(bench_of, stand_in):
    bench = await bench_of(runner_slots=2)
    begun = asyncio.Event()
    folder = bench.folder(secret="x")
    beside = asyncio.create_task(bench.engine.run(["slow", "100"], folder, lambda _: begun.set(), 600))
    await begun.wait()
    facts = await bench.facts("facts")
    assert not any("secret" in name for name in facts["files"])
    assert facts["processes"].count("aaorun") == 1
    assert (await bench.facts("intrude", str(folder), folder=bench.folder(frame="raw")))[
        "other_folder"
    ] == "FileNotFoundError 2"
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)


@pytest.mark.parametrize("verb", ["eat", "eat-in-child"])
async def test_memory_is_limited_and_its_end_is_told_apart(bench, verb):
    with pytest.raises(EngineOutOfMemoryError, match="256 MB") as error:
        await bench.run(verb)
    assert error.value.code == "engine_out_of_memory"
    assert (await bench.run("help")).exit_status == 0


async def test_files_in_scratch_are_limited(bench):
    assert (await bench.facts("fill-scratch"))["outcome"] == "OSError 28"


async def test_processes_are_limited_and_none_survives(bench_of, stand_in):
    bench = await bench_of(docker_pids=40)
    facts = await bench.facts("fork")
    assert facts["outcome"] == "BlockingIOError 11"
    assert 5 < facts["children"] < 40
    assert "aaorun" in (await bench.facts("facts"))["processes"]
    assert (await bench.facts("facts"))["processes"].count("aaorun") == 1


async def test_processors_are_limited(bench_of, stand_in):
    bench = await bench_of(docker_cpus=0.5)
    assert (await bench.facts("burn"))["processors"] < 0.8
