"""The system under test: started, looked at, killed and started again as a night's faults demand."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import asyncpg

from paws.chaos.faults import OWN
from paws.chaos.processes import Process, descendants, send
from paws.database import DATABASE_TROUBLES, prepare_connection
from paws.embedded.account import launch_command
from paws.embedded.broker_probe import ask_broker
from paws.embedded.ready import tcp_ready
from paws.embedded.runtime import Runtime, read_runtime
from paws.errors import PermanentError, RetriableError
from paws.settings import Settings

START_DEADLINE = 180.0
"""Longest time until a system is ready, s: machines are slow at times."""

STOP_DEADLINE = 90.0
STARTS = 3
ANSWER_DEADLINE = 5.0
LOOK_EVERY = 0.1
BROKER, POSTGRES = "broker", "postgres"


class NoStartError(PermanentError):
    """The system under test did not become ready, or ended by itself."""

    code = "chaos.no_start"


class AwayError(RetriableError):
    """What is asked does not answer now."""

    code = "chaos.away"


class SystemUnderTest:
    """A live system in processes of its own.

    Parameters
    ----------
    settings
        Its settings: no service is named, so it brings its own.
    environment
        Variables for it besides those of the settings.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.data = settings.data_dir
        self.log = self.data.with_name(f"{self.data.name}.log")
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._output: IO[bytes] | None = None
        self._database_url = ""
        # Two orders to kill it are two deaths, one after the other.
        self._life = asyncio.Lock()

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it and return when all of its processes are ready.

        Raises
        ------
        NoStartError
            If it does not become ready; the end of its log is in the message.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self._output = self.log.open("ab")
        self._process = await asyncio.create_subprocess_exec(
            *launch_command([sys.executable, "-m", "paws.chaos.system"], death_signal=signal.SIGTERM),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env=dict(self._environment),
            start_new_session=True,
        )
        deadline = time.monotonic() + START_DEADLINE
        while not await self.complete():
            if self._process.returncode is not None:
                raise NoStartError(f"The system ended with status {self._process.returncode}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NoStartError(f"The system was not ready within {START_DEADLINE:g} s.\n{self.tail()}")
            await asyncio.sleep(LOOK_EVERY)

    async def kill(self) -> int:
        """Kill the supervisor, wait until all of its processes have ended, and start it anew; its old id."""
        async with self._life:
            process = self._process
            assert process is not None
            process.kill()
            await self._ended()
            for _ in range(STARTS - 1):
                # As systemd would: what is killed besides may keep it from starting.
                with contextlib.suppress(NoStartError):
                    await self.start()
                    return process.pid
            await self.start()
            return process.pid

    async def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        await self._ended()

    async def _ended(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        try:
            async with asyncio.timeout(STOP_DEADLINE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise NoStartError(
                f"The system did not stop within {STOP_DEADLINE:g} s.\n{self.tail()}"
            ) from None
        finally:
            if self._output is not None:
                self._output.close()

    def tail(self) -> str:
        """The end of its logs, for messages."""
        lines: list[str] = []
        for path in (self.log, *sorted(self.settings.logs_dir.glob("*.log"))):
            with contextlib.suppress(OSError):
                lines += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-12:]]
        return "\n".join(lines)

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return self._process is not None and self._process.returncode is None

    # -- its processes -------------------------------------------------------------------------------------

    def runtime(self) -> Runtime | None:
        """What it says of itself."""
        return read_runtime(self.data)

    def find(self, name: str) -> Process | None:
        """The process of a name, however young; None while there is none."""
        if not self.alive:
            return None
        assert self._process is not None
        for process in descendants(self._process.pid):
            if process.parent == self._process.pid and _is(process, name):
                return process
        return None

    def below(self, name: str) -> list[Process]:
        """Processes below that of a name, which work for it."""
        process = self.find(name)
        return [] if process is None else descendants(process.pid)

    def signal(self, pid: int, number: signal.Signals) -> bool:
        """Signal a process of this system; whether it was there."""
        if not self.alive:
            return False
        assert self._process is not None
        return send(pid, number, self._process.pid)

    async def is_ready(self, name: str) -> bool:
        """Whether a process of ours has said that it is ready since it was started."""
        process = self.find(name)
        if process is None:
            return False
        try:
            text = await asyncio.to_thread((self.settings.run_dir / f"{name}.ready").read_text)
        except OSError:
            return False
        return text.split()[:1] == [str(process.pid)]

    async def complete(self) -> bool:
        """Whether every process of ours is ready and the database answers."""
        for name in OWN:
            if not await self.is_ready(name):
                return False
        return await self.database_answers()

    # -- its services --------------------------------------------------------------------------------------

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of a query to its database.

        Raises
        ------
        AwayError
            If it does not answer.
        """
        runtime = self.runtime()
        if runtime is not None and runtime.database_url:
            self._database_url = runtime.database_url
        try:
            async with asyncio.timeout(ANSWER_DEADLINE):
                connection = await asyncpg.connect(self._database_url, timeout=ANSWER_DEADLINE)
                try:
                    await prepare_connection(connection)
                    return [dict(row) for row in await connection.fetch(sql, *arguments)]
                finally:
                    connection.terminate()
        except DATABASE_TROUBLES as error:
            raise AwayError(f"The database does not answer: {error!r}.") from error

    async def database_answers(self) -> bool:
        """Whether its database answers."""
        with contextlib.suppress(AwayError):
            return bool(await self.rows("SELECT 1 AS one"))
        return False

    async def database_writes(self) -> bool:
        """Whether its database has room for what is written."""
        with contextlib.suppress(AwayError):
            # Rolled back with its connection.
            await self.rows(
                "CREATE TEMPORARY TABLE room AS SELECT repeat('x', 8000) AS x FROM generate_series(1, 64)"
            )
            return True
        return False

    async def broker_answers(self) -> bool:
        """Whether its broker answers."""
        runtime = self.runtime()
        if runtime is None or not runtime.broker_url:
            return False
        host, _, port = runtime.broker_url.removeprefix("kafka://").rpartition(":")
        return await ask_broker(host, int(port)) is not None

    async def page_answers(self) -> bool:
        """Whether its web server takes connections."""
        runtime = self.runtime()
        if runtime is None or not runtime.web_url:
            return False
        address = urlsplit(runtime.web_url)
        return await tcp_ready(address.hostname or "", address.port or 0)(0)


def _is(process: Process, name: str) -> bool:
    """Whether a child of the supervisor is the process of a name, by its command line."""
    words = process.command
    if name in OWN:
        return len(words) >= 4 and list(words[1:4]) == ["-m", "paws", name]
    program = Path(words[0]).name if words else ""
    if name == POSTGRES:
        return program == "postgres"
    return name == BROKER and program in ("tansu", "java")
