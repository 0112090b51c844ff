"""``/query``: queries by people. All of it works without scripts; they make it comfortable."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web.pages.render import page
from web.problems import ProblemError
from web.security import SAMP_POLICY
from web.state import web_state
from web.vo.formats import FORMATS
from web.vo.formats.registry import Writer, choose
from web.vo.page.checking import checked, mended
from web.vo.page.result import Shown, is_link, shown
from web.vo.page.vocabulary import vocabulary
from web.vo.problems import ServiceError
from web.vo.tap.asker import asker_of, base_of
from web.vo.tap.asking import TapQuestion
from web.vo.tap.examples import examples_for
from web.vo.tap.parameters import Parameters
from web.vo.tap.sync import at_once

SHOWN: Final = 500
"""Rows that the page shows without scripts."""
_LARGEST: Final = 4_000_000
"""Bytes of such an answer."""
ROWS: Final = (500, 10_000, 100_000)
"""Choices of how many rows are asked for; the middle one is the usual."""
_KEPT: Final = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
_OFFERED: Final = (Writer.TABLEDATA, Writer.CSV, Writer.FITS, Writer.PARQUET, Writer.JSON)
_FORMATS: Final = tuple(one for writer in _OFFERED for one in FORMATS if one.writer is writer)


@dataclass(frozen=True)
class _Outcome:
    """What became of a query that the page ran."""

    result: Shown | None = None
    problem: str = ""
    status: int = 200
    wrong: dict[str, Any] = field(default_factory=dict)


async def query_page(request: Request) -> Response:
    """The page, with the result of a query where that is asked for."""
    state = web_state(request)
    tables = list(await state.tap.queries.catalogue(asker_of(request)))
    query = _query(request)
    outcome = await _ran(request, query) if query.strip() and "run" in request.query_params else _Outcome()
    settings = state.settings
    response = page(
        request,
        "query.html",
        outcome.status,
        query=query,
        outcome=outcome,
        better=[
            (put, f"/query?{urlencode({'query': better})}") for put, better in mended(query, outcome.wrong)
        ],
        downloads=[(one.short_name, _download(query, one.short_name)) for one in _FORMATS],
        tables=tables,
        examples=examples_for({table.name.lower() for table in tables}),
        formats=_FORMATS,
        maxrec=_chosen_rows(request),
        rows=[rows for rows in ROWS if rows <= settings.tap_maxrec_max] or [settings.tap_maxrec_max],
        shown=SHOWN,
        settings=settings,
        is_link=is_link,
        service=f"{base_of(request)}/tap",
    )
    response.headers["Content-Security-Policy"] = SAMP_POLICY
    return response


async def words(request: Request) -> Response:
    """What can stand in a query: for completion, and the list of tables."""
    tables = await web_state(request).tap.queries.catalogue(asker_of(request))
    body = orjson.dumps(vocabulary(tables))
    headers = {**_KEPT, "ETag": f'"{hashlib.sha256(body).hexdigest()[:24]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return Response(body, 200, headers, "application/json")


async def check(request: Request) -> Response:
    """Whether a query can be run. It is compiled, and never sent to the database."""
    desk = web_state(request).tap.queries
    catalogue = await desk.catalogue(asker_of(request))
    found = await asyncio.to_thread(checked, _query(request), catalogue, await desk.backend())
    return Response(orjson.dumps(found), 200, {"Cache-Control": "no-store"}, "application/json")


def page_routes() -> list[BaseRoute]:
    """The query page and what its scripts ask."""
    return [
        Route("/query", query_page, methods=["GET"], name="page:query"),
        Route("/query/vocabulary", words, methods=["GET"], name="query:vocabulary"),
        Route("/query/check", check, methods=["GET"], name="query:check"),
    ]


def _query(request: Request) -> str:
    query = request.query_params.get("query", "")
    longest = web_state(request).settings.tap_query_length
    if len(query) > longest:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The query has {len(query)} characters; at most {longest} are read.",
        )
    # Forms end lines as the internet did of old.
    return query.replace("\r\n", "\n")


def _chosen_rows(request: Request) -> int:
    text = request.query_params.get("maxrec", "")
    return int(text) if text in {str(rows) for rows in ROWS} else ROWS[1]


def _download(query: str, kind: str) -> str:
    return f"/tap/sync?{urlencode({'LANG': 'ADQL', 'FORMAT': kind, 'QUERY': query})}"


async def _ran(request: Request, query: str) -> _Outcome:
    """Run a query, for as many rows as the page shows."""
    desk, asker = web_state(request).tap, asker_of(request)
    limit = min(SHOWN, _chosen_rows(request), desk.settings.tap_maxrec_max)
    question = TapQuestion(query, choose("json", None), limit)
    answer = bytearray()
    try:
        async with (
            asyncio.timeout(desk.settings.tap_answer_timeout),
            aclosing(at_once(desk, question, Parameters([]), asker, base_of(request))) as pieces,
        ):
            async for piece in pieces:
                answer += piece
                if len(answer) > _LARGEST:
                    return _Outcome(
                        problem="The answer is too long to be shown here. Download it, or ask for less."
                    )
    except ServiceError as error:
        wrong = {}
        if error.status_code == HTTPStatus.BAD_REQUEST:
            catalogue, backend = await desk.queries.catalogue(asker), await desk.queries.backend()
            wrong = await asyncio.to_thread(checked, query, catalogue, backend)
        return _Outcome(problem=str(error.detail), status=error.status_code, wrong=wrong)
    except TimeoutError:
        return _Outcome(
            problem="The query waited too long for its turn.", status=HTTPStatus.SERVICE_UNAVAILABLE
        )
    return _Outcome(shown(bytes(answer)))
