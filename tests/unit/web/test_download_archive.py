"""Archives: what others unpack out of them, and any range of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.downloads.archive import ArchiveFormat, Layout, Part, archive_etag, archive_layout, file_layout
from web.downloads.digests import digest_of
from web.downloads.members import Digest, Download, FileKind, Member

AT = int(datetime(2026, 3, 12, 14, 30, 20, tzinfo=UTC).timestamp())
GIGABYTE = 1 << 30


def text(name: str, content: bytes) -> Member:
    return Member(name, FileKind.TEXT, len(content), AT, digest_of(content), content)


def stored(path: Path, name: str, content: bytes) -> Member:
    path.write_bytes(content)
    return Member(name, FileKind.PRODUCT, len(content), AT, digest_of(content), path)


def sparse(path: Path, name: str, size: int) -> Member:
    """A file so large that nobody writes it."""
    with path.open("wb") as stream:
        stream.truncate(size)
    return Member(name, FileKind.RAW, size, AT, Digest("0" * 64, "0" * 64, 0), path)


def content_of(part: Part) -> bytes:
    if isinstance(part.source, bytes):
        return part.source[part.offset : part.offset + part.length]
    with part.source.open("rb") as stream:
        stream.seek(part.offset)
        return stream.read(part.length)


def read(layout: Layout, start: int, end: int) -> bytes:
    return b"".join(content_of(part) for part in layout.parts(start, end))


class Sought(io.RawIOBase):
    """A layout as a file that is sought in, so that nothing large is read."""

    def __init__(self, layout: Layout) -> None:
        self._layout, self._at = layout, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: self._layout.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is what this is
        found = read(self._layout, self._at, min(self._at + len(buffer), self._layout.size))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


@pytest.fixture
def download(tmp_path: Path) -> Download:
    long = "/".join(["p1", "x" * 70, "y" * 70, "OBJ0008red.fits"])
    return Download(
        "paws-20260312-FLD195-reduced",
        (
            stored(tmp_path / "a", "p1/OBJ0008red.fits", bytes(range(256)) * 40),
            stored(tmp_path / "b", long, b"spectra" * 1000),
            stored(tmp_path / "c", "raw/empty.fits", b""),
            text("README.txt", "für alle\n".encode()),
        ),
    )


def test_tar_unpacks_to_the_same_files(download: Download) -> None:
    whole = read(layout := archive_layout(download, ArchiveFormat.TAR), 0, layout.size)

    assert len(whole) == layout.size
    assert layout.size % 10_240 == 0
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        infos = archive.getmembers()
        assert [info.name for info in infos] == [f"{download.folder}/{one.name}" for one in download.members]
        assert {(info.mtime, info.mode, info.uid) for info in infos} == {(AT, 0o644, 0)}
        for info, member in zip(infos, download.members, strict=True):
            unpacked = archive.extractfile(info)
            assert unpacked is not None
            assert digest_of(unpacked.read()) == member.digest


def test_zip_unpacks_to_the_same_files(download: Download) -> None:
    whole = read(layout := archive_layout(download, ArchiveFormat.ZIP), 0, layout.size)

    assert len(whole) == layout.size
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{download.folder}/{one.name}" for one in download.members]
        for info, member in zip(archive.infolist(), download.members, strict=True):
            assert digest_of(archive.read(info)) == member.digest
            assert info.date_time == (2026, 3, 12, 14, 30, 20)
            assert info.external_attr >> 16 == 0o100644


@pytest.mark.parametrize("kind", list(ArchiveFormat))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_range_is_that_of_the_whole(
    kind: ArchiveFormat, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    sizes = data.draw(st.lists(st.integers(0, 2000), max_size=5))
    members = tuple(
        stored(folder / f"r{number}", f"f{number}.fits", bytes([number + 1]) * size)
        for number, size in enumerate(sizes)
    )
    layout = archive_layout(Download("d", (*members, text("README.txt", b"x"))), kind)
    whole = read(layout, 0, layout.size)
    start = data.draw(st.integers(0, layout.size))
    end = data.draw(st.integers(start, layout.size))

    assert read(layout, start, end) == whole[start:end]


def test_zip_of_what_no_old_zip_holds(tmp_path: Path) -> None:
    members = (
        sparse(tmp_path / "large", "large.fits", 5 * GIGABYTE),
        text("behind.txt", b"beyond four gigabytes"),
    )
    layout = archive_layout(Download("d", members), ArchiveFormat.ZIP)

    with zipfile.ZipFile(Sought(layout)) as archive:
        large, behind = archive.infolist()
        assert (large.file_size, large.compress_size) == (5 * GIGABYTE, 5 * GIGABYTE)
        assert behind.header_offset > 5 * GIGABYTE
        assert archive.read(behind) == b"beyond four gigabytes"
        with archive.open(large) as stream:
            assert stream.read(100) == bytes(100)


def test_zip_of_more_files_than_old_zips_count() -> None:
    members = tuple(text(f"{number}.txt", b"") for number in range(66_000))
    layout = archive_layout(Download("d", members), ArchiveFormat.ZIP)

    with zipfile.ZipFile(Sought(layout)) as archive:
        assert len(archive.infolist()) == 66_000


def test_tar_of_what_no_old_tar_holds(tmp_path: Path) -> None:
    members = (sparse(tmp_path / "large", "large.fits", 9 * GIGABYTE), text("behind.txt", b"here"))
    layout = archive_layout(Download("d", members), ArchiveFormat.TAR)

    with tarfile.open(fileobj=io.BufferedReader(Sought(layout))) as archive:
        large, behind = archive.getmembers()
        assert large.size == 9 * GIGABYTE
        found = archive.extractfile(behind)
        assert found is not None
        assert found.read() == b"here"


def test_tag_changes_with_whatever_changes_the_bytes(download: Download) -> None:
    member = download.members[0]
    other = [
        Member("p1/other.fits", *_rest(member)),
        Member(member.name, member.kind, member.size + 1, member.at, member.digest, member.source),
        Member(member.name, member.kind, member.size, member.at + 1, member.digest, member.source),
        Member(member.name, member.kind, member.size, member.at, Digest("1" * 64, "", 0), member.source),
    ]
    tags = {archive_etag(Download(download.folder, (one,)), ArchiveFormat.TAR) for one in [member, *other]}
    tags.add(archive_etag(Download(download.folder, (member,)), ArchiveFormat.ZIP))
    tags.add(archive_etag(Download("elsewhere", (member,)), ArchiveFormat.TAR))

    assert len(tags) == 7
    assert archive_etag(download, ArchiveFormat.TAR) == archive_layout(download, ArchiveFormat.TAR).etag


def _rest(member: Member) -> tuple[FileKind, int, int, Digest, Path | bytes]:
    return member.kind, member.size, member.at, member.digest, member.source


def test_one_file_by_itself(download: Download) -> None:
    layout = file_layout(download.members[0])

    assert read(layout, 10, 20) == bytes(range(10, 20))
    assert layout.etag == f'"{download.members[0].digest.blake3}"'


@pytest.mark.parametrize("at", [-5, 0, 10**12])
def test_times_that_zip_cannot_tell(at: int) -> None:
    member = Member("a", FileKind.TEXT, 1, at, digest_of(b"a"), b"a")
    layout = archive_layout(Download("d", (member,)), ArchiveFormat.ZIP)

    with zipfile.ZipFile(Sought(layout)) as archive:
        assert 1980 <= archive.infolist()[0].date_time[0] <= 2107
