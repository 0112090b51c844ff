"""``/scs``: spectra around a position."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
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
from web.vo.formats import DEFAULT, ResultInfo, begun, error_document, write
from web.vo.problems import MEDIA_TYPE, BadRequestError
from web.vo.service import answer_headers, parameters_of
from web.vo.spectra.files import VOTABLE
from web.vo.spectra.handlers import spectrum_address
from web.vo.ssa.asking import TABLE, query_of
from web.vo.ssa.question import Cone, SsaQuestion, read_number
from web.vo.ssa.running import run
from web.vo.tap.asker import base_of
from web.vo.tap.parameters import Parameters

PATH: Final = "/scs"
MAXREC: Final = 5_000
MOST_RECORDS: Final = 20_000
_LEAST: Final = (
    *("ssa_pubdid", "ra", "dec", "ssa_targname", "ssa_snr", "ssa_specstart", "ssa_specend", "ssa_dateobs"),
    *("product_id", "fibre"),
)
"""Columns with VERB=1."""
_USUAL: Final = (*_LEAST, "night", "arm", "ssa_timeext", "ssa_specrp", "ssa_rights")
_ALL: Final = tuple(
    column.name for column in TABLE.columns if column.name not in ("accref", "mime", "accsize")
)
_OF_VERB: Final = {"1": _LEAST, "2": _USUAL, "3": _ALL}

# The standard of 2008 finds its three columns by UCDs of the first kind.
_UCDS: Final = {"ssa_pubdid": "ID_MAIN", "ra": "POS_EQ_RA_MAIN", "dec": "POS_EQ_DEC_MAIN"}
_ADDRESS: Final = TABLE.column("accref")


def scs_routes() -> list[Route]:
    """Routes of the cone search."""
    return [Route(PATH, cone, methods=["GET", "POST"], name="vo:scs")]


async def cone(request: Request) -> Response:
    """Spectra whose fibre lies within a circle, as far as the visitor may see them."""
    headers = answer_headers(request)
    try:
        parameters = await parameters_of(request)
        question, names = read_cone(parameters)
    except (BadRequestError, BrokenFormError) as error:
        body = error_document(error.detail, facts={"Error": error.detail})
        return Response(body, HTTPStatus.OK, headers, MEDIA_TYPE)
    asked = [TABLE.column(name) for name in names]
    base = base_of(request)
    rows: Sequence[Any] = ()
    if question.cone is not None and question.cone.radius > 0 and question.limit > 0:
        text = query_of(question, question.limit + 1, asked)
        rows = await run(web_state(request), text, asked, visitor_of(request).sight, base)
    body_parts = await begun(
        write(
            DEFAULT,
            [_ADDRESS, *(_described(column) for column in asked)],
            _chunk(rows, names, base),
            limit=question.limit if question.limit else None,
            info=ResultInfo(title="Reduced spectra", table_name="spectra"),
        )
    )
    return StreamingResponse(body_parts, 200, headers, MEDIA_TYPE)


def read_cone(parameters: Parameters) -> tuple[SsaQuestion, tuple[str, ...]]:
    """The circle, and which columns are wanted. A circle of no size asks for the columns alone.

    Raises
    ------
    BadRequestError
        If a parameter is missing or wrong.
    """
    ra, dec, radius = (_needed(parameters, name) for name in ("RA", "DEC", "SR"))
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise BadRequestError("RA is 0 to 360, DEC -90 to 90: degrees, ICRS.")
    if not 0 <= radius <= 180:
        raise BadRequestError("SR is a radius in degrees, 0 to 180.")
    verb = (parameters.one("VERB") or "2").strip()
    if verb not in _OF_VERB:
        raise BadRequestError("VERB is 1, 2 or 3.")
    limit = parameters.most_rows(MAXREC, MOST_RECORDS)
    return SsaQuestion(cone=Cone(ra % 360.0, dec, radius), limit=limit), _OF_VERB[verb]


def _needed(parameters: Parameters, name: str) -> float:
    text = parameters.one(name)
    if text is None:
        raise BadRequestError(f"{name} is missing: degrees, ICRS.")
    return read_number(name, text)


def _described(column: Column) -> Column:
    return replace(column, ucd=_UCDS.get(column.name, column.ucd))


async def _chunk(
    rows: Iterable[Any], names: Sequence[str], base: str
) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    product, fibre = names.index("product_id"), names.index("fibre")
    yield [
        (spectrum_address(base, SpectrumId(row[product], row[fibre]), VOTABLE), *row)
        for row in map(tuple, rows)
    ]
