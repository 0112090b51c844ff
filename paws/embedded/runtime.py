"""The runtime file: what a running system tells the commands that come after it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from paws.embedded.lock import DataLock

#: Name of the file below the data folder.
RUNTIME_NAME = Path("run") / "runtime.json"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What others need to speak to a running system.

    Attributes
    ----------
    supervisor_pid : int
        The process that holds the data folder.
    started_at : str
        ISO 8601, UTC.
    database_url, broker_url, web_url : str
        Empty while not (or not here) running.
    broker_incarnation : str
        Changes whenever an embedded broker starts afresh with empty topics.
    pids : dict
        Process id by name of the process.
    """

    supervisor_pid: int
    started_at: str
    database_url: str = ""
    broker_url: str = ""
    web_url: str = ""
    broker_incarnation: str = ""
    pids: dict[str, int] = field(default_factory=dict)


def write_runtime(data: Path, runtime: Runtime) -> Path:
    """Write the runtime file so that a reader sees the old or the new one, never a part.

    Only the owner may read it: the database URL can carry a password.
    """
    path = data / RUNTIME_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(runtime), file, indent=1)
    temporary.replace(path)
    return path


def remove_runtime(data: Path) -> None:
    """Remove the runtime file; harmless when absent."""
    (data / RUNTIME_NAME).unlink(missing_ok=True)


def read_runtime(data: Path) -> Runtime | None:
    """Read what the system in a data folder says of itself.

    Returns
    -------
    Runtime or None
        None when nothing runs there: no file, or a file left by a supervisor that was killed.
    """
    try:
        found = json.loads((data / RUNTIME_NAME).read_text())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(found, dict) or not DataLock(data).held_by_somebody():
        return None
    known = {item.name for item in fields(Runtime)}
    try:
        return Runtime(**{key: value for key, value in found.items() if key in known})
    except TypeError:
        return None


def runtime_left(data: Path) -> bool:
    """Whether the last supervisor of a data folder left without stopping: its runtime file is still there.

    To be asked by who holds the folder's lock, before writing a file of its own.
    """
    return (data / RUNTIME_NAME).exists()
