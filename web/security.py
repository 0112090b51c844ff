"""What every answer carries, and who may open a websocket."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No inline script or style is ever needed, so none is ever run: a hostile header value stays text.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def policy_with(**more: str) -> str:
    """Content policy of a page that needs more than others.

    Parameters
    ----------
    **more
        What is added to a directive, or replaces its ``'none'``; underscores stand for hyphens.
    """
    rules = dict(part.split(" ", 1) for part in SECURITY_HEADERS["Content-Security-Policy"].split("; "))
    for name, sources in more.items():
        directive = name.replace("_", "-")
        before = rules.get(directive, "'none'")
        rules[directive] = sources if before == "'none'" else f"{before} {sources}"
    return "; ".join(f"{directive} {sources}" for directive, sources in rules.items())


SAMP_HUB: Final = "http://localhost:21012"
"""Where pages reach a hub of SAMP, on the computer of whoever looks: web profile of SAMP 1.3."""
SAMP_POLICY: Final = policy_with(connect_src=SAMP_HUB)
"""Content policy of pages that send spectra to programs on that computer."""


class SecurityHeaders:
    """Middleware that adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, adding to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def same_origin(headers: Headers) -> bool:
    """Whether a websocket was opened, or something sent, by our own page, or by no page at all.

    A browser sends Origin with every websocket and every POST, and lets any page open one, so a page elsewhere could
    read along, or act where nobody has to sign in. Programs send none.
    """
    origin = headers.get("origin")
    if origin is None:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == headers.get("host", "").lower()
