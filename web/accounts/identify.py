"""Middleware that settles who asks before anything else happens, and refuses what no page of ours sends."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paws.accounts.secrets import csrf_of, new_secret
from paws.database import DATABASE_TROUBLES
from web.accounts.desk import BadTokenError, VisitorDesk, cookie_names, is_secure
from web.accounts.visitor import Visitor, nobody
from web.problems import ProblemError
from web.state import web_state

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_WITHOUT: Final = ("/static/", "/vendor/")
_PROXY_MARKS: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
Handler = Callable[[Request, Exception], Awaitable[Response]]


@dataclass
class Visit:
    """A request and who makes it; cookies that its answer sets."""

    visitor: Visitor
    secure: bool
    session: str = ""
    visit: str = ""
    cookies: list[str] = field(default_factory=list)

    def csrf(self) -> str:
        """Value for the forms of this page. Gives the browser a cookie to compare it with, if it has none."""
        if self.visitor.kind == "session":
            return csrf_of(self.session)
        return csrf_of(self.own_visit())

    def own_visit(self) -> str:
        """Secret of this browser's visit. Gives it one, if it has none."""
        if not self.visit:
            self.visit = new_secret()
            self.set_cookie(cookie_names(self.secure)[1], self.visit, None)
        return self.visit

    def csrf_expected(self) -> str | None:
        """Value that a form must carry; None when no page of ours can have sent it."""
        cookie = self.session if self.visitor.kind == "session" else self.visit
        return csrf_of(cookie) if cookie else None

    def set_cookie(self, name: str, value: str, max_age: int | None, *, readable: bool = False) -> None:
        """Have the answer set a cookie; an empty value removes it."""
        cookie: SimpleCookie = SimpleCookie()
        cookie[name] = value
        cookie[name]["path"] = "/"
        cookie[name]["samesite"] = "Lax"
        cookie[name]["secure"] = self.secure
        cookie[name]["httponly"] = not readable
        if not value:
            cookie[name]["max-age"] = 0
        elif max_age is not None:
            cookie[name]["max-age"] = max_age
        self.cookies.append(cookie.output(header="").strip())

    def begin_session(self, secret: str) -> None:
        """Give the browser a new session, and a new visit: nothing of before goes on."""
        session, visit, _share = cookie_names(self.secure)
        self.set_cookie(session, secret, None)
        self.set_cookie(visit, "", None)

    def end_session(self) -> None:
        """Take the session from the browser, and share links with it."""
        for name in cookie_names(self.secure):
            self.set_cookie(name, "", None)


def visit_of(connection: HTTPConnection) -> Visit:
    """Who makes a request, as the middleware found."""
    found = connection.scope.get("paws.visit")
    if not isinstance(found, Visit):
        raise TypeError("expected the Identify middleware before this route")
    return found


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Who makes a request."""
    return visit_of(connection).visitor


def from_another_site(headers: Headers) -> bool:
    """Whether a browser says that a page of another site sent this.

    Programs send neither header; for them a form's token is what counts.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def is_foreign_name(host: str) -> bool:
    """Whether a host name may be anybody's, turned to this machine to have a browser read it for them.

    Addresses, names without a dot, and ``localhost`` belong to nobody else.
    """
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." in name and not name.endswith(".localhost")
    return False


def open_refusal(headers: Headers, hosts: Iterable[str], access: str) -> str | None:
    """Why an open installation does not answer a request; None when it does.

    Open serves the people at this machine. A proxy in front would serve the world without anyone having said so.
    """
    if access != "open":
        return None
    if any(name in headers for name in _PROXY_MARKS):
        return (
            "This installation is open to everyone at its own machine, and this request came through a proxy. "
            "Set PAWS_ACCESS=accounts, or open-to-everyone if that is meant."
        )
    if not list(hosts) and is_foreign_name(headers.get("host", "")):
        return "This installation is not served under that name. Set PAWS_WEB_HOSTS to the names it has."
    return None


class Identify:
    """Puts a `Visit` into each request's and websocket's scope."""

    def __init__(self, app: ASGIApp, desk: VisitorDesk, on_error: Handler) -> None:
        self._app = app
        self._desk = desk
        self._on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its visitor known."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if scope["path"].startswith(_WITHOUT):
            scope["paws.visit"] = _unasked(connection)
            await self._app(scope, receive, send)
            return
        try:
            visit = await self._visit(connection)
        except (ProblemError, *DATABASE_TROUBLES) as error:
            await self._refuse(error, scope, receive, send)
            return
        scope["paws.visit"] = visit

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start" and visit.cookies:
                headers = MutableHeaders(scope=message)
                for cookie in visit.cookies:
                    headers.append("Set-Cookie", cookie)
                headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_cookies)

    async def _visit(self, connection: HTTPConnection) -> Visit:
        state = web_state(connection)
        settings = state.settings
        refusal = open_refusal(connection.headers, settings.web_hosts, settings.access)
        if refusal:
            raise ProblemError(HTTPStatus.FORBIDDEN, refusal)
        method = connection.scope.get("method", "GET")
        if method not in _SAFE and from_another_site(connection.headers):
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "That was sent by a page of another site; open ours and try again."
            )
        secure = is_secure(connection, settings)
        session, visit, _share = cookie_names(secure)
        try:
            visitor = await self._desk.visitor(connection, state.pool)
        except BadTokenError as error:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED, str(error), headers={"WWW-Authenticate": 'Bearer realm="PAWS Live"'}
            ) from error
        cookies = connection.cookies
        return Visit(visitor, secure, cookies.get(session, ""), cookies.get(visit, "")[:200])

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed, or not known now"})
            return
        scope["paws.visit"] = _unasked(HTTPConnection(scope))
        response = await self._on_error(Request(scope, receive), error)
        await response(scope, receive, send)


def _unasked(connection: HTTPConnection) -> Visit:
    """Visit of somebody who is not asked who they are. Error pages have a head like others."""
    state = web_state(connection)
    today = state.clock().date()
    return Visit(
        nobody(today) if state.settings.needs_accounts else replace(nobody(today), kind="open"), False
    )


def require_person(connection: HTTPConnection) -> Visitor:
    """Visitor with a session of their own: the pages of an account are not for tokens.

    Raises
    ------
    ProblemError
        401 when they are not signed in; 404 where there are no accounts.
    """
    visitor = visitor_of(connection)
    if visitor.kind == "open":
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "This installation is open: it has no accounts (PAWS_ACCESS)."
        )
    if visitor.kind != "session":
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in first.")
    return visitor


def require_administrator(connection: HTTPConnection) -> Visitor:
    """Visitor who manages accounts.

    Raises
    ------
    ProblemError
        404 for everybody else: there is nothing here for them.
    """
    visitor = visitor_of(connection)
    if visitor.kind == "nobody":
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in first.")
    if not visitor.administrator:
        raise ProblemError(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
    return visitor
