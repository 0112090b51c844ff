"""One supervisor per data folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from paws.embedded.errors import DataFolderBusyError

#: Name of the lock below the data folder. It is never removed: removing it would let two holders in.
LOCK_NAME = Path("run") / "lock"
#: Pause between two attempts while the processes of a killed supervisor end [s].
RETRY_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds (or held last) the lock of a data folder.

    Attributes
    ----------
    pid : int
        Process id; 0 when the file does not tell.
    command : str
        Its command line.
    since : str
        When it took the lock (ISO 8601, UTC).
    """

    pid: int
    command: str
    since: str

    @property
    def alive(self) -> bool:
        """Whether a process with this id exists."""
        return self.pid > 0 and Path(f"/proc/{self.pid}").exists()


class DataLock:
    """Exclusive use of a data folder, for as long as the process lives.

    The kernel releases it however the process ends. The guard of a supervisor inherits the descriptor
    (`fileno`), so that after a ``kill -9`` the folder stays locked until the last process in it has ended.

    Parameters
    ----------
    data : Path
        The data folder; made if absent.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / LOCK_NAME
        self._descriptor = -1

    def acquire(self, patience: float = 20.0) -> None:
        """Take the lock.

        Parameters
        ----------
        patience : float
            How long to wait for the remains of a supervisor that is itself gone [s]. A live holder is
            refused at once.

        Raises
        ------
        DataFolderBusyError
            Another live supervisor has the folder, or the remains of a dead one did not end in time.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = self.holder()
                if holder.alive or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise DataFolderBusyError(self._refusal(holder)) from None
                time.sleep(RETRY_EVERY)
        self._descriptor = descriptor
        self._sign()

    def _refusal(self, holder: LockHolder) -> str:
        folder = self.path.parent.parent
        if holder.alive:
            return (
                f"The data folder {folder} is in use by process {holder.pid} ({holder.command}), "
                f"since {holder.since}. Stop that one first, or give another folder with --data."
            )
        return (
            f"The data folder {folder} is still in use by processes that process {holder.pid} left behind. "
            "Wait a few seconds and try again, or give another folder with --data."
        )

    def _sign(self) -> None:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
        text = json.dumps(
            {"pid": os.getpid(), "command": command, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def holder(self) -> LockHolder:
        """Who signed the lock last."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(self.path.read_text())
            return LockHolder(int(found["pid"]), str(found["command"]), str(found["since"]))
        return LockHolder(0, "unknown", "an unknown time")

    def held_by_somebody(self) -> bool:
        """Whether any process, this one included, holds the lock now."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def fileno(self) -> int:
        """Descriptor to hand to the guard; -1 while not held."""
        return self._descriptor

    def release(self) -> None:
        """Give the lock up; harmless when not held."""
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
