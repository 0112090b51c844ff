"""``/ssa``: spectra by position, wavelength, time and name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from adql.catalogue import Column
from paws.vo.identifiers import SpectrumId
from web.accounts.identify import visitor_of
from web.bodies import BrokenFormError
from web.state import web_state
from web.vo.datalink.descriptors import descriptors_for
from web.vo.formats import DEFAULT, ResultInfo, begun, error_document, write
from web.vo.problems import MEDIA_TYPE, BadRequestError
from web.vo.service import answer_headers, parameters_of
from web.vo.spectra.files import FITS, PNG, VOTABLE
from web.vo.spectra.handlers import spectrum_address
from web.vo.ssa.asking import ANSWERED, ASKED, KEYS, query_of
from web.vo.ssa.metadata import input_params
from web.vo.ssa.question import SsaQuestion, read_question
from web.vo.ssa.running import run
from web.vo.tap.asker import base_of

PATH: Final = "/ssa"
_FACTS: Final = {"SERVICE_PROTOCOL": "1.1"}
_AT_ONCE: Final = 500


def ssa_routes() -> list[Route]:
    """Routes of spectral access."""
    return [Route(PATH, spectra, methods=["GET", "POST"], name="vo:ssa")]


async def spectra(request: Request) -> Response:
    """Spectra that a query asks for, as far as the visitor may see them. Its own mistakes are told with status 200."""
    headers = answer_headers(request)
    try:
        question = read_question(await parameters_of(request))
    except (BadRequestError, BrokenFormError) as error:
        return Response(error_document(error.detail), HTTPStatus.OK, headers, MEDIA_TYPE)
    base = base_of(request)
    if question.metadata:
        info = ResultInfo(title="Spectral access to reduced spectra", facts=_FACTS, params=input_params())
        body = await begun(write(DEFAULT, ANSWERED, None, info=info))
        return StreamingResponse(body, 200, headers, MEDIA_TYPE)
    rows = await _found(request, question, base)
    info = ResultInfo(facts=_FACTS, descriptors=descriptors_for(ANSWERED, base), table_name="spectra")
    body = await begun(
        write(
            DEFAULT, ANSWERED, _chunks(offered(rows, question.formats, base)), limit=question.limit, info=info
        )
    )
    return StreamingResponse(body, 200, headers, MEDIA_TYPE)


async def _found(request: Request, question: SsaQuestion, base: str) -> Sequence[Any]:
    if not question.formats:
        return []
    # A row of the table has one of the answer for each format; one more tells that there are more.
    wanted = question.limit // len(question.formats) + 1
    state = web_state(request)
    return await run(state, query_of(question, wanted), ASKED, visitor_of(request).sight, base)


def offered(rows: Iterable[Any], formats: Sequence[str], base: str) -> Iterable[tuple[Any, ...]]:
    """Rows of the answer: each spectrum in each form, with where it is and about how large.

    Parameters
    ----------
    rows
        With the columns of `ASKED`.
    """
    places = [_place(ASKED, name) for name in KEYS]
    for row in rows:
        values = tuple(row)
        product_id, fibre, samples = (values[place] for place in places)
        named = SpectrumId(product_id, fibre)
        for media_type in formats:
            yield (spectrum_address(base, named, media_type), media_type, _size(media_type, samples), *values)


def _place(columns: Sequence[Column], name: str) -> int:
    return next(place for place, column in enumerate(columns) if column.name == name)


_HEADERS: Final = {FITS: 9, VOTABLE: 6, PNG: 20}
_PER_SAMPLE: Final = {FITS: 22, VOTABLE: 90, PNG: 0}


def _size(media_type: str, samples: int | None) -> int | None:
    """Kilobytes, about."""
    return None if samples is None else _HEADERS[media_type] + samples * _PER_SAMPLE[media_type] // 1000


async def _chunks(rows: Iterable[tuple[Any, ...]]) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    part: list[tuple[Any, ...]] = []
    for row in rows:
        part.append(row)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part
