"""Read many files in other processes, in order, with a bounded number under way."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from typing import TypeVar

from agents.ingest.folders import Sighting
from agents.ingest.inspect import Inspection, inspect_file
from paws.errors import PermanentError

FileTime = tuple[str, int]
"""Path of a file, and when it was last changed (ns)."""

Read = TypeVar("Read")

_CHUNK = 8


async def in_processes(
    sightings: Sequence[Sighting],
    work: Callable[[list[FileTime]], list[Read]],
    workers: int | None,
) -> AsyncIterator[list[Read]]:
    """Do something with files, a few at a time.

    Parameters
    ----------
    work
        Done with each few files in another process; it must be importable there.
    workers
        Processes; one a processor when not given.

    Raises
    ------
    PermanentError
        If a process was killed.
    """
    if not sightings:
        return
    workers = workers or len(os.sched_getaffinity(0))
    # A forked child would inherit the event loop and the database's sockets.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([getattr(work, "func", work).__module__])
    under_way: deque[Future[list[Read]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        try:
            for chunk in _chunks(sightings):
                under_way.append(executor.submit(work, chunk))
                if len(under_way) >= 4 * workers:
                    yield await asyncio.wrap_future(under_way.popleft())
            while under_way:
                yield await asyncio.wrap_future(under_way.popleft())
        except BrokenProcessPool as error:
            raise PermanentError(
                "A reading process was killed, perhaps for want of memory. Run the command again: it goes on "
                "where it ended."
            ) from error
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def inspect_old(file: FileTime, longitude: float) -> Inspection:
    """Judge a file of an archive: complete when it was written, not when somebody copied the archive."""
    path, mtime_ns = file
    return inspect_file(path, longitude, datetime.fromtimestamp(mtime_ns / 1e9, UTC))


def _chunks(sightings: Sequence[Sighting]) -> Iterator[list[FileTime]]:
    for start in range(0, len(sightings), _CHUNK):
        yield [(item.path, item.signature.mtime_ns) for item in sightings[start : start + _CHUNK]]
