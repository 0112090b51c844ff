"""PDFs of products, made when they are first asked for and kept as long as there is room.

They are kept by the product's checksum, so none is ever out of date. One process draws, at low priority; whoever asks
for what is being drawn waits for the same drawing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final

from paws.errors import InvalidInputError, RetriableError
from paws.log import get_logger
from web.pdf.make import LAYOUT

log = get_logger(__name__)

_DEADLINE: Final = 90.0
"""Seconds for one PDF: a hundred times what a full field takes on a quiet machine."""
_IDLE: Final = 120.0
"""Seconds after which a process without work is ended."""
_MOST_WAITING: Final = 2000
_MOST_FAILURES: Final = 1000
_REMEMBERED: Final = 600.0
"""Seconds in which what could not be printed is not tried again."""
_LOOK_EVERY: Final = 25
"""PDFs after which room is looked for."""


class BusyError(RetriableError):
    """So many PDFs are waited for that no more are taken on."""

    code = "busy"


class PdfDesk:
    """Makes and keeps PDFs.

    Parameters
    ----------
    folder
        Where they are kept. Anything in it may be removed at any time.
    room
        Bytes that they may take; the ones not asked for the longest go first.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder.absolute()
        self._room = room
        self._making: dict[str, asyncio.Task[Path]] = {}
        self._failed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._made = 0

    def place(self, checksum: str) -> Path:
        """Where the PDF of a product is kept."""
        return self._folder / checksum[:2] / f"{checksum}-{LAYOUT}.pdf"

    def kept(self, checksum: str) -> Path | None:
        """The PDF of a product, if it is there."""
        path = self.place(checksum)
        try:
            os.utime(path)  # it is in use: room is made elsewhere
        except OSError:
            return None
        return path

    def failure(self, checksum: str) -> str | None:
        """Why a product cannot be printed, if that was tried a short while ago."""
        message, at = self._failed.get(checksum, ("", -_REMEMBERED))
        return message if time.monotonic() - at < _REMEMBERED else None

    def start(self, checksum: str, source: Path) -> asyncio.Task[Path]:
        """Have a PDF made; the task gives where it is.

        Parameters
        ----------
        source
            The product's file, absolute.

        Raises
        ------
        BusyError
            If too many are waited for.
        """
        task = self._making.get(checksum)
        if task is None:
            if len(self._making) >= _MOST_WAITING:
                raise BusyError("Many PDFs are being made; ask again in a few minutes.")
            task = asyncio.create_task(self._make(checksum, source), name="print")
            self._making[checksum] = task
            task.add_done_callback(lambda done: self._done(checksum, done))
        return task

    async def pdf(self, checksum: str, source: Path) -> Path:
        """The PDF of a product, made if it is not there.

        Raises
        ------
        InvalidInputError
            If the product cannot be printed.
        BusyError
            If too many are waited for.
        """
        found = self.kept(checksum)
        return found if found else await asyncio.shield(self.start(checksum, source))

    async def close(self) -> None:
        """End the process and what is under way."""
        for task in list(self._making.values()):
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        await self._end()

    def _done(self, checksum: str, task: asyncio.Task[Path]) -> None:
        self._making.pop(checksum, None)
        if not task.cancelled() and isinstance(error := task.exception(), InvalidInputError):
            self._failed[checksum] = error.message, time.monotonic()
            self._failed.move_to_end(checksum)
            while len(self._failed) > _MOST_FAILURES:
                self._failed.popitem(last=False)

    async def _make(self, checksum: str, source: Path) -> Path:
        target = self.place(checksum)
        async with self._turn:
            await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            told = await self._ask({"source": str(source), "target": str(target)})
            if "error" in told:
                raise InvalidInputError(str(told["error"]), path=str(source))
            self._made += 1
            if self._made % _LOOK_EVERY == 1:
                await asyncio.to_thread(make_room, self._folder, self._room)
        return target

    async def _ask(self, question: dict[str, str]) -> dict[str, object]:
        if self._idle is not None:
            self._idle.cancel()
        try:
            process = await self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(_DEADLINE):
                await process.stdin.drain()
                line = await process.stdout.readline()
            found = json.loads(line)
        except (TimeoutError, OSError, ValueError) as error:
            # It hangs, or died: of memory, or by somebody's hand. The next gets a new one.
            await self._end()
            why = "took too long" if isinstance(error, TimeoutError) else "ended by itself"
            raise InvalidInputError(
                f"The spectra could not be printed: the process {why}.", path=question["source"]
            ) from error
        except BaseException:
            await self._end()
            raise
        self._idle = asyncio.get_running_loop().call_later(_IDLE, self._end_idle)
        return dict(found)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "web.pdf.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        return self._process

    def _end_idle(self) -> None:
        if self._process is not None and self._process.stdin is not None and not self._turn.locked():
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if self._idle is not None:
            self._idle.cancel()
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


def make_room(folder: Path, room: int) -> int:
    """Remove PDFs that were not asked for the longest until the others fit. Gives how many went."""
    found = []
    for path in folder.glob("??/*"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _at, size, _path in found)
    gone = 0
    for _at, size, path in sorted(found):
        if total <= room:
            break
        with suppress(OSError):
            path.unlink()
            total -= size
            gone += 1
    return gone
