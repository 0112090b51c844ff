"""Pages of tables: what can be queried, one table, uploading, dropping."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adql.words import quoted
from paws.errors import InvalidInputError
from paws.vo.publish import queue, shelf
from paws.vo.publish.shelf import Listed
from web.accounts.address import address_of
from web.accounts.forms import read_form
from web.accounts.identify import visitor_of
from web.api.endpoint import PATH_PATTERNS, path_values
from web.pages.render import page
from web.problems import ProblemError
from web.state import web_state
from web.vo.tables import service
from web.vo.tables.receiving import Upload, receive_form
from web.vo.tables.service import Rights
from web.vo.tap.asker import base_of

_SEE_OTHER: Final = 303
_FEW: Final = 4
_SHOWN: Final = 6
_FORMATS: Final = (("VOTable", "votable"), ("CSV", "csv"), ("FITS", "fits"), ("Parquet", "parquet"))


async def tables(request: Request) -> Response:
    """Tables that the visitor can query, by schema."""
    state, visitor = web_state(request), visitor_of(request)
    found = await shelf.tables_seen(state.pool, visitor.sight, visitor.account_id)
    schemas: dict[str, list[Listed]] = {}
    for table in found:
        schemas.setdefault(table.schema, []).append(table)
    return page(
        request, "tables.html", schemas=schemas, total=len(found), rights=service.rights_of(visitor, state)
    )


async def table(request: Request) -> Response:
    """One table: its columns, an example, downloads."""
    state, visitor = web_state(request), visitor_of(request)
    found = await service.table_for(state, path_values(request)["table"], visitor)
    columns = await shelf.columns_of(state.pool, found.name)
    return page(
        request,
        "table.html",
        table=found,
        columns=columns,
        example=example_of(found, columns, await shelf.some_position(state.pool, found)),
        downloads=[(name, _whole(found.name, kind)) for name, kind in _FORMATS],
        may_drop=service.may_drop(visitor, found),
        maxrec=state.settings.tap_maxrec,
    )


def example_of(table: Listed, columns: list[dict[str, Any]], place: tuple[float, float] | None = None) -> str:
    """A query to begin with: around a position where there is one, else the first rows.

    Parameters
    ----------
    place
        Position of some row, degrees, so that the query finds something.
    """
    names = [column["column_name"] for column in columns if column["principal"]]
    if len(names) < _FEW:
        names = [column["column_name"] for column in columns]
    chosen = ", ".join(names[:_SHOWN])
    if len(table.positions) < 2:
        return f"SELECT TOP 100 {chosen}\nFROM {table.name}"
    ra, dec = (quoted(name) for name in table.positions[:2])
    at = "35.5, -28.7" if place is None else f"{place[0]:.4f}, {place[1]:.4f}"
    return (
        f"SELECT TOP 100 {chosen}\nFROM {table.name}\nWHERE DISTANCE(POINT({ra}, {dec}), POINT({at})) < 0.5"
    )


def _whole(name: str, kind: str) -> str:
    """Address at which the query service gives all of a table."""
    asked = {"LANG": "ADQL", "FORMAT": kind, "QUERY": f"SELECT * FROM {name}"}  # noqa: S608 - ADQL, for the service
    return f"/tap/sync?{urlencode(asked)}"


async def new(request: Request) -> Response:
    """The form that uploads a table, and what became of uploads."""
    service.require_publisher(visitor_of(request), web_state(request))
    return await _new_page(request, typed=await _replacing(request))


async def _replacing(request: Request) -> dict[str, str]:
    """What the form begins with when a table's own page leads to it: its name, and who sees it."""
    state, visitor = web_state(request), visitor_of(request)
    name = request.query_params.get("name", "")
    if not re.match(PATH_PATTERNS["table"], name):
        return {}
    found = await shelf.table_seen(state.pool, name, visitor.sight, visitor.account_id)
    if found is None or not service.may_drop(visitor, found):
        return {}
    audience = "personal" if found.personal else "proposal" if found.audience.proposal else "everybody"
    return {
        "name": found.name,
        "audience": audience,
        "proposal": found.audience.proposal or "",
        "description": found.description,
        "replace": "yes",
    }


async def _new_page(
    request: Request, status: int = 200, problem: str = "", typed: Mapping[str, str] | None = None
) -> Response:
    state, visitor = web_state(request), visitor_of(request)
    rights = service.rights_of(visitor, state)
    uploads = await queue.publications_of(state.pool, visitor.account_id, everybody=rights.for_all)
    own = visitor.account_id if rights.personal else None
    schema = await shelf.schema_of(state.pool, own, visitor.actor("").name) if own is not None else ""
    return page(
        request,
        "table_new.html",
        status,
        rights=rights,
        problem=problem,
        typed={name: value[:4000] for name, value in (typed or {}).items()},
        uploads=uploads,
        any_open=any(upload.open for upload in uploads),
        used=await service.used(state, visitor) if rights.personal else None,
        schema=schema,
        settings=state.settings,
        largest=service.largest_upload(state, rights),
        base=base_of(request),
        proposals=sorted(visitor.person.proposals) if visitor.person else [],
    )


async def upload(request: Request) -> Response:
    """Take an upload on."""
    state, visitor = web_state(request), visitor_of(request)
    rights = service.require_publisher(visitor, state)
    if visitor.kind == "token":
        raise ProblemError(HTTPStatus.FORBIDDEN, "Programs upload tables at /api/tables.")
    publication_id, folder = await asyncio.to_thread(queue.new_folder, state.settings)
    sent: Upload | None = None
    try:
        await service.check_room(state, visitor)
        sent = await receive_form(request, folder, service.largest_upload(state, rights))
        await _take_on(request, rights, sent, publication_id)
    except InvalidInputError as error:
        await asyncio.to_thread(queue.remove_folder, state.settings, publication_id)
        wrong = int(HTTPStatus.UNPROCESSABLE_ENTITY)
        return await _new_page(request, wrong, error.message, sent.fields if sent else None)
    except BaseException:
        await asyncio.to_thread(queue.remove_folder, state.settings, publication_id)
        raise
    return RedirectResponse("/tables/new#uploads", _SEE_OTHER)


async def _take_on(request: Request, rights: Rights, sent: Upload, publication_id: str) -> None:
    state, visitor = web_state(request), visitor_of(request)
    if not sent.told_name:
        raise InvalidInputError("Choose a file.")
    wish = await service.wish_of(
        state, visitor, rights, sent.fields, sent.told_name, visitor.actor(address_of(request))
    )
    await service.take_on(state, visitor, wish, publication_id, sent.told_name, sent.metadata)


async def drop(request: Request) -> Response:
    """Drop a table."""
    await read_form(request)
    await service.drop(
        web_state(request), path_values(request)["table"], visitor_of(request), address_of(request)
    )
    return RedirectResponse("/tables", _SEE_OTHER)


def table_routes() -> list[BaseRoute]:
    """The pages of tables."""
    return [
        Route("/tables", tables, methods=["GET"], name="page:tables"),
        Route("/tables/new", new, methods=["GET"], name="page:table_new"),
        Route("/tables/new", upload, methods=["POST"], name="post:table_new"),
        Route("/tables/{table}", table, methods=["GET"], name="page:table"),
        Route("/tables/{table}/drop", drop, methods=["POST"], name="post:table_drop"),
    ]
