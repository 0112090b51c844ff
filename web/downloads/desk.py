"""From a question to a download that can be sent: what costs time is done once, by itself, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from paws.access.rule import Sight
from paws.database import Pool
from paws.settings import Settings
from web.accounts.visitor import Visitor
from web.downloads.choice import DownloadQuestion
from web.downloads.digests import DigestDesk, Wanting, digest_file, digest_of
from web.downloads.members import (
    B3SUMS,
    MISSING,
    README,
    SHA256SUMS,
    Digest,
    Download,
    FileKind,
    Member,
    Missing,
    distinct,
)
from web.downloads.outline import Entry, Outline, outline_of
from web.downloads.texts import b3sums, missing_text, readme, sha256sums
from web.pdf.desk import PdfDesk
from web.problems import ProblemError

_MOST_AT_ONCE: Final = 200
_MOST_OF_ONE: Final = 12
_MOST_SUMS: Final = 4000
_REMEMBERED: Final = 30.0
"""Seconds for which a download is remembered that is fetched file by file: laying it out costs more than a file."""
_MOST_REMEMBERED: Final = 8


Key = tuple[str, Sight, int | None]
"""A download as somebody sees it: whose rights change, for them it is another one."""


@dataclass(frozen=True)
class Preparing:
    """A download that is not ready: PDFs are drawn, or files read for their sums."""

    done: int
    total: int

    @property
    def words(self) -> str:
        """For people."""
        return f"Being prepared: {self.done} of {self.total} files are ready. Ask again in a few seconds."


class DownloadDesk:
    """Prepares downloads, and counts those that are being sent.

    Parameters
    ----------
    settings
        The process's own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.pdfs = PdfDesk(settings.cache_dir / "pdf", settings.pdf_room * 1_000_000)
        self._digests = DigestDesk()
        self._sums: OrderedDict[tuple[Path, int, int, int], Digest] = OrderedDict()
        self._sending: Counter[str] = Counter()
        self._recent: OrderedDict[Key, tuple[float, Download]] = OrderedDict()

    async def close(self) -> None:
        """End what is under way."""
        await self._digests.close()
        await self.pdfs.close()

    async def outline(self, pool: Pool, ask: DownloadQuestion, visitor: Visitor) -> Outline:
        """What goes into a download, as its visitor sees it.

        Raises
        ------
        NotFoundError, ProblemError
            As `outline_of`.
        """
        return await outline_of(pool, self._settings, ask, visitor)

    async def ready(
        self, pool: Pool, ask: DownloadQuestion, outline: Outline, patience: float
    ) -> Download | Preparing:
        """A download with all sums, or how far it is.

        Parameters
        ----------
        patience
            Seconds to wait for what is not ready. It goes on being prepared afterwards.

        Raises
        ------
        BusyError
            If too much is being prepared for others.
        """
        until = asyncio.get_running_loop().time() + patience
        while True:
            pending, total = await self._start(pool, outline)
            if not pending:
                return await self._download(pool, ask, outline)
            rest = until - asyncio.get_running_loop().time()
            if rest > 0:
                await asyncio.wait(pending, timeout=rest)
            left = sum(not task.done() for task in pending)
            for task in pending:
                if task.done() and not task.cancelled():
                    # Why one failed is told by its desk; here it only must not stay unheard.
                    task.exception()
            if left or rest <= 0:
                return Preparing(total - left, total)

    async def recent(
        self, pool: Pool, ask: DownloadQuestion, visitor: Visitor, patience: float
    ) -> Download | Preparing:
        """A download for somebody who fetches it file by file: as it was a moment ago.

        Raises
        ------
        NotFoundError, ProblemError, BusyError
            As `outline` and `ready`.
        """
        now = time.monotonic()
        key = (ask.query(), visitor.sight, visitor.person.account_id if visitor.person else None)
        at, known = self._recent.get(key, (-_REMEMBERED, None))
        if known is not None and now - at < _REMEMBERED:
            return known
        found = await self.ready(pool, ask, await self.outline(pool, ask, visitor), patience)
        if isinstance(found, Download):
            self._recent[key] = now, found
            self._recent.move_to_end(key)
            while len(self._recent) > _MOST_REMEMBERED:
                self._recent.popitem(last=False)
        return found

    @contextmanager
    def sending(self, address: str) -> Iterator[None]:
        """Count a download while it is sent."""
        self._sending[address] += 1
        try:
            yield
        finally:
            self._sending[address] -= 1
            self._sending += Counter()  # forgets those at nought

    def check_room(self, address: str) -> None:
        """Refuse one more download where there are too many.

        Raises
        ------
        ProblemError
            429 when there are too many at once.
        """
        if self._sending[address] >= _MOST_OF_ONE or self._sending.total() >= _MOST_AT_ONCE:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many downloads are going on. Wait until one of them is done; what was begun can be resumed.",
                headers={"Retry-After": "30"},
            )

    async def _start(self, pool: Pool, outline: Outline) -> tuple[list[asyncio.Task[Any]], int]:
        """Have made what is not there yet: its tasks, and how many files there are to prepare in all."""
        files = [
            _wanting(entry) for entry in outline.entries if entry.kind in (FileKind.PRODUCT, FileKind.RAW)
        ]
        known = await self._digests.known(pool, [file.checksum for file in files])
        pending: list[asyncio.Task[Any]] = []
        for file in files:
            if file.checksum not in known and self._digests.failure(file) is None:
                pending.append(self._digests.start(pool, file))
        pdfs = [entry for entry in outline.entries if entry.kind is FileKind.PDF]
        kept = await asyncio.to_thread(lambda: {one.checksum for one in pdfs if self.pdfs.kept(one.checksum)})
        for entry in pdfs:
            assert entry.path is not None
            if entry.checksum not in kept and self.pdfs.failure(entry.checksum) is None:
                pending.append(self.pdfs.start(entry.checksum, entry.path))
        return pending, len(files) + len(pdfs)

    async def _download(self, pool: Pool, ask: DownloadQuestion, outline: Outline) -> Download:
        checksums = [entry.checksum for entry in outline.entries if entry.checksum]
        known = await self._digests.known(pool, checksums)
        found = await asyncio.to_thread(lambda: [self._member(entry, known) for entry in outline.entries])
        missing = [*outline.missing, *(one for one in found if isinstance(one, Missing))]
        members = distinct(one for one in found if isinstance(one, Member))
        at = max((member.at for member in members), default=0)
        texts = [(README, readme(ask.content.words, members, bool(missing)))]
        if missing:
            texts.append((MISSING, missing_text(missing)))
        listed = [*members, *(_text(name, text, at) for name, text in texts)]
        sums = [_text(SHA256SUMS, sha256sums(listed), at), _text(B3SUMS, b3sums(listed), at)]
        return Download(outline.folder, (*listed, *sums), tuple(missing))

    def _member(self, entry: Entry, known: dict[str, Digest]) -> Member | Missing:
        if entry.content is not None:
            digest = digest_of(entry.content)
            return Member(entry.name, entry.kind, len(entry.content), entry.at, digest, entry.content)
        path = entry.path
        assert path is not None
        if entry.kind in (FileKind.PRODUCT, FileKind.RAW):
            sums = known.get(entry.checksum)
            if sums is None:
                return Missing(entry.name, self._digests.failure(_wanting(entry)) or "it could not be read")
            assert entry.size is not None
            return Member(entry.name, entry.kind, entry.size, entry.at, sums, path)
        if entry.kind is FileKind.PDF:
            kept = self.pdfs.kept(entry.checksum)
            if kept is None:
                return Missing(entry.name, self.pdfs.failure(entry.checksum) or "it could not be drawn")
            path = kept
        try:
            digest, size = self._file_sums(path)
        except OSError as error:
            return Missing(entry.name, f"it cannot be read: {error.strerror or error}")
        return Member(entry.name, entry.kind, size, entry.at, digest, path)

    def _file_sums(self, path: Path) -> tuple[Digest, int]:
        """Sums of a small file of ours, remembered while it stays the same file."""
        status = path.stat()
        # A PDF's time is when it was last asked for; another PDF under its name is another file.
        changed = 0 if path.suffix == ".pdf" else status.st_mtime_ns
        key = (path, status.st_ino, status.st_size, changed)
        found = self._sums.get(key)
        if found is None:
            found, size = digest_file(path)
            key = (path, status.st_ino, size, changed)
            self._sums[key] = found
            while len(self._sums) > _MOST_SUMS:
                self._sums.popitem(last=False)
        return found, key[2]


def _wanting(entry: Entry) -> Wanting:
    assert entry.path is not None
    assert entry.size is not None
    return Wanting(entry.checksum, entry.path, entry.size)


def _text(name: str, text: str, at: int) -> Member:
    content = text.encode()
    return Member(name, FileKind.TEXT, len(content), at, digest_of(content), content)
