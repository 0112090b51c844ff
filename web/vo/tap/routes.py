"""The routes of the query service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web.vo.service import open_headers
from web.vo.tap import about, jobs, page
from web.vo.tap.sync import sync

ASYNC = "/tap/async"
SERVER = "PAWS-Live"
"""What answers: validators and registries ask for it."""
Handler = Callable[[Request], Awaitable[Response]]


def tap_routes() -> list[BaseRoute]:
    """All routes of the query service."""
    job = f"{ASYNC}/{{job_id}}"
    return [
        Route("/tap", page.landing, methods=["GET"], name="page:tap"),
        Route("/tap/sync", readable(sync), methods=["GET", "POST"], name="tap:sync"),
        Route("/tap/capabilities", readable(about.capabilities), methods=["GET"], name="tap:capabilities"),
        Route("/tap/availability", readable(about.availability), methods=["GET"], name="tap:availability"),
        Route("/tap/tables", readable(about.tables), methods=["GET"], name="tap:tables"),
        Route("/tap/tables/{name:path}", readable(about.table), methods=["GET"], name="tap:table"),
        Route("/tap/examples", readable(about.examples), methods=["GET"], name="tap:examples"),
        Route(ASYNC, readable(jobs.jobs), methods=["GET", "POST"], name="tap:jobs"),
        Route(job, readable(jobs.job), methods=["GET", "POST", "DELETE"], name="tap:job"),
        Route(f"{job}/results/result", readable(jobs.result), methods=["GET"], name="tap:result"),
        Route(f"{job}/{{part}}", readable(jobs.part), methods=["GET", "POST"], name="tap:job part"),
    ]


def readable(handler: Handler) -> Handler:
    """A handler whose answers pages of other sites may read, where that is meant."""

    async def endpoint(request: Request) -> Response:
        response = await handler(request)
        response.headers.update(open_headers(request))
        response.headers["Server"] = SERVER
        return response

    return endpoint
