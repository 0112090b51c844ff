"""Signing in and out, and setting a forgotten password."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paws.accounts.audit import Actor, note
from paws.accounts.passwords import WeakPasswordError
from web.accounts import service
from web.accounts.address import address_of
from web.accounts.forms import read_form, safe_target
from web.accounts.identify import visit_of, visitor_of
from web.accounts.links import public_url, require_public_url
from web.pages.render import page
from web.problems import ProblemError
from web.state import web_state
from web.storage import accounts as store

_SEE_OTHER = 303
_DONE = {
    "reset": "Your password is set. Sign in with it.",
    "password": "Your password has changed and all sessions have ended. Sign in again.",
    "out": "You are signed out.",
}


def _only_with_accounts(request: Request) -> None:
    if not web_state(request).settings.needs_accounts:
        raise ProblemError(HTTPStatus.NOT_FOUND, "This installation is open: nobody signs in (PAWS_ACCESS).")


def _page(
    request: Request, status: int = 200, *, name: str = "", target: str = "/", problem: str = ""
) -> Response:
    settings = web_state(request).settings
    return page(
        request,
        "sign_in.html",
        status,
        name=name,
        target=target,
        problem=problem,
        done=_DONE.get(request.query_params.get("done", ""), ""),
        elsewhere=settings.oidc_name if settings.oidc_issuer else "",
    )


async def form(request: Request) -> Response:
    """The form to sign in with."""
    _only_with_accounts(request)
    target = safe_target(request.query_params.get("next", "/"))
    if visitor_of(request).kind == "session":
        return RedirectResponse(target, _SEE_OTHER)
    return _page(request, target=target)


async def submit(request: Request) -> Response:
    """Sign in."""
    _only_with_accounts(request)
    state, visit = web_state(request), visit_of(request)
    sent = await read_form(request)
    target = safe_target(sent["next"])
    result = await service.sign_in(
        state.pool,
        state.passwords,
        state.settings,
        sent["name"],
        sent["password"],
        Actor("visitor", address_of(request)),
        request.headers.get("user-agent", ""),
        state.clock(),
    )
    if result.secret is None:
        status = HTTPStatus.TOO_MANY_REQUESTS if result.too_many else HTTPStatus.UNAUTHORIZED
        return _page(request, int(status), name=sent["name"][:80], target=target, problem=result.problem)
    if visit.visitor.credential:
        async with state.pool.acquire() as connection:
            await store.end_session(connection, visit.visitor.credential)
    visit.begin_session(result.secret)
    return RedirectResponse(target, _SEE_OTHER)


async def sign_out(request: Request) -> Response:
    """End this session."""
    state, visit = web_state(request), visit_of(request)
    await read_form(request)
    visitor = visit.visitor
    if visitor.kind == "session":
        async with state.pool.acquire() as connection, connection.transaction():
            await store.end_session(connection, visitor.credential)
            await note(connection, visitor.actor(address_of(request)), "signed out")
    visit.end_session()
    return RedirectResponse("/sign-in?done=out", _SEE_OTHER)


async def forgot_form(request: Request) -> Response:
    """The form that asks for a mail with which to set the password."""
    _only_with_accounts(request)
    return page(
        request, "forgot.html", possible=public_url(web_state(request).settings) is not None, sent=False
    )


async def forgot_submit(request: Request) -> Response:
    """Send a mail, if there is somebody to send it to. The answer does not tell."""
    _only_with_accounts(request)
    state = web_state(request)
    base = require_public_url(state.settings)
    sent = await read_form(request)
    actor = Actor("visitor", address_of(request))
    if not await service.ask_reset(state.pool, base, sent["who"], actor, state.clock()):
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "Too many mails were asked for. Wait an hour.")
    return page(request, "forgot.html", possible=True, sent=True)


async def reset_form(request: Request) -> Response:
    """The form that sets a password."""
    _only_with_accounts(request)
    return page(request, "reset.html", key=request.query_params.get("key", "")[:200], problem="")


async def reset_submit(request: Request) -> Response:
    """Set a password by the link of a mail."""
    _only_with_accounts(request)
    state = web_state(request)
    sent = await read_form(request)
    key, problem = sent["key"][:200], ""
    if sent["password"] != sent["again"]:
        problem = "The two passwords differ."
    else:
        try:
            name = await service.use_reset(
                state.pool, state.passwords, key, sent["password"], address_of(request), state.clock()
            )
        except WeakPasswordError as error:
            problem = error.message
        else:
            if name is not None:
                visit_of(request).end_session()
                return RedirectResponse("/sign-in?done=reset", _SEE_OTHER)
            problem = "This link was used, or is too old. Ask for another."
    return page(request, "reset.html", int(HTTPStatus.UNPROCESSABLE_ENTITY), key=key, problem=problem)
