"""A whole system as a user starts it: the ``paws`` command in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from paws.embedded.runtime import Runtime, read_runtime

PATIENCE = 600.0
"""Longest wait for anything, s: generous, since machines are slow at times."""


def wait_until(
    what: str, condition: Callable[[], Any], patience: float = PATIENCE, every: float = 0.2
) -> Any:
    """What the condition returns as soon as it is true; fails by name after the patience."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(every)
    raise AssertionError(f"still waiting after {patience:.0f} s: {what}")


class Paws:
    """A ``paws`` command that runs.

    Parameters
    ----------
    arguments
        Of the command.
    data
        Its data folder.
    """

    def __init__(self, arguments: list[str], data: Path, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.output"
        data.parent.mkdir(parents=True, exist_ok=True)
        self._output = self.log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "paws", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._output,
            env={**os.environ, **(environment or {})},
            text=True,
        )

    def runtime(self) -> Runtime | None:
        if self.process.poll() is not None:
            raise AssertionError(f"paws ended with status {self.process.returncode}:\n{self.tail()}")
        return read_runtime(self.data)

    def ready(self) -> Runtime:
        """What runs, once all of it does."""

        def complete() -> Runtime | None:
            runtime = self.runtime()
            return runtime if runtime and {"worker", "runner", "ingest", "web"} <= set(runtime.pids) else None

        return wait_until("all processes run", complete)

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-40:]
        for path in sorted((self.data / "logs").glob("*.log")):
            lines += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(lines)

    def query(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of a query to the database of the running system."""
        runtime = self.runtime()
        assert runtime is not None, "nothing runs"

        async def ask() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(runtime.database_url, timeout=20)
            try:
                return [dict(row) for row in await connection.fetch(sql, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def finish(self, patience: float = PATIENCE) -> str:
        """Standard output, once the command has ended by itself."""
        try:
            output, _ = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"paws did not end within {patience:.0f} s:\n{self.tail()}") from None
        return output

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._output.close()


@contextmanager
def paws(arguments: list[str], data: Path, environment: dict[str, str] | None = None) -> Iterator[Paws]:
    """A running ``paws`` command, ended at the end whatever happens."""
    running = Paws(arguments, data, environment)
    try:
        yield running
    finally:
        running.stop()


def summary_of(output: str) -> dict[str, Any]:
    """The JSON object in the last line of a demo's output."""
    return dict(json.loads(output.strip().splitlines()[-1]))


def product_set(running: Paws) -> set[tuple[str, str, str]]:
    """Current products as (path, kind, key of the reduction): equal sets mean equal nights."""
    rows = running.query("SELECT path, kind, job_key FROM product WHERE current")
    return {(row["path"], row["kind"], row["job_key"]) for row in rows}


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name a folder: what a stopped system must not leave behind."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in command:
                found.append(f"{entry.name} {command}")
    return found
