"""Share links: making them, following them, and what they show."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.access.rule import proposal_key
from paws.accounts import groups
from paws.accounts.people import AccountError
from paws.accounts.secrets import digest
from web.accounts import sharing
from web.accounts.address import address_of
from web.accounts.desk import cookie_names, share_secrets, with_share
from web.accounts.forms import read_form
from web.accounts.identify import require_person, visit_of
from web.accounts.links import public_url
from web.accounts.visitor import Person, Visitor
from web.downloads.choice import MOST_NAMED
from web.pages.account import identifier
from web.pages.render import page
from web.problems import NotFoundError, ProblemError
from web.state import web_state
from web.storage import accounts as store

_SEE_OTHER: Final = 303
_COOKIE_LASTS: Final = sharing.LONGEST_DAYS * 86_400


async def follow(request: Request) -> Response:
    """Take a link, remember it in this browser, show what it covers."""
    state, visit = web_state(request), visit_of(request)
    secret = request.query_params.get("key", "")
    given = (
        await store.grants(state.pool, [digest(secret[:200])], state.clock()) if share_secrets(secret) else {}
    )
    if not given or "." in secret:
        raise NotFoundError("This link is not valid: it was revoked, has expired, or never was one.")
    await sharing.touch(state.pool, digest(secret), state.clock())
    name = cookie_names(visit.secure)[2]
    visit.set_cookie(name, with_share(request.cookies.get(name, ""), secret), _COOKIE_LASTS)
    return RedirectResponse("/shared", _SEE_OTHER)


async def shared(request: Request) -> Response:
    """What the links that this browser remembers show."""
    state, visitor = web_state(request), visit_of(request).visitor
    valid = (
        list(await store.grants(state.pool, list(visitor.shares), state.clock())) if visitor.shares else []
    )
    return page(
        request,
        "shared.html",
        links=await sharing.shared_with(state.pool, valid, visitor.sight) if valid else [],
        most=MOST_NAMED,
    )


def _leader(request: Request) -> tuple[Visitor, Person]:
    visitor = require_person(request)
    person = visitor.person
    assert person is not None
    if not (person.administrator or person.leads):
        raise ProblemError(HTTPStatus.FORBIDDEN, "Only leaders of a proposal share its data.")
    return visitor, person


async def _page(request: Request, person: Person, status: int = 200, **values: Any) -> Response:
    state = web_state(request)
    if person.administrator:
        proposals = [item["proposal"] for item in await groups.all_groups(state.pool)]
    else:
        proposals = sorted(person.leads)
    asked = proposal_key(request.query_params.get("proposal", ""))
    chosen = asked if asked in proposals else (proposals[0] if proposals else "")
    return page(
        request,
        "shares.html",
        status,
        proposals=proposals,
        chosen=chosen,
        fields=await sharing.fields_of(state.pool, chosen) if chosen else [],
        products=request.query_params.get("product", "")[:400],
        links=await sharing.links_of(state.pool, person, state.clock()),
        longest=sharing.LONGEST_DAYS,
        **{"link": "", "problem": "", **values},
    )


async def shares(request: Request) -> Response:
    """Links of the proposals that one leads, and a form for another."""
    _visitor, person = _leader(request)
    return await _page(request, person)


async def make(request: Request) -> Response:
    """Make a link, which this page alone shows."""
    visitor, person = _leader(request)
    state = web_state(request)
    sent = await read_form(request)
    days = sent["days"]
    try:
        if not days.isascii() or not days.isdigit() or len(days) > 4:
            raise AccountError(f"A share link lasts 1 to {sharing.LONGEST_DAYS} days.")
        async with state.pool.acquire() as connection, connection.transaction():
            secret = await sharing.make(
                connection,
                person,
                visitor.actor(address_of(request)),
                proposal_key(sent["proposal"]),
                sent.all("field"),
                sent["products"].split(),
                sent["note"],
                int(days),
                state.clock(),
            )
    except AccountError as error:
        return await _page(request, person, int(HTTPStatus.UNPROCESSABLE_ENTITY), problem=error.message)
    base = public_url(state.settings) or ""
    return await _page(request, person, link=f"{base}/share?key={secret}")


async def revoke(request: Request) -> Response:
    """Revoke a link."""
    visitor, person = _leader(request)
    state = web_state(request)
    sent = await read_form(request)
    async with state.pool.acquire() as connection, connection.transaction():
        actor = visitor.actor(address_of(request))
        if not await sharing.revoke(connection, person, actor, identifier(sent["share"]), state.clock()):
            raise NotFoundError("There is no such link.")
    return RedirectResponse("/account/shares", _SEE_OTHER)
