"""Addresses of single spectra: ``/vo/spectra/PRODUCT/FIBRE.fits``, ``.vot`` and ``.png``."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paws.errors import InvalidInputError
from paws.settings import Settings
from paws.vo.identifiers import SpectrumId
from web.accounts.identify import visitor_of
from web.api.endpoint import not_modified
from web.api.handlers import PRIVATE
from web.downloads.ranges import wanted
from web.state import web_state
from web.storage import spectra as store
from web.storage.spectra import SpectrumRecord
from web.vo.problems import BadRequestError, NoSuchThingError
from web.vo.service import VARY, open_headers
from web.vo.spectra.making import SUFFIXES, Wish, etag_of, file_name, make
from web.vo.spectra.samples import Medium

PATH: Final = "/vo/spectra/{product_id}/{fibre}.{suffix}"
_FIBRE: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_MEDIA_TYPES: Final = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
_MEDIA: Final = ", ".join(medium.value for medium in Medium)


def spectra_routes() -> list[Route]:
    """Routes of single spectra."""
    return [Route(PATH, spectrum, methods=["GET"], name="vo:spectrum")]


def spectrum_address(base: str, record: SpectrumRecord | SpectrumId, media_type: str) -> str:
    """Address of a spectrum in one of its forms. Identifiers of products need no quoting."""
    return f"{base}/vo/spectra/{record.product_id}/{record.fibre}.{SUFFIXES[media_type]}"


async def spectrum(request: Request) -> Response:
    """One spectrum, whole or in ranges of bytes."""
    values = request.path_params
    media_type = _MEDIA_TYPES.get(values["suffix"])
    if media_type is None or not _FIBRE.fullmatch(values["fibre"]):
        raise NoSuchThingError("There is no such spectrum.")
    wish = Wish(media_type, _medium(request.query_params.get("medium")))
    record = await seen_record(request, SpectrumId(values["product_id"], int(values["fibre"])))
    return await answer(request, record, wish)


def _medium(text: str | None) -> Medium:
    try:
        return Medium(text.lower()) if text else Medium.VACUUM
    except ValueError:
        raise BadRequestError(f"medium is one of {_MEDIA}.") from None


async def seen_record(request: Request, named: SpectrumId) -> SpectrumRecord:
    """A spectrum that the visitor may see.

    Raises
    ------
    NoSuchThingError
        If there is none, or none for them: both look the same.
    """
    record = None
    if "\0" not in named.product_id:
        record = await store.record(web_state(request).pool, named, visitor_of(request).sight)
    if record is None or record.fibre is None:
        raise NoSuchThingError("There is no such spectrum.")
    return record


async def answer(request: Request, record: SpectrumRecord, wish: Wish) -> Response:
    """A spectrum as an answer: 204 when nothing of it lies within the band.

    Raises
    ------
    NoSuchThingError
        If its file is gone or cannot be read.
    """
    settings: Settings = web_state(request).settings
    etag = etag_of(record, wish, settings)
    headers = {
        "ETag": etag,
        "Cache-Control": PRIVATE,
        "Vary": VARY,
        **open_headers(request),
    }
    if not_modified(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    try:
        body = await make(record, wish, settings)
    except InvalidInputError as error:
        raise NoSuchThingError(error.message) from error
    if body is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    part = wanted(len(body), etag, request.headers.get("range"), request.headers.get("if-range"))
    headers |= {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{file_name(record, wish)}"',
        **part.headers(len(body)),
    }
    return Response(body[part.start : part.end], int(part.status), headers, wish.media_type)
