"""From a request to whom a query runs for, and under which address it reached us."""

from __future__ import annotations

from starlette.requests import Request

from web.accounts.address import address_of
from web.accounts.identify import visitor_of
from web.accounts.visitor import Visitor
from web.state import WebState, web_state
from web.vo.tap.executor import Asker


def asker_of(request: Request) -> Asker:
    """Whom a query runs for."""
    return asker_from(visitor_of(request), address_of(request))


def asker_from(visitor: Visitor, address: str) -> Asker:
    """Whom a visitor's query runs for. A token that is not for reading sees what strangers see."""
    reads = visitor.kind == "open" or bool(visitor.scopes & {"read", "write"})
    account = visitor.account_id if reads else None
    key = f"address {address}" if account is None else f"account {account}"
    return Asker(account, visitor.sight, key, visitor.shares)


def base_of(request: Request) -> str:
    """Address of this installation, without a slash: as the settings say, or as the request reached us."""
    state: WebState = web_state(request)
    return (state.settings.web_url or str(request.base_url)).rstrip("/")
