"""A Docker daemon of the suite's own, whose containers and which itself may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import docker

from paws.chaos import light_aaorun
from paws.chaos.faults import DAEMON, Fault
from paws.chaos.strikes import LOOK_EVERY, PATIENCE, Strike
from paws.clock import utc_now
from paws.embedded.account import launch_command
from paws.errors import ConfigurationError, PermanentError

START_DEADLINE = 60.0
LOAD_DEADLINE = 300.0
CLIENT_TIMEOUT = 10

LIGHT_IMAGE = "paws-chaos-light"
"""The image with the light ``aaorun`` in it, made anew in every campaign."""

_DOCKERFILE = """FROM {image}
COPY light_aaorun.py /opt/light_aaorun.py
COPY aaorun /usr/local/bin/aaorun
"""


class ChaosDaemon:
    """A Docker daemon of our own, with one image.

    Parameters
    ----------
    folder
        For its images and containers.
    image
        With Python and an engine's entry point, such as quicklook's; it is taken over from the machine's
        daemon, and its ``aaorun`` is replaced by the light one.
    """

    def __init__(self, folder: Path, image: str) -> None:
        self._folder = folder
        self._image = image
        # The path of a Unix socket is short.
        self._run = Path(tempfile.mkdtemp(prefix="paws-docker-"))
        self.address = f"unix://{self._run}/d.sock"
        self._process: asyncio.subprocess.Process | None = None
        self._life = asyncio.Lock()

    async def open(self) -> None:
        """Start it and bring the image.

        Raises
        ------
        ConfigurationError
            If this machine has no daemon program, or the machine's daemon does not have the image.
        """
        if os.geteuid() != 0 or shutil.which("dockerd") is None:
            raise ConfigurationError("Nights in containers need root and the program dockerd.")
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        await self.start()
        archive, context = self._folder / "image.tar", self._folder / "light"
        await asyncio.to_thread(_lay_out, context, self._image)
        for words in (
            ("docker", "save", "--output", str(archive), self._image),
            ("docker", "--host", self.address, "load", "--input", str(archive)),
            ("docker", "--host", self.address, "build", "--tag", LIGHT_IMAGE, str(context)),
        ):
            await _carry_out(*words)
        await asyncio.to_thread(archive.unlink)

    async def start(self) -> None:
        """Start it, or start it again; return when it answers.

        Raises
        ------
        PermanentError
            If it does not answer in time.
        """
        for name in ("d.pid", "x/containerd/containerd.pid"):
            # One that was killed left files that say it runs.
            await asyncio.to_thread((self._run / name).unlink, missing_ok=True)
        command = ["dockerd", "--host", self.address, "--data-root", str(self._folder / "data")]
        command += ["--exec-root", str(self._run / "x"), "--pidfile", str(self._run / "d.pid")]
        # Its containers have no network: it needs no bridge, and touches no rule of the machine's firewall.
        command += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *launch_command(command, death_signal=signal.SIGTERM),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_DEADLINE
        while not await asyncio.to_thread(self._answers):
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise PermanentError(
                    f"The Docker daemon does not start ({self._process.returncode}); see {self._folder}/dockerd.log."
                )
            await asyncio.sleep(LOOK_EVERY)

    async def kill_for(self, seconds: float) -> int:
        """Kill it without warning and start it again after some seconds; the process id that it had."""
        # Two orders to kill it are two deaths, one after the other.
        async with self._life:
            assert self._process is not None
            killed = self._process.pid
            self._process.kill()
            await self._process.wait()
            await asyncio.sleep(seconds)
            await self.start()
            return killed

    async def close(self) -> None:
        """Remove its containers, stop it, and take its files away."""
        if self._process is None:
            return
        if self._process.returncode is not None:
            await self.start()
        with contextlib.suppress(docker.errors.DockerException, OSError):
            await asyncio.to_thread(self._remove_containers)
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(START_DEADLINE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        with contextlib.suppress(ConfigurationError):
            # One that was killed leaves its folder mounted upon itself.
            await _carry_out("umount", str(self._folder / "data"))
        for folder in (self._run, self._folder):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def hold_command(self, source: random.Random) -> tuple[str, int] | None:
        """Stop a command that runs in a container, so that it cannot end before it is struck.

        Returns
        -------
        tuple of str and int, or None
            The container, and the command's process here; None when none runs.
        """
        with contextlib.closing(self._client()) as client:
            running = [
                (container.id, command)
                for container in client.containers.list()
                for command in client.api.inspect_container(container.id).get("ExecIDs") or ()
            ]
            source.shuffle(running)
            for container, command in running:
                state = client.api.exec_inspect(command)
                pid = int(state.get("Pid") or 0)
                if pid and state.get("Running") and _signal(pid, signal.SIGSTOP):
                    if client.api.exec_inspect(command).get("Running"):
                        return container, pid
                    _signal(pid, signal.SIGCONT)
        return None

    def kill_container(self, identifier: str) -> int:
        """Kill a container without warning; the id of its first process."""
        with contextlib.closing(self._client()) as client:
            pid = int(client.api.inspect_container(identifier)["State"]["Pid"])
            client.api.kill(identifier)
            return pid

    def containers(self) -> list[str]:
        """Names of all containers, of those that ended too."""
        with contextlib.closing(self._client()) as client:
            return sorted(container.name for container in client.containers.list(all=True))

    def _client(self) -> Any:
        return docker.DockerClient(base_url=self.address, timeout=CLIENT_TIMEOUT)

    def _answers(self) -> bool:
        try:
            # Asked here first: docker-py leaves a socket open when nobody is at its other end.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(CLIENT_TIMEOUT)
                probe.connect(self.address.removeprefix("unix://"))
            with contextlib.closing(self._client()) as client:
                return bool(client.ping())
        except (docker.errors.DockerException, OSError):
            return False

    def _remove_containers(self) -> None:
        with contextlib.closing(self._client()) as client:
            for container in client.containers.list(all=True):
                container.remove(force=True)


class KillContainers:
    """Kills containers at work, or the daemon under them, which is started again after a while."""

    def __init__(self, daemon: ChaosDaemon, source: random.Random) -> None:
        self._daemon = daemon
        self._source = source

    async def strike(self, fault: Fault) -> Strike:
        """Kill while there is work, so that it is work that dies."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            strike = Strike(fault, utc_now())
            with contextlib.suppress(docker.errors.DockerException, OSError):
                held = await asyncio.to_thread(self._daemon.hold_command, self._source)
                if held is not None:
                    container, command = held
                    try:
                        if fault.target == DAEMON:
                            strike.pid = await self._daemon.kill_for(fault.lasts)
                        else:
                            strike.pid = await asyncio.to_thread(self._daemon.kill_container, container)
                        strike.done = True
                    finally:
                        _signal(command, signal.SIGCONT)
            if strike.done:
                strike.relieved_at = time.monotonic()
                return strike
            await asyncio.sleep(LOOK_EVERY)
        return Strike(fault, utc_now())


def _signal(pid: int, number: signal.Signals) -> bool:
    """Signal a process; whether it was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _lay_out(context: Path, image: str) -> None:
    """Lay out what the light image is built of: the image with another program as its ``aaorun``."""
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE.format(image=image))
    program = context / "aaorun"
    program.write_text('#!/bin/sh\nexec python3 -I -S /opt/light_aaorun.py "$@"\n')
    program.chmod(0o755)
    source = Path(light_aaorun.__file__)
    (context / "light_aaorun.py").write_bytes(source.read_bytes())
    (context / "light_aaorun.py").chmod(0o644)


async def _carry_out(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    async with asyncio.timeout(LOAD_DEADLINE):
        _, complaints = await process.communicate()
    if process.returncode:
        raise ConfigurationError(f"{' '.join(words)}: {complaints.decode(errors='replace').strip()}")
