"""Junking frames, taking that back, and reducing again with other parameters: the form, and the book of orders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.accounts.secrets import new_secret
from paws.engines import engine_reference
from paws.errors import InvalidInputError
from paws.matching.policy import MatchPolicy
from paws.orders.book import carry_out
from paws.orders.order import (
    LONGEST_REASON,
    MOST_FRAMES,
    Order,
    OrderKind,
    check_parameters,
    check_reason,
    offered,
    order_id,
)
from schemas.parameters import default_words, in_words
from schemas.reductions import ParameterValue
from schemas.vocabulary import FrameClass
from web.accounts.forms import Form, read_form
from web.accounts.identify import address_of, visitor_of
from web.accounts.visitor import Visitor
from web.api.endpoint import PATH_PATTERNS, parse, path_values
from web.pages.render import page
from web.problems import NotFoundError, ProblemError
from web.questions import Question
from web.state import WebState, web_state
from web.storage import night as store

_SEE_OTHER: Final = 303
_ONCE: Final = re.compile(r"[A-Za-z0-9_-]{20,100}")
_PREFIX: Final = "p-"
"""Before the names of parameters in the form."""


class OrdersQuestion(Question):
    """What the page of orders shows."""

    part: bool = Field(default=False, description="Only the book, which changes as the night goes on")


async def orders(request: Request) -> Response:
    """The book of orders of a night; above it the form, when frames are chosen."""
    night = path_values(request)["night"]
    chosen = _chosen(request.query_params.getlist("frame"))
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


def _chosen(given: Sequence[str]) -> list[str]:
    """Identifiers of frames that were chosen.

    Raises
    ------
    NotFoundError, ProblemError
        If one is none, or there are too many.
    """
    chosen = list(dict.fromkeys(given))
    if len(chosen) > MOST_FRAMES:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"An order is for at most {MOST_FRAMES} frames.")
    if not all(re.match(PATH_PATTERNS["frame_id"], one) for one in chosen):
        raise NotFoundError("There is no such frame in this night.")
    return chosen


def _typed(sent: Form) -> dict[str, str]:
    return {name: value[:200] for name, value in sent.starting(_PREFIX).items()}


async def submit(request: Request) -> Response:
    """Take an order. Sent twice, it is carried out once."""
    night = path_values(request)["night"]
    state, visitor = web_state(request), visitor_of(request)
    sent = await read_form(request)
    chosen = _chosen(sent.all("frame"))
    rows = await store.frames_to_order(state.pool, night, chosen, visitor.sight)
    if not chosen or len(rows) < len(chosen):
        # One answer for what is not there and for what is not theirs to see.
        raise NotFoundError("There is no such frame in this night.")
    _require_right(visitor, rows)
    try:
        order = _read_order(state, visitor, request, night, rows, sent)
        async with state.pool.acquire() as connection:
            await carry_out(connection, order)
    except InvalidInputError as error:
        return await _orders_page(
            request,
            night,
            chosen,
            status=int(HTTPStatus.UNPROCESSABLE_ENTITY),
            problem=error.message,
            sent=sent,
        )
    state.nights.forget(night)
    return RedirectResponse(f"/nights/{night}/orders#order-{order.order_id}", _SEE_OTHER)


def _require_right(visitor: Visitor, rows: Sequence[Mapping[str, Any]]) -> None:
    if not all(visitor.may_write(row["owner"]) for row in rows):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "Frames are junked and reduced again by members of their proposal, and by administrators; "
            "calibrations of the detectors by administrators.",
        )


def _read_order(
    state: WebState,
    visitor: Visitor,
    request: Request,
    night: str,
    rows: Sequence[Mapping[str, Any]],
    sent: Form,
) -> Order:
    if sent["kind"] not in set(OrderKind):
        raise InvalidInputError("Choose what is to be done.")
    if not _ONCE.fullmatch(sent["once"]):
        raise InvalidInputError("The form is too old. Send it again.")
    kind = OrderKind(sent["kind"])
    actor = visitor.actor(address_of(request))
    return Order(
        order_id(actor, sent["once"]),
        night,
        kind,
        tuple(row["frame_id"] for row in rows),
        check_reason(sent["reason"]),
        actor,
        state.clock(),
        _read_parameters(state, night, rows, sent) if kind is OrderKind.REDUCE else None,
    )


def _read_parameters(
    state: WebState, night: str, rows: Sequence[Mapping[str, Any]], sent: Form
) -> dict[str, ParameterValue] | None:
    if sent["repeat"] == "yes":
        return None
    policy = MatchPolicy.of(state.settings).of_night(night)
    engine = engine_reference(state.settings, policy.engine)
    return check_parameters(
        {name: value for name, value in sent.starting(_PREFIX).items() if value.strip()},
        {FrameClass(row["frame_class"]) for row in rows},
        [row["grating"] for row in rows],
        builtin=engine.kind == "builtin",
    )
