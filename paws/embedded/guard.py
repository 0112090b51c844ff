"""End what a supervisor started when the supervisor itself was killed.

Run as a script (``python -I -S guard.py``) with a pipe from the supervisor as standard input. Each line adds
(``+GROUP SIGNAL GRACE``) or removes (``-GROUP``) one process group. When the pipe closes, because the
supervisor ended in whatever way, every group still listed gets its signal and, after its grace in seconds,
SIGKILL. The kernel's parent-death signal reaches direct children only; this reaches the grandchildren too,
and lets a database shut down in order. It imports the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

#: Pause between two looks at the groups that are ending [s].
LOOK_EVERY = 0.05


def listen(lines: Iterable[bytes]) -> dict[int, tuple[int, float]]:
    """Follow the supervisor until its pipe closes; return the groups still listed."""
    groups: dict[int, tuple[int, float]] = {}
    for line in lines:
        words = line.decode("ascii").split()
        if line.startswith(b"+"):
            groups[int(words[0])] = (int(words[1]), float(words[2]))
        elif line.startswith(b"-"):
            groups.pop(-int(words[0]), None)
    return groups


def send(group: int, number: int) -> bool:
    """Signal a process group; tell whether there was one."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def lives(group: int) -> bool:
    """Whether a process group has a member that is more than a zombie.

    Zombies answer signals too, and stay for ever where process 1 is a program that collects none, as in
    many containers.
    """
    if not send(group, 0):
        return False
    for name in os.listdir("/proc"):  # noqa: PTH208  (fast start: no pathlib)
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat") as file:  # noqa: PTH123 - fast start: no pathlib
                state, _, found = file.read().rpartition(")")[2].split()[:3]
                if int(found) == group and state != "Z":
                    return True
    return False


def end(groups: dict[int, tuple[int, float]]) -> None:
    """Signal every group, wait for its grace, then kill what is left of it."""
    start = time.monotonic()
    waiting = {group: start + grace for group, (number, grace) in groups.items() if send(group, number)}
    while waiting:
        time.sleep(LOOK_EVERY)
        for group, deadline in list(waiting.items()):
            if not lives(group):
                del waiting[group]
            elif time.monotonic() > deadline:
                send(group, signal.SIGKILL)
                del waiting[group]


def main() -> None:
    """Guard until the supervisor is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(KeyboardInterrupt):
        end(listen(sys.stdin.buffer))


if __name__ == "__main__":
    main()
