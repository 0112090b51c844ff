"""The products folder: where every version lies for ever, and the tree of current ones."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agents.reducer.provenance import Making, write_with_provenance
from paws.errors import PermanentError, RetriableError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP)


class DiskFullError(RetriableError):
    """There is no room for a product. Somebody may make room while it is tried again."""

    code = "disk_full"


class UnsafePathError(PermanentError):
    """A path in the database leads out of the folder it belongs to."""

    code = "unsafe_path"


@dataclass(frozen=True)
class StoredFile:
    """A version in the store.

    Attributes
    ----------
    path
        In the data folder, relative.
    """

    path: PurePosixPath
    checksum: str
    size_bytes: int


def version_folder(versions_dir: Path, job_key: str, attempt: int) -> Path:
    """Folder for the products of one attempt.

    Each attempt has its own, so that a runner which was taken for dead and wakes up late cannot touch what
    its successor has registered.
    """
    return versions_dir / job_key[:2] / job_key / str(attempt)


def store(source: Path, name: str, making: Making, data_dir: Path, versions_dir: Path) -> StoredFile:
    """Put a checked product into the store, with its provenance, so that a loss of power does not lose it.

    Raises
    ------
    DiskFullError
        If there is no room.
    """
    folder = version_folder(versions_dir, making.reduction.job_key, making.attempt)
    target = folder / name
    checksum, size = write_product(source, target, making)
    return StoredFile(PurePosixPath(target.relative_to(data_dir).as_posix()), checksum, size)


def write_product(source: Path, target: Path, making: Making) -> tuple[str, int]:
    """Write a checked product to its place in one step, with its provenance.

    Returns
    -------
    checksum : str
        BLAKE3 of what was written, hexadecimal.
    size : int
        In bytes.

    Raises
    ------
    DiskFullError
        If there is no room.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            checksum, size = write_with_provenance(source, stream, making)
            stream.flush()
            os.fsync(stream.fileno())
        # Read-only: an engine that works on a hard link of it must not change the truth.
        temporary.chmod(0o444)
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFullError(
                f"There is no room for {target.name} in {target.parent}. Make room; it is tried again.",
                path=str(target),
            ) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return checksum, size


def link_current(stored: Path, products_dir: Path, path: str) -> bool:
    """Let a path of the tree be a stored version, in one step.

    Returns
    -------
    bool
        Whether anything had to be changed.

    Raises
    ------
    UnsafePathError
        If the path leads out of the products folder.
    FileNotFoundError
        If the stored version is gone.
    """
    target = _inside(products_dir, path)
    if is_linked(stored, target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        try:
            temporary.hardlink_to(stored)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copy2(stored, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def is_linked(stored: Path, target: Path) -> bool:
    """Whether a path of the tree shows a stored version, as a link or as a copy of it."""
    try:
        one, other = stored.stat(), target.stat()
    except FileNotFoundError:
        return False
    if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
        return True
    # A copy, made where no link can be: copy2 keeps the time.
    return one.st_dev != other.st_dev and (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def unlink_stale(products_dir: Path, path: str) -> None:
    """Take a path out of the tree; its version stays in the store."""
    with contextlib.suppress(FileNotFoundError):
        _inside(products_dir, path).unlink()


def remove_unregistered(versions_dir: Path, job_key: str, registered: set[str], before: int) -> list[str]:
    """Remove what earlier attempts stored but did not register.

    Parameters
    ----------
    registered
        Names of the attempt folders that the database knows.
    before
        Attempts from this one on are left alone.

    Returns
    -------
    list of str
        Names of the removed folders.
    """
    home = versions_dir / job_key[:2] / job_key
    removed: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(home.iterdir()):
            if folder.name.isdigit() and int(folder.name) < before and folder.name not in registered:
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder.name)
    return removed


def _inside(root: Path, path: str) -> Path:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise UnsafePathError(f"Product path {path!r} leads out of the products folder.", path=path)
    return root / pure


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
