"""Look through raw folders: which directories to watch, which files lie there. Synchronous I/O, for threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agents.ingest.inspect import Signature
from agents.ingest.names import NameKind, name_kind, night_in

MAX_DEPTH = 5
MAX_FOLDERS = 4000
"""Folders that a live sweep looks through at most; an archive has no bound."""
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse", "afs", "lustre", "ceph", "gpfs", "glusterfs")

FolderIdentity = tuple[int, int]
"""Device and inode: another one under the same path is another folder."""


@dataclass(frozen=True)
class Sighting:
    """A candidate file, as a sweep saw it.

    Attributes
    ----------
    changed_ns
        Last change of the inode: it moves when permissions do, which the signature does not show.
    """

    path: str
    signature: Signature
    changed_ns: int


@dataclass
class Sweep:
    """What one look through a raw folder found.

    Attributes
    ----------
    folders
        Those looked through, with their identity.
    """

    root: str
    present: bool = True
    problem: str = ""
    sightings: list[Sighting] = field(default_factory=list)
    folders: dict[str, FolderIdentity] = field(default_factory=dict)


def sweep(
    root: str,
    nights: int | None,
    on_folder: Callable[[str, FolderIdentity], None] = lambda _path, _identity: None,
) -> Sweep:
    """Look through a raw folder.

    Parameters
    ----------
    root
        The raw folder.
    nights
        Of folders named by their night, only so many of the newest are looked into; all when None.
    on_folder
        Called for each folder *before* it is listed, so that a watch placed there misses nothing.
    """
    found = Sweep(root)
    if not Path(root).is_dir():
        found.present = False
        found.problem = (
            "it does not exist" if not os.path.lexists(root) else "it is no folder that can be opened"
        )
        return found
    for path, entries in _walk(root, nights, found, on_folder):
        for entry in entries:
            sighting = _look(os.path.join(path, entry.name), entry)
            if sighting is not None:
                found.sightings.append(sighting)
    found.sightings.sort(key=lambda sighting: (sighting.signature.mtime_ns, sighting.path))
    return found


def _walk(
    root: str, nights: int | None, found: Sweep, on_folder: Callable[[str, FolderIdentity], None]
) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Folders with their entries that are no folders. Links are followed, each real folder once."""
    seen: set[FolderIdentity] = set()
    pending = [(root, 0)]
    while pending and (nights is None or len(seen) < MAX_FOLDERS):
        path, depth = pending.pop()
        try:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                continue
            seen.add(identity)
            on_folder(path, identity)
            with os.scandir(path) as listing:
                entries = list(listing)
        except OSError as error:
            if path == root:
                found.present, found.problem = False, error.strerror or str(error)
                return
            continue
        found.folders[path] = identity
        folders = [entry.name for entry in entries if _is_folder(entry)]
        if depth < MAX_DEPTH:
            pending += [(os.path.join(path, name), depth + 1) for name in _newest(folders, nights)]
        yield path, [entry for entry in entries if entry.name not in set(folders)]


def _newest(folders: list[str], nights: int | None) -> list[str]:
    dated = sorted((night, name) for name in folders if (night := night_in(name)))
    kept = dated if nights is None else dated[-nights:]
    return [name for name in folders if not night_in(name)] + [name for _, name in kept]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # A folder that is named like a frame is reported as a file that is none.
    if entry.name.startswith(".") or name_kind(entry.name) is not NameKind.OTHER:
        return False
    try:
        return entry.is_dir()
    except OSError:
        return False


def _look(path: str, entry: os.DirEntry[str]) -> Sighting | None:
    if name_kind(entry.name) not in (NameKind.RAW, NameKind.FOREIGN):
        return None
    return look(path)


def look(path: str) -> Sighting | None:
    """A file as it is now; None when it is gone."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        try:
            status = os.lstat(path)
        except OSError:
            return None
    except OSError:
        # A link that leads to itself: still something that people should hear of.
        return Sighting(path, Signature(0, 0), 0) if os.path.lexists(path) else None
    return Sighting(path, Signature.of(status), status.st_ctime_ns)


def is_network_file_system(path: str, mounts: str = "/proc/self/mounts") -> bool:
    """Whether a path lies on a file system whose remote writes the kernel does not notice."""
    try:
        lines = Path(mounts).read_text(errors="replace").splitlines()
    except OSError:
        return False
    place = os.path.realpath(path)
    best, kind = "", ""
    for line in lines:
        parts = line.split()
        if len(parts) < 3:
            continue
        point = parts[1].replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, parts[2]
    return kind.startswith(_NETWORK_FILE_SYSTEMS)
