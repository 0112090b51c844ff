"""The pages of requests: the list, the form, and how one of them is doing."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from paws.accounts.secrets import new_secret
from paws.matching.policy import MatchPolicy
from paws.requests.orders import MOST_FRAMES, OrderError
from paws.requests.wish import LEAVABLE
from schemas.parameters import BY_NAME, GROUPS, PARAMETERS, default_words, in_words
from schemas.vocabulary import CalibrationLevel, RequestState
from web.accounts.address import address_of
from web.accounts.forms import Form, read_form
from web.accounts.identify import visitor_of
from web.accounts.visitor import Visitor
from web.api.endpoint import parse, path_values
from web.api.models import ProblemField
from web.archive.prospects import document_of, retrospect
from web.archive.telling import tell
from web.pages.render import page
from web.problems import NotFoundError, ProblemError
from web.questions import NoQuestion
from web.requests import handlers, submitting, view
from web.requests.questions import RequestQuestion
from web.requests.submitting import Draft, SubmissionError
from web.state import WebState, web_state
from web.storage import requests as store

_SEE_OTHER: Final = 303
_LARGEST: Final = 262_144
_FIELDS: Final = MOST_FRAMES + 200
PREVIEW_NIGHTS: Final = 3
PREVIEW_FRAMES: Final = 120
"""Beyond so many the form does not show which calibrations would be taken: the field's page does."""
_PREFIX: Final = "p-"


async def requests(request: Request) -> Response:
    """Requests that somebody sees."""
    state, visitor = web_state(request), visitor_of(request)
    ask = parse(RequestQuestion, request)
    rows, total = await store.requests(state.pool, ask, visitor.sight, visitor.account_id)
    return page(
        request,
        "requests.html",
        rows=rows,
        total=total,
        ask=ask,
        week=await store.of_the_last_week(state.pool, visitor.sight, visitor.account_id),
        states=[one.value for one in RequestState],
        engines=[one.name for one in submitting.engines(state.settings)],
        view=view,
        now=state.clock(),
        query=urlencode(
            ask.model_dump(mode="json", exclude={"offset"}, exclude_none=True, exclude_defaults=True)
        ),
    )


def _requester(request: Request) -> Visitor:
    visitor = visitor_of(request)
    if visitor.kind == "nobody":
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in first: whoever asks is told how it went.")
    if not visitor.may_request:
        raise ProblemError(HTTPStatus.FORBIDDEN, "That is not for whoever asks.")
    return visitor


async def new_by_link(request: Request) -> Response:
    """The form, with frames or a request to clone named in the address."""
    visitor, state = _requester(request), web_state(request)
    unknown = set(request.query_params) - {"frame", "clone"}
    frames = request.query_params.getlist("frame")
    if unknown or len(frames) > MOST_FRAMES:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"Name up to {MOST_FRAMES} frames, or a request to clone."
        )
    clone = request.query_params.get("clone", "")
    draft = await _clone(state, clone, visitor) if clone else _fresh(frames)
    return await _form(request, visitor, draft)


async def new_by_form(request: Request) -> Response:
    """The form, with frames that another page selected."""
    visitor = _requester(request)
    sent = await read_form(request, _LARGEST, _FIELDS)
    frames = sent.all("frame")
    if len(frames) > MOST_FRAMES:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"A form names up to {MOST_FRAMES} frames.")
    return await _form(request, visitor, _fresh(frames))


def _fresh(frames: list[str]) -> Draft:
    return Draft(tuple(dict.fromkeys(frames)), nonce=new_secret())


async def _clone(state: WebState, request_id: str, visitor: Visitor) -> Draft:
    row = await store.request(state.pool, request_id[:40], visitor.sight, visitor.account_id)
    if row is None:
        raise NotFoundError("There is no such request.")
    frames = await store.frames_of(state.pool, row["request_id"], visitor.sight, MOST_FRAMES)
    known = {one.name for one in submitting.engines(state.settings)}
    options = row["options"]
    return Draft(
        tuple(one["frame_id"] for one in frames),
        row["engine"] if row["engine"] in known else state.settings.engine,
        {name: _as_typed(value) for name, value in row["parameters"].items() if name in BY_NAME},
        bool(options.get("combine", True)),
        bool(options.get("splice", True)),
        str(options.get("max_level", "")),
        tuple(options.get("without", ())),
        row["title"],
        nonce=new_secret(),
        cloned_from=row["request_id"],
    )


def _as_typed(value: Any) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else in_words(value)


async def _form(
    request: Request,
    visitor: Visitor,
    draft: Draft,
    status: int = 200,
    wrong: list[ProblemField] | None = None,
) -> Response:
    state = web_state(request)
    rows = await store.chosen(state.pool, draft.frames, visitor.sight)
    gratings = sorted({row["grating"] for row in rows if row["grating"]})
    prospects, names = await _preview(state, rows, visitor)
    return page(
        request,
        "request_new.html",
        status,
        draft=draft,
        engine=draft.engine or submitting.usual_engine(state.settings, {row["night"] for row in rows}),
        rows=rows,
        gone=len(draft.frames) - len(rows),
        groups=[(group, [one for one in PARAMETERS if one.group == group]) for group in GROUPS],
        defaults={one.name: default_words(one, gratings) for one in PARAMETERS},
        site={name.upper(): in_words(value) for name, value in state.settings.engine_parameters.items()},
        words_of=in_words,
        engines=submitting.engines(state.settings),
        levels=[(int(level), level.label, level.meaning) for level in CalibrationLevel],
        usual_level=str(state.settings.match_max_level),
        leavable={word: text for word, (_kind, text) in LEAVABLE.items()},
        prospects=prospects,
        names=names,
        wrong={one.name: one.detail for one in wrong or ()},
        address=visitor.person.email if visitor.person else state.settings.mail_to,
        prefix=_PREFIX,
    )


async def _preview(
    state: WebState, rows: list[dict[str, Any]], visitor: Visitor
) -> tuple[dict[str, dict[str, Any]], Any]:
    """Which calibrations would be taken for each frame; nothing when that would take long."""
    nights: dict[str, list[str]] = {}
    for row in rows:
        nights.setdefault(row["night"], []).append(row["frame_id"])
    if not rows or len(nights) > PREVIEW_NIGHTS or len(rows) > PREVIEW_FRAMES:
        return {}, {}
    policy = MatchPolicy.of(state.settings)
    documents = []
    for night, frame_ids in nights.items():
        found = await retrospect(state.pool, night, frame_ids, policy)
        documents += [
            document_of(found.prospects[frame_id]) for frame_id in frame_ids if frame_id in found.prospects
        ]
    told, names = await tell(state.pool, documents, visitor.sight)
    return {item["frame_id"]: item for item in told}, names


async def submit(request: Request) -> Response:
    """Submit the form."""
    visitor, state = _requester(request), web_state(request)
    sent = await read_form(request, _LARGEST, _FIELDS)
    draft = _draft(sent)
    try:
        submission = await submitting.submission_of(draft, state, visitor)
        request_id = await submitting.submit(submission, state, visitor, address_of(request), state.clock())
    except SubmissionError as error:
        return await _form(request, visitor, draft, int(HTTPStatus.UNPROCESSABLE_ENTITY), error.fields)
    except OrderError as error:
        wrong = [ProblemField(name="request", detail=error.message)]
        return await _form(request, visitor, draft, int(HTTPStatus.CONFLICT), wrong)
    return RedirectResponse(f"/requests/{request_id}", _SEE_OTHER)


def _draft(sent: Form) -> Draft:
    values = {name: sent[f"{_PREFIX}{name}"] for name in BY_NAME}
    clone = sent["cloned_from"]
    return Draft(
        tuple(dict.fromkeys(sent.all("frame")[:MOST_FRAMES])),
        sent["engine"][:60],
        {name: value for name, value in values.items() if value.strip()},
        sent["combine"] == "yes",
        sent["splice"] == "yes",
        sent["max_level"][:4],
        tuple(sent.all("without")[:10]),
        sent["title"],
        sent["mail"] == "yes",
        sent["webhook"].strip(),
        sent["nonce"][:100],
        clone if len(clone) == 16 and clone.isalnum() and clone.isascii() else None,
    )


async def request(request: Request) -> Response:
    """One request."""
    state, visitor = web_state(request), visitor_of(request)
    parse(NoQuestion, request)
    request_id = path_values(request)["request_id"]
    row = await handlers.request_row(state, request_id, visitor)
    queue = await store.queue_of(state.pool, request_id, row["engine"])
    frames = await store.frames_of(state.pool, request_id, visitor.sight, MOST_FRAMES)
    open_now = view.is_open(row["state"])
    kinds = await store.open_kinds(state.pool, request_id) if open_now else {}
    mine = handlers.owns(row, visitor)
    parts = await store.parts_of(state.pool, request_id, visitor.sight)
    return page(
        request,
        "request.html",
        row=row,
        view=view,
        frames=frames,
        parts=parts,
        nights=sorted({one["night"] for one in (*frames, *parts)}),
        events=await store.events_of(state.pool, request_id, visitor.sight),
        logs=await handlers.tail_of(state, request_id, visitor.sight) if open_now else [],
        deliveries=await store.deliveries_of(state.pool, request_id) if mine and row["webhook"] else [],
        differences=view.differences(
            row["parameters"], sorted({one["grating"] for one in frames if one["grating"]})
        ),
        options=view.option_words(row["options"]),
        open_now=open_now,
        left=view.seconds_left(kinds, queue) if open_now else None,
        waiting=view.waiting_reason(row, queue),
        queue=queue,
        mine=mine,
        may_request=visitor.may_request,
        most_parts=store.PARTS,
        now=state.clock(),
    )


async def order(request: Request) -> Response:
    """Cancel a request, or try it again."""
    visitor, state = _requester(request), web_state(request)
    await read_form(request)
    request_id = path_values(request)["request_id"]
    what = "cancel" if request.url.path.endswith("/cancel") else "retry"
    await handlers.give_order(state, request_id, what, visitor, address_of(request))
    return RedirectResponse(f"/requests/{request_id}", _SEE_OTHER)


def request_routes() -> list[BaseRoute]:
    """The pages of requests."""
    return [
        Route("/requests", requests, methods=["GET"], name="page:requests"),
        Route("/requests", submit, methods=["POST"], name="post:requests"),
        Route("/requests/new", new_by_link, methods=["GET"], name="page:request_new"),
        Route("/requests/new", new_by_form, methods=["POST"], name="post:request_new"),
        Route("/requests/{request_id}", request, methods=["GET"], name="page:request"),
        Route("/requests/{request_id}/cancel", order, methods=["POST"], name="post:request_cancel"),
        Route("/requests/{request_id}/retry", order, methods=["POST"], name="post:request_retry"),
    ]
