"""Archives whose every byte is known before the first is sent.

An archive is a list of pieces: bytes of our own (headers, padding, the index of a zip) and whole files between. So its
size is known, the same files give the same bytes, and any range of it is read without making what stands before.
Files are stored as they are: FITS of spectra hardly shrinks, and a compressed size would have to be found out first.
"""

from __future__ import annotations

import struct
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Final

from blake3 import blake3

from web.downloads.members import Download, Member

_FORMAT: Final = "1"
"""Counts changes of how archives are laid out: with each, an interrupted download begins anew."""
_MODE: Final = 0o644
_RECORD: Final = 10_240
_MOST_32: Final = 0xFFFFFFFF
_MOST_16: Final = 0xFFFF
_UTF8: Final = 0x800


class ArchiveFormat(StrEnum):
    """Formats of archives."""

    TAR = "tar"
    ZIP = "zip"

    @property
    def media_type(self) -> str:
        """As HTTP names it."""
        return "application/x-tar" if self is ArchiveFormat.TAR else "application/zip"


Piece = bytes | tuple[Path, int]
"""Bytes, or a file with its size."""


@dataclass(frozen=True)
class Part:
    """Part of a piece: bytes, or a file from an offset on, so many bytes."""

    source: Path | bytes
    offset: int
    length: int


@dataclass(frozen=True, eq=False)
class Layout:
    """What is sent: pieces, one after the other.

    Attributes
    ----------
    etag
        Strong: two layouts of the same tag are the same bytes.
    """

    pieces: tuple[Piece, ...]
    ends: tuple[int, ...]
    etag: str

    @property
    def size(self) -> int:
        """In bytes."""
        return self.ends[-1] if self.ends else 0

    def parts(self, start: int, end: int) -> Iterator[Part]:
        """What has to be read for the bytes from `start` up to, without, `end`."""
        index = bisect_right(self.ends, start)
        while start < end and index < len(self.pieces):
            piece = self.pieces[index]
            begin = self.ends[index - 1] if index else 0
            until = min(end, self.ends[index])
            if until > start:
                source = piece if isinstance(piece, bytes) else piece[0]
                yield Part(source, start - begin, until - start)
            start = until
            index += 1


def layout_of(pieces: Sequence[Piece], etag: str) -> Layout:
    """Layout of some pieces."""
    sizes = (len(piece) if isinstance(piece, bytes) else piece[1] for piece in pieces)
    return Layout(tuple(pieces), tuple(accumulate(sizes)), etag)


def file_layout(member: Member) -> Layout:
    """Layout of one file by itself."""
    return layout_of([_content(member)], f'"{member.digest.blake3}"')


def archive_layout(download: Download, kind: ArchiveFormat) -> Layout:
    """Layout of a download as an archive."""
    pieces = _tar(download) if kind is ArchiveFormat.TAR else _zip(download)
    return layout_of(pieces, archive_etag(download, kind))


def archive_etag(download: Download, kind: ArchiveFormat) -> str:
    """Tag of an archive: changes with every name, time, size and content in it."""
    told = blake3(f"{_FORMAT}\0{kind}\0{download.folder}\0".encode())
    for member in download.members:
        told.update(f"{member.name}\0{member.size}\0{member.at}\0{member.digest.blake3}\0".encode())
    return f'"{told.hexdigest()[:40]}"'


def _content(member: Member) -> Piece:
    return member.source if isinstance(member.source, bytes) else (member.source, member.size)


def _tar(download: Download) -> list[Piece]:
    pieces: list[Piece] = []
    size = 0
    for member in download.members:
        info = tarfile.TarInfo(f"{download.folder}/{member.name}")
        info.size, info.mtime, info.mode = member.size, member.at, _MODE
        header = info.tobuf(tarfile.PAX_FORMAT)
        padding = bytes(-member.size % tarfile.BLOCKSIZE)
        pieces += [header, _content(member), padding]
        size += len(header) + member.size + len(padding)
    end = 2 * tarfile.BLOCKSIZE
    pieces.append(bytes(end + -(size + end) % _RECORD))
    return pieces


@dataclass(frozen=True)
class _Entry:
    """A member's numbers in a zip archive. Format: PKWARE's APPNOTE 6.3."""

    member: Member
    name: bytes
    offset: int

    @property
    def _large(self) -> bool:
        return self.member.size >= _MOST_32

    def _shared(self, needed: int, extra: bytes) -> bytes:
        member = self.member
        size = _MOST_32 if self._large else member.size
        return struct.pack(
            "<HHHHHIIIHH",
            needed,
            _UTF8,
            0,  # stored
            *_dos_time(member.at),
            member.digest.crc32,
            size,
            size,
            len(self.name),
            len(extra),
        )

    def local_header(self) -> bytes:
        """What stands before the file."""
        size = self.member.size
        extra = struct.pack("<HHQQ", 1, 16, size, size) if self._large else b""
        return b"PK\x03\x04" + self._shared(45 if self._large else 20, extra) + self.name + extra

    def index_line(self) -> bytes:
        """What stands in the index at the end."""
        far = self.offset >= _MOST_32
        wide = ([self.member.size] * 2 if self._large else []) + ([self.offset] if far else [])
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        needed = 45 if wide else 20
        return (
            b"PK\x01\x02"
            + struct.pack("<H", 3 << 8 | 45)  # made on Unix
            + self._shared(needed, extra)
            + struct.pack("<HHHII", 0, 0, 0, (0o100000 | _MODE) << 16, _MOST_32 if far else self.offset)
            + self.name
            + extra
        )


def _zip(download: Download) -> list[Piece]:
    pieces: list[Piece] = []
    index = []
    offset = 0
    for member in download.members:
        entry = _Entry(member, f"{download.folder}/{member.name}".encode(), offset)
        header = entry.local_header()
        pieces += [header, _content(member)]
        index.append(entry.index_line())
        offset += len(header) + member.size
    pieces.append(b"".join(index) + _zip_end(len(index), sum(map(len, index)), offset))
    return pieces


def _zip_end(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if count >= _MOST_16 or size >= _MOST_32 or offset >= _MOST_32:
        wide = (
            b"PK\x06\x06"
            + struct.pack("<QHHIIQQQQ", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, offset)
            + b"PK\x06\x07"
            + struct.pack("<IQI", 0, offset + size, 1)
        )
    few, short, near = min(count, _MOST_16), min(size, _MOST_32), min(offset, _MOST_32)
    return wide + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, few, few, short, near, 0)


def _dos_time(at: int) -> tuple[int, int]:
    """Time and date as zip has them, UTC, between 1980 and 2107."""
    moment = datetime.fromtimestamp(min(max(at, 315_532_800), 4_354_819_198), UTC)
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, (moment.year - 1980) << 9 | moment.month << 5 | moment.day
