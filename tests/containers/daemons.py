"""Docker daemons for tests: the machine's, and ones of their own that tests may stop and kill."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import docker

ROOT = Path(__file__).parents[2]
QUICKLOOK = "paws-quicklook"
STAND_IN = "paws-test-2dfdr"
INVALID = 3
"""Exit status by which the stand-in says that its input is bad."""

BUILD = (sys.executable, "infra/images/build.py", "quicklook")


def client_of(address: str = "") -> Any:
    """Client of a daemon that answers.

    Raises
    ------
    OSError
        If it does not.
    """
    client = None
    try:
        client = docker.DockerClient(base_url=address) if address else docker.from_env()
        client.ping()
    except Exception as error:
        if client is not None:
            client.close()
        raise OSError(f"no Docker daemon answers: {error}") from error
    return client


def has_base(client: Any) -> bool:
    """Whether there is an image to build engines' images upon."""
    return any(tag.startswith("paws-engine-base:") for image in client.images.list() for tag in image.tags)


def build_stand_in(folder: Path) -> None:
    """Build the image of 2dFdr from a distribution that holds the stand-in only."""
    distribution = folder / "2dfdr-0.0.tar.gz"
    program = (Path(__file__).parent / "aaorun.py").read_bytes()
    # The same bytes each time, so that the daemon need not build the same image again.
    with gzip.GzipFile(distribution, "wb", mtime=1) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in (("bin/aaorun", program), ("share/2dfdr/ozdes_blue.idx", b";# none\n")):
            member = tarfile.TarInfo(f"2dfdr_install/{name}")
            member.size, member.mode, member.mtime = len(content), 0o700, 1
            tar.addfile(member, io.BytesIO(content))
    command = [sys.executable, "infra/images/build.py", "2dfdr", "--tag", STAND_IN]
    command += ["--distribution", str(distribution), "--invalid-status", str(INVALID)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert built.returncode == 0, built.stdout + built.stderr


def may_start_one() -> str:
    """Why this process cannot start a daemon of its own; empty when it can."""
    if os.geteuid() != 0:
        return "only root can start a Docker daemon"
    return "" if shutil.which("dockerd") else "there is no dockerd on this machine"


class OwnDaemon:
    """A Docker daemon that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The path of a Unix socket is short.
        self.address = f"unix://{folder}/d.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "dockerd.log").open("ab")

    def start(self) -> None:
        """Start it and wait until it answers."""
        for name in ("d.pid", "x/containerd/containerd.pid"):
            # One that was killed left files that say it runs; zombies that nobody reaps confirm them.
            with contextlib.suppress(FileNotFoundError):
                (self._folder / name).unlink()
        command = ["dockerd", "--host", self.address, "--data-root", f"{self._folder}/data"]
        command += ["--exec-root", f"{self._folder}/x", "--pidfile", f"{self._folder}/d.pid"]
        command += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        end = time.monotonic() + 120
        while True:
            try:
                client_of(self.address).close()
                return
            except OSError:
                assert time.monotonic() < end, (self._folder / "dockerd.log").read_text()[-3000:]
                assert self._process.poll() is None, (self._folder / "dockerd.log").read_text()[-3000:]
                time.sleep(0.1)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self._process.wait(120)
            self._process = None

    def kill(self) -> None:
        """Kill it; its containers run on."""
        assert self._process is not None
        self.signal(signal.SIGKILL)
        self._process.wait(120)
        self._process = None

    def close(self) -> None:
        """End it for good, with everything that it started."""
        if self._process is None:
            # What a killed one left can only be ended by another.
            self.start()
        client = client_of(self.address)
        for container in client.containers.list(all=True):
            container.remove(force=True)
        client.close()
        self.stop()
        self._log.close()
