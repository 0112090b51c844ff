"""Junking frames, taking that back, and reducing again with other parameters: the form, and the book of orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.accounts.secrets import new_secret
from paws.errors import InvalidInputError
from paws.orders.order import LONGEST_REASON, OrderKind, offered
from schemas.parameters import default_words, in_words
from schemas.vocabulary import FrameClass
from web.accounts.address import address_of
from web.accounts.forms import Form, read_form
from web.accounts.identify import visitor_of
from web.api.endpoint import parse, path_values
from web.night.ordering import Wish, check_frames, give
from web.pages.render import page
from web.problems import NotFoundError
from web.questions import Question
from web.state import web_state
from web.storage import night as store

_SEE_OTHER: Final = 303
_PREFIX: Final = "p-"
"""Before the names of parameters in the form."""


class OrdersQuestion(Question):
    """What the page of orders shows."""

    part: bool = Field(default=False, description="Only the book, which changes as the night goes on")


async def orders(request: Request) -> Response:
    """The book of orders of a night; above it the form, when frames are chosen."""
    night = path_values(request)["night"]
    chosen = check_frames(request.query_params.getlist("frame"))
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "frame"]
    # Frames may be given many times; what else is asked is checked as elsewhere.
    scope = {**request.scope, "query_string": urlencode(rest).encode()}
    part = parse(OrdersQuestion, Request(scope)).part
    return await _orders_page(request, night, chosen, part=part)


async def _orders_page(
    request: Request,
    night: str,
    chosen: Sequence[str],
    *,
    part: bool = False,
    status: int = 200,
    problem: str = "",
    sent: Form | None = None,
) -> Response:
    state, visitor = web_state(request), visitor_of(request)
    rows = await store.frames_to_order(state.pool, night, chosen, visitor.sight) if chosen else []
    if len(rows) < len(set(chosen)):
        raise NotFoundError("There is no such frame in this night.")
    allowed = [row for row in rows if visitor.may_write(row["owner"])]
    return page(
        request,
        "night_orders_part.html" if part else "night_orders.html",
        status,
        night=night,
        orders=await store.orders(state.pool, night, visitor.sight),
        frames=allowed,
        refused=[row for row in rows if row not in allowed],
        parameters=_parameter_fields(allowed),
        tells_who=visitor.kind in ("open", "session", "token"),
        in_words=in_words,
        once=new_secret(),
        longest=LONGEST_REASON,
        kinds=OrderKind,
        problem=problem,
        typed={} if sent is None else _typed(sent),
        reason="" if sent is None else sent["reason"][:LONGEST_REASON],
        kind="" if sent is None else sent["kind"][:20],
    )


def _parameter_fields(frames: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Parameters that concern the chosen frames, with their defaults and what is set now."""
    classes = {FrameClass(row["frame_class"]) for row in frames}
    gratings = [row["grating"] for row in frames]
    now: dict[str, set[str]] = {}
    for row in frames:
        for name, value in (row["parameters"] or {}).items():
            now.setdefault(name, set()).add(in_words(value))
    return [
        {
            "parameter": item,
            "default": default_words(item, gratings),
            "now": ", ".join(sorted(now.get(item.name, ()))),
        }
        for item in offered(classes)
    ]


def _typed(sent: Form) -> dict[str, str]:
    return {name: value[:200] for name, value in sent.starting(_PREFIX).items()}


async def submit(request: Request) -> Response:
    """Take an order. Sent twice, it is carried out once."""
    night = path_values(request)["night"]
    state, visitor = web_state(request), visitor_of(request)
    sent = await read_form(request)
    given = {name: value for name, value in sent.starting(_PREFIX).items() if value.strip()}
    wish = Wish(
        night,
        sent["kind"],
        sent.all("frame"),
        sent["reason"],
        None if sent["repeat"] == "yes" else given,
        sent["once"],
    )
    try:
        order_id, _effects = await give(state, visitor, address_of(request), wish)
    except InvalidInputError as error:
        return await _orders_page(
            request,
            night,
            check_frames(wish.frame_ids),
            status=int(HTTPStatus.UNPROCESSABLE_ENTITY),
            problem=error.message,
            sent=sent,
        )
    return RedirectResponse(f"/nights/{night}/orders#order-{order_id}", _SEE_OTHER)
