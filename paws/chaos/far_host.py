"""A second host: a network, host name and process ids of its own, and a runner there.

The host is made of kernel namespaces; what it shares with the first is the file system, and a network cable
that can be pulled. Needs root and the commands ``ip`` and ``unshare``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from paws.chaos.faults import Fault, FaultKind
from paws.chaos.processes import descendants
from paws.chaos.strikes import Strike
from paws.clock import utc_now
from paws.embedded.account import launch_command
from paws.errors import PermanentError
from paws.settings import Settings, as_environment

COMMAND_DEADLINE = 20.0
RESTART_PAUSE = 0.5


async def command(*words: str) -> None:
    """Run a command of the system.

    Raises
    ------
    PermanentError
        If it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(COMMAND_DEADLINE):
        _, complaints = await process.communicate()
    if process.returncode:
        raise PermanentError(f"{' '.join(words)}: {complaints.decode(errors='replace').strip()}")


def why_not() -> str:
    """Why no second host can be made here; empty when it can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    missing = [name for name in ("ip", "unshare") if shutil.which(name) is None]
    return f"there is no {' and no '.join(missing)}" if missing else ""


class FarHost:
    """A host with a runner, joined to this one by one cable.

    Parameters
    ----------
    number
        Tells hosts of one campaign apart.
    settings
        Of the system; its data folder is shared.
    environment
        Variables of the runner besides those of the settings.
    """

    def __init__(self, number: int, settings: Settings, environment: Mapping[str, str], log: Path) -> None:
        mark = f"{os.getpid() % 100_000}x{number % 100}"
        self._name = f"paws{mark}"
        self._near_end, self._far_end = f"pn{mark}", f"pf{mark}"
        # A network for two, from the block that is set aside for measurements between networks (RFC 2544).
        third, fourth = divmod((os.getpid() * 4 + number * 4) % 65536, 256)
        base = fourth - fourth % 4
        self._near, self._far = f"198.18.{third}.{base + 1}", f"198.18.{third}.{base + 2}"
        self._settings = settings
        self._environment = environment
        self._log = log
        self._scratch = log.with_name("far-tmp")
        self._server: asyncio.Server | None = None
        self._runner: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._socket = ""

    async def open(self, database_url: str) -> None:
        """Make the host, a way from there to the database, and start its runner."""
        await asyncio.to_thread(self._scratch.mkdir, exist_ok=True)
        await command("ip", "netns", "add", self._name)
        await command(
            *("ip", "link", "add", self._near_end, "type", "veth"),
            *("peer", "name", self._far_end, "netns", self._name),
        )
        await command("ip", "address", "add", f"{self._near}/30", "dev", self._near_end)
        await command("ip", "link", "set", self._near_end, "up")
        inside = ("ip", "-n", self._name)
        await command(*inside, "address", "add", f"{self._far}/30", "dev", self._far_end)
        await command(*inside, "link", "set", self._far_end, "up")
        await command(*inside, "link", "set", "lo", "up")
        parts = urlsplit(database_url)
        query = parse_qs(parts.query)
        self._socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self._server = await asyncio.start_server(self._join, self._near, 0)
        await self._start()
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        """Start its runner again whenever it ends, as systemd does there."""
        while True:
            assert self._runner is not None
            await self._runner.wait()
            await asyncio.sleep(RESTART_PAUSE)
            await self._start()

    async def _start(self) -> None:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        settings = {
            **as_environment(self._settings),
            "PAWS_DATABASE_URL": f"postgresql://paws@{self._near}:{port}/paws",
        }
        # Its own host name and process ids: nobody can look from one host whether a process of the other lives.
        script = f'hostname {self._name} && exec "$0" "$@"'
        inside = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script)
        with self._log.open("ab") as log:
            self._runner = await asyncio.create_subprocess_exec(
                *launch_command(
                    ["ip", "netns", "exec", self._name, *inside, sys.executable, "-m", "paws", "runner"],
                    death_signal=signal.SIGKILL,
                ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, **settings, "TMPDIR": str(self._scratch)},
                start_new_session=True,
            )

    async def strike(self, fault: Fault) -> Strike:
        """Kill its runner, or pull the cable for a while."""
        if fault.kind is FaultKind.KILL:
            return await self._kill(fault)
        strike = Strike(fault, utc_now(), mark=self._name, done=True)
        await command("ip", "link", "set", self._near_end, "down")
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            await command("ip", "link", "set", self._near_end, "up")
        strike.relieved_at = time.monotonic()
        return strike

    async def _kill(self, fault: Fault) -> Strike:
        assert self._runner is not None
        strike = Strike(fault, utc_now(), mark=self._name)
        # The runner itself is below the programs that made its host.
        below = [process for process in descendants(self._runner.pid) if "runner" in process.command]
        victim = below[-1].pid if below else 0
        with contextlib.suppress(ProcessLookupError):
            if victim:
                os.kill(victim, signal.SIGKILL)
                strike.pid, strike.done = victim, True
        strike.relieved_at = time.monotonic()
        return strike

    async def close(self) -> None:
        """End the runner and take the host away."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._runner is not None and self._runner.returncode is None:
            for process in descendants(self._runner.pid):
                if "runner" in process.command:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGTERM)
            try:
                async with asyncio.timeout(COMMAND_DEADLINE):
                    await self._runner.wait()
            except TimeoutError:
                self._runner.kill()
                await self._runner.wait()
        if self._server is not None:
            self._server.close()
        for words in (("link", "delete", self._near_end), ("netns", "delete", self._name)):
            with contextlib.suppress(PermanentError):
                await command("ip", *words)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a connection from the far host to the database's socket."""
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.close()
            return

        async def copy(source: asyncio.StreamReader, target: Any) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(1 << 16):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
