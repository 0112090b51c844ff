"""Letting a process give way: what computes must not slow down what watches, announces and serves."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

TRIES = 5
PAUSE = 0.11
"""The kernel takes such a change from an ordinary user ten times a second at most [s]."""


def give_way(pid: int, niceness: int) -> None:
    """Lower the priority of a session leader and its process group.

    Linux may share processors between sessions first and look at niceness only within one (autogroups), so
    a process that leads its own session is told twice: by its niceness, and by that of its session.

    Parameters
    ----------
    pid
        Of a process that leads its session and its group.
    niceness
        0 to 19. What the system does not grant is left as it is.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, pid, niceness)
    for _ in range(TRIES):
        try:
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
        except BlockingIOError:
            time.sleep(PAUSE)
        except OSError:
            return
        else:
            return
