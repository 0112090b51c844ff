"""How the pages look, which every browser chooses for itself, and the page of keys."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web.accounts.forms import safe_target
from web.accounts.identify import visit_of
from web.pages.navigation import KEYS
from web.pages.render import THEME_COOKIE, THEMES, page

_YEAR: Final = 31_536_000


async def look(request: Request) -> Response:
    """Choose a look, for browsers without JavaScript: kept in a cookie, so that the next page comes in it."""
    theme = request.query_params.get("theme", "")
    if theme in THEMES:
        visit_of(request).set_cookie(THEME_COOKIE, theme, _YEAR, readable=True)
    return RedirectResponse(safe_target(request.query_params.get("next", "/")), 303)


async def keys(request: Request) -> Response:
    """What the keys do."""
    return page(request, "keys.html", sections=KEYS)
