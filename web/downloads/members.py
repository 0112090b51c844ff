"""Files of a download: what each is called, and what its content is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.layout import safe_component

SHA256SUMS: Final = "SHA256SUMS"
B3SUMS: Final = "B3SUMS"
README: Final = "README.txt"
MISSING: Final = "MISSING.txt"
_OWN: Final = frozenset({SHA256SUMS, B3SUMS, README, MISSING})


class FileKind(StrEnum):
    """What a file of a download is."""

    PRODUCT = "product"
    PDF = "pdf"
    LOG = "log"
    RAW = "raw"
    TEXT = "text"


@dataclass(frozen=True)
class Digest:
    """Sums of a content, hexadecimal, and its CRC-32, which zip archives need."""

    blake3: str
    sha256: str
    crc32: int


@dataclass(frozen=True)
class Member:
    """A file of a download, ready to be sent.

    Attributes
    ----------
    name
        Below the download's folder, with slashes; safe on every system.
    size
        In bytes.
    at
        When it was made: seconds of Unix time.
    source
        File that holds it, or the content itself.
    """

    name: str
    kind: FileKind
    size: int
    at: int
    digest: Digest
    source: Path | bytes


@dataclass(frozen=True)
class Missing:
    """A file that should be there and is not, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Download:
    """All of a download.

    Attributes
    ----------
    folder
        Folder that all files lie in, so that unpacking litters nothing.
    members
        In their order; sums and texts of our own last.
    """

    folder: str
    members: tuple[Member, ...]
    missing: tuple[Missing, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(member.size for member in self.members)

    def member(self, name: str) -> Member | None:
        """File of a name."""
        return next((member for member in self.members if member.name == name), None)


def safe_name(path: str) -> str:
    """A path that stays below its folder on every system, whatever a header or a person put into it.

    Each part is reduced to letters, digits and ``+-_.``; parts without any of them, such as ``..``, go. None begins
    with a hyphen, which commands would take for an option.
    """
    parts = [
        safe_component(part.lstrip("-")) for part in path.replace("\\", "/").split("/") if part.strip(". ")
    ]
    return "/".join(parts) or "unknown"


def beside(path: str, suffix: str, version: int | None = None) -> str:
    """Name of a file beside a product, such as its log: the same with another suffix.

    Parameters
    ----------
    version
        Of a product that is not current: its files are told apart from those of the current one.
    """
    name = PurePosixPath(safe_name(path))
    mark = "" if version is None else f"-v{version}"
    return str(name.with_name(f"{name.stem}{mark}{suffix}"))


def distinct(members: Iterable[Member]) -> tuple[Member, ...]:
    """Members with distinct names, also where capitals do not count. The first of a name keeps it."""
    taken = {name.lower() for name in _OWN}
    found = []
    for member in members:
        name, number = member.name, 1
        while name.lower() in taken:
            number += 1
            path = PurePosixPath(member.name)
            name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        taken.add(name.lower())
        found.append(member if name == member.name else replace(member, name=name))
    return tuple(found)
