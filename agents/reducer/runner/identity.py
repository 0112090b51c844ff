"""Who a runner is, so that a dead one is recognised at once on its own machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def here() -> str:
    """Name of the place whose process ids we can look up: host and process-id namespace."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name.removeprefix("pid:").strip("[]")
    except OSError:
        namespace = "0"
    return f"{socket.gethostname()}-{namespace}"


def runner_identity() -> str:
    """Identity of this process: place, process id and start time, since ids are used again."""
    return f"{here()}/{os.getpid()}/{_start_ticks(os.getpid())}"


def is_dead(identity: str) -> bool:
    """Whether a runner is known to be dead. A runner of another place is never known to be."""
    place, _, rest = identity.rpartition("/")
    place, _, pid = place.rpartition("/")
    if place != here() or not pid.isdigit():
        return False
    return _start_ticks(int(pid)) != rest


def _start_ticks(pid: int) -> str:
    """Start time of a process in clock ticks after boot; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # Field 22 of proc(5); the name in parentheses may hold anything, so count from its end.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]
