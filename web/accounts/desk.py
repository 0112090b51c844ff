"""From a request's cookies and headers to a visitor. The only place that believes a credential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import HTTPConnection

from paws.accounts.passwords import Passwords
from paws.accounts.secrets import TOKEN_MARK, digest
from paws.clock import Clock
from paws.database import Pool
from paws.settings import Settings
from web.accounts.address import address_of
from web.accounts.basic import SCHEME, BadBasicError, BasicDesk
from web.accounts.visitor import Visitor, nobody, open_visitor, sight_of
from web.storage import accounts as store
from web.vo.paths import is_vo

_LONGEST: Final = 200
"""Characters of a secret that are looked at: ours are shorter."""
_MOST_SHARES: Final = 8
_SHARE_SEPARATOR: Final = "."


class BadTokenError(Exception):
    """A request has an Authorization header that is of no use. Never ignored: who sends one relies on it."""


def cookie_names(secure: bool) -> tuple[str, str, str]:
    """Names of the cookies of sessions, visits and share links.

    With HTTPS they are bound to this very host (``__Host-``), so that no neighbour can plant one.
    """
    mark = "__Host-" if secure else ""
    return f"{mark}paws_session", f"{mark}paws_visit", f"{mark}paws_share"


def is_secure(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the visitor came by HTTPS, by what the server or the trusted proxy before it says."""
    return connection.url.scheme in ("https", "wss") or settings.web_url.startswith("https:")


def share_secrets(cookie: str) -> list[str]:
    """Secrets in the cookie of share links."""
    return [part for part in cookie.split(_SHARE_SEPARATOR) if 0 < len(part) < _LONGEST][:_MOST_SHARES]


def with_share(cookie: str, secret: str) -> str:
    """The cookie of share links with one more, the newest first."""
    others = [part for part in share_secrets(cookie) if part != secret]
    return _SHARE_SEPARATOR.join([secret, *others][:_MOST_SHARES])


class VisitorDesk:
    """Tells who asks.

    Parameters
    ----------
    settings, clock, passwords
        The process's own.
    """

    def __init__(self, settings: Settings, clock: Clock, passwords: Passwords) -> None:
        self._settings = settings
        self._clock = clock
        self._basic = BasicDesk(passwords, clock)

    async def visitor(self, connection: HTTPConnection, pool: Pool) -> Visitor:
        """Visitor of a request.

        Raises
        ------
        BadTokenError
            If there is an Authorization header without a valid token.
        One of DATABASE_TROUBLES
            If the database does not answer.
        """
        today = self._clock().date()
        if not self._settings.needs_accounts:
            return open_visitor(today)
        header = connection.headers.get("authorization")
        if header is not None:
            if is_vo(connection.scope["path"]) and header.partition(" ")[0].lower() == SCHEME:
                return await self._with_password(header, connection, pool)
            return await self._bearer(header, pool)
        session, _visit, share = cookie_names(is_secure(connection, self._settings))
        shares = tuple(digest(secret) for secret in share_secrets(connection.cookies.get(share, "")))
        secret = connection.cookies.get(session, "")
        credential = digest(secret) if 0 < len(secret) < _LONGEST else b""
        asking = replace(nobody(today, shares=shares), credential=credential)
        return (await self.resolve([asking], pool))[0]

    async def _with_password(self, header: str, connection: HTTPConnection, pool: Pool) -> Visitor:
        try:
            return await self._basic.visitor(header, address_of(connection), pool)
        except BadBasicError as error:
            raise BadTokenError(str(error)) from error

    async def _bearer(self, header: str, pool: Pool) -> Visitor:
        scheme, _, secret = header.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret.startswith(TOKEN_MARK) or len(secret) >= _LONGEST:
            raise BadTokenError(
                "The Authorization header must be: Bearer TOKEN, with a token of your account page."
            )
        credential = digest(secret)
        known = (await store.tokens(pool, [credential], self._clock())).get(credential)
        if known is None:
            raise BadTokenError("The token is not valid: it was revoked, has expired, or never was one.")
        if known.stale:
            await store.touch_token(pool, credential, self._clock())
        today = self._clock().date()
        scopes = known.scopes or frozenset()
        sight = sight_of(known.person, today) if scopes & {"read", "write"} else nobody(today).sight
        return Visitor("token", sight, known.person, credential, (), scopes)

    async def resolve(self, visitors: Sequence[Visitor], pool: Pool) -> list[Visitor]:
        """The same visitors as they are known now, in one or two questions for all of them.

        Somebody whose session has ended comes back as nobody.
        """
        now = self._clock()
        today = now.date()
        wanted = {one.credential for one in visitors if one.credential and one.kind != "token"}
        keys = {one.credential for one in visitors if one.kind == "token"}
        links = {share for one in visitors for share in one.shares}
        idle = self._settings.session_idle
        sessions = await store.sessions(pool, sorted(wanted), now, idle) if wanted else {}
        tokens = await store.tokens(pool, sorted(keys), now) if keys else {}
        given = await store.grants(pool, sorted(links), now) if links else {}
        found = []
        for one in visitors:
            grants: frozenset[str] = frozenset().union(
                *(given.get(share, frozenset()) for share in one.shares)
            )
            known = (tokens if one.kind == "token" else sessions).get(one.credential)
            if one.kind == "open":
                found.append(open_visitor(today))
            elif known is None:
                found.append(nobody(today, grants, one.shares))
            elif one.kind == "token":
                found.append(replace(one, sight=sight_of(known.person, today), person=known.person))
            else:
                if known.stale:
                    await store.touch_session(pool, one.credential, now)
                sight = sight_of(known.person, today, grants)
                found.append(Visitor("session", sight, known.person, one.credential, one.shares))
        return found
