"""Disturbances of what surrounds the system: its disk, its raw folder, its clocks, its events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from paws.chaos.faults import Fault
from paws.chaos.running import AwayError, SystemUnderTest
from paws.chaos.strikes import Strike
from paws.clock import utc_now
from paws.errors import PermanentError
from schemas.topics import FRAMES_ARRIVED, REDUCTIONS_FINISHED, REDUCTIONS_REQUESTED

CHUNK = 1 << 16
TOP_UP_EVERY = 0.1
REPEAT_PATIENCE = 40.0


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A small file system of its own at a folder; needs root.

    Raises
    ------
    PermanentError
        If it cannot be mounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", str(folder))


def _run(*command: str) -> None:
    import subprocess

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise PermanentError(f"{' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def small_disk_below(folder: Path, megabytes: int) -> Iterator[None]:
    """A small file system of its own for a folder with all that is in it; needs root.

    Raises
    ------
    PermanentError
        If it cannot be mounted.
    """
    aside = folder.with_name(f"{folder.name} (aside)")
    _run("cp", "-a", str(folder), str(aside))
    with small_disk(folder, megabytes):
        _run("cp", "-a", f"{aside}/.", str(folder))
        shutil.rmtree(aside)
        yield


class FullDisk:
    """Fills a disk to the last byte.

    Parameters
    ----------
    folders
        By whose disk it is; each on a small file system of its own, see `small_disk`.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    async def strike(self, fault: Fault) -> Strike:
        """Fill, keep full, empty."""
        ballast = self._folders[fault.target] / "ballast"
        strike = Strike(fault, utc_now(), done=True)
        until = time.monotonic() + fault.lasts
        try:
            while time.monotonic() < until:
                await asyncio.to_thread(_fill, ballast)
                await asyncio.sleep(TOP_UP_EVERY)
        finally:
            ballast.unlink(missing_ok=True)
        strike.relieved_at = time.monotonic()
        return strike


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as stream:
        while stream.write(bytes(CHUNK)):
            pass


class FolderAway:
    """Takes the raw folder away, as when a network file system goes, and brings it back."""

    def __init__(self, raw: Path, system: SystemUnderTest) -> None:
        self._raw = raw
        self._system = system

    async def strike(self, fault: Fault) -> Strike:
        """Rename it, wait, rename it back; while somebody watches it, who can tell of it."""
        patience = time.monotonic() + REPEAT_PATIENCE
        while not await self._system.is_ready("ingest") and time.monotonic() < patience:  # noqa: ASYNC110 - a file tells
            await asyncio.sleep(TOP_UP_EVERY)
        hidden = self._raw.with_name(f"{self._raw.name} (away)")
        strike = Strike(fault, utc_now(), done=True)
        self._raw.rename(hidden)
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            hidden.rename(self._raw)
        strike.relieved_at = time.monotonic()
        return strike


class ClockStep:
    """Steps the clock of one process, and back.

    Parameters
    ----------
    files
        Where the offsets stand, by process; see `paws.chaos.system`.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    async def strike(self, fault: Fault) -> Strike:
        """Step, wait, step back."""
        file = self._files[fault.target]
        strike = Strike(fault, utc_now(), done=True)
        set_clock(file, fault.amount)
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            set_clock(file, 0.0)
        strike.relieved_at = time.monotonic()
        return strike


def set_clock(file: Path, offset: float) -> None:
    """Write the offset of a clock, s, in one step: a reader that finds no number keeps real time."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(f"{offset:+.0f}\n")
    temporary.replace(file)


class Repeat:
    """Publishes events of the night again: each twice, all out of order."""

    def __init__(self, system: SystemUnderTest, source: random.Random) -> None:
        self._system = system
        self._source = source

    async def strike(self, fault: Fault) -> Strike:
        """Publish, as soon as there is anything to publish and a broker to take it."""
        deadline = time.monotonic() + REPEAT_PATIENCE
        while time.monotonic() < deadline:
            strike = Strike(fault, utc_now())
            try:
                # While nobody listens, a broker that is killed next would take them with it.
                ready = await self._system.is_ready("worker")
                strike.done = ready and await self._publish(int(fault.amount)) > 0
            except (AwayError, KafkaError, OSError):
                strike.done = False
            if strike.done:
                strike.relieved_at = time.monotonic()
                return strike
            await asyncio.sleep(0.5)
        return Strike(fault, utc_now())

    async def _publish(self, count: int) -> int:
        rows = await self._system.rows(
            "SELECT topic, key, payload::text AS payload FROM outbox WHERE topic = ANY($1::text[]) ORDER BY id",
            [FRAMES_ARRIVED.name, REDUCTIONS_REQUESTED.name, REDUCTIONS_FINISHED.name],
        )
        chosen = self._source.sample(rows, min(count, len(rows))) * 2
        self._source.shuffle(chosen)
        runtime = self._system.runtime()
        if not chosen or runtime is None or not runtime.broker_url:
            return 0
        async with asyncio.timeout(10):
            producer = AIOKafkaProducer(
                bootstrap_servers=runtime.broker_url.removeprefix("kafka://"), linger_ms=0
            )
            try:
                await producer.start()
                for row in chosen:
                    topic = self._system.settings.topic(row["topic"])
                    await producer.send_and_wait(topic, row["payload"].encode(), key=row["key"].encode())
            finally:
                await producer.stop()
        return len(chosen)
