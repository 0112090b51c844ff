"""``/oai`` and ``/registry.xml``."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adql.features import features
from paws.access.rule import sees_all, sees_public
from paws.clock import utc_now
from web.bodies import fields
from web.state import WebState, web_state
from web.vo.registry.oai import Repository, answer
from web.vo.registry.records import NAMESPACES, Record, TapParts, contact_address, records_of
from web.vo.service import open_headers
from web.vo.tap.asker import base_of
from web.vo.tap.capabilities import capabilities_document
from web.vo.tap.executor import Asker
from web.vo.tap.tables import surroundings, tableset_document
from web.vo.vosi import XML
from web.vo.xml import Markup, document, element

_STARTED: Final[datetime] = utc_now().replace(microsecond=0)
"""What records say follows from settings and version: nothing older than this process is known to hold."""
_LARGEST: Final = 10_000
"""Bytes of a form."""
_MOST: Final = 50
"""Fields of it."""


def registry_routes() -> list[Route]:
    """Routes of the registry."""
    return [
        Route("/oai", oai, methods=["GET", "POST"], name="vo:oai"),
        Route("/registry.xml", registry, methods=["GET"], name="vo:registry"),
    ]


async def oai(request: Request) -> Response:
    """Harvest: OAI-PMH 2.0."""
    items = list(request.query_params.multi_items())
    if request.method == "POST":
        items += await fields(request, _LARGEST, _MOST)
    state = web_state(request)
    records = await _records(state, base_of(request))
    address = f"{base_of(request)}/oai"
    name = f"{state.settings.vo_title}: publishing registry"
    repository = Repository(name, address, contact_address(state.settings), records)
    return Response(answer(items, repository, state.clock()), 200, _headers(request), XML)


async def registry(request: Request) -> Response:
    """All records in one document, for registries that are fed by hand."""
    records = await _records(web_state(request), base_of(request))
    resources = [record.resource for record in records]
    attributes = {**NAMESPACES, "from": 1, "numberReturned": len(resources), "more": "false"}
    return Response(document(element("ri:VOResources", attributes, *resources)), 200, _headers(request), XML)


def _headers(request: Request) -> dict[str, str]:
    return {"Cache-Control": "no-cache", **open_headers(request)}


async def _records(state: WebState, base: str) -> list[Record]:
    """Records as everybody may read them: whoever asks, with the tables that strangers see."""
    settings = state.settings
    today = state.clock().date()
    everybody = Asker(None, sees_public(today) if settings.needs_accounts else sees_all(today), "registry")
    tables = list(await state.tap.queries.catalogue(everybody))
    async with state.pool.acquire() as connection:
        around = await surroundings(connection)
    found = features(await state.tap.queries.backend())
    parts = TapParts(
        inside(
            capabilities_document(settings, base, (table.name for table in tables), found), "capabilities"
        ),
        inside(tableset_document(tables, around), "tableset"),
    )
    return records_of(settings, base, parts, _STARTED)


def inside(whole: bytes, root: str) -> Markup:
    """What is within the root of a document of ours: a record has the same elements."""
    text = whole.decode()
    start, end = text.index(">", text.index(f"<vosi:{root}")) + 1, text.rfind(f"</vosi:{root}>")
    return Markup(text[start:end] if end > 0 else "")
