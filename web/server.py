"""The HTTP server around the application."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn

from paws.database import connect
from paws.errors import ConfigurationError, ServiceUnavailableError
from paws.log import get_logger
from paws.running import mark_ready
from paws.settings import Settings
from web.app import create_app

log = get_logger(__name__)

_DRAIN = 3
"""Seconds that open requests get at the end; websockets are simply closed."""


def configure(settings: Settings) -> uvicorn.Config:
    """How uvicorn serves us."""
    return uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        ws="websockets-sansio",
        # Events are short; compressing them again for each client would cost more than it saves.
        ws_per_message_deflate=False,
        ws_max_size=4096,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        timeout_graceful_shutdown=_DRAIN,
        h11_max_incomplete_event_size=32_768,
    )


def bind(settings: Settings) -> socket.socket:
    """Listening socket, before anything else starts, so that a taken port is told at once.

    Raises
    ------
    ConfigurationError
        If the address cannot be bound.
    """
    try:
        family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
        listener = socket.create_server((settings.web_host, settings.web_port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigurationError(
            f"The web server cannot bind {settings.web_host}:{settings.web_port}: {error.strerror or error}. "
            "Choose another port with PAWS_WEB_PORT, or 0 for a free one."
        ) from error
    # asyncio does that only where a socket knows its protocol, which create_server's do not: without it the second
    # part of an answer waits 40 ms for the client to say that it has the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener


def run(settings: Settings) -> None:
    """Serve until interrupted.

    Raises
    ------
    ConfigurationError
        If the address cannot be bound or the database refuses us.
    ServiceUnavailableError
        If the database does not answer.
    """
    config = configure(settings)
    listener = bind(settings)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    # It tells of every websocket that comes and goes.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(config, settings)
    asyncio.run(_serve(server, listener, settings, f"http://{shown}:{port}/"))
    if not server.started:
        raise ServiceUnavailableError("The web server could not start; its log has the reason.")


class _Server(uvicorn.Server):
    """Server that says when it is ready, as the other processes do."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then mark this process as ready."""
        await super().startup(sockets)
        if self.started:
            mark_ready(self._settings, "web")


async def _serve(server: uvicorn.Server, listener: socket.socket, settings: Settings, url: str) -> None:
    # Asked here as well as at the application's start, because uvicorn would hide the reason.
    probe = await connect(settings)
    await probe.close()
    log.info("the web server listens", url=url)
    await server.serve(sockets=[listener])
