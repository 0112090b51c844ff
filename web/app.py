"""The web application: routes, middleware, and what starts and stops with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from paws.database import DATABASE_TROUBLES, open_pool
from paws.operations import disks, work
from paws.settings import Settings
from web.accounts.identify import Identify, visitor_of
from web.accounts.routes import account_routes
from web.api.table import api_routes
from web.downloads.handlers import download_routes
from web.explorer.pages import explorer_routes
from web.live.feed import Feed, supervise
from web.live.parts import read_parts
from web.live.sights import Sights
from web.live.snapshot import SnapshotDesk
from web.live.socket import serve
from web.live.whose import WhoseDesk
from web.metrics import RequestTimes
from web.pages import frames, live, log, look, products
from web.pages.api import api_page
from web.pages.archive import archive_routes
from web.pages.render import STATIC, error_page
from web.pages.requests import request_routes
from web.pages.watch import night_routes
from web.problems import ProblemError, error_handlers
from web.security import SecurityHeaders, same_origin
from web.state import WebState, web_state
from web.static_files import Assets
from web.storage.health import DEADLINE, figures
from web.storage.status import newest_night
from web.vo.page.handlers import page_routes
from web.vo.routes import service_routes
from web.vo.tables.pages import table_routes
from web.vo.tap.routes import tap_routes

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def create_app(settings: Settings) -> Starlette:
    """The web application.

    It reads PostgreSQL and the topic ``status.events``, and writes what belongs to accounts. Nothing is opened
    before the application starts.

    Raises
    ------
    ConfigurationError
        If no database is set, or an open installation would serve other machines.
    """
    settings.require_database()
    settings.check_access()
    state = WebState(settings)
    middleware = [
        Middleware(RequestTimes, metrics=state.metrics),
        Middleware(SecurityHeaders),
    ]
    if settings.web_hosts:
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=list(settings.web_hosts)))
    handlers = error_handlers(error_page)
    middleware.append(Middleware(Identify, desk=state.visitors, on_error=handlers[Exception]))
    app = Starlette(
        routes=_routes(state),
        middleware=middleware,
        exception_handlers=handlers,
        lifespan=_lifespan,
    )
    app.state.web = state
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    state: WebState = app.state.web
    async with open_pool(state.settings, plan_each=True) as pool:
        state.pool = pool

        state.desk = SnapshotDesk(partial(read_parts, pool), partial(newest_night, pool))
        state.feed = Feed(state.settings, pool, state.hub, WhoseDesk(pool, state.settings.needs_accounts))
        state.sights = Sights(state.hub, state.visitors, pool)
        await state.feed.begin()
        tasks = [
            asyncio.create_task(supervise(state.feed.run), name="status feed"),
            asyncio.create_task(supervise(state.sights.run), name="sights"),
            asyncio.create_task(supervise(state.tap.jobs.run), name="jobs of queries"),
            asyncio.create_task(supervise(state.publisher.run), name="uploaded tables"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await state.downloads.close()
            await state.publisher.close()
            await state.tap.close()


def _routes(state: WebState) -> list[BaseRoute]:
    pages = [
        ("/", live.live, "live"),
        ("/nights", live.nights, "nights"),
        ("/nights/{night}", live.live, "night"),
        ("/log/{night}.csv", log.log_csv, "log_csv"),
        ("/log/{night}", log.log, "log"),
        ("/products", products.products, "products"),
        ("/products/{product_id}", products.product, "product"),
        ("/products/{product_id}/file", products.product_file, "product_file"),
        ("/products/{product_id}/sparkline.svg", products.product_sparkline, "sparkline"),
        ("/frames/{frame_id}", frames.frame, "frame"),
        ("/reductions/{job_key}", frames.reduction, "reduction"),
        ("/reductions/{job_key}/product", frames.reduction_product, "reduction_product"),
        ("/reductions/{job_key}/log", frames.reduction_log, "reduction_log"),
        ("/api", api_page, "api"),
        ("/look", look.look, "look"),
        ("/keys", look.keys, "keys"),
    ]
    return [
        *(Route(path, handler, methods=["GET"], name=f"page:{name}") for path, handler, name in pages),
        *archive_routes(),
        *night_routes(),
        *explorer_routes(),
        *request_routes(),
        *download_routes(),
        *table_routes(),
        *api_routes(),
        *account_routes(),
        *service_routes(),
        *tap_routes(),
        *page_routes(),
        Route("/metrics", metrics, methods=["GET"]),
        WebSocketRoute("/ws/status", status_socket),
        Mount("/static", Assets(directory=STATIC), name="static"),
        Mount("/vendor", Assets(directory=state.vendor.folder, check_dir=False), name="vendor"),
    ]


async def status_socket(socket: WebSocket) -> None:
    """The live feed."""
    state = web_state(socket)
    if not same_origin(socket.headers):
        await socket.close(1008, "opened by a page of another site")
        return
    visitor = visitor_of(socket)
    if visitor.kind == "token" and not visitor.scopes & {"read", "write"}:
        await socket.close(1008, "the token is not for reading")
        return
    sights = state.sights
    await serve(
        socket,
        state.hub,
        state.require_desk(),
        state.settings.web_queue,
        visitor.sight,
        lambda client: sights.remember(client, visitor) if sights else None,
    )


async def metrics(request: Request) -> Response:
    """Figures for Prometheus. They count everything, so they are for who sees everything."""
    state = web_state(request)
    visitor = visitor_of(request)
    administrator = visitor.person is not None and visitor.person.administrator
    if not (visitor.sight.everything or (administrator and "metrics" in visitor.scopes)):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "Figures are for administrators: send a token of theirs with the scope metrics.",
        )
    operations = state.metrics.operations
    state.metrics.set_feed(state.hub.clients, state.hub.newest)
    state.metrics.set_queries(state.tap.turns.working, state.tap.turns.waiting)
    try:
        state.metrics.set_database(await figures(state.pool))
        operations.set_work(await asyncio.wait_for(work(state.pool, state.settings), DEADLINE))
    except DATABASE_TROUBLES:
        state.metrics.set_database(None)
    operations.set_lag(await state.lag.read())
    operations.set_disks(await disks(state.settings))
    return Response(state.metrics.text(), media_type=_METRICS_TYPE)
