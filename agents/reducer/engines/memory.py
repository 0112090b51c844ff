"""Whether the kernel ended processes for want of memory."""

from __future__ import annotations

from pathlib import Path

_COUNTERS = Path("/proc/vmstat")


def out_of_memory_kills() -> int:
    """Processes that the kernel has ended for want of memory since this machine started; 0 where it does not tell.

    A process that was killed while this number rose was killed for that. Another's death at the same time may
    be taken for it, which does no harm: both are tried again.
    """
    try:
        text = _COUNTERS.read_text()
    except OSError:
        return 0
    counts = (line.split() for line in text.splitlines() if line.startswith("oom_kill "))
    return next((int(count) for _, count in counts), 0)
