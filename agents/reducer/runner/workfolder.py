"""Private work folders: one for each attempt, made from the manifest, removed after."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from agents.reducer.runner.identity import is_dead
from paws.errors import InvalidInputError, RetriableError

_OWNER = ".owner.json"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_ATTEMPT = re.compile(r"[0-9a-f]{16}-[0-9]+")
OWNERLESS_S = 300.0
"""Age at which a folder without an owner is taken for one whose maker died while making it, s."""

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP)


class InputGoneError(RetriableError):
    """A file that a reduction reads is not where it should be: a disk is away, or somebody moved it."""

    code = "input_gone"


class InputNotRegisteredError(RetriableError):
    """A product that a reduction reads is not known to the database."""

    code = "input_not_registered"


class InputChangedError(InvalidInputError):
    """A raw frame is not the file any more that was accepted."""

    code = "input_changed"


@dataclass(frozen=True)
class ManifestEntry:
    """A file to put into a work folder.

    Attributes
    ----------
    name
        In the work folder.
    source
        Where it lies.
    checksum
        BLAKE3 that it must have, hexadecimal.
    verify
        Whether to read it and compare. Raw folders are other people's; our store is read-only.
    """

    name: str
    source: Path
    checksum: str
    verify: bool


def plain_name(name: str) -> str:
    """A file name that may stand in a command.

    Raises
    ------
    InvalidInputError
        If it could be taken for an option, a path or several words.
    """
    if not _PLAIN_NAME.fullmatch(name):
        raise InvalidInputError(f"File name {name!r} cannot be given to aaorun. Rename the file.", name=name)
    return name


def make_work_folder(folder: Path, owner: str, manifest: Sequence[ManifestEntry]) -> None:
    """Make a work folder with everything that the command reads.

    Raises
    ------
    InputGoneError
        If a file is missing.
    InputChangedError
        If a file is not what it was.
    """
    # It may be left of a runner that died in the same attempt: never, since attempts are counted. But a
    # database that was put back to an earlier state counts anew.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    own(folder, owner)
    for entry in manifest:
        try:
            if entry.verify and _checksum(entry.source) != entry.checksum:
                raise InputChangedError(
                    f"{entry.source} has changed since it was accepted. If the new content is meant, it is taken in "
                    "as a new frame by itself; else put the old file back.",
                    path=str(entry.source),
                )
            _link(entry.source, folder / entry.name)
        except FileNotFoundError as error:
            raise InputGoneError(
                f"{entry.source} is gone. Put it back, then run `paws reprocess`.", path=str(entry.source)
            ) from error


def own(folder: Path, owner: str) -> None:
    """Say in a folder whose it is, so that it can be cleared away after its owner's death."""
    (folder / _OWNER).write_text(json.dumps({"runner": owner}))


def prepared_at(folder: Path) -> float:
    """When a work folder was ready, Unix time by the clock of its file system, as the times of its files are."""
    return (folder / _OWNER).stat().st_mtime


def remove_work_folder(folder: Path) -> None:
    """Remove a work folder, whatever is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def attempt_folders(work_dir: Path) -> list[str]:
    """Names of the work folders that are there now."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(path.name for path in work_dir.iterdir() if _ATTEMPT.fullmatch(path.name))
    return []


def remove_abandoned(folder: Path) -> None:
    """Remove a work folder in which nobody has any business, after ending whatever still works in it here."""
    _end_processes_in(folder)
    shutil.rmtree(folder, ignore_errors=True)


def remove_stale_folders(work_dir: Path, pattern: str = "*") -> list[str]:
    """Remove folders of dead runners, after ending whatever still works in them.

    Parameters
    ----------
    work_dir
        Where they lie.
    pattern
        Of their names.

    Returns
    -------
    list of str
        Names of the removed folders.
    """
    removed: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(work_dir.glob(pattern)):
            if folder.is_dir() and _is_stale(folder):
                remove_abandoned(folder)
                removed.append(folder.name)
    return removed


def _is_stale(folder: Path) -> bool:
    owner = _owner(folder)
    if owner:
        return is_dead(owner)
    try:
        return time.time() - folder.stat().st_mtime > OWNERLESS_S
    except FileNotFoundError:
        return False


def _owner(folder: Path) -> str:
    try:
        return str(json.loads((folder / _OWNER).read_text())["runner"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _end_processes_in(folder: Path) -> None:
    # A command's children outlive a runner that was killed; they would fill the folder again.
    home = str(folder.resolve())
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            where = str((entry / "cwd").readlink())
            if where == home or where.startswith(home + os.sep):
                os.kill(int(entry.name), signal.SIGKILL)


def _checksum(path: Path) -> str:
    digest = blake3()
    digest.update_mmap(path)
    return digest.hexdigest()


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        target.symlink_to(source.resolve(strict=True))
