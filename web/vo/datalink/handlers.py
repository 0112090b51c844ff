"""``/datalink/links``, and the raw frames that it leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from paws.access.rule import Sight
from paws.errors import InvalidInputError
from paws.vo.identifiers import IdentifierError, SpectrumId, parse_publisher_did
from web.accounts.identify import visitor_of
from web.api.endpoint import not_modified
from web.api.handlers import PRIVATE
from web.downloads.members import Missing
from web.downloads.outline import of_frame
from web.state import WebState, web_state
from web.storage import links as store
from web.storage.downloads import logs_of
from web.storage.spectra import SpectrumRecord, records
from web.vo.datalink.descriptors import LINKS_PATH, LINKS_STANDARD, LINKS_TYPE, cutout_descriptor
from web.vo.datalink.links import COLUMNS, NOT_FOUND, Link, Surroundings, failed, links_of
from web.vo.formats import ResultInfo, Writer, begun, choose, write
from web.vo.problems import BadRequestError, NoSuchThingError
from web.vo.service import VARY, answer_headers, open_headers, parameters_of
from web.vo.spectra.files import FITS
from web.vo.tap.asker import base_of
from web.vo.tap.parameters import Parameters

MOST_LINKS: Final = 20_000
MOST_IDS: Final = 200
"""Identifiers of one request."""


def datalink_routes() -> list[Route]:
    """Routes of links and raw frames."""
    return [
        Route(LINKS_PATH, links, methods=["GET", "POST"], name="vo:links"),
        Route("/vo/frames/{frame_id}/file", raw_frame, methods=["GET"], name="vo:frame"),
    ]


@dataclass(frozen=True)
class Asked:
    """Identifiers of a request, with what they name; None with the reason where they name nothing of ours."""

    ident: str
    named: SpectrumId | None
    reason: str = ""


def read_identifiers(parameters: Parameters, authority: str) -> list[Asked]:
    """Identifiers of a request, each once, in their order.

    Raises
    ------
    BadRequestError
        If there are too many.
    """
    texts = list(dict.fromkeys(text.strip() for text in parameters.all("ID") if text.strip()))
    if len(texts) > MOST_IDS:
        raise BadRequestError(f"There are {len(texts)} identifiers; at most {MOST_IDS} are answered at once.")
    found = []
    for text in texts:
        try:
            found.append(Asked(text, parse_publisher_did(text, authority)))
        except IdentifierError as error:
            found.append(Asked(text, None, f"UsageFault: {error.message}"))
    return found


async def links(request: Request) -> Response:
    """Everything that belongs to the spectra of some identifiers.

    What a visitor may not see is not found. Without an identifier the answer has no rows.
    """
    state = web_state(request)
    parameters = await parameters_of(request)
    try:
        choice = choose(parameters.one("RESPONSEFORMAT") or None)
    except InvalidInputError as error:
        raise BadRequestError(error.message) from error
    limit = parameters.most_rows(MOST_LINKS, MOST_LINKS)
    asked = read_identifiers(parameters, state.settings.vo_authority)
    base = base_of(request)
    rows, descriptors = await _rows(state, asked, visitor_of(request).sight, base)
    media_type = LINKS_TYPE if choice.format.writer is Writer.TABLEDATA else choice.content_type
    if choice.format.writer is Writer.TABLEDATA and choice.content_type in ("text/xml", "application/xml"):
        media_type = choice.content_type
    info = ResultInfo(
        facts={"standardID": LINKS_STANDARD, "server": base}, descriptors=descriptors, table_name="links"
    )
    body = await begun(write(choice.format, COLUMNS, _chunks(rows), limit=limit, info=info))
    headers = answer_headers(request)
    return StreamingResponse(body, 200, headers, media_type)


async def _chunks(rows: Sequence[Link]) -> AsyncIterator[Sequence[tuple[object, ...]]]:
    yield [one.row for one in rows]


async def _rows(
    state: WebState, asked: Sequence[Asked], sight: Sight, base: str
) -> tuple[list[Link], list[str]]:
    authority = state.settings.vo_authority
    found = await records(state.pool, [one.named for one in asked if one.named is not None], sight)
    around = await _surroundings(state, list(found.values()), sight)
    rows: list[Link] = []
    descriptors: list[str] = []
    for one in asked:
        record = None if one.named is None else found.get(one.named)
        if record is None:
            rows.append(failed(one.ident, one.reason or NOT_FOUND))
            continue
        service = None
        if record.fibre is not None:
            service = f"cutout_{len(descriptors) + 1}"
            band = None if record.em_min is None or record.em_max is None else (record.em_min, record.em_max)
            descriptors.append(cutout_descriptor(base, did=one.ident, band=band, ident=service))
        rows += links_of(one.ident, record, around, base, authority, service)
    return rows, descriptors


async def _surroundings(state: WebState, found: Sequence[SpectrumRecord], sight: Sight) -> Surroundings:
    if not found:
        return Surroundings()
    products = sorted({one.product_id for one in found})
    jobs = sorted({one.job_key for one in found})
    return Surroundings(
        await store.raw_frames(state.pool, products, sight),
        await store.products_behind(state.pool, jobs, sight),
        await store.relatives(state.pool, [one.named for one in found], sight),
        frozenset(await logs_of(state.pool, sight, jobs)),
    )


async def raw_frame(request: Request) -> Response:
    """A raw frame as it came from the telescope."""
    state = web_state(request)
    frame_id = request.path_params["frame_id"]
    frame = None
    if "\0" not in frame_id:
        frame = await store.raw_file(state.pool, frame_id, visitor_of(request).sight)
    if frame is None:
        raise NoSuchThingError("There is no such frame.")
    etag = f'"{frame.checksum}"'
    headers = {
        "ETag": etag,
        "Cache-Control": PRIVATE,
        "Vary": VARY,
        **open_headers(request),
    }
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    entry = await asyncio.to_thread(of_frame, frame)
    if isinstance(entry, Missing):
        raise NoSuchThingError(f"The frame cannot be sent: {entry.reason}.")
    return FileResponse(frame.path, media_type=FITS, filename=entry.name.rsplit("/", 1)[-1], headers=headers)
