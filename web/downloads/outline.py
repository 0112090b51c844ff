"""The outline of a download: which files, under which names, before their sums are known."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

from paws.access.rule import Sight
from paws.database import Pool
from paws.settings import Settings
from schemas.layout import safe_component
from web.access import told
from web.accounts.visitor import Visitor
from web.downloads.choice import MOST_FILES, MOST_PRODUCTS, Content, DownloadQuestion, folder_name
from web.downloads.members import FileKind, Missing, beside
from web.files import OutsideError, inside
from web.problems import NotFoundError, ProblemError
from web.storage import downloads as store
from web.storage.downloads import StoredFrame, StoredProduct

_LONGEST_LOG: Final = 4_000_000
_CUT: Final = b"\n... the rest of this log is left out: it is very long.\n"


@dataclass(frozen=True)
class Entry:
    """A file that goes in.

    Attributes
    ----------
    size
        In bytes; None of a PDF that is not made yet.
    path
        File that holds it; of a PDF, the product that it shows.
    content
        The content itself, where no file holds it.
    checksum
        BLAKE3 that is registered; of a PDF, that of its product; empty where none is.
    """

    name: str
    kind: FileKind
    at: int
    size: int | None
    path: Path | None = None
    content: bytes | None = None
    checksum: str = ""


@dataclass(frozen=True)
class Outline:
    """All that goes in, what lacks, and the products by which it can be asked for again."""

    folder: str
    entries: tuple[Entry, ...]
    missing: tuple[Missing, ...]
    product_ids: tuple[str, ...]


async def outline_of(pool: Pool, settings: Settings, ask: DownloadQuestion, visitor: Visitor) -> Outline:
    """Find what goes into a download: what the visitor may see of what was asked for, and nothing else.

    Raises
    ------
    NotFoundError
        If that is nothing.
    ProblemError
        422 if it is too much for one download.
    """
    sight = visitor.sight
    chosen = await _chosen(pool, ask, visitor)
    if not chosen:
        raise NotFoundError("There are no products of that kind, or none that are yours to see.")
    _check_number(len(chosen), MOST_PRODUCTS, "products")
    products = chosen
    if ask.content is Content.EVERYTHING:
        jobs = sorted({product.job_key for product in chosen})
        products = _together(chosen, await store.products_behind(pool, sight, jobs, MOST_FILES))
        _check_number(len(products), MOST_FILES, "files")
    frames: list[StoredFrame] = []
    if ask.content is not Content.REDUCED:
        frames = await store.frames_of(pool, sight, [one.product_id for one in products], MOST_FILES)
        _check_number(len(frames), MOST_FILES, "files")
    logs = await store.logs_of(pool, sight, sorted({product.job_key for product in products}))
    entries: list[Entry | Missing] = []
    told_of: set[str] = set()
    marks = _marks(products)
    for product in products:
        mark = marks.get(product.product_id)
        entries += await asyncio.to_thread(_of_product, settings, product, mark, ask.pdfs)
        if product.job_key in logs and product.job_key not in told_of:
            told_of.add(product.job_key)
            name = beside(product.path, ".log", mark)
            at = _seconds(product.created_at)
            entries.append(await _log(pool, settings, sight, name, at, logs[product.job_key]))
    entries += await asyncio.to_thread(lambda: [of_frame(frame) for frame in frames])
    return Outline(
        folder=folder_name(ask, [product.path for product in chosen]),
        entries=tuple(entry for entry in entries if isinstance(entry, Entry)),
        missing=tuple(entry for entry in entries if isinstance(entry, Missing)),
        product_ids=tuple(product.product_id for product in chosen),
    )


async def _chosen(pool: Pool, ask: DownloadQuestion, visitor: Visitor) -> list[StoredProduct]:
    if ask.request is None:
        return await store.chosen_products(
            pool,
            visitor.sight,
            product_ids=ask.product,
            night=ask.night,
            field=ask.field,
            limit=MOST_PRODUCTS,
        )
    account = visitor.person.account_id if visitor.person else None
    jobs = await store.jobs_of_request(pool, visitor.sight, account, ask.request)
    if jobs is None:
        raise NotFoundError("There is no such request.")
    return await store.products_of_jobs(pool, visitor.sight, jobs, MOST_PRODUCTS)


def _check_number(number: int, most: int, what: str) -> None:
    if number > most:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"That is more than {most} {what}, too much for one download: choose a field, or fewer products.",
        )


def _together(first: Sequence[StoredProduct], more: Iterable[StoredProduct]) -> list[StoredProduct]:
    known = {product.product_id for product in first}
    return [*first, *(product for product in more if product.product_id not in known)]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _marks(products: Iterable[StoredProduct]) -> dict[str, int]:
    """Versions by which products are told apart that have one path and are not current, by identifier."""
    known = list(products)
    paths = Counter(product.path for product in known)
    return {
        product.product_id: product.version
        for product in known
        if paths[product.path] > 1 and not product.current
    }


def _of_product(
    settings: Settings, product: StoredProduct, mark: int | None, pdfs: bool
) -> list[Entry | Missing]:
    name = beside(product.path, ".fits", mark)
    try:
        path = inside(settings, product.stored_path)
        size = path.stat().st_size
    except (OSError, OutsideError):
        return [Missing(name, "its file has been removed; reduce the frame again")]
    if size != product.size_bytes:
        return [Missing(name, "its file is damaged; reduce the frame again")]
    at = _seconds(product.created_at)
    found: list[Entry | Missing] = [Entry(name, FileKind.PRODUCT, at, size, path, checksum=product.checksum)]
    if pdfs and product.kind.has_spectra:
        pdf = beside(product.path, ".pdf", mark)
        found.append(Entry(pdf, FileKind.PDF, at, None, path, checksum=product.checksum))
    return found


def of_frame(frame: StoredFrame) -> Entry | Missing:
    """A raw frame's file, if it is still the one that was read."""
    arm = {"blue": "ccd_1", "red": "ccd_2"}.get(frame.arm, "ccd")
    name = f"raw/{frame.night}/{arm}/{safe_component(frame.name)}"
    path = Path(frame.path)
    try:
        status = path.stat()
    except OSError:
        return Missing(name, "its file is not in the raw folder any more")
    changed = frame.mtime_ns not in (0, status.st_mtime_ns)
    if not path.is_absolute() or not path.is_file() or status.st_size != frame.size_bytes or changed:
        return Missing(name, "its file has changed since it was read; it is read again soon")
    return Entry(
        name, FileKind.RAW, _seconds(frame.completed_at), frame.size_bytes, path, checksum=frame.checksum
    )


async def _log(
    pool: Pool, settings: Settings, sight: Sight, name: str, at: int, stored: str
) -> Entry | Missing:
    """The log of a reduction, as this visitor is told it: without names of frames that are not theirs."""
    try:
        path = inside(settings, stored)
        content = await asyncio.to_thread(_read_log, path)
    except (OSError, OutsideError):
        return Missing(name, "the log has been removed")
    if len(content) > _LONGEST_LOG:
        content = content[:_LONGEST_LOG] + _CUT
    elif sight.everything:
        return Entry(name, FileKind.LOG, at, len(content), path)
    text = content.decode("utf-8", "replace")
    cleaned = str(await told(pool, text, sight)).encode()
    if cleaned == content and len(content) <= _LONGEST_LOG:
        return Entry(name, FileKind.LOG, at, len(content), path)
    return Entry(name, FileKind.LOG, at, len(cleaned), content=cleaned)


def _read_log(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_LONGEST_LOG + 1)
