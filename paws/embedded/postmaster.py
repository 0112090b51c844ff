"""The server process of a PostgreSQL database folder: find it, stop it, clear what it left."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from paws.embedded.errors import ServiceFailedError

#: A fast shutdown writes one checkpoint [s].
STOP_DEADLINE = 30.0
#: Pause between two looks at a server that stops [s].
LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server that runs in a database folder.

    Attributes
    ----------
    pid : int
        Its process id.
    ready : bool
        Whether it accepts connections.
    port : int
        Number of its socket and port; 0 when not known yet.
    socket_folder : str
        Folder of its socket; empty when not known yet.
    address : str
        Address it listens on; empty for none.
    """

    pid: int
    ready: bool
    port: int = 0
    socket_folder: str = ""
    address: str = ""


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Find the live server of a database folder.

    The id in ``postmaster.pid`` may belong to another program by now (after a crash or a new start of the
    machine), so the process itself is asked: a server works in its database folder.
    """
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        working_folder = Path(f"/proc/{pid}/cwd").readlink()
    except (OSError, ValueError, IndexError):
        return None
    if working_folder != cluster.resolve():
        return None
    lines += [""] * (8 - len(lines))
    port = int(lines[3]) if lines[3].strip().isdigit() else 0
    return Postmaster(pid, lines[7].strip() == "ready", port, lines[4].strip(), lines[5].strip())


def remove_stale_pid_file(cluster: Path) -> bool:
    """Remove the ``postmaster.pid`` of a server that is gone; tell whether there was one.

    PostgreSQL does so itself unless the id has been given to another process meanwhile.
    """
    path = cluster / "postmaster.pid"
    if not path.exists() or read_postmaster(cluster) is not None:
        return False
    path.unlink(missing_ok=True)
    return True


def stop_postmaster(cluster: Path, deadline: float = STOP_DEADLINE) -> None:
    """Stop the server of a database folder: fast, after the deadline immediately, at last by force."""
    for number, patience in ((signal.SIGINT, deadline), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        until = time.monotonic() + patience
        running = read_postmaster(cluster)
        if running is None:
            return
        try:
            os.kill(running.pid, number)
        except ProcessLookupError:
            return
        while time.monotonic() < until:
            if read_postmaster(cluster) is None:
                return
            time.sleep(LOOK_EVERY)
    raise ServiceFailedError("postgres", f"does not end in {cluster}")
