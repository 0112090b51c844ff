"""Commands in warm containers: output, products, scratch, wear."""

from __future__ import annotations

import asyncio
import os
import stat

import pytest

from tests.containers.daemons import INVALID

pytestmark = pytest.mark.containers


async def test_a_command_makes_products_of_its_inputs(bench):
    folder = bench.folder(frame="raw")
    result = await bench.run("write", "framered.fits", "combined.fits", folder=folder)
    assert (result.exit_status, result.exit_marker) == (0, True)
    assert bench.lines[0] == "AAO Run Process AAO00001:"
    assert result.tail[-1] == bench.lines[-1] == 'AAO00001: Action "EXIT", Task "CMD00001", completed.'
    assert sorted(os.listdir(folder)) == ["combined.fits", "frame.fits", "framered.fits"]
    assert (folder / "frame.fits").read_text() == "raw"
    assert (folder / "framered.fits").read_bytes() == b"product of framered.fits"
    status = (folder / "framered.fits").stat()
    assert (status.st_uid, status.st_gid) == (
        (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())
    )
    assert stat.S_IMODE(status.st_mode) == 0o644


async def test_lines_come_while_the_command_runs(bench):
    came, third = [], asyncio.Event()

    def take(line: str) -> None:
        came.append(line)
        if line == "step 2":
            third.set()

    running = asyncio.create_task(bench.engine.run(["slow", "1000"], bench.folder(), take, 600))
    await asyncio.wait({running, waiting := asyncio.create_task(third.wait())}, return_when="FIRST_COMPLETED")
    # Together they would come at the end.
    assert waiting.done()
    assert not running.done()
    assert came[:4] == ["AAO Run Process AAO00001:", "step 0", "step 1", "step 2"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_inputs_on_another_disk_are_copied(bench, tmp_path):
    folder = bench.folder()
    elsewhere = tmp_path / "raw disk" / "frame.fits"
    elsewhere.parent.mkdir()
    elsewhere.write_text("raw")
    elsewhere.chmod(0o600)  # nobody else may read it where it lies
    (folder / "frame.fits").symlink_to(elsewhere)
    assert (await bench.facts("read", "frame.fits", folder=folder))["content"] == "raw"
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


async def test_an_input_that_is_replaced_stays_what_it_was(bench, tmp_path):
    folder = bench.folder()
    raw = tmp_path / "frame.fits"
    raw.write_text("raw")
    (folder / "frame.fits").hardlink_to(raw)
    await bench.run("replace", "frame.fits", folder=folder)
    assert raw.read_text() == "raw"
    assert (folder / "frame.fits").read_text() == "edited"


async def test_each_command_has_its_own_scratch_and_a_display(bench):
    first, second = [await bench.facts("facts") for _ in range(2)]
    assert first["scratch"] != second["scratch"]
    for facts in (first, second):
        assert facts["display"] == 1
        assert facts["job"].startswith("0123456789abcdef-")
        # Its own noticeboard, and nothing of the other's.
        assert [name for name in facts["files"] if name.startswith("/scratch")] == [
            f"{facts['scratch']}/noticeboard"
        ]


async def test_a_container_serves_many_commands_until_it_is_worn(bench_of, stand_in, client, ours):
    bench = await bench_of(docker_commands=4)  # the first one was `help`
    boots = [(await bench.facts("facts"))["boot"] for _ in range(6)]
    containers = [boots.index(boot) for boot in boots]
    assert containers == [0, 0, 0, 3, 3, 3]


async def test_what_a_container_holds_is_measured(bench_of, stand_in):
    # Its display alone holds more than nothing, and less than this.
    bench = await bench_of(docker_growth=200)
    boots = {(await bench.facts("facts"))["boot"] for _ in range(2)}
    assert len(boots) == 1
    (slot,) = bench.engine._slots
    assert 1 << 18 < slot.container.held_at_first < 200 << 20


async def test_a_failed_command_costs_its_container(bench):
    before = (await bench.facts("facts"))["boot"]
    result = await bench.run("status", "1")
    assert (result.exit_status, result.exit_marker) == (1, False)
    assert result.tail == ("AAO Run Process AAO00001:", "Error: it does not work")
    assert (await bench.facts("facts"))["boot"] != before


async def test_the_image_tells_which_status_means_bad_input(bench):
    assert bench.engine.invalid_status == {INVALID}
    assert (await bench.run("status", str(INVALID))).exit_status == INVALID


async def test_a_command_that_was_interrupted_shows_no_marker(bench):
    result = await bench.run("interrupted")
    assert (result.exit_status, result.exit_marker) == (0, False)


async def test_output_beyond_all_measure_passes(bench):
    result = await bench.run("flood")
    assert result.exit_status == 0
    assert sum(map(len, bench.lines)) > 200 * 99_999 + 3_000_000
    assert max(map(len, bench.lines)) < 2_000_000


async def test_a_display_that_died_comes_back(bench):
    assert (await bench.facts("kill-display"))["display"] == 1


async def test_slots_work_at_once(bench_of, stand_in, ours):
    bench = await bench_of(runner_slots=2)
    begun = [asyncio.Event(), asyncio.Event()]
    # The first goes on until it is ended: one after the other would never come to the second.
    running = [
        asyncio.create_task(bench.engine.run(["hang"], bench.folder(), lambda _, one=one: one.set(), 600))
        for one in begun
    ]
    for one in begun:
        await one.wait()
    assert not any(task.done() for task in running)
    assert len(ours()) == 2
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_people_see_the_job_in_the_list_of_containers(bench, ours):
    (idle,) = ours()
    assert idle.name.startswith("paws-")
    assert idle.labels["org.paws-live.engine"] == "test"
    assert str(os.getpid()) in idle.labels["org.paws-live.runner"]
    begun = asyncio.Event()
    running = asyncio.create_task(
        bench.engine.run(["slow", "10"], bench.folder(), lambda _: begun.set(), 600)
    )
    await begun.wait()
    (busy,) = ours()
    assert busy.name == f"{idle.name}-0123456789abcdef-1"
    await running
    assert [item.name for item in ours()] == [idle.name]


async def test_nothing_is_left_when_the_engine_is_closed(bench, ours, tmp_path):
    assert len(ours()) == 1
    await bench.engine.close()
    assert ours() == []
    assert os.listdir(tmp_path / "data" / "work" / "containers") == []
