"""The archive's pages: questions to the frame index, what was selected, and a field with its calibrations."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from paws.matching.policy import MatchPolicy
from paws.requests.orders import MOST_FRAMES
from web.accounts.identify import visitor_of
from web.api.endpoint import parse
from web.archive.asking import cone_of
from web.archive.export import csv_export, votable_export
from web.archive.fields import groups_of
from web.archive.prospects import retrospect
from web.archive.questions import ArchivePageQuestion, ArchiveQuestion, FieldQuestion
from web.archive.sky import Cone, looks_like_coordinates
from web.archive.telling import tell, tell_notes
from web.pages.render import page
from web.problems import NotFoundError, ProblemError
from web.state import web_state
from web.storage import archive as store

MOST_SELECTED: Final = MOST_FRAMES
"""Frames of one request."""
REQUEST_PATH: Final = "/requests/new"
GRATINGS: Final = (
    "580V",
    "385R",
    "1000R",
    "1000I",
    "1500V",
    "1700B",
    "1700D",
    "1700I",
    "2000R",
    "2500V",
    "3200B",
)
"""AAOmega's, as suggestions. Any other may be asked for."""

Export = Callable[[AsyncIterator[list[store.Row]]], AsyncIterator[bytes]]


async def archive(request: Request) -> Response:
    """Frames, or fields, that a question asks for."""
    state, sight = web_state(request), visitor_of(request).sight
    ask = parse(ArchivePageQuestion, request)
    problem, status, cone = "", 200, None
    try:
        cone = await cone_of(ask, state.resolver)
    except ProblemError as error:
        problem, status = str(error.detail), error.status_code
    if cone is not None and ask.position and not looks_like_coordinates(ask.position):
        # What is asked must be told by the address alone, tomorrow and without a network too.
        path = request.url_for("page:archive").path
        return RedirectResponse(f"{path}?{ask.query(position=str(cone.centre), target=ask.position)}", 303)
    found = store.Found([], 0, False)
    if not problem:
        ask_store = store.fields if ask.view == "fields" else store.find
        found = await ask_store(state.pool, ask, cone, sight)
    return page(
        request,
        "archive.html",
        status,
        ask=ask,
        found=found,
        problem=problem,
        gratings=GRATINGS,
        asked=ask.asked(),
        export=ask.query(limit=None, offset=None, sort=None, view=None, target=None),
        most=MOST_SELECTED,
        reduce=reduce_path(request),
    )


def reduce_path(request: Request) -> str:
    """Where a selection is sent to be reduced; empty where there is no such page, or for who may not ask."""
    has_page = any(isinstance(one, Route) and one.path == REQUEST_PATH for one in request.app.routes)
    return REQUEST_PATH if has_page and visitor_of(request).may_request else ""


async def _cone(request: Request, ask: ArchiveQuestion) -> Cone | None:
    return await cone_of(ask, web_state(request).resolver)


async def frames_csv(request: Request) -> Response:
    """All that a question asks for, as CSV."""
    return await _export(request, csv_export, "text/csv; charset=utf-8", "paws-frames.csv")


async def frames_votable(request: Request) -> Response:
    """All that a question asks for, as VOTable."""
    return await _export(request, votable_export, "application/x-votable+xml", "paws-frames.vot")


async def _export(request: Request, write: Export, media_type: str, name: str) -> Response:
    ask = parse(ArchiveQuestion, request)
    sight = visitor_of(request).sight
    cone = await _cone(request, ask)
    parts = store.by_night(web_state(request).pool, ask, cone, sight)
    # The first night is read before anything is sent: a database that is away is told as such.
    first = await anext(parts, None)

    async def nights() -> AsyncIterator[list[store.Row]]:
        if first is not None:
            yield first
        async for part in parts:
            yield part

    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"}
    return StreamingResponse(write(nights()), media_type=media_type, headers=headers)


async def selection(request: Request) -> Response:
    """All that a question asks for, to be looked at once more before it is reduced."""
    state, sight = web_state(request), visitor_of(request).sight
    ask = parse(ArchiveQuestion, request)
    cone = await _cone(request, ask)
    chosen = await store.identifiers(state.pool, ask, cone, sight, MOST_SELECTED)
    too_many = len(chosen) > MOST_SELECTED
    rows = [] if too_many else await store.rows_of(state.pool, chosen, sight)
    groups = Counter((row["night"], row["field"], row["plate"], row["frame_class"]) for row in rows)
    return page(
        request,
        "archive_selection.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if too_many else 200,
        ask=ask,
        asked=ask.asked(),
        rows=rows,
        groups=sorted(groups.items(), key=lambda item: tuple(str(one) for one in item[0])),
        too_many=too_many,
        most=MOST_SELECTED,
        reduce=reduce_path(request),
    )


async def field(request: Request) -> Response:
    """A field of a night, grouped as the matcher does, with what its frames would be reduced with."""
    state, sight = web_state(request), visitor_of(request).sight
    ask = parse(FieldQuestion, request)
    rows = await store.field_rows(state.pool, ask.night, ask.field, ask.plate, sight)
    if not rows:
        raise NotFoundError("There is no such field in that night.")
    shown = {row["frame_id"]: row for row in rows}
    found = await retrospect(state.pool, ask.night, list(shown), MatchPolicy.of(state.settings))
    groups = groups_of(found, shown)
    prospects = [frame for group in groups for pointing in group["pointings"] for frame in pointing["frames"]]
    told, names = await tell(state.pool, prospects, sight)
    await tell_notes(state.pool, groups, shown, sight)
    return page(
        request,
        "archive_field.html",
        ask=ask,
        rows=rows,
        groups=groups,
        told={item["frame_id"]: item for item in told},
        names=names,
        reduce=reduce_path(request),
    )


def archive_routes() -> list[BaseRoute]:
    """The archive's pages and files."""
    pages = (
        ("/archive", archive, "archive"),
        ("/archive/frames.csv", frames_csv, "archive_csv"),
        ("/archive/frames.vot", frames_votable, "archive_votable"),
        ("/archive/selection", selection, "archive_selection"),
        ("/archive/field", field, "archive_field"),
    )
    return [Route(path, handler, methods=["GET"], name=f"page:{name}") for path, handler, name in pages]
