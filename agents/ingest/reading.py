"""Read many files at once, in order, with a bounded number under way."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from agents.ingest.folders import Sighting
from agents.ingest.inspect import Inspection, inspect_file
from paws.clock import from_nanoseconds

FileTime = tuple[str, int]
"""Path of a file, and when it was last changed (ns)."""

Read = TypeVar("Read")

_CHUNK = 4


async def in_threads(
    sightings: Sequence[Sighting],
    work: Callable[[list[FileTime]], list[Read]],
    workers: int | None,
) -> AsyncIterator[list[Read]]:
    """Do something with files, a few at a time, each few in one of several threads.

    Reading and hashing, five sixths of the time of a frame, leave the interpreter free; processes would read
    no faster on a few processors, and take half a second to start.

    Parameters
    ----------
    work
        Done with each few files.
    workers
        Threads; one a processor when not given.
    """
    if not sightings:
        return
    workers = workers or len(os.sched_getaffinity(0))
    under_way: deque[Future[list[Read]]] = deque()
    executor = ThreadPoolExecutor(workers, thread_name_prefix="read")
    try:
        for chunk in _chunks(sightings):
            under_way.append(executor.submit(work, chunk))
            if len(under_way) >= 4 * workers:
                yield await asyncio.wrap_future(under_way.popleft())
        while under_way:
            yield await asyncio.wrap_future(under_way.popleft())
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def inspect_old(file: FileTime, longitude: float) -> Inspection:
    """Judge a file of an archive: complete when it was written, not when somebody copied the archive."""
    path, mtime_ns = file
    return inspect_file(path, longitude, from_nanoseconds(mtime_ns))


def _chunks(sightings: Sequence[Sighting]) -> Iterator[list[FileTime]]:
    for start in range(0, len(sightings), _CHUNK):
        yield [(item.path, item.signature.mtime_ns) for item in sightings[start : start + _CHUNK]]
