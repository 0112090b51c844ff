"""The routes of the query service."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from web.vo.tap import about, jobs, page
from web.vo.tap.sync import sync

ASYNC = "/tap/async"


def tap_routes() -> list[BaseRoute]:
    """All routes of the query service."""
    job = f"{ASYNC}/{{job_id}}"
    return [
        Route("/tap", page.landing, methods=["GET"], name="page:tap"),
        Route("/tap/sync", sync, methods=["GET", "POST"], name="tap:sync"),
        Route("/tap/capabilities", about.capabilities, methods=["GET"], name="tap:capabilities"),
        Route("/tap/availability", about.availability, methods=["GET"], name="tap:availability"),
        Route("/tap/tables", about.tables, methods=["GET"], name="tap:tables"),
        Route("/tap/tables/{name:path}", about.table, methods=["GET"], name="tap:table"),
        Route("/tap/examples", about.examples, methods=["GET"], name="tap:examples"),
        Route(ASYNC, jobs.jobs, methods=["GET", "POST"], name="tap:jobs"),
        Route(job, jobs.job, methods=["GET", "POST", "DELETE"], name="tap:job"),
        Route(f"{job}/results/result", jobs.result, methods=["GET"], name="tap:result"),
        Route(f"{job}/{{part}}", jobs.part, methods=["GET", "POST"], name="tap:job part"),
    ]
