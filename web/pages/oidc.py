"""Signing in elsewhere, by OpenID Connect."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.accounts import people
from paws.accounts.audit import Actor, note
from paws.accounts.people import Account, AccountError
from paws.accounts.secrets import new_secret
from paws.database import Connection
from web.accounts import service
from web.accounts.address import address_of
from web.accounts.forms import safe_target
from web.accounts.identify import visit_of
from web.accounts.links import require_public_url
from web.accounts.oidc import Identity, Issuer, IssuerAwayError, IssuerRefusedError
from web.accounts.visitor import Visitor
from web.problems import NotFoundError, ProblemError
from web.state import WebState, web_state

_SEE_OTHER: Final = 303
_TRIES: Final = 50


def _issuer(state: WebState) -> Issuer:
    if not state.settings.needs_accounts or state.issuer is None:
        raise NotFoundError("Nobody signs in elsewhere here (PAWS_OIDC_ISSUER).")
    return state.issuer


async def begin(request: Request) -> Response:
    """Send the browser to the issuer."""
    state, visit = web_state(request), visit_of(request)
    issuer, base = _issuer(state), require_public_url(state.settings)
    target = safe_target(request.query_params.get("next", "/"))
    try:
        async with state.pool.acquire() as connection:
            url = await issuer.begin(connection, base, visit.own_visit(), target, state.clock())
    except (IssuerAwayError, IssuerRefusedError) as error:
        raise ProblemError(HTTPStatus.BAD_GATEWAY, error.message) from error
    return RedirectResponse(url, _SEE_OTHER)


async def finish(request: Request) -> Response:
    """Take the browser back, with what the issuer says of it."""
    state, visit = web_state(request), visit_of(request)
    issuer, base = _issuer(state), require_public_url(state.settings)
    answer = {name: value[:2000] for name, value in request.query_params.items()}
    try:
        async with state.pool.acquire() as connection:
            identity, target = await issuer.finish(connection, base, visit.visit, answer, state.clock())
    except IssuerAwayError as error:
        raise ProblemError(HTTPStatus.BAD_GATEWAY, error.message) from error
    except IssuerRefusedError as error:
        raise ProblemError(HTTPStatus.FORBIDDEN, error.message) from error
    address = address_of(request)
    secret = new_secret()
    async with state.pool.acquire() as connection, connection.transaction():
        account = await _account(connection, identity, visit.visitor, address, state.settings.oidc_create)
        browser = request.headers.get("user-agent", "")
        actor = Actor(account.name, address)
        await service.open_session(connection, state.settings, account, secret, actor, browser, state.clock())
    visit.begin_session(secret)
    return RedirectResponse(safe_target(target), _SEE_OTHER)


async def _account(
    connection: Connection, identity: Identity, visitor: Visitor, address: str, create: bool
) -> Account:
    """Account of an identity: the one it is bound to, the one signed in now, or a new one.

    Never one that merely has the same mail address: whoever controls an address there is not yet the person here.
    """
    found = await people.by_issuer(connection, identity.issuer, identity.subject)
    if found is not None:
        if found.disabled_at is not None:
            raise ProblemError(HTTPStatus.FORBIDDEN, "This account is disabled.")
        return found
    if visitor.kind == "session" and visitor.person is not None:
        return await _bind(connection, identity, visitor.person.account_id, visitor.actor(address))
    if not create:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "You have no account here yet. Ask an administrator for one, sign in, and bind it on your account page.",
        )
    actor = Actor("sign-in elsewhere", address)
    base = (
        re.sub(r"[^a-z0-9._-]+", "-", identity.name.partition("@")[0].lower()).strip("-._")[:30] or "observer"
    )
    for number in range(1, _TRIES):
        name = base if number == 1 else f"{base}-{number}"
        if await people.by_name(connection, name) is None:
            return await people.add(
                connection,
                actor,
                name,
                email=_usable(identity.email),
                full_name=identity.full_name,
                issuer=identity.issuer,
                subject=identity.subject,
            )
    raise ProblemError(HTTPStatus.CONFLICT, "No name is left for your account; ask an administrator.")


async def _bind(connection: Connection, identity: Identity, account_id: int, actor: Actor) -> Account:
    await connection.execute(
        "UPDATE account SET oidc_issuer = $2, oidc_subject = $3 WHERE account_id = $1",
        *(account_id, identity.issuer, identity.subject),
    )
    account = await people.by_id(connection, account_id)
    assert account is not None
    await note(connection, actor, "bound to an issuer", account.name, issuer=identity.issuer)
    return account


def _usable(email: str) -> str:
    try:
        return people.check_email(email)
    except AccountError:
        return ""
