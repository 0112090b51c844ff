"""One child process: its description, its start, its output, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paws.embedded.account import Account, launch_command
from paws.embedded.guard import lives
from paws.embedded.logfile import RotatingLog
from paws.embedded.ready import ReadyProbe
from paws.embedded.restart import RestartPolicy

#: How much of the output is read at once [bytes].
CHUNK = 65536
#: How long the rest of a process group may take after its leader has ended [s].
GROUP_GRACE = 1.0
#: Pause between two looks at a group that is ending [s].
LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What a supervisor needs to know of a process.

    Attributes
    ----------
    name : str
        For logs, the runtime file and messages.
    argv : sequence of str, or a function that returns one
        A function is called at every start, after `before_start`.
    log_file : Path
        Where its output (standard output and error) goes.
    environment : mapping, or a function that returns one
        Added to the supervisor's own environment; None removes a variable.
    folder : Path, optional
        Working folder.
    ready : ReadyProbe, optional
        Without one, a process is ready as soon as it runs.
    ready_deadline : float
        How long it may take to become ready [s].
    restart : RestartPolicy
        What happens when it ends.
    stop_signal, stop_deadline
        How it is asked to end, and for how long [s] before it is killed.
    death_signal : int
        What the kernel sends it when the supervisor is killed.
    account : Account, optional
        Another account to run under (root only).
    essential : bool
        Whether everything ends when this is given up.
    follows : tuple of str
        Processes whose new start means that this one must start anew too (it is stopped first, and
        started when they are ready).
    before_start : callable, optional
        Called in a thread before every start; what it raises ends the attempts.
    after_ready : coroutine function, optional
        Awaited every time the process has become ready, before anything that waits for it goes on.
    after_stop : callable, optional
        Called once, when the supervisor has stopped the process for good; quick, and without exceptions.
    """

    name: str
    argv: Sequence[str] | Callable[[], Sequence[str]]
    log_file: Path
    environment: Mapping[str, str | None] | Callable[[], Mapping[str, str | None]] = field(
        default_factory=dict
    )
    folder: Path | None = None
    ready: ReadyProbe | None = None
    ready_deadline: float = 30.0
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    stop_signal: int = signal.SIGTERM
    stop_deadline: float = 10.0
    death_signal: int = signal.SIGKILL
    account: Account | None = None
    essential: bool = True
    follows: tuple[str, ...] = ()
    before_start: Callable[[], None] | None = None
    after_ready: Callable[[], Awaitable[None]] | None = None
    after_stop: Callable[[], None] | None = None

    def command(self) -> list[str]:
        """Program and arguments of the start that is about to happen."""
        return list(self.argv() if callable(self.argv) else self.argv)

    def full_environment(self) -> dict[str, str]:
        """Environment of the start that is about to happen."""
        added = self.environment() if callable(self.environment) else self.environment
        return {key: value for key, value in {**os.environ, **added}.items() if value is not None}


class Child:
    """A running process in a session and process group of its own.

    Parameters
    ----------
    process : asyncio.subprocess.Process
        The process.
    output : asyncio.StreamReader
        What it writes.
    pipe : asyncio.ReadTransport
        Through which it writes that.
    log : RotatingLog
        Where the output goes.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        output: asyncio.StreamReader,
        pipe: asyncio.ReadTransport,
        log: RotatingLog,
    ) -> None:
        self._process = process
        self._output = output
        self._pipe = pipe
        self._log = log
        self.started = time.monotonic()
        self._pump = asyncio.create_task(self._copy_output(), name=f"output of {process.pid}")

    @classmethod
    async def spawn(cls, spec: ProcessSpec, log: RotatingLog) -> Child:
        """Start a process as its description says."""
        # A pipe of our own: the library's would make its end wait for all who hold it, grandchildren too.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *launch_command(spec.command(), account=spec.account, death_signal=spec.death_signal),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                env=spec.full_environment(),
                cwd=spec.folder,
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        output = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reading, "rb", 0)
        )
        return cls(process, output, pipe, log)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def _copy_output(self) -> None:
        while chunk := await self._output.read(CHUNK):
            # A full disk must not take the processes down with it.
            with contextlib.suppress(OSError):
                self._log.write(chunk)

    async def wait(self) -> int:
        """Wait for the end; return the exit status, negative for a signal."""
        return await self._process.wait()

    def send_group(self, number: int) -> bool:
        """Signal the whole group; tell whether anything of it was left."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    async def end(self, stop_signal: int, deadline: float) -> int:
        """Ask it to end, wait, kill what does not, group included; return the exit status."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(stop_signal)
            try:
                async with asyncio.timeout(deadline):
                    await self.wait()
            except TimeoutError:
                self.send_group(signal.SIGKILL)
        status = await self.wait()
        await self.clear_group()
        return status

    async def clear_group(self) -> None:
        """After the process itself has ended: end the rest of its group, and keep its last output."""
        if self.send_group(signal.SIGTERM):
            for _ in range(int(GROUP_GRACE / LOOK_EVERY)):
                if not lives(self.pid):
                    break
                await asyncio.sleep(LOOK_EVERY)
            self.send_group(signal.SIGKILL)
        await asyncio.wait({self._pump}, timeout=GROUP_GRACE)
        self._pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump
        self._pipe.close()
