"""How a warm process deals with memory: what one frame leaves behind, the next frame uses again."""

from __future__ import annotations

import ctypes
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Numbers of glibc's ``mallopt`` parameters (malloc.h)."""

LARGEST = 2**31 - 1
MARGIN = 2**26


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
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)
