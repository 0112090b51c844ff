"""Sums of files, found in one reading of each, and kept: a file's content never changes under its checksum."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from paws.database import Pool
from paws.errors import InvalidInputError
from web.downloads.members import Digest
from web.pdf.desk import BusyError
from web.storage import downloads as store

_BLOCK: Final = 1 << 20
_AT_ONCE: Final = 2
"""Files read at once: more would only take the disk from those who reduce."""
_MOST_WAITING: Final = 20_000


class ChangedFileError(InvalidInputError):
    """A file does not hold what is registered under its name."""

    code = "changed_file"


@dataclass(frozen=True)
class Wanting:
    """A file whose sums are not known yet."""

    checksum: str
    path: Path
    size: int


def digest_of(content: bytes) -> Digest:
    """Sums of a content."""
    return Digest(blake3(content).hexdigest(), hashlib.sha256(content).hexdigest(), zlib.crc32(content))


def digest_file(path: Path) -> tuple[Digest, int]:
    """Sums of a file, and its size, in one reading.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    told, sha256, crc32, size = blake3(), hashlib.sha256(), 0, 0
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            told.update(block)
            sha256.update(block)
            crc32 = zlib.crc32(block, crc32)
            size += len(block)
    return Digest(told.hexdigest(), sha256.hexdigest(), crc32), size


class DigestDesk:
    """Finds sums of files, each once, however many ask."""

    def __init__(self) -> None:
        self._reading: dict[str, asyncio.Task[Digest]] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._wrong: dict[tuple[str, Path, int], str] = {}

    async def known(self, pool: Pool, checksums: Sequence[str]) -> dict[str, Digest]:
        """Sums that are known already, by BLAKE3."""
        return await store.known_digests(pool, checksums)

    def failure(self, file: Wanting) -> str | None:
        """Why a file cannot be used, if that was found."""
        return self._wrong.get((file.checksum, file.path, _changed_at(file.path)))

    def start(self, pool: Pool, file: Wanting) -> asyncio.Task[Digest]:
        """Have a file read; the task gives its sums, or raises `ChangedFileError`.

        Raises
        ------
        BusyError
            If too many are waited for.
        """
        task = self._reading.get(file.checksum)
        if task is None:
            if len(self._reading) >= _MOST_WAITING:
                raise BusyError("Many downloads are being prepared; ask again in a few minutes.")
            task = asyncio.create_task(self._read(pool, file), name="sums")
            self._reading[file.checksum] = task
            task.add_done_callback(lambda done: self._done(file, done))
        return task

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._reading.values()):
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)

    def _done(self, file: Wanting, task: asyncio.Task[Digest]) -> None:
        self._reading.pop(file.checksum, None)
        if not task.cancelled() and isinstance(error := task.exception(), ChangedFileError):
            if len(self._wrong) > 1000:
                self._wrong.clear()
            self._wrong[file.checksum, file.path, _changed_at(file.path)] = error.message

    async def _read(self, pool: Pool, file: Wanting) -> Digest:
        async with self._turn:
            try:
                digest, size = await asyncio.to_thread(digest_file, file.path)
            except OSError as error:
                raise ChangedFileError(f"it cannot be read: {error.strerror or error}") from error
        if digest.blake3 != file.checksum or size != file.size:
            raise ChangedFileError("its content is not what was registered; it is damaged, or was replaced")
        await store.keep_digest(pool, digest, size)
        return digest


def _changed_at(path: Path) -> int:
    """When a file was changed: what was wrong with it then may be right now."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
