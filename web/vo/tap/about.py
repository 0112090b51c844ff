"""What the service tells of itself: capabilities, availability, tables and examples (VOSI 1.1, DALI 1.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from adql.features import features
from paws.clock import utc_now
from paws.database import DATABASE_TROUBLES
from web.state import web_state
from web.vo.problems import BadRequestError, NoSuchThingError
from web.vo.tap.asker import asker_of, base_of
from web.vo.tap.capabilities import capabilities_document
from web.vo.tap.examples import examples_document
from web.vo.tap.tables import Surroundings, surroundings, table_document, tableset_document
from web.vo.xml import XSI, document, element, moment

XML: Final = "text/xml; charset=utf-8"
_HEADERS: Final = {"Cache-Control": "no-cache"}
_STARTED: Final[datetime] = utc_now()


async def capabilities(request: Request) -> Response:
    """What the service can do."""
    state = web_state(request)
    catalogue = await state.tap.queries.catalogue(asker_of(request))
    found = features(await state.tap.queries.backend())
    text = capabilities_document(state.settings, base_of(request), (table.name for table in catalogue), found)
    return Response(text, 200, _HEADERS, XML)


async def availability(request: Request) -> Response:
    """Whether the service works now. Asked by monitors: it answers also when nothing else does."""
    state = web_state(request)
    note = "Queries are answered."
    try:
        await state.pool.fetchval("SELECT version FROM tap_schema.version", timeout=5.0)
        available = True
    except DATABASE_TROUBLES:
        available, note = False, "The database does not answer; it is asked again with every question."
    text = document(
        element(
            "vosi:availability",
            {"xmlns:vosi": "http://www.ivoa.net/xml/VOSIAvailability/v1.0", "xmlns:xsi": XSI},
            element("vosi:available", None, "true" if available else "false"),
            element("vosi:upSince", None, moment(_STARTED)),
            element("vosi:note", None, note),
        )
    )
    return Response(text, 200, {**_HEADERS, "Cache-Control": "no-store"}, XML)


async def tables(request: Request) -> Response:
    """All tables."""
    state = web_state(request)
    detail = next(
        (value for key, value in request.query_params.multi_items() if key.lower() == "detail"), "max"
    )
    if detail.lower() not in ("min", "max"):
        raise BadRequestError("detail is min, for names alone, or max, for columns too.")
    found = list(await state.tap.queries.catalogue(asker_of(request)))
    around = await _surroundings(request)
    return Response(
        tableset_document(
            found,
            around,
            columns=detail.lower() == "max",
            # It names itself where it posts, but not where it gets; every other program does.
            for_astroquery=request.headers.get("user-agent", "astroquery/").startswith("astroquery/"),
        ),
        200,
        {**_HEADERS, "Vary": "User-Agent"},
        XML,
    )


async def table(request: Request) -> Response:
    """One table."""
    state = web_state(request)
    name = str(request.path_params["name"])
    found = {one.name.lower(): one for one in await state.tap.queries.catalogue(asker_of(request))}
    wanted = found.get(name.lower())
    if wanted is None:
        raise NoSuchThingError(f"There is no table {name[:100]!r}; /tap/tables has all of them.")
    seen = [one.name for one in found.values()]
    return Response(table_document(wanted, await _surroundings(request), seen), 200, _HEADERS, XML)


async def examples(request: Request) -> Response:
    """Queries to begin with, as DALI 1.1 marks them up."""
    catalogue = await web_state(request).tap.queries.catalogue(asker_of(request))
    text = examples_document({table.name.lower() for table in catalogue}, base_of(request))
    return Response(text, 200, _HEADERS, "application/xhtml+xml; charset=utf-8")


async def _surroundings(request: Request) -> Surroundings:
    async with web_state(request).pool.acquire() as connection:
        return await surroundings(connection)
