"""The daemon goes away, in every way, and comes back."""

from __future__ import annotations

import asyncio
import gc
import signal

import pytest

from agents.reducer.engines.base import EngineAwayError, EngineDiedError
from agents.reducer.engines.docker import DockerEngine
from agents.reducer.engines.docker import engine as engine_module
from paws.engines import engine_reference
from paws.errors import ConfigurationError
from tests.containers.daemons import client_of

pytestmark = [
    pytest.mark.containers,
    pytest.mark.slow,
    # docker-py does not close the socket of a connection that nobody answers.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(autouse=True)
def _collected():
    """Let the sockets that docker-py leaves open go while these tests run: the next would be blamed for them."""
    yield
    gc.collect()


@pytest.fixture
async def bench(own_daemon, bench_of):
    return await bench_of(docker_host=own_daemon.address)


async def _hanging(bench):
    """A command that hangs, once it does."""
    begun = asyncio.Event()
    running = asyncio.create_task(bench.engine.run(["hang"], bench.folder(), lambda _: begun.set(), 600))
    await begun.wait()
    return running


async def test_it_is_restarted_in_the_middle_of_a_command(own_daemon, bench, until):
    running = await _hanging(bench)
    await asyncio.to_thread(own_daemon.stop)
    with pytest.raises((EngineAwayError, EngineDiedError)):
        await running
    again = asyncio.create_task(bench.run("write", "a.fits"))
    await until(lambda: any("Waiting for Docker" in line for line in bench.lines))
    assert not again.done()
    await asyncio.to_thread(own_daemon.start)
    assert (await again).exit_status == 0


async def test_it_is_killed_in_the_middle_of_a_command(own_daemon, bench_of, monkeypatch, until):
    monkeypatch.setattr(engine_module, "TIDY_INTERVAL", 0.5)
    bench = await bench_of(docker_host=own_daemon.address)
    running = await _hanging(bench)
    await asyncio.to_thread(own_daemon.kill)
    with pytest.raises(EngineAwayError, match="went away during hang"):
        await running
    await asyncio.to_thread(own_daemon.start)
    assert (await bench.run("help")).exit_status == 0
    # The one that could not be removed at once is removed later.
    client = client_of(own_daemon.address)
    await until(lambda: len(client.containers.list(all=True, ignore_removed=True)) == 1)
    client.close()


async def test_it_is_restarted_between_commands(own_daemon, bench):
    await asyncio.to_thread(own_daemon.stop)
    await asyncio.to_thread(own_daemon.start)
    assert (await bench.run("help")).exit_status == 0
    assert not any("Waiting" in line for line in bench.lines)


async def test_it_hangs(own_daemon, bench_of):
    bench = await bench_of(docker_host=own_daemon.address, docker_timeout=3.0)
    own_daemon.signal(signal.SIGSTOP)
    waiting = asyncio.create_task(bench.run("help"))
    await asyncio.sleep(5)
    assert not waiting.done()
    own_daemon.signal(signal.SIGCONT)
    assert (await waiting).exit_status == 0


async def test_one_that_stays_away_is_given_up(own_daemon, settings_of, bench_of):
    bench = await bench_of(docker_host=own_daemon.address, docker_patience=1.5)
    await asyncio.to_thread(own_daemon.stop)
    try:
        with pytest.raises(EngineAwayError, match="does not answer"):
            await bench.run("help")
        settings = settings_of(docker_host=own_daemon.address, docker_patience=1.0)
        engine = DockerEngine(settings, engine_reference(settings))
        with pytest.raises(ConfigurationError, match="systemctl status docker"):
            await engine.start()
        await engine.close()
    finally:
        await asyncio.to_thread(own_daemon.start)
    assert (await bench.run("help")).exit_status == 0


async def test_a_runner_that_starts_first_waits_for_it(own_daemon, settings_of):
    await asyncio.to_thread(own_daemon.stop)
    settings = settings_of(docker_host=own_daemon.address)
    engine = DockerEngine(settings, engine_reference(settings))
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(1)
    assert not starting.done()
    await asyncio.to_thread(own_daemon.start)
    await starting
    await engine.close()


@pytest.mark.parametrize("address", ["ftp://x", "tcp://"])
async def test_an_address_that_is_none(client, settings_of, address):
    settings = settings_of(docker_host=address)
    with pytest.raises(ConfigurationError, match="PAWS_DOCKER_HOST"):
        DockerEngine(settings, engine_reference(settings))
