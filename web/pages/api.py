"""A readable page about the JSON interface."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from web.api.openapi import openapi
from web.api.table import API
from web.pages.render import page


async def api_page(request: Request) -> Response:
    """The interface, route by route."""
    return page(request, "api.html", document=openapi(API))
