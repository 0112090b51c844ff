"""The explorer's page, the tree in which products are chosen, and the sky behind a field."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from paws.access.rule import Sight
from paws.errors import InvalidInputError
from web.accounts.identify import visitor_of
from web.api.endpoint import parse
from web.explorer.handlers import plate_view
from web.explorer.models import PlateView
from web.explorer.questions import BrowseQuestion, ExplorerQuestion
from web.explorer.shelf import Shelf
from web.explorer.tree import tree_of
from web.pages.render import page
from web.questions import NoQuestion
from web.security import SAMP_HUB, policy_with
from web.state import web_state

_EMPTY_STYLE: Final = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Hash of nothing: plotly puts an empty style element into the page and adds its rules by script, which is no inline
style. What is written into a page as style stays refused."""

EXPLORER_POLICY: Final = policy_with(
    style_src=_EMPTY_STYLE, img_src="data: blob:", frame_src="'self'", connect_src=f"data: blob: {SAMP_HUB}"
)
"""Plotly draws a screenshot by way of an image of its own making; the sky is a page of its own in a frame."""


async def explorer(request: Request) -> Response:
    """The explorer: a product's field and spectra, or the tree to choose one from."""
    state, sight = web_state(request), visitor_of(request).sight
    ask = parse(ExplorerQuestion, request)
    if ask.product is None:
        return page(
            request, "explorer_choose.html", ask=ask, problem="", **await _tree(state.shelf, ask, sight)
        )
    opened = await state.shelf.open(ask.product, sight)
    try:
        view = await plate_view(state.shelf, opened, sight)
    except InvalidInputError as error:
        listed = await _tree(state.shelf, ask, sight)
        return page(request, "explorer_choose.html", 404, ask=ask, problem=error.message, **listed)
    response = page(
        request,
        "explorer.html",
        ask=ask,
        view=view,
        opened=opened.product,
        first=first_fibre(view, ask.fibre),
        sky=bool(state.vendor.address("aladin") and state.settings.sky_images and view.centre),
        shelf=state.shelf.name,
    )
    response.headers["Content-Security-Policy"] = EXPLORER_POLICY
    return response


def first_fibre(view: PlateView, asked: int | None) -> int:
    """Fibre that is shown first: the one asked for, else the best target."""
    if asked is not None and asked <= len(view.fibres):
        return asked
    best = max(
        view.fibres,
        key=lambda one: (one.type == "P", one.signal_to_noise or 0.0, -one.fibre),
        default=None,
    )
    return best.fibre if best else 1


async def explorer_tree(request: Request) -> Response:
    """The tree alone, as a part of the page."""
    ask = parse(BrowseQuestion, request)
    listed = await _tree(web_state(request).shelf, ask, visitor_of(request).sight)
    return page(request, "explorer_tree.html", ask=ask, **listed)


async def _tree(shelf: Shelf, ask: BrowseQuestion, sight: Sight) -> dict[str, Any]:
    found, total = await shelf.browse(BrowseQuestion(q=ask.q, limit=ask.limit), sight)
    return {"tree": tree_of(found), "listed": len(found), "total": total, "shelf": shelf.name}


async def explorer_sky(request: Request) -> Response:
    """The sky behind a field, for the explorer's frame.

    Aladin Lite has a page of its own: it brings code as WebAssembly, styles, and questions to a server of images,
    none of which the page with the spectra need allow. Only the server that is set is asked.
    """
    state = web_state(request)
    parse(NoQuestion, request)
    images = state.settings.sky_images
    server = "{0.scheme}://{0.netloc}".format(urlsplit(images)) if images else ""
    response = page(request, "explorer_sky.html", images=images)
    response.headers["Content-Security-Policy"] = policy_with(
        script_src="'wasm-unsafe-eval'",
        style_src="'unsafe-inline'",
        img_src=f"data: blob: {server}".strip(),
        font_src="data:",
        connect_src=f"data: blob: {server}".strip(),
        worker_src="blob:",
        frame_ancestors="'self'",
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def explorer_routes() -> list[BaseRoute]:
    """The explorer's pages."""
    pages = (
        ("/explorer", explorer, "explorer"),
        ("/explorer/tree", explorer_tree, "explorer_tree"),
        ("/explorer/sky", explorer_sky, "explorer_sky"),
    )
    return [Route(path, handler, methods=["GET"], name=f"page:{name}") for path, handler, name in pages]
