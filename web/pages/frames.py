"""The page of a frame and the page of a reduction."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from paws.access.rule import owner_of
from web.access import told
from web.accounts.identify import visitor_of
from web.api.endpoint import parse, path_values
from web.api.handlers import PRIVATE, frame_detail, reduction_detail
from web.files import inside
from web.pages.night import view_of
from web.pages.render import page
from web.problems import NotFoundError
from web.questions import NoQuestion
from web.state import web_state
from web.storage import frames as frame_store
from web.storage import products as product_store
from web.storage import status as status_store

LOG: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Change:
    """A line of a frame's history."""

    seq: int
    at: Any
    state: str
    detail: str


def changes(events: Sequence[Mapping[str, Any]]) -> list[Change]:
    """History of a frame: one line for each new state or stage, not for each step of progress."""
    lines: list[Change] = []
    for event in events:
        payload = event["payload"].get("payload") or {}
        stage, reason = payload.get("stage"), payload.get("reason")
        detail = str((stage if event["state"] == "running" else reason) or "").replace("_", " ")
        line = Change(int(event["seq"]), event["at"], str(event["state"]), detail)
        if not lines or (lines[-1].state, lines[-1].detail) != (line.state, line.detail):
            lines.append(line)
    return lines


def choices(decision: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Calibrations of a decision, whatever its version: each with the same names, mandatory ones first."""
    document = decision or {}
    found = document.get("choices") or document.get("calibrations") or []
    if isinstance(found, Mapping):
        found = [{"role": role, **item} for role, item in found.items() if isinstance(item, Mapping)]
    return [
        {
            "role": str(item.get("role", "")),
            "level": item.get("level") if isinstance(item.get("level"), int) else None,
            "age_hours": item.get("age_hours") if isinstance(item.get("age_hours"), int | float) else None,
            "reason": str(item.get("reason", "")),
            "job_key": (item.get("product") or {}).get("job_key"),
            "sources": [str(one) for one in item.get("source_frame_ids") or ()],
            "refused": [one for one in item.get("refused") or () if isinstance(one, Mapping)],
        }
        for item in found
        if isinstance(item, Mapping)
    ]


def refusals(decision: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """What was passed over for roles that stay empty."""
    return [
        {name: str(item.get(name) or "") for name in ("role", "frame_id", "reason")}
        for item in (decision or {}).get("refused") or ()
        if isinstance(item, Mapping)
    ]


async def frame(request: Request) -> Response:
    """One frame."""
    state, sight = web_state(request), visitor_of(request).sight
    parse(NoQuestion, request)
    found = await frame_detail(state, path_values(request)["frame_id"], sight)
    events = await status_store.history(state.pool, found.night, [found.frame_id], sight)
    chosen = choices(found.decision)
    passed_over = refusals(found.decision)
    named = {source for item in chosen for source in item["sources"]}
    named |= {str(one.get("frame_id", "")) for item in chosen for one in item["refused"]}
    named |= {item["frame_id"] for item in passed_over}
    return page(
        request,
        "frame.html",
        frame=found,
        view=view_of(found),
        may_order=visitor_of(request).may_write(owner_of(found.proposal, found.frame_class)),
        history=changes(events),
        choices=chosen,
        refusals=passed_over,
        notes=[str(note) for note in (found.decision or {}).get("notes") or ()],
        names=await frame_store.frame_names(state.pool, sorted(named), sight),
        cards=sorted(found.header.items()),
    )


async def reduction(request: Request) -> Response:
    """One reduction."""
    state, sight = web_state(request), visitor_of(request).sight
    parse(NoQuestion, request)
    found = await reduction_detail(state, path_values(request)["job_key"], sight)
    chosen = choices(found.document)
    named = {source for item in chosen for source in item["sources"]} | set(found.frame_ids)
    return page(
        request,
        "reduction.html",
        reduction=found,
        choices=chosen,
        names=await frame_store.frame_names(state.pool, sorted(named), sight),
        parameters=found.document.get("parameters") or {},
    )


async def reduction_product(request: Request) -> Response:
    """To the product of a reduction: the address is known before the product is."""
    state = web_state(request)
    parse(NoQuestion, request)
    product_id = await product_store.product_of_job(
        state.pool, path_values(request)["job_key"], visitor_of(request).sight
    )
    if product_id is None:
        raise NotFoundError("This reduction has made no product yet.")
    return RedirectResponse(request.url_for("page:product", product_id=product_id).path, 303)


async def reduction_log(request: Request) -> Response:
    """The engine's log of a reduction."""
    state, sight = web_state(request), visitor_of(request).sight
    parse(NoQuestion, request)
    row = await product_store.reduction(state.pool, path_values(request)["job_key"], sight)
    if row is None or not row["log_path"]:
        raise NotFoundError("There is no log of this reduction.")
    path = inside(state.settings, row["log_path"])
    if not path.is_file():
        raise NotFoundError("The log of this reduction has been removed.")
    headers = {"Cache-Control": PRIVATE}
    if sight.everything:
        return FileResponse(path, media_type=LOG, headers=headers)
    text = await asyncio.to_thread(path.read_text, "utf-8", "replace")
    return Response(await told(state.pool, text, sight), media_type=LOG, headers=headers)
