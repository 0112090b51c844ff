"""What a visitor may publish and drop, and how an upload is taken on: for the pages and the interface alike."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

from paws.accounts.audit import Actor
from paws.accounts.groups import check_proposal
from paws.operations import room
from paws.vo.audience import EVERYBODY, Audience
from paws.vo.publish import queue, shelf
from paws.vo.publish.errors import PublishError, QuotaError
from paws.vo.publish.load import MEGABYTE
from paws.vo.publish.run import TEXT_FACTOR
from paws.vo.publish.shelf import Listed, Used
from paws.vo.publish.wish import Wish, check_description, name_for
from web.accounts.visitor import Visitor
from web.problems import NotFoundError, ProblemError
from web.state import WebState

Audiences = Literal["everybody", "proposal", "personal"]
_LEAST_FREE: Final = 2_000_000_000
"""Bytes that stay free on the disk of uploads: products are written there too."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may publish.

    Attributes
    ----------
    for_all
        Tables for everybody, or for a proposal.
    personal
        Tables of their own.
    """

    for_all: bool
    personal: bool

    @property
    def any(self) -> bool:
        """Whether they may publish at all."""
        return self.for_all or self.personal

    @property
    def audiences(self) -> tuple[Audiences, ...]:
        """For whom they may, the usual one first."""
        own: tuple[Audiences, ...] = ("personal",) if self.personal else ()
        return ("everybody", "proposal", *own) if self.for_all else own


def rights_of(visitor: Visitor, state: WebState) -> Rights:
    """What a visitor may publish: administrators for everybody, people with an account for themselves."""
    if visitor.kind == "open":
        return Rights(for_all=True, personal=False)
    if visitor.person is None or "write" not in visitor.scopes:
        return Rights(for_all=False, personal=False)
    return Rights(visitor.person.administrator, state.settings.tap_personal_size > 0)


def require_publisher(visitor: Visitor, state: WebState) -> Rights:
    """Rights of a visitor who may publish.

    Raises
    ------
    ProblemError
        401 or 403 for everybody else.
    """
    rights = rights_of(visitor, state)
    if not rights.any:
        if visitor.kind == "nobody":
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in to publish tables.")
        if "write" in visitor.scopes:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "Nobody has personal tables here (PAWS_TAP_PERSONAL_SIZE)."
            )
        raise ProblemError(HTTPStatus.FORBIDDEN, "Publishing tables needs a token with the scope write.")
    return rights


def may_drop(visitor: Visitor, table: Listed) -> bool:
    """Whether a visitor who sees a table may drop it."""
    if table.published_by is None:
        return False
    if table.personal:
        return visitor.person is not None and "write" in visitor.scopes
    if visitor.kind == "open":
        return True
    return visitor.person is not None and visitor.person.administrator and "write" in visitor.scopes


def largest_upload(state: WebState, rights: Rights) -> int:
    """Bytes of a file that somebody may upload."""
    settings = state.settings
    most = settings.tap_publish_size if rights.for_all else TEXT_FACTOR * settings.tap_personal_size
    return min(most, settings.tap_publish_size) * MEGABYTE


async def check_room(state: WebState, visitor: Visitor) -> None:
    """See that somebody may send another table, before it is sent.

    Raises
    ------
    QuotaError
        If as many wait as may.
    ProblemError
        503 if there is no room on the disk.
    """
    disk = await asyncio.to_thread(room, queue.uploads_dir(state.settings))
    if disk.free < _LEAST_FREE:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, "The disk for uploads is full; tell whoever runs this."
        )
    if await queue.waiting_of(state.pool, visitor.account_id) >= queue.MOST_WAITING:
        raise QuotaError(f"{queue.MOST_WAITING} uploads of yours wait; send more when some are done.")


async def wish_of(
    state: WebState, visitor: Visitor, rights: Rights, sent: Mapping[str, str], source: str, actor: Actor
) -> Wish:
    """What somebody wants published.

    Parameters
    ----------
    sent
        ``name``, ``description``, ``audience``, ``proposal``, ``replace``; what is absent is usual.

    Raises
    ------
    PublishError, AccountError, TableNameError
        If it cannot be, or is not theirs to want.
    """
    wanted = sent.get("audience", "") or rights.audiences[0]
    if wanted not in rights.audiences:
        raise PublishError(f"You may publish tables for: {', '.join(rights.audiences)}.")
    schema: str | None = None
    audience = EVERYBODY
    if wanted == "personal":
        assert visitor.person is not None
        schema = await shelf.schema_of(state.pool, visitor.person.account_id, visitor.person.name)
        audience = Audience(account=visitor.person.account_id)
    elif wanted == "proposal":
        audience = Audience(proposal=check_proposal(sent.get("proposal", "")))
    name = name_for(sent.get("name", ""), schema)
    replace = sent.get("replace", "") in ("yes", "true")
    there = await shelf.any_table(state.pool, str(name))
    if there is not None and not replace:
        raise PublishError(f"There is a table {name} already; take another name, or have it replaced.")
    if there is not None and there.published_by is None:
        raise PublishError(f"{name} is one of PAWS Live's own tables; take another name.")
    if there is not None and not sent.get("audience", ""):
        # Nobody makes a table public by giving it new rows.
        audience = there.audience
    return Wish(
        name, source or "upload", actor, audience, check_description(sent.get("description", "")), replace
    )


async def take_on(
    state: WebState, visitor: Visitor, wish: Wish, publication_id: str, kind: str, metadata: bool
) -> None:
    """Take an upload on, and have it published at once."""
    await queue.take_on(
        state.pool,
        publication_id,
        wish,
        account=visitor.account_id,
        kind=kind,
        metadata=metadata,
        at=state.clock(),
    )
    state.publisher.ring()


async def table_for(state: WebState, name: str, visitor: Visitor) -> Listed:
    """A table that somebody sees.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    table = await shelf.table_seen(state.pool, name, visitor.sight, visitor.account_id)
    if table is None:
        raise NotFoundError("There is no such table.")
    return table


async def drop(state: WebState, name: str, visitor: Visitor, address: str) -> Listed:
    """Drop a table.

    Raises
    ------
    NotFoundError, ProblemError
        If there is none, or it is not theirs to drop.
    """
    table = await table_for(state, name, visitor)
    if not may_drop(visitor, table):
        raise ProblemError(HTTPStatus.FORBIDDEN, f"{table.name} is not yours to drop.")
    async with state.pool.acquire() as connection, connection.transaction():
        await shelf.drop(connection, visitor.actor(address), table.name)
    return table


async def used(state: WebState, visitor: Visitor) -> Used | None:
    """What somebody's own tables take; None without an account."""
    return None if visitor.account_id is None else await shelf.used_by(state.pool, visitor.account_id)
