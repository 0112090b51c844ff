"""Commands that hang, crash or are killed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from agents.reducer.engines.base import EngineDeadlineError, EngineDiedError, EngineOutOfMemoryError
from agents.reducer.engines.docker import DockerEngine
from agents.reducer.engines.docker import recipe as recipe_module
from agents.reducer.engines.docker import room as room_module
from paws.engines import engine_reference
from paws.errors import ConfigurationError

pytestmark = pytest.mark.containers


def _runs(container) -> list[Path]:
    """Processes of a container, as this machine sees them."""
    return [path for path in Path("/proc").glob("[0-9]*") if container in _groups(path)]


def _groups(process: Path) -> str:
    try:
        return (process / "cgroup").read_text()
    except OSError:
        return ""


async def test_the_deadline_ends_everything(bench, ours):
    # On a busy machine it may not even have begun by then.
    for deadline in (0.8, 8.0, 80.0):
        await bench.run("help")
        (container,) = ours()
        with pytest.raises(EngineDeadlineError, match=f"{deadline:g} s") as error:
            await bench.run("hang", deadline=deadline)
        if error.value.context["tail"]:
            break
    assert error.value.context["tail"] == ["AAO Run Process AAO00001:"]
    assert container.id not in {item.id for item in ours()}
    assert _runs(container.id) == []
    assert (await bench.run("help")).exit_status == 0


async def test_a_cancelled_command_is_ended(bench, ours):
    begun = asyncio.Event()
    running = asyncio.create_task(bench.engine.run(["hang"], bench.folder(), lambda _: begun.set(), 600))
    await begun.wait()
    (container,) = ours()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert _runs(container.id) == []
    assert ours() == []


async def test_a_crash_is_told_from_a_failure(bench):
    with pytest.raises(EngineDiedError, match="SIGSEGV"):
        await bench.run("crash")
    assert (await bench.run("help")).exit_status == 0


async def test_a_container_that_is_killed_is_replaced(bench, ours):
    begun = asyncio.Event()
    running = asyncio.create_task(bench.engine.run(["hang"], bench.folder(), lambda _: begun.set(), 600))
    await begun.wait()
    ours()[0].kill()
    with pytest.raises(EngineDiedError, match="container ended during hang") as error:
        await running
    assert not isinstance(error.value, EngineOutOfMemoryError)
    assert (await bench.run("help")).exit_status == 0
    assert len(ours()) == 1


async def test_a_container_that_died_while_idle_fails_no_command(bench, ours):
    ours()[0].kill()
    assert (await bench.run("help")).exit_status == 0
    ours()[0].remove(force=True)
    assert (await bench.run("help")).exit_status == 0
    ours()[0].pause()
    assert (await bench.run("help")).exit_status == 0


async def test_a_command_whose_shell_is_killed_did_not_end_well(bench):
    with pytest.raises(EngineDiedError, match="ended from outside"):
        await bench.run("kill-shell")
    assert (await bench.run("help")).exit_status == 0


async def test_an_image_that_is_missing_is_named(settings_of, client):
    settings = settings_of("paws-no-such-image:1")
    engine = DockerEngine(settings, engine_reference(settings))
    with pytest.raises(ConfigurationError, match=r"no image 'paws-no-such-image:1'.*docs/how-to/docker\.md"):
        await engine.start()
    await engine.close()


async def test_paths_are_mapped_for_a_daemon_elsewhere(bench_of, stand_in, tmp_path):
    # The daemon knows the shared folder by another name.
    (tmp_path / "as the daemon sees it").symlink_to(tmp_path / "data")
    (tmp_path / "data").mkdir()
    mapped = {str(tmp_path / "data"): str(tmp_path / "as the daemon sees it")}
    bench = await bench_of(docker_paths=mapped)
    assert (await bench.facts("read", "frame.fits", folder=bench.folder(frame="raw")))["content"] == "raw"


async def test_another_folder_of_the_same_name_is_found_at_the_start(
    settings_of, stand_in, tmp_path, monkeypatch
):
    # A daemon elsewhere has such a folder, but the file systems are not shared.
    other = tmp_path / "not shared" / "work" / "containers" / "0a1b2c3d4e5f"
    for name in ("in", "work"):
        (other / name).mkdir(parents=True)
    monkeypatch.setattr(room_module.secrets, "token_hex", lambda count: "0a1b2c3d4e5f"[: 2 * count])
    settings = settings_of(docker_paths={str(tmp_path / "data"): str(tmp_path / "not shared")})
    engine = DockerEngine(settings, engine_reference(settings))
    with pytest.raises(ConfigurationError, match=r"inputs cannot be read there.*PAWS_DOCKER_PATHS"):
        await engine.start()
    await engine.close()


async def test_a_work_folder_without_access_is_found_at_the_start(settings_of, stand_in, monkeypatch):
    settings = settings_of()
    engine = DockerEngine(settings, engine_reference(settings))
    # As where the daemon gives users other numbers.
    monkeypatch.setattr(os, "chown", lambda *_: None)
    if os.getuid() != 0:
        monkeypatch.setattr(recipe_module, "working_user", lambda *_: (os.getuid() + 1, os.getgid() + 1))
    with pytest.raises(ConfigurationError, match=r"work folder cannot be written there.*PAWS_DOCKER_USER"):
        await engine.start()
    await engine.close()


async def test_a_wrong_path_is_found_at_the_start(settings_of, stand_in, tmp_path, ours):
    (tmp_path / "elsewhere" / "work").mkdir(parents=True)
    settings = settings_of(docker_paths={str(tmp_path / "data"): str(tmp_path / "elsewhere")})
    engine = DockerEngine(settings, engine_reference(settings))
    with pytest.raises(ConfigurationError, match="bind source path does not exist"):
        await engine.start()
    await engine.close()
    assert ours() == []
