"""The folders that a container sees, and who owns them.

A container outlives a command, and what it sees is fixed when it is made. So each has a room: a folder for
inputs, which it cannot write, and one for products. A command's files are put in before it, its products are
taken out after it, and so nothing of another job is ever to be seen there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import Self

from agents.reducer.engines.docker.recipe import INPUTS

ROOMS = "containers"
"""Name of the folder of rooms, among the work folders."""

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP)


class Room:
    """A room that this process owns. The kernel gives it up when the process dies, whatever it dies of.

    Parameters
    ----------
    path
        Its folder.
    lock
        Open descriptor that holds its lock.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @property
    def name(self) -> str:
        """Name, which its container bears."""
        return self.path.name

    @property
    def inputs(self) -> Path:
        """Folder of what a command reads."""
        return self.path / "in"

    @property
    def work(self) -> Path:
        """Folder of what a command writes."""
        return self.path / "work"

    @classmethod
    def make(cls, work_dir: Path, uid: int, gid: int) -> Self:
        """A new room for a user."""
        path = work_dir / ROOMS / secrets.token_hex(6)
        # Nobody takes a room for forsaken before it is locked.
        hidden = path.with_name(f".{path.name}")
        hidden.mkdir(parents=True)
        lock = _open_lock(hidden)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.replace(path)
        room = cls(path, lock)
        room.inputs.mkdir()
        room.work.mkdir(mode=0o700)
        # Whatever the umask of this process says, the user of the container must come in.
        for folder in (path, room.inputs):
            folder.chmod(0o755)
        status = room.work.stat()
        if (status.st_uid, status.st_gid) != (uid, gid):
            os.chown(room.work, uid, gid)
        return room

    @classmethod
    def take_over(cls, work_dir: Path, name: str) -> Self | None:
        """The room of a name that nobody owns any more, or None if there is no such room.

        Raises
        ------
        BlockingIOError
            If a living process owns it.
        """
        path = work_dir / ROOMS / name
        try:
            lock = _open_lock(path)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        return cls(path, lock)

    def fill(self, folder: Path, uid: int, gid: int) -> None:
        """Show a container the files of a work folder, and only these."""
        self.empty()
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith(".") or not entry.is_file():
                continue
            _lay(entry, self.inputs / entry.name, uid, gid)
            # Names of the command are relative to its working folder, and products appear beside inputs.
            (self.work / entry.name).symlink_to(f"{INPUTS}/{entry.name}")

    def collect(self, folder: Path) -> list[str]:
        """Move the files that a command wrote into its work folder, and empty the room.

        Links, devices and whatever else is no plain file stay behind and go: they could lead anywhere.

        Returns
        -------
        list of str
            Names of the moved files.
        """
        moved: list[str] = []
        for entry in sorted(self.work.iterdir()):
            if stat.S_ISREG(entry.lstat().st_mode) and not entry.name.startswith("."):
                entry.replace(folder / entry.name)
                moved.append(entry.name)
        self.empty()
        return moved

    def empty(self) -> None:
        """Take everything out."""
        for folder in (self.inputs, self.work):
            for entry in folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink(missing_ok=True)

    def release(self) -> None:
        """Own it no more, but leave it: its container may still be there."""
        os.close(self._lock)

    def remove(self) -> None:
        """Own it no more, and remove it. Its container must be gone."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def remove_forsaken(work_dir: Path, in_use: set[str]) -> list[str]:
    """Remove rooms that nobody owns and no container uses.

    Parameters
    ----------
    in_use
        Names of the rooms of all containers.

    Returns
    -------
    list of str
        Names of the removed ones.
    """
    removed: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        for path in sorted((work_dir / ROOMS).iterdir()):
            if path.name in in_use or path.name.startswith("."):
                continue
            with contextlib.suppress(OSError):
                room = Room.take_over(work_dir, path.name)
                if room is not None:
                    room.remove()
                    removed.append(path.name)
    return removed


def _open_lock(path: Path) -> int:
    return os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lay(source: Path, target: Path, uid: int, gid: int) -> None:
    """Link a file, or copy it where no link can be or the user could not read it."""
    status = source.stat()
    readable = (
        status.st_mode & stat.S_IROTH
        or (status.st_uid == uid and status.st_mode & stat.S_IRUSR)
        or (status.st_gid == gid and status.st_mode & stat.S_IRGRP)
    )
    if readable and not source.is_symlink():
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
        else:
            return
    shutil.copyfile(source, target)
    target.chmod(0o444)
