"""The page of one's own account: password, sessions, API tokens."""

from __future__ import annotations

import binascii
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.accounts import people
from paws.accounts.audit import note
from paws.accounts.passwords import WeakPasswordError
from paws.accounts.people import AccountError
from paws.accounts.secrets import HINT, digest, new_token
from web.accounts import service
from web.accounts.address import address_of
from web.accounts.forms import Form, read_form
from web.accounts.identify import require_person, visit_of
from web.accounts.visitor import SCOPES, Person, Visitor
from web.pages.render import page
from web.problems import ProblemError
from web.state import web_state
from web.storage import accounts as store

_SEE_OTHER: Final = 303
LONGEST_DAYS: Final = 366
_MOST_TOKENS: Final = 50


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None
    return visitor.person


async def _page(request: Request, visitor: Visitor, status: int = 200, **values: Any) -> Response:
    state, person = web_state(request), _person(visitor)
    now = state.clock()
    found = await people.by_id(state.pool, person.account_id)
    return page(
        request,
        "account.html",
        status,
        person=person,
        has_password=bool(found and found.password_hash),
        sessions=await store.sessions_of(state.pool, person.account_id, now, state.settings.session_idle),
        this=visitor.credential,
        tokens=await store.tokens_of(state.pool, person.account_id),
        scopes={name: text for name, text in SCOPES.items() if name != "metrics" or person.administrator},
        longest=LONGEST_DAYS,
        now=now,
        **{"token": "", "problem": "", **values},
    )


async def account(request: Request) -> Response:
    """One's own account."""
    return await _page(request, require_person(request))


async def change_password(request: Request) -> Response:
    """Change one's password."""
    visitor, state = require_person(request), web_state(request)
    sent = await read_form(request)
    found = await people.by_id(state.pool, _person(visitor).account_id)
    problem: str | None = "The two new passwords differ."
    if found is not None and sent["password"] == sent["again"]:
        try:
            problem = await service.change_password(
                state.pool,
                state.passwords,
                found,
                sent["old"],
                sent["password"],
                visitor.actor(address_of(request)),
                state.clock(),
            )
        except WeakPasswordError as error:
            problem = error.message
    if problem:
        return await _page(request, visitor, int(HTTPStatus.UNPROCESSABLE_ENTITY), problem=problem)
    visit_of(request).end_session()
    return RedirectResponse("/sign-in?done=password", _SEE_OTHER)


async def end_session(request: Request) -> Response:
    """End one session, or all."""
    visitor, state = require_person(request), web_state(request)
    sent = await read_form(request)
    person = _person(visitor)
    async with state.pool.acquire() as connection, connection.transaction():
        if sent["session"] == "all":
            await people.end_sessions(connection, person.account_id)
        else:
            try:
                wanted = bytes.fromhex(sent["session"][:64])
            except (ValueError, binascii.Error) as error:
                raise ProblemError(HTTPStatus.BAD_REQUEST, "That is no session.") from error
            await connection.execute(
                "DELETE FROM web_session WHERE session_hash = $1 AND account_id = $2",
                wanted,
                person.account_id,
            )
        await note(connection, visitor.actor(address_of(request)), "session ended")
    return RedirectResponse("/account", _SEE_OTHER)


async def make_token(request: Request) -> Response:
    """Make an API token, which this page alone shows."""
    visitor, state = require_person(request), web_state(request)
    sent = await read_form(request)
    person = _person(visitor)
    try:
        name, scopes, days = _token_wish(sent, person)
        if len(await store.tokens_of(state.pool, person.account_id)) >= _MOST_TOKENS:
            raise AccountError(f"An account has at most {_MOST_TOKENS} tokens; revoke one first.")
    except AccountError as error:
        return await _page(request, visitor, int(HTTPStatus.UNPROCESSABLE_ENTITY), problem=error.message)
    token = new_token()
    until = state.clock() + timedelta(days=days)
    async with state.pool.acquire() as connection, connection.transaction():
        await store.add_token(connection, person.account_id, digest(token), token[:HINT], name, scopes, until)
        await note(
            connection,
            visitor.actor(address_of(request)),
            "token made",
            person.name,
            token=name,
            scopes=scopes,
        )
    return await _page(request, visitor, token=token)


def _token_wish(sent: Form, person: Person) -> tuple[str, list[str], int]:
    """Name, scopes and days of a token, checked."""
    name = people.check_words(sent["name"], "A token's name", 60)
    scopes = sorted(set(sent.all("scope")))
    if not name:
        raise AccountError("Give the token a name that tells where it is used.")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise AccountError("Choose what the token is for.")
    if "metrics" in scopes and not person.administrator:
        raise AccountError("Figures are for administrators.")
    days = sent["days"]
    if not days.isascii() or not days.isdigit() or not 1 <= int(days[:6]) <= LONGEST_DAYS:
        raise AccountError(f"A token lasts 1 to {LONGEST_DAYS} days.")
    return name, scopes, int(days)


async def revoke_token(request: Request) -> Response:
    """Revoke a token of one's own."""
    visitor, state = require_person(request), web_state(request)
    sent = await read_form(request)
    person = _person(visitor)
    number = identifier(sent["token"])
    async with state.pool.acquire() as connection, connection.transaction():
        name = await store.revoke_token(connection, person.account_id, number, state.clock())
        if name is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "You have no such token.")
        await note(connection, visitor.actor(address_of(request)), "token revoked", person.name, token=name)
    return RedirectResponse("/account", _SEE_OTHER)


def identifier(text: str) -> int:
    """Number in a form.

    Raises
    ------
    ProblemError
        404 if it is none: no such thing.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no such thing.")
    return int(text)
