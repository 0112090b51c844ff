"""The explorer by itself, for files on this machine: no database, no broker, no accounts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from paws.errors import ServiceUnavailableError
from paws.settings import Settings
from web.accounts.identify import Identify
from web.api.endpoint import as_routes
from web.explorer.files import FileShelf
from web.explorer.handlers import EXPLORER_API
from web.explorer.pages import explorer_routes
from web.pages import look
from web.pages.navigation import REDIRECT
from web.pages.render import STATIC, error_page
from web.problems import error_handlers
from web.security import SecurityHeaders
from web.server import bind
from web.state import WebState
from web.static_files import Assets

_DRAIN = 2
"""Seconds that open requests get at the end."""


def create_explorer(settings: Settings, shelf: FileShelf) -> Starlette:
    """The explorer's application, in front of some files.

    It is open to whoever reaches it, and serves this machine alone (see `loopback`).
    """
    state = WebState(settings)
    state.shelf = shelf
    handlers = error_handlers(error_page)
    routes: list[BaseRoute] = [
        Route("/", _home, methods=["GET"], name=REDIRECT),
        *explorer_routes(),
        *as_routes(EXPLORER_API),
        Route("/look", look.look, methods=["GET"], name="page:look"),
        Route("/keys", look.keys, methods=["GET"], name="page:keys"),
        Mount("/static", Assets(directory=STATIC), name="static"),
        Mount("/vendor", Assets(directory=state.vendor.folder, check_dir=False), name="vendor"),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Identify, desk=state.visitors, on_error=handlers[Exception]),
        ],
        exception_handlers=handlers,
    )
    app.state.web = state
    return app


async def _home(_request: Request) -> Response:
    return RedirectResponse("/explorer", HTTPStatus.SEE_OTHER)


def loopback(settings: Settings, port: int) -> Settings:
    """Settings with which the explorer serves this machine alone, whatever else is set."""
    return settings.model_copy(
        update={"access": "open", "web_host": "127.0.0.1", "web_port": port, "web_hosts": (), "web_url": ""}
    )


def serve(settings: Settings, shelf: FileShelf, ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    ready
        Is told the address once it answers.

    Raises
    ------
    ConfigurationError
        If the port cannot be bound.
    ServiceUnavailableError
        If the server could not start.
    """
    listener = bind(settings)
    config = uvicorn.Config(
        create_explorer(settings, shelf),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(config, lambda: ready(f"http://127.0.0.1:{listener.getsockname()[1]}/explorer"))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(sockets=[listener]))
    if not server.started:
        raise ServiceUnavailableError("The explorer could not start; its log has the reason.")


class _Server(uvicorn.Server):
    """Server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()
