"""Engines in containers. Everything here needs a Docker daemon and the image of quicklook."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.reducer.engines.docker import DockerEngine
from paws.engines import engine_reference
from paws.settings import Settings, load_settings
from tests.containers.daemons import (
    BUILD,
    QUICKLOOK,
    ROOT,
    STAND_IN,
    OwnDaemon,
    build_stand_in,
    client_of,
    has_base,
    may_start_one,
)


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """The daemon of this machine."""
    try:
        client = client_of()
    except OSError as error:
        pytest.skip(str(error))
    yield client
    client.close()


@pytest.fixture(scope="session")
def stand_in(client: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Image of 2dFdr with a stand-in for its program."""
    if not has_base(client) and shutil.which("mmdebstrap") is None:
        pytest.skip("there is neither a base image nor mmdebstrap to make one")
    build_stand_in(tmp_path_factory.mktemp("distribution"))
    return STAND_IN


@pytest.fixture(scope="session")
def quicklook_image(client: Any) -> str:
    """Image of quicklook as it is now."""
    if subprocess.run([*BUILD, "--check"], cwd=ROOT, capture_output=True, timeout=300).returncode != 0:
        pytest.skip(f"the image {QUICKLOOK} is missing, or older than quicklook; build it: {' '.join(BUILD)}")
    return QUICKLOOK


@pytest.fixture
def settings_of(tmp_path: Path) -> Any:
    """Make settings of an engine in containers."""

    def make(image: str = STAND_IN, **changes: Any) -> Settings:
        return load_settings(
            **{
                "data_dir": tmp_path / "data",
                "engine": "test",
                "engines": {"test": f"docker:{image}"},
                "runner_slots": 1,
                "docker_memory": 256,
                "docker_scratch": 32,
                "docker_patience": 240.0,
                **changes,
            }
        )

    return make


class Bench:
    """An engine, and commands for it in folders of their own."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self.lines: list[str] = []
        self._folders = (folder / f"0123456789abcdef-{number}" for number in itertools.count(1))

    def folder(self, **files: str) -> Path:
        """A work folder with files."""
        folder = next(folder for folder in self._folders if not folder.exists())
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / f"{name}.fits").write_text(content)
        return folder

    async def run(self, *command: str, folder: Path | None = None, deadline: float = 240.0) -> Any:
        """Run a command; its lines stay in `lines`."""
        self.lines.clear()
        return await self.engine.run(command, folder or self.folder(), self.lines.append, deadline)

    async def facts(self, *command: str, folder: Path | None = None) -> dict[str, Any]:
        """Run a command and return the facts that it tells."""
        result = await self.run(*command, folder=folder)
        assert result.exit_status == 0, self.lines
        return dict(json.loads(next(line[6:] for line in self.lines if line.startswith("FACTS "))))


@pytest.fixture
async def bench_of(settings_of: Any, tmp_path: Path) -> Any:
    """Make benches; their engines are closed in the end."""
    engines: list[DockerEngine] = []

    async def make(image: str = STAND_IN, **changes: Any) -> Bench:
        settings = settings_of(image, **changes)
        engine = DockerEngine(settings, engine_reference(settings))
        engines.append(engine)
        await engine.start()
        return Bench(engine, tmp_path / "data" / "work")

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
async def bench(stand_in: str, bench_of: Any) -> Bench:
    """A bench with the stand-in, one slot."""
    return await bench_of(stand_in)


@pytest.fixture
def ours(client: Any, tmp_path: Path) -> Any:
    """Find the containers whose rooms are below this test's folder."""

    def find(client: Any = client) -> list[Any]:
        def is_ours(container: Any) -> bool:
            return any(str(tmp_path) in mount["Source"] for mount in container.attrs["Mounts"])

        return [item for item in client.containers.list(all=True, ignore_removed=True) if is_ours(item)]

    return find


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait until something is so."""

    async def wait(is_so: Callable[[], bool], deadline: float = 240.0) -> None:
        async with asyncio.timeout(deadline):
            while not is_so():  # noqa: ASYNC110 - other processes' state
                await asyncio.sleep(0.05)

    return wait


@pytest.fixture(scope="module")
def own_daemon(client: Any, stand_in: str) -> Iterator[OwnDaemon]:
    """A daemon that the test may stop and kill, with the stand-in's image."""
    reason = may_start_one()
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="pd-"))
    daemon = OwnDaemon(folder)
    daemon.start()
    try:
        own = client_of(daemon.address)
        own.images.load(client.images.get(stand_in).save(named=True))
        own.close()
        yield daemon
    finally:
        daemon.close()
        shutil.rmtree(folder, ignore_errors=True)
