"""What administrators manage: accounts, groups, proprietary periods, and the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.access.rule import proposal_key
from paws.accounts import audit, groups, people
from paws.accounts.audit import Actor
from paws.accounts.people import Account, AccountError
from paws.database import Connection
from web.accounts import service
from web.accounts.address import address_of
from web.accounts.forms import Form, read_form
from web.accounts.identify import require_administrator
from web.accounts.links import public_url
from web.api.endpoint import parse
from web.pages.account import identifier
from web.pages.render import page
from web.problems import NotFoundError
from web.questions import Paged
from web.state import web_state

_SEE_OTHER: Final = 303
_WRONG: Final = int(HTTPStatus.UNPROCESSABLE_ENTITY)


def _actor(request: Request) -> Actor:
    return require_administrator(request).actor(address_of(request))


async def _users_page(request: Request, status: int = 200, **values: Any) -> Response:
    found = await people.everyone(web_state(request).pool)
    return page(
        request, "people.html", status, people=found, **{"problem": "", "link": "", "whose": "", **values}
    )


async def users(request: Request) -> Response:
    """All accounts."""
    require_administrator(request)
    return await _users_page(request)


async def add_user(request: Request) -> Response:
    """Make an account and send its owner a link that sets the password."""
    actor, state = _actor(request), web_state(request)
    sent = await read_form(request)
    try:
        async with state.pool.acquire() as connection, connection.transaction():
            account = await people.add(
                connection,
                actor,
                sent["name"],
                email=sent["email"],
                full_name=sent["full_name"],
                administrator=sent["administrator"] == "yes",
            )
            link = await _invite(request, connection, account, actor)
    except AccountError as error:
        return await _users_page(request, _WRONG, problem=error.message)
    return await _users_page(request, link=link, whose=account.name)


async def _invite(request: Request, connection: Connection, account: Account, actor: Actor) -> str:
    """A link that sets the password: mailed, or shown when there is no address to mail it to."""
    state = web_state(request)
    base = public_url(state.settings)
    if account.email and base is None:
        raise AccountError(
            "PAWS_WEB_URL is not set, so no mail can say where to go. Set it, or leave out the address."
        )
    link = await service.send_reset(
        connection, base or "", account, actor, state.clock(), service.INVITATION_LASTS
    )
    return "" if account.email else link


Change = Callable[[Connection, Actor, Account], Awaitable[None]]
_CHANGES: Final[dict[str, Change]] = {
    "disable": lambda connection, actor, account: people.set_disabled(connection, actor, account, True),
    "enable": lambda connection, actor, account: people.set_disabled(connection, actor, account, False),
    "administrator": lambda connection, actor, account: people.set_administrator(
        connection, actor, account, True
    ),
    "plain": lambda connection, actor, account: people.set_administrator(connection, actor, account, False),
}


async def change_user(request: Request) -> Response:
    """Disable, enable, promote or reset an account."""
    actor, state = _actor(request), web_state(request)
    sent = await read_form(request)
    link = ""
    try:
        async with state.pool.acquire() as connection, connection.transaction():
            account = await people.by_id(connection, identifier(sent["account"]))
            if account is None:
                raise NotFoundError("There is no such account.")
            if sent["change"] == "reset":
                link = await _invite(request, connection, account, actor)
            elif sent["change"] in _CHANGES:
                await _CHANGES[sent["change"]](connection, actor, account)
            else:
                raise AccountError("There is no such change.")
    except AccountError as error:
        return await _users_page(request, _WRONG, problem=error.message)
    if link:
        return await _users_page(request, link=link, whose=account.name)
    return RedirectResponse("/people", _SEE_OTHER)


async def _groups_page(request: Request, status: int = 200, problem: str = "") -> Response:
    pool = web_state(request).pool
    return page(
        request,
        "groups.html",
        status,
        groups=await groups.all_groups(pool),
        unclaimed=await groups.unclaimed(pool),
        months=await pool.fetchval("SELECT months FROM access_policy"),
        problem=problem,
    )


async def all_groups(request: Request) -> Response:
    """All groups."""
    require_administrator(request)
    return await _groups_page(request)


async def add_group(request: Request) -> Response:
    """Make a group."""
    actor, state = _actor(request), web_state(request)
    sent = await read_form(request)
    try:
        async with state.pool.acquire() as connection, connection.transaction():
            key = await groups.add(connection, actor, sent["proposal"], sent["title"])
    except AccountError as error:
        return await _groups_page(request, _WRONG, error.message)
    return RedirectResponse(f"/people/group?proposal={quote(key, safe='')}", _SEE_OTHER)


async def _group_page(request: Request, name: str, status: int = 200, problem: str = "") -> Response:
    found = await groups.group(web_state(request).pool, proposal_key(name))
    if found is None:
        raise NotFoundError("There is no such group.")
    return page(
        request, "group.html", status, group=found, roles=groups.ROLES, never=date.min, problem=problem
    )


async def group(request: Request) -> Response:
    """One group: members and periods."""
    require_administrator(request)
    return await _group_page(request, request.query_params.get("proposal", ""))


async def change_group(request: Request) -> Response:
    """Change members or periods of a group."""
    actor, state = _actor(request), web_state(request)
    sent = await read_form(request)
    name = sent["proposal"]
    try:
        async with state.pool.acquire() as connection, connection.transaction():
            await _change_group(connection, actor, name, sent)
    except AccountError as error:
        return await _group_page(request, name, _WRONG, error.message)
    return RedirectResponse(f"/people/group?proposal={quote(name, safe='')}", _SEE_OTHER)


async def _change_group(connection: Connection, actor: Actor, name: str, sent: Form) -> None:
    match sent["change"]:
        case "put" | "drop" as change:
            account = await people.by_name(connection, sent["name"].strip().lower())
            if account is None:
                raise AccountError("There is no account of that name.")
            if change == "drop":
                await groups.drop_member(connection, actor, name, account)
            else:
                role: groups.Role = "leader" if sent["role"] == "leader" else "member"
                await groups.put_member(connection, actor, name, account, role)
        case "period":
            await groups.set_period(connection, actor, name, _months(sent["months"]), _from(sent["from"]))
        case "no period":
            await groups.drop_period(connection, actor, name, _from(sent["from"]))
        case _:
            raise AccountError("There is no such change.")


def _months(text: str) -> int | None:
    if text == "never":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise AccountError("A period is a number of months, or never.")
    return int(text)


def _from(text: str) -> date:
    if not text:
        return date.min
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise AccountError("A date is written YYYY-MM-DD.") from error


async def audit_log(request: Request) -> Response:
    """Who did what."""
    require_administrator(request)
    ask = parse(Paged, request)
    rows = await audit.newest(web_state(request).pool, ask.limit, ask.offset)
    return page(request, "audit.html", rows=rows, limit=ask.limit, offset=ask.offset)
