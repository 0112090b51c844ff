"""Run named processes in order, keep them running, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from paws.embedded.errors import ServiceError, ServiceFailedError
from paws.embedded.events import EventKind, SupervisorEvent
from paws.embedded.lock import DataLock
from paws.embedded.logfile import RotatingLog
from paws.embedded.process import Child, ProcessSpec
from paws.embedded.restart import Ending, RestartAction, decide_restart
from paws.embedded.runtime import Runtime, remove_runtime, runtime_left, write_runtime
from paws.embedded.watch import pauses_told

#: Pause between two questions to a readiness probe [s].
PROBE_EVERY = 0.02
#: How long a hook of a process may go on after the process was stopped [s].
HOOK_GRACE = 2.0
#: The script that ends the processes of a supervisor that was killed.
GUARD = Path(__file__).with_name("guard.py")


class StopRequestedError(ServiceError):
    """A signal, or a call, asked the supervisor to stop while it was starting something."""

    code = "service.stop_requested"


class _Kept:
    """A process that the supervisor keeps running."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.log = RotatingLog(spec.log_file)
        self.child: Child | None = None
        self.task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.ended_by_us = False
        self.pid = 0
        self.failures = 0
        self.failed_starts = 0
        self.failure: ServiceError | None = None


class Supervisor:
    """Runs and keeps the processes of one data folder.

    Leaving the ``async with`` block stops everything, in reverse order of the starts. If the supervisor is
    killed, the kernel ends its children and a guard process ends their groups.

    Parameters
    ----------
    data : Path
        The data folder: locked while the supervisor lives, with the runtime file in ``run/``.
    on_event : callable, optional
        Told of every `SupervisorEvent`, in the event loop; it must return at once.
    patience : float
        How long to wait for the remains of a killed supervisor in this folder [s].

    Raises
    ------
    DataFolderBusyError
        On entering, when another live supervisor has the folder.
    """

    def __init__(
        self, data: Path, *, on_event: Callable[[SupervisorEvent], None] | None = None, patience: float = 20.0
    ) -> None:
        self.data = data
        self._lock = DataLock(data)
        self._on_event = on_event
        self._patience = patience
        self._kept: dict[str, _Kept] = {}
        self._guard: asyncio.subprocess.Process | None = None
        self.after_death = False  # once entered: whether the last one of this folder left without stopping
        self._stop_asked = asyncio.Event()
        self._ending = asyncio.Event()
        self._failure: ServiceError | None = None
        self._signals: list[int] = []
        self._runtime = Runtime(os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._lock.acquire, self._patience)
        # Only now: what a killed one left may hold the lock for a while, as a live one does.
        self.after_death = runtime_left(self.data)
        try:
            await self._start_guard()
            write_runtime(self.data, self._runtime)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # -- starting ------------------------------------------------------------------------------------------

    async def start(self, spec: ProcessSpec) -> None:
        """Start a process and return when it is ready.

        Several starts may run at once (`asyncio.gather`).

        Raises
        ------
        ServiceFailedError
            It could not be brought to readiness; the message has its last lines.
        StopRequestedError
            The supervisor was asked to stop meanwhile.
        """
        if spec.name in self._kept:
            raise ServiceError(f"A process with the name {spec.name} is already kept; names are unique.")
        kept = self._kept[spec.name] = _Kept(spec)
        kept.task = asyncio.create_task(self._keep(kept), name=f"keep {spec.name}")
        waits = [asyncio.create_task(event.wait()) for event in (kept.ready, self._stop_asked)]
        try:
            await asyncio.wait([*waits, kept.task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if kept.failure is not None:
            raise kept.failure
        if self._stop_asked.is_set():
            raise self._failure or StopRequestedError(f"Stopped while {spec.name} was starting.")

    async def _keep(self, kept: _Kept) -> None:
        """Start a process again and again, as long as the decision is to do so."""
        while True:
            await kept.gate.wait()
            if self._ending.is_set():
                return
            try:
                ending = await self._live(kept)
            except ServiceError as error:
                self._give_up(kept, error)
                return
            except Exception as error:
                # From a hook or a probe. Without this, whoever waits for the process would wait for ever.
                failure = self._failed(kept, f"cannot be kept running: {error!r}")
                failure.__cause__ = error
                self._give_up(kept, failure)
                return
            ordered, kept.ended_by_us = kept.ended_by_us, False
            if ordered and not self._ending.is_set():
                continue
            decision = decide_restart(kept.spec.restart, ending, stopping=self._ending.is_set())
            kept.failures, kept.failed_starts = decision.failures, decision.failed_starts
            self._tell(kept, EventKind.STOPPED if self._ending.is_set() else EventKind.ENDED, decision.reason)
            if decision.action is RestartAction.GIVE_UP:
                self._give_up(kept, self._failed(kept, decision.reason))
            if decision.action is not RestartAction.RESTART:
                # What was left alone with its work done counts as having been ready.
                kept.ready.set()
                return
            await self._hold_back_followers(kept.spec.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(decision.delay):
                    await self._stop_asked.wait()

    async def _live(self, kept: _Kept) -> Ending:
        """One life of a process, from its start to its end."""
        spec = kept.spec
        if spec.before_start is not None:
            await asyncio.to_thread(spec.before_start)
        try:
            child = kept.child = await Child.spawn(spec, kept.log)
        except OSError as error:
            raise ServiceFailedError(spec.name, f"cannot be started: {error}") from error
        kept.pid = child.pid
        await self._tell_guard(f"+{child.pid} {int(spec.stop_signal)} {spec.stop_deadline}")
        try:
            self._tell(kept, EventKind.STARTED, f"started as process {child.pid}")
            if self._stop_asked.is_set() or not kept.gate.is_set():
                # The order to end came while there was no process yet to be ended.
                return Ending(await child.end(spec.stop_signal, spec.stop_deadline), 0.0, was_ready=False)
            overdue = not await self._become_ready(kept, child)
            was_ready = not overdue and child.running
            if was_ready:
                await self._announce_ready(kept, child)
            elif overdue:
                await child.end(signal.SIGKILL, spec.stop_deadline)
            async with pauses_told(child.pid, lambda kind, message: self._tell(kept, kind, message)):
                status = await child.wait()
            lifetime = time.monotonic() - child.started
            # Without a probe only a long life shows a good start.
            was_ready &= spec.ready is not None or lifetime >= spec.restart.healthy_after
            return Ending(status, lifetime, was_ready, overdue, kept.failures, kept.failed_starts)
        finally:
            await child.end(spec.stop_signal, spec.stop_deadline)
            kept.child = None
            await self._tell_guard(f"-{child.pid}")
            self._note_pids()

    async def _become_ready(self, kept: _Kept, child: Child) -> bool:
        """Ask the probe until it agrees or the process ends (True), or the deadline passes (False)."""
        probe = kept.spec.ready
        if probe is None:
            return True
        deadline = child.started + kept.spec.ready_deadline
        while child.running and not await probe(child.pid):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(PROBE_EVERY)
        return True

    async def _announce_ready(self, kept: _Kept, child: Child) -> None:
        if kept.spec.after_ready is not None:
            await kept.spec.after_ready()
        self._note_pids()
        self._tell(kept, EventKind.READY, f"ready after {time.monotonic() - child.started:.2f} s")
        kept.ready.set()
        for follower in self._followers(kept.spec.name):
            follower.gate.set()

    # -- followers -----------------------------------------------------------------------------------------

    def _followers(self, name: str) -> list[_Kept]:
        return [kept for kept in self._kept.values() if name in kept.spec.follows]

    async def _hold_back_followers(self, name: str) -> None:
        """Stop what must start anew with ``name``, before ``name`` itself starts anew."""
        for follower in self._followers(name):
            follower.gate.clear()
            follower.ended_by_us = True
            await self._hold_back_followers(follower.spec.name)
            if follower.child is not None:
                self._tell(follower, EventKind.HELD_BACK, f"stopped until {name} is ready again")
                await follower.child.end(follower.spec.stop_signal, follower.spec.stop_deadline)

    async def restart(self, name: str) -> None:
        """Stop a process in order and let it start anew, with its followers; return when it is ready."""
        kept = self._kept[name]
        kept.ready.clear()
        kept.gate.clear()
        kept.ended_by_us = True
        await self._hold_back_followers(name)
        if kept.child is not None:
            await kept.child.end(kept.spec.stop_signal, kept.spec.stop_deadline)
        kept.gate.set()
        assert kept.task is not None
        ready = asyncio.create_task(kept.ready.wait())
        try:
            await asyncio.wait([ready, kept.task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if kept.failure is not None:
            raise kept.failure

    # -- failing and waiting -------------------------------------------------------------------------------

    def _failed(self, kept: _Kept, reason: str) -> ServiceFailedError:
        return ServiceFailedError(kept.spec.name, reason, kept.log.tail(), str(kept.spec.log_file))

    def _give_up(self, kept: _Kept, error: ServiceError) -> None:
        kept.failure = error
        self._tell(kept, EventKind.GIVEN_UP, f"is given up: {error.message.splitlines()[0]}")
        if kept.spec.essential:
            self._failure = self._failure or error
            self._stop_asked.set()

    def request_stop(self) -> None:
        """Have `wait` return; a second request kills everything at once."""
        if self._stop_asked.is_set():
            for kept in self._kept.values():
                if kept.child is not None:
                    kept.child.send_group(signal.SIGKILL)
        self._stop_asked.set()

    def handle_signals(self) -> None:
        """Take Ctrl-C, SIGTERM and the closing of the terminal as requests to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup the closing of the terminal is already ignored, and stays so.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.request_stop)
                self._signals.append(number)

    async def wait(self) -> None:
        """Wait until a stop is requested.

        Raises
        ------
        ServiceFailedError
            An essential process was given up.
        """
        await self._stop_asked.wait()
        if self._failure is not None:
            raise self._failure

    # -- what others see -----------------------------------------------------------------------------------

    def publish(
        self,
        *,
        database_url: str | None = None,
        broker_url: str | None = None,
        web_url: str | None = None,
        broker_incarnation: str | None = None,
    ) -> None:
        """Add to the runtime file what others need; None leaves a field as it is."""
        given = {
            "database_url": database_url,
            "broker_url": broker_url,
            "web_url": web_url,
            "broker_incarnation": broker_incarnation,
        }
        changed = {key: value for key, value in given.items() if value is not None}
        self._runtime = replace(self._runtime, **changed)  # type: ignore[arg-type]  # texts for text fields only
        write_runtime(self.data, self._runtime)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of those that run now."""
        return {name: kept.child.pid for name, kept in self._kept.items() if kept.child is not None}

    def _note_pids(self) -> None:
        if not self._ending.is_set():
            self._runtime = replace(self._runtime, pids=self.pids)
            # The disk may be full; the processes go on.
            with contextlib.suppress(OSError):
                write_runtime(self.data, self._runtime)

    def _tell(self, kept: _Kept, kind: EventKind, message: str) -> None:
        if self._on_event is not None:
            self._on_event(SupervisorEvent(kept.spec.name, kind, message, kept.pid))

    # -- guard and end -------------------------------------------------------------------------------------

    async def _start_guard(self) -> None:
        self._guard = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(GUARD),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
            # The guard holds the lock too: the folder stays taken until it has cleared up.
            pass_fds=[self._lock.fileno()],
        )

    async def _tell_guard(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(line.encode("ascii") + b"\n")
                await self._guard.stdin.drain()

    async def _dismiss_guard(self) -> None:
        if self._guard is None:
            return
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            async with asyncio.timeout(5.0):
                await self._guard.wait()
        except TimeoutError:
            self._guard.kill()
            await self._guard.wait()
        self._guard = None

    async def stop(self) -> None:
        """Stop every process, the last started first; harmless when called twice."""
        self._ending.set()
        self._stop_asked.set()
        for kept in reversed(list(self._kept.values())):
            kept.gate.set()
            if kept.child is not None:
                await kept.child.end(kept.spec.stop_signal, kept.spec.stop_deadline)
            if kept.task is not None:
                await asyncio.wait({kept.task}, timeout=HOOK_GRACE)
                kept.task.cancel()
                await asyncio.gather(kept.task, return_exceptions=True)
            if kept.spec.after_stop is not None:
                kept.spec.after_stop()
            kept.log.close()
        await self._dismiss_guard()
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.remove_signal_handler(number)
        self._signals.clear()
        if self._lock.fileno() >= 0:
            remove_runtime(self.data)
        self._lock.release()
