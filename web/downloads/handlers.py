"""The routes of downloads, for programs and for browsers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from paws.errors import InvalidInputError
from web.accounts.address import address_of
from web.accounts.identify import visitor_of
from web.accounts.links import public_url
from web.api.endpoint import ApiRoute, Asked, not_modified, parse, path_values
from web.api.handlers import PRIVATE
from web.downloads.archive import ArchiveFormat, Layout, archive_layout, file_layout
from web.downloads.choice import MOST_NAMED, DownloadQuestion
from web.downloads.desk import DownloadDesk, Preparing
from web.downloads.members import B3SUMS, SHA256SUMS, Download
from web.downloads.models import DownloadFile, DownloadPlan, MissingFile
from web.downloads.outline import Outline
from web.downloads.sending import Sending
from web.downloads.texts import script
from web.files import inside
from web.pages.render import page
from web.pdf.desk import BusyError
from web.pdf.make import LAYOUT, MEDIA_TYPE
from web.problems import NotFoundError, ProblemError
from web.questions import NoQuestion
from web.spectra import read_spectrum
from web.spectrum_files import SpectrumFormat, facts_of, file_name, write_spectrum
from web.state import WebState, web_state
from web.storage import products as product_store

PATIENCE: Final = 10.0
"""Seconds that somebody waits for an answer while a download is being prepared, or a PDF drawn."""

RETRY_AFTER: Final = "3"
_TEXT: Final = "text/plain; charset=utf-8"
_SCRIPT: Final = "text/x-shellscript; charset=utf-8"


class FileQuestion(DownloadQuestion):
    """Which file of which download."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="SHA-256 of the file, for `file`: one file of the download by itself"
    )


class NotReadyError(ProblemError):
    """A download is being prepared, or a PDF drawn. Nothing is wrong: clients that retry get it."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": RETRY_AFTER})


class Counted(Response):
    """An answer that counts as a download of its visitor while it is being sent."""

    def __init__(self, inner: Response, counting: AbstractContextManager[None]) -> None:
        super().__init__(None, inner.status_code)
        self.raw_headers = inner.raw_headers
        self._inner = inner
        self._counting = counting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._counting:
            await self._inner(scope, receive, send)


async def plan(asked: Asked) -> DownloadPlan:
    """What a download holds; has it prepared."""
    ask: DownloadQuestion = asked.question
    visitor = visitor_of(asked.request)
    outline = await asked.state.downloads.outline(asked.state.pool, ask, visitor)
    return plan_of(ask, outline, await _ready(asked.state, ask, outline, 0.0))


def plan_of(ask: DownloadQuestion, outline: Outline, found: Download | Preparing) -> DownloadPlan:
    """A download as an answer."""
    ready = isinstance(found, Download)
    if isinstance(found, Download):
        files = [
            DownloadFile(
                name=member.name,
                kind=member.kind.value,
                size_bytes=member.size,
                sha256=member.digest.sha256,
                blake3=member.digest.blake3,
            )
            for member in found.members
        ]
        missing = found.missing
    else:
        files = [
            DownloadFile(
                name=entry.name, kind=entry.kind.value, size_bytes=entry.size, sha256=None, blake3=None
            )
            for entry in outline.entries
        ]
        missing = outline.missing
    return DownloadPlan(
        folder=outline.folder,
        ready=ready,
        prepared=len(files) if ready else getattr(found, "done", 0),
        to_prepare=len(files) if ready else getattr(found, "total", 0),
        size_bytes=found.size if isinstance(found, Download) else None,
        files=files,
        missing=[MissingFile(name=one.name, reason=one.reason) for one in missing],
        query=frozen(ask, outline).query(),
    )


def frozen(ask: DownloadQuestion, outline: Outline) -> DownloadQuestion:
    """The same download by its products, which never change, where an address can name so many."""
    if len(outline.product_ids) > MOST_NAMED:
        return ask
    return DownloadQuestion(product=outline.product_ids, content=ask.content, pdfs=ask.pdfs)


async def download_part(asked: Asked) -> Response:
    """The archive, its sums, the script, or one file."""
    return await part(asked.request, asked.question, asked.path["part"])


async def part(request: Request, ask: FileQuestion, wanted: str) -> Response:
    """A part of a download.

    Raises
    ------
    NotReadyError
        If it is being prepared.
    NotFoundError
        If there is no such download for this visitor, or no such file in it.
    """
    state = web_state(request)
    if wanted == "file":
        return await _one_file(request, ask)
    outline = await state.downloads.outline(state.pool, ask, visitor_of(request))
    found = await _ready(state, ask, outline, PATIENCE)
    if isinstance(found, Preparing):
        raise NotReadyError(found.words)
    if wanted.startswith("archive."):
        kind = ArchiveFormat(wanted.removeprefix("archive."))
        return _sent(request, archive_layout(found, kind), kind.media_type, f"{found.folder}.{kind}")
    if wanted == "download.sh":
        text = script(found, public_url(state.settings), frozen(ask, outline).query())
        return _text(text, _SCRIPT, f"{found.folder}.sh")
    sums = next(member.source for member in found.members if member.name == wanted)
    assert isinstance(sums, bytes)
    return _text(sums.decode(), _TEXT, f"{found.folder}.{wanted}")


async def _one_file(request: Request, ask: FileQuestion) -> Response:
    state = web_state(request)
    try:
        found = await state.downloads.recent(state.pool, ask, visitor_of(request), PATIENCE)
    except BusyError as error:
        raise NotReadyError(error.message) from error
    if isinstance(found, Preparing):
        raise NotReadyError(found.words)
    member = next((one for one in found.members if one.digest.sha256 == ask.sha256), None)
    if member is None:
        raise NotFoundError(
            "There is no file of that SHA-256 in this download. If it was made anew, get a new script."
        )
    return _sent(request, file_layout(member), "application/octet-stream", member.name.rsplit("/", 1)[-1])


async def product_pdf(asked: Asked) -> Response:
    """The spectra of a product as a PDF, drawn when it is first asked for."""
    return await pdf_answer(asked.request, asked.path["product_id"])


async def pdf_answer(request: Request, product_id: str) -> Response:
    """The PDF of a product.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such product, or it holds no spectra.
    NotReadyError
        If drawing takes longer than somebody waits; it goes on.
    """
    state = web_state(request)
    row = await product_store.product(state.pool, product_id, visitor_of(request).sight)
    if row is None:
        raise NotFoundError("There is no such product.")
    etag = f'"{row["checksum"][:40]}-p{LAYOUT}"'
    headers = {"ETag": etag, "Cache-Control": PRIVATE}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    path = await _printed(state.downloads, row["checksum"], inside(state.settings, row["stored_path"]))
    name = f"{row['night']}-{Path(row['path']).stem}.pdf"
    return FileResponse(
        path, media_type=MEDIA_TYPE, filename=name, headers=headers, content_disposition_type="inline"
    )


async def spectrum_file(asked: Asked) -> Response:
    """One spectrum as a file."""
    product_id, fibre = asked.path["product_id"], int(asked.path["fibre"])
    kind = SpectrumFormat(asked.path["format"])
    row = await product_store.product(asked.state.pool, product_id, asked.sight)
    if row is None:
        raise NotFoundError("There is no such product.")
    etag = f'"{row["checksum"][:40]}-{fibre}-{kind}2"'
    headers = {
        "ETag": etag,
        "Cache-Control": PRIVATE,
        "Content-Disposition": f'attachment; filename="{file_name(row["night"], row["path"], fibre, kind)}"',
    }
    if not_modified(asked.request, etag):
        return Response(status_code=304, headers=headers)
    ratios = await product_store.signal_to_noise(asked.state.pool, product_id)
    path = inside(asked.state.settings, row["stored_path"])

    def written() -> bytes:
        layout, found = read_spectrum(path, fibre)
        return write_spectrum(kind, layout, found, facts_of(layout, found, row, ratios.get(fibre)))

    return Response(await asyncio.to_thread(written), media_type=kind.media_type, headers=headers)


async def _ready(
    state: WebState, ask: DownloadQuestion, outline: Outline, patience: float
) -> Download | Preparing:
    try:
        return await state.downloads.ready(state.pool, ask, outline, patience)
    except BusyError as error:
        raise NotReadyError(error.message) from error


async def _printed(desk: DownloadDesk, checksum: str, source: Path) -> Path:
    why = desk.pdfs.failure(checksum)
    if why is not None:
        raise InvalidInputError(why)
    try:
        return await asyncio.wait_for(desk.pdfs.pdf(checksum, source), PATIENCE)
    except TimeoutError as error:
        raise NotReadyError("The PDF is being drawn; ask again in a few seconds.") from error
    except BusyError as error:
        raise NotReadyError(error.message) from error


def _sent(request: Request, layout: Layout, media_type: str, name: str) -> Response:
    headers = _named(name)
    if not_modified(request, layout.etag):
        return Response(status_code=304, headers={**headers, "ETag": layout.etag})
    desk, address = web_state(request).downloads, address_of(request)
    desk.check_room(address)
    return Counted(Sending(layout, request.headers, media_type, headers), desk.sending(address))


def _text(text: str, media_type: str, name: str) -> Response:
    return Response(text, media_type=media_type, headers=_named(name))


def _named(name: str) -> Mapping[str, str]:
    # Names are of letters, digits and +-_. alone: members.safe_name.
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": PRIVATE}


async def download_page(request: Request) -> Response:
    """What a download holds, and the ways to get it. Has it prepared meanwhile."""
    if not any(request.query_params.get(name) for name in ("product", "night", "field", "request")):
        return RedirectResponse("/products", 303)  # nothing was chosen: there it is
    state, ask = web_state(request), parse(DownloadQuestion, request)
    outline = await state.downloads.outline(state.pool, ask, visitor_of(request))
    found = await _ready(state, ask, outline, 0.3)
    return page(
        request,
        "download.html",
        ask=ask,
        plan=plan_of(ask, outline, found),
        contents=list(type(ask.content)),
        query=ask.query(),
    )


async def page_part(request: Request) -> Response:
    """A part of a download, for browsers: while it is being prepared, a page that says so and comes again."""
    ask, wanted = parse(FileQuestion, request), path_values(request)["part"]
    try:
        return await part(request, ask, wanted)
    except NotReadyError as error:
        return _preparing(request, error, ask)


async def page_pdf(request: Request) -> Response:
    """The PDF of a product, for browsers."""
    parse(NoQuestion, request)
    try:
        return await pdf_answer(request, path_values(request)["product_id"])
    except NotReadyError as error:
        return _preparing(request, error, None)


def _preparing(request: Request, error: NotReadyError, ask: DownloadQuestion | None) -> Response:
    answer = page(request, "preparing.html", int(error.status_code), problem=str(error.detail), ask=ask)
    answer.headers["Retry-After"] = RETRY_AFTER
    return answer


DOWNLOADS_API: Final = (
    ApiRoute(
        "/api/downloads",
        "A download: its files with sizes and sums; has it prepared",
        plan,
        DownloadPlan,
        DownloadQuestion,
        "downloads",
        statuses={404: "There is nothing of that kind for whoever asks"},
    ),
    ApiRoute(
        "/api/downloads/{part}",
        "The download itself, resumable by ranges: archive.tar, archive.zip, "
        f"{SHA256SUMS}, {B3SUMS}, download.sh (fetches file by file), or file (one of them, by sha256). "
        "503 with Retry-After while it is being prepared",
        download_part,
        None,
        FileQuestion,
        "downloads",
        "application/octet-stream",
        ("application/x-tar", "application/zip", "text/plain", "text/x-shellscript"),
        {
            206: "The range that was asked for",
            304: "The client has it already",
            404: "There is no such download, or no such file in it",
            416: "There is no such range",
            429: "Too many downloads are going on for this address",
        },
    ),
    ApiRoute(
        "/api/products/{product_id}/spectra.pdf",
        "Every spectrum of a product on paper, with a summary of its quality",
        product_pdf,
        None,
        tag="products",
        media_type=MEDIA_TYPE,
        statuses={304: "The client has it already"},
    ),
    ApiRoute(
        "/api/products/{product_id}/spectra/{fibre}.{format}",
        "One spectrum as a file: fits, ecsv, txt (ASCII) or vot (VOTable)",
        spectrum_file,
        None,
        tag="products",
        media_type="application/fits",
        other_types=("text/csv", "text/plain", "application/x-votable+xml"),
        statuses={304: "The client has it already"},
    ),
)


def download_routes() -> list[Route]:
    """The pages of downloads."""
    pages = (
        ("/downloads", download_page, "downloads"),
        ("/downloads/{part}", page_part, "download_part"),
        ("/products/{product_id}/spectra.pdf", page_pdf, "product_pdf"),
    )
    return [Route(path, handler, methods=["GET"], name=f"page:{name}") for path, handler, name in pages]
