"""How a warm process deals with memory: what one frame leaves behind, the next frame uses again."""

from __future__ import annotations

import ctypes
import mmap
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Numbers of glibc's ``mallopt`` parameters (malloc.h)."""

LARGEST = 2**31 - 1
MARGIN = 2**26

ROOM = 900_000_000
"""What a process may come to need [byte]: the heap is asked for so much, and gives it back to itself untouched."""


def keep_memory() -> bool:
    """Do not give memory back to the system between frames; whether the system's allocator can do that.

    An image of a frame is so large that each would be a mapping of its own, of fresh pages that the system has to
    clear: a tenth of a science frame's seconds. With one heap that stays, the process holds as much as its largest
    command needed, which is no more than that command would have needed anyway.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((MMAP_MAX, 0), (TRIM_THRESHOLD, LARGEST), (TOP_PAD, MARGIN))
    kept = all(mallopt(parameter, value) == 1 for parameter, value in wanted)
    if kept:
        _ask_for_large_pages()
    return kept


def _ask_for_large_pages() -> None:
    """Tell the system that what the heap will grow into may come in large pages, if there are such on demand.

    Columns of an image lie 16 kB apart: with pages of 4 kB each step along a row needs another entry of the processor's
    table of pages, which has 2000. Only memory that has been written to counts, so that the room itself costs nothing.
    """
    try:
        library = ctypes.CDLL(None)
        allocate, release, advise = library.malloc, library.free, library.madvise
    except (OSError, AttributeError):
        return
    allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    release.restype, release.argtypes = None, [ctypes.c_void_p]
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    room = allocate(ROOM)
    if not room:
        # A system that promises no more than it has; pages are small then, as they were.
        return
    first = -(-room // mmap.PAGESIZE) * mmap.PAGESIZE
    advise(first, (room + ROOM - first) // mmap.PAGESIZE * mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
    release(room)
