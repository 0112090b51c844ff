"""``/tap`` for people: what it is, where it is, what there is to ask."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from web.pages.render import page
from web.state import web_state
from web.vo.formats import FORMATS
from web.vo.tap.asker import asker_of, base_of
from web.vo.tap.examples import examples_for


async def landing(request: Request) -> Response:
    """The page of the service."""
    state = web_state(request)
    tables = list(await state.tap.queries.catalogue(asker_of(request)))
    return page(
        request,
        "tap.html",
        address=f"{base_of(request)}/tap",
        tables=tables,
        examples=examples_for({table.name.lower() for table in tables}),
        formats=FORMATS,
        settings=state.settings,
        accounts=state.settings.needs_accounts,
    )
