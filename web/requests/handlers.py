"""Requests over HTTP: list, submit, look, cancel, try again; and the parameters that they may have."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from paws.access.rule import Sight
from paws.errors import InvalidInputError
from paws.requests import orders
from paws.requests.orders import MOST_FRAMES_BY_QUERY, OrderError
from schemas.parameters import PARAMETERS, VERSION
from web.access import told
from web.accounts.address import address_of
from web.accounts.identify import visitor_of
from web.accounts.visitor import Visitor
from web.api.endpoint import ApiRoute, Asked
from web.api.models import Page, ProblemField
from web.problems import NotFoundError, ProblemError
from web.requests import submitting, view
from web.requests.logs import tail
from web.requests.models import (
    EngineInfo,
    ParameterInfo,
    ParameterTable,
    RequestDetail,
    RequestFrame,
    RequestPart,
    RequestSummary,
)
from web.requests.questions import NewRequest, RequestQuestion
from web.requests.submitting import SubmissionError
from web.state import WebState
from web.storage import requests as store

MOST_LISTED: Final = 2000
"""Frames of a request that are told."""
MOST_PARTS: Final = 5000
"""Reductions of a request that are told."""


def summary_of(row: dict[str, Any]) -> RequestSummary:
    """Answer about a request, from its row."""
    return RequestSummary.model_validate(_summary(row))


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in RequestSummary.model_fields if name in row}
    return {**kept, "partly_failed": view.is_partly(row)}


async def requests(asked: Asked) -> Page[RequestSummary]:
    """Requests, the newest first."""
    ask = asked.question
    account_id = visitor_of(asked.request).account_id
    rows, total = await store.requests(asked.state.pool, ask, asked.sight, account_id)
    return Page[RequestSummary](
        items=[summary_of(row) for row in rows], total=total, limit=ask.limit, offset=ask.offset
    )


async def request(asked: Asked) -> RequestDetail:
    """One request."""
    return await request_detail(asked.state, asked.path["request_id"], visitor_of(asked.request))


async def request_row(state: WebState, request_id: str, visitor: Visitor) -> dict[str, Any]:
    """Row of a request.

    Raises
    ------
    NotFoundError
        If there is none that they see.
    """
    row = await store.request(state.pool, request_id, visitor.sight, visitor.account_id, whole=True)
    if row is None:
        raise NotFoundError("There is no such request.")
    return row


def owns(row: dict[str, Any], visitor: Visitor) -> bool:
    """Whether a request is somebody's own, or theirs to manage."""
    return visitor.may_request and (
        visitor.sight.everything
        or (visitor.account_id is not None and visitor.account_id == row["account_id"])
    )


async def request_detail(state: WebState, request_id: str, visitor: Visitor) -> RequestDetail:
    """One request, whole."""
    row = await request_row(state, request_id, visitor)
    queue = await store.queue_of(state.pool, request_id, row["engine"])
    open_now = view.is_open(row["state"])
    kinds = await store.open_kinds(state.pool, request_id) if open_now else {}
    parts = await store.parts_of(state.pool, request_id, visitor.sight, MOST_PARTS)
    return RequestDetail(
        **_summary(row),
        missing=row["missing"],
        elapsed_seconds=round(view.elapsed(row, state.clock()), 1),
        expected_seconds=view.seconds_left(kinds, queue) if open_now else None,
        ahead=queue.ahead if open_now else None,
        waiting=view.waiting_reason(row, queue),
        webhook_secret=row["webhook_secret"] or None if owns(row, visitor) else None,
        frame_list=[
            RequestFrame.model_validate(item)
            for item in await store.frames_of(state.pool, request_id, visitor.sight, MOST_LISTED)
        ],
        part_list=[part_of(item) for item in parts],
    )


def part_of(row: dict[str, Any]) -> RequestPart:
    """Answer about a reduction of a request; without what would find one that is not theirs."""
    kept = {name: row[name] for name in RequestPart.model_fields}
    if not row["seen"]:
        kept |= {"job_key": None, "product_id": None}
    return RequestPart.model_validate(kept)


def require_requester(asked: Asked) -> Visitor:
    """Visitor who may ask for reductions.

    Raises
    ------
    ProblemError
        401 or 403 if they may not.
    """
    visitor = visitor_of(asked.request)
    if visitor.kind == "nobody":
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "Send a token of your account page.",
            headers={"WWW-Authenticate": 'Bearer realm="PAWS Live"'},
        )
    if not visitor.may_request:
        raise ProblemError(HTTPStatus.FORBIDDEN, "The token is not for asking: it lacks the scope write.")
    return visitor


async def submit(asked: Asked) -> RequestDetail:
    """Submit a request."""
    visitor, sent, state = require_requester(asked), asked.body, asked.state
    frames = await _frames(state, sent, visitor.sight)
    try:
        submission = await submitting.submission_of(submitting.draft_of(sent, frames), state, visitor)
        request_id = await submitting.submit(
            submission, state, visitor, address_of(asked.request), state.clock()
        )
    except SubmissionError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, error.message, error.fields) from error
    except OrderError as error:
        raise ProblemError(HTTPStatus.CONFLICT, error.message) from error
    return await request_detail(state, request_id, visitor)


async def _frames(state: WebState, sent: NewRequest, sight: Sight) -> list[str]:
    if (sent.select is None) == (not sent.frames):
        detail = "name frames, or choose them by select; not both"
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, detail, [ProblemField(name="frames", detail=detail)]
        )
    if sent.select is None:
        return list(sent.frames)
    found = await store.select(state.pool, sent.select, sight)
    if not found or len(found) > MOST_FRAMES_BY_QUERY:
        detail = (
            "no frame fits" if not found else f"more than {MOST_FRAMES_BY_QUERY} frames fit; choose fewer"
        )
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, detail, [ProblemField(name="select", detail=detail)]
        )
    return found


async def give_order(state: WebState, request_id: str, what: str, visitor: Visitor, address: str) -> None:
    """Cancel a request or try it again.

    Raises
    ------
    NotFoundError, ProblemError
        404 if there is none that they see; 403 if it is somebody else's; 409 if it cannot be done now.
    """
    row = await request_row(state, request_id, visitor)
    if not owns(row, visitor):
        raise ProblemError(HTTPStatus.FORBIDDEN, f"The request is {row['who']}'s; clone it to make your own.")
    order = orders.cancel if what == "cancel" else orders.retry
    try:
        async with state.pool.acquire() as connection, connection.transaction():
            await order(connection, request_id, visitor.actor(address), state.clock())
    except InvalidInputError as error:
        raise ProblemError(HTTPStatus.CONFLICT, error.message) from error


async def cancel(asked: Asked) -> RequestDetail:
    """Cancel a request."""
    return await _ordered(asked, "cancel")


async def retry(asked: Asked) -> RequestDetail:
    """Try again what failed."""
    return await _ordered(asked, "retry")


async def _ordered(asked: Asked, what: str) -> RequestDetail:
    visitor, request_id = require_requester(asked), asked.path["request_id"]
    await give_order(asked.state, request_id, what, visitor, address_of(asked.request))
    return await request_detail(asked.state, request_id, visitor)


async def parameters(asked: Asked) -> ParameterTable:
    """What a request may set."""
    settings = asked.state.settings
    return ParameterTable(
        version=VERSION,
        parameters=[
            ParameterInfo(
                name=item.name,
                group=item.group,
                kind=item.kind,
                default=item.default,
                meaning=item.meaning,
                choices=list(item.choices),
                own_choices=sorted(item.own_choices),
                low=item.low if item.kind in ("integer", "real") else None,
                high=item.high if item.kind in ("integer", "real") else None,
                unit=item.unit,
                by_grating=dict(item.by_grating),
                concerns=sorted(item.concerns),
            )
            for item in PARAMETERS
        ],
        engines=[
            EngineInfo(name=item.name, version=item.version, usual=item.name == settings.engine)
            for item in submitting.engines(settings)
        ],
    )


async def request_log(asked: Asked) -> Response:
    """The last lines of what is at work now."""
    visitor = visitor_of(asked.request)
    await request_row(asked.state, asked.path["request_id"], visitor)
    lines = await tail_of(asked.state, asked.path["request_id"], visitor.sight)
    text = "\n".join(f"== {item['label']} ({item['kind']})\n{item['text']}" for item in lines)
    return Response(text, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


async def tail_of(state: WebState, request_id: str, sight: Sight) -> list[dict[str, Any]]:
    """Last lines of the logs of what is at work, as somebody is told them."""
    rows = await store.running_logs(state.pool, request_id, sight)
    found = [
        {
            "job_key": row["job_key"],
            "label": row["label"],
            "kind": row["kind"],
            "text": await tail(state.settings, row),
        }
        for row in rows
    ]
    return [
        {**item, **await told(state.pool, {"label": item["label"], "text": item["text"]}, sight)}
        for item in found
    ]


REQUESTS_API: Final = (
    ApiRoute(
        "/api/requests",
        "Requests, the newest first",
        requests,
        Page[RequestSummary],
        RequestQuestion,
        "requests",
    ),
    ApiRoute(
        "/api/requests",
        "Submit a request: frames, or a selection of a whole run, with engine and parameters",
        submit,
        RequestDetail,
        tag="requests",
        method="POST",
        body=NewRequest,
    ),
    ApiRoute(
        "/api/requests/{request_id}",
        "A request: how far it is, its frames, its reductions",
        request,
        RequestDetail,
        tag="requests",
    ),
    ApiRoute(
        "/api/requests/{request_id}/log",
        "The last lines of what is at work for a request",
        request_log,
        None,
        tag="requests",
        media_type="text/plain",
    ),
    ApiRoute(
        "/api/requests/{request_id}/cancel",
        "Cancel a request",
        cancel,
        RequestDetail,
        tag="requests",
        method="POST",
    ),
    ApiRoute(
        "/api/requests/{request_id}/retry",
        "Try again what failed, or what was cancelled",
        retry,
        RequestDetail,
        tag="requests",
        method="POST",
    ),
    ApiRoute(
        "/api/parameters",
        "Parameters and engines that a request may name",
        parameters,
        ParameterTable,
        tag="requests",
    ),
)
