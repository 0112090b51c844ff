"""The engine ``builtin``: quicklook, in warm processes that have its kernels loaded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.reducer.engines.base import (
    LONGEST_LINE,
    EngineDeadlineError,
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineResult,
    OnLine,
)
from agents.reducer.engines.memory import out_of_memory_kills
from agents.reducer.engines.output import OutputFollower
from paws.errors import ConfigurationError
from paws.log import get_logger

log = get_logger(__name__)

WARM_DEADLINE = 300.0
"""Longest time until a process is warm, s: the very first compiles every kernel."""

COMMANDS_A_PROCESS = 500
"""Commands after which a process is replaced, so that no leak of a library grows over a season."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Linear algebra rounds differently with another number of threads; products must not depend on it."""

KEEP_INTERMEDIATE = "-KEEP_INTERMEDIATE"
"""quicklook's switch for writing image and extracted frames too, which is its default as it is 2dFdr's."""

_INVALID_INPUT = 2


@dataclass(eq=False)
class _WarmProcess:
    """One process and how often it was used."""

    process: asyncio.subprocess.Process
    commands: int = 0
    ready: bool = False

    async def await_ready(self) -> None:
        """Wait until the kernels are loaded."""
        if not self.ready:
            message = await asyncio.wait_for(self.receive(), WARM_DEADLINE)
            if message != {"ready": True}:
                raise EngineDiedError(
                    "A reduction process ended while it was starting. Its messages are in the runner's log."
                )
            self.ready = True

    async def receive(self) -> dict[str, Any] | None:
        """Next message, or None when the process is gone."""
        assert self.process.stdout is not None
        try:
            line = await self.process.stdout.readline()
            return dict(json.loads(line)) if line.endswith(b"\n") else None
        except ValueError:  # a line beyond the limit, or one that is no message
            return None

    async def send(self, message: dict[str, Any]) -> None:
        """Send a request."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()

    async def end(self) -> None:
        """Kill it and wait for its end: it holds nothing that is worth an orderly one."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        with contextlib.suppress(ValueError):
            while await self.process.stdout.read(LONGEST_LINE):  # to the end, which closes the pipe
                pass
        await self.process.wait()


class BuiltinEngine:
    """A pool of warm processes; each runs one command at a time.

    Parameters
    ----------
    slots
        Processes.
    """

    name = "builtin"
    invalid_status = frozenset({_INVALID_INPUT})

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._idle: asyncio.Queue[_WarmProcess | None] = asyncio.Queue()
        self._all: set[_WarmProcess] = set()

    async def start(self) -> None:
        """Start the processes and wait until the first is warm.

        Raises
        ------
        ConfigurationError
            If quicklook cannot be loaded.
        """
        first = await self._spawn()
        try:
            # The first alone: were the kernels not compiled yet, all would compile them at once.
            await first.await_ready()
        except (EngineDiedError, TimeoutError) as error:
            await self._discard(first)
            raise ConfigurationError(
                f"The built-in engine does not start: {error} Try `paws-aaorun help`, which tells why."
            ) from error
        self._idle.put_nowait(first)
        for _ in range(self._slots - 1):
            self._idle.put_nowait(await self._spawn())

    async def run(self, command: Sequence[str], cwd: Path, on_line: OnLine, deadline: float) -> EngineResult:
        """Run a command in a warm process; see `Engine`."""
        if KEEP_INTERMEDIATE not in command:
            # The work folder goes when the command ends, so nobody would see them. Who wants them says so.
            command = [*command, KEEP_INTERMEDIATE, "0"]
        worker = await self._idle.get()
        try:
            # None stands for a process that is to be started: its predecessor died, or there was none.
            worker = worker or await self._spawn()
            await worker.await_ready()
            result = await self._converse(worker, command, cwd, OutputFollower(on_line), deadline)
        except BaseException:
            # Whatever it was doing, it must not go on in a folder that is given up.
            if worker is not None:
                await self._discard(worker)
            self._idle.put_nowait(None)
            raise
        worker.commands += 1
        if worker.commands >= COMMANDS_A_PROCESS:
            await self._discard(worker)
            self._idle.put_nowait(await self._spawn())
        else:
            self._idle.put_nowait(worker)
        return result

    def grow(self, slots: int) -> None:
        """Have more processes; see `Engine`."""
        self._slots += slots
        for _ in range(slots):
            self._idle.put_nowait(None)

    async def close(self) -> None:
        """End every process."""
        for worker in list(self._all):
            await self._discard(worker)

    async def _converse(
        self,
        worker: _WarmProcess,
        command: Sequence[str],
        cwd: Path,
        follower: OutputFollower,
        deadline: float,
    ) -> EngineResult:
        started_at = datetime.now(UTC)
        kills = out_of_memory_kills()
        try:
            async with asyncio.timeout(deadline):
                await worker.send({"argv": list(command), "cwd": str(cwd)})
                while (message := await worker.receive()) is not None:
                    if "exit" in message:
                        return EngineResult(
                            exit_status=int(message["exit"]),
                            exit_marker=follower.exit_marker,
                            started_at=started_at,
                            finished_at=datetime.now(UTC),
                            tail=follower.tail,
                        )
                    follower.feed(str(message.get("line", "")))
        except TimeoutError:
            raise EngineDeadlineError(
                f"{command[0]} ran longer than {deadline:g} s and was ended. It is tried again; when this happens "
                "often, raise PAWS_RUNNER_DEADLINE.",
                tail=list(follower.tail),
            ) from None
        except (BrokenPipeError, ConnectionResetError):
            pass
        tail = list(follower.tail)
        if out_of_memory_kills() > kills:
            raise EngineOutOfMemoryError(
                f"Memory ran out during {command[0]}, and the kernel ended the reduction process. It is replaced and the "
                "reduction is tried again; when this happens often, lower PAWS_RUNNER_SLOTS.",
                tail=tail,
            )
        raise EngineDiedError(
            f"The reduction process died during {command[0]}. It is replaced and the reduction is tried again; when "
            "this happens often, look into the runner's log.",
            tail=tail,
        )

    async def _spawn(self) -> _WarmProcess:
        # As many threads in all as there are processors: two commands at once must not fight for them.
        threads = str(max(1, (os.cpu_count() or 1) // self._slots))
        process = await asyncio.create_subprocess_exec(
            # Not from the working folder: whatever lies there must not be taken for a module.
            *(sys.executable, "-P", "-m", "agents.reducer.engines.warm", str(os.getpid())),
            env={"NUMBA_NUM_THREADS": threads, **os.environ, **_ONE_THREAD},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        worker = _WarmProcess(process)
        self._all.add(worker)
        return worker

    async def _discard(self, worker: _WarmProcess) -> None:
        await worker.end()
        self._all.discard(worker)
