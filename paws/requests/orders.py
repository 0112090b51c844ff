"""Orders: a request is submitted, cancelled or tried again. Row, audit and event are one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from paws.accounts.audit import Actor, note
from paws.database import Connection
from paws.errors import InvalidInputError
from paws.outbox import announce
from paws.requests.states import OPEN
from paws.requests.wish import Wish
from schemas.events import RequestOrdered
from schemas.parameters import VERSION
from schemas.vocabulary import RequestState

MOST_FRAMES = 1000
"""Frames of one request that a form may name."""
MOST_FRAMES_BY_QUERY = 20_000
"""Frames of one request that a query may find: a whole observing run."""
MOST_OPEN = 100
"""Requests of one account that may be under way."""

Order = Literal["submit", "cancel", "retry"]


class OrderError(InvalidInputError):
    """An order cannot be given as things stand."""

    code = "order_refused"


@dataclass(frozen=True)
class Submission:
    """What is submitted.

    Attributes
    ----------
    frames
        Identifiers, each once, all seen by whoever submits.
    nonce
        Of the form or of the program: the same one sent twice is one request.
    mail, webhook
        Where its start and end are told; empty: nowhere.
    """

    frames: Sequence[str]
    wish: Wish
    nonce: str
    title: str = ""
    mail: str = ""
    webhook: str = ""
    cloned_from: str | None = None


def request_id_of(who: str, nonce: str) -> str:
    """Identifier of a request: derived, so that a form that is sent twice makes one request."""
    return hashlib.sha256(f"{who}|{nonce}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


async def submit(
    connection: Connection, submission: Submission, account_id: int | None, actor: Actor, at: datetime
) -> str:
    """Write a request and announce it. Call it inside a transaction.

    Returns
    -------
    str
        Its identifier; that of the earlier one if the same form was sent before.

    Raises
    ------
    OrderError
        If there are no frames, or the account has too many requests under way.
    """
    request_id = request_id_of(f"{account_id}|{actor.name}", submission.nonce)
    # A form that is sent twice at once: the second waits here, and finds the first.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 11))", request_id)
    if await connection.fetchval("SELECT true FROM request WHERE request_id = $1", request_id):
        return request_id
    frames = list(dict.fromkeys(submission.frames))
    rows = await connection.fetch(
        "SELECT frame_id, night, owner FROM frame WHERE frame_id = ANY($1::text[])", frames
    )
    known = {row["frame_id"]: row for row in rows}
    frames = [frame_id for frame_id in frames if frame_id in known]
    if not frames:
        raise OrderError("A request needs at least one frame.")
    open_ones = await connection.fetchval(
        "SELECT count(*) FROM request WHERE account_id IS NOT DISTINCT FROM $1 AND state = ANY($2::text[])",
        account_id,
        [state.value for state in OPEN],
    )
    if open_ones >= MOST_OPEN:
        raise OrderError(f"{open_ones} of your requests are under way. Wait for some to end, or cancel them.")
    night = min(row["night"] for row in rows)
    await _insert(connection, request_id, submission, account_id, actor, at, night, rows)
    await connection.executemany(
        "INSERT INTO request_frame (request_id, frame_id, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(request_id, frame_id, number) for number, frame_id in enumerate(frames)],
    )
    await _give(connection, request_id, night, "submit", actor, at, f"{len(frames)} frames were asked for")
    return request_id


async def _insert(
    connection: Connection,
    request_id: str,
    submission: Submission,
    account_id: int | None,
    actor: Actor,
    at: datetime,
    night: str,
    rows: Sequence[Any],
) -> None:
    wish = submission.wish
    await connection.execute(
        """
        INSERT INTO request (request_id, account_id, who, title, night, engine, engine_version, parameters,
            parameters_version, options, variant, reason, frames, submitted_at, cloned_from, mail, webhook,
            webhook_secret, owners)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT DO NOTHING
        """,
        *(request_id, account_id, actor.name, submission.title, night, wish.engine, wish.engine_version),
        *(dict(wish.parameters), VERSION, wish.options.model_dump(mode="json"), wish.variant),
        *("its reductions are being planned", len(rows), at, submission.cloned_from, submission.mail),
        *(submission.webhook, secrets.token_urlsafe(32) if submission.webhook else ""),
        sorted({row["owner"] for row in rows}),
    )


async def cancel(connection: Connection, request_id: str, actor: Actor, at: datetime) -> None:
    """Order that a request be cancelled. Done twice, it is done once.

    Raises
    ------
    OrderError
        If it has ended.
    """
    row = await _held(connection, request_id)
    if row["state"] == RequestState.CANCELLED.value or row["cancel_at"] is not None:
        return
    if RequestState(row["state"]) not in OPEN:
        raise OrderError("The request has ended; there is nothing to cancel.")
    await connection.execute(
        "UPDATE request SET cancel_at = $2, cancelled_by = $3, reason = 'it is being cancelled' WHERE request_id = $1",
        *(request_id, at, actor.name),
    )
    await _give(connection, request_id, row["night"], "cancel", actor, at, "it was cancelled")


async def retry(connection: Connection, request_id: str, actor: Actor, at: datetime) -> None:
    """Order that what failed, or was cancelled, be tried again.

    Raises
    ------
    OrderError
        If it is under way, or nothing failed.
    """
    row = await _held(connection, request_id)
    state = RequestState(row["state"])
    if state in OPEN:
        raise OrderError("The request is under way.")
    if state is RequestState.FINISHED and not row["parts_failed"]:
        raise OrderError("Nothing failed. To have it done otherwise, clone the request with changes.")
    await connection.execute(
        """
        UPDATE request SET state = 'Initialised', reason = 'what failed is being planned again', retry_at = $2,
            retries = retries + 1, cancel_at = NULL, cancelled_by = '', finished_at = NULL, planned_at = NULL,
            started_at = NULL
        WHERE request_id = $1
        """,
        *(request_id, at),
    )
    # Frames that came since may serve now.
    await connection.execute("UPDATE request_part SET asked_at = NULL WHERE request_id = $1", request_id)
    await _give(connection, request_id, row["night"], "retry", actor, at, "what failed is tried again")


async def _held(connection: Connection, request_id: str) -> dict[str, Any]:
    row = await connection.fetchrow(
        "SELECT state, night, cancel_at, parts_failed FROM request WHERE request_id = $1 FOR UPDATE",
        request_id,
    )
    if row is None:
        raise OrderError("There is no such request.")
    return dict(row)


async def _give(
    connection: Connection,
    request_id: str,
    night: str,
    order: Order,
    actor: Actor,
    at: datetime,
    text: str,
) -> None:
    await tell(connection, request_id, order, text, at, actor.name)
    await note(connection, actor, f"request {order}", request_id)
    event = RequestOrdered(
        event_id=f"{request_id}:{order}:{at.isoformat()}",
        night=night,
        at=at,
        request_id=request_id,
        order=order,
        who=actor.name,
    )
    await announce(connection, [event])


async def tell(
    connection: Connection, request_id: str, kind: str, text: str, at: datetime, who: str = ""
) -> None:
    """Write a line into the history of a request."""
    await connection.execute(
        "INSERT INTO request_event (request_id, at, kind, text, who) VALUES ($1, $2, $3, $4, $5)",
        *(request_id, at, kind, text[:1000], who),
    )
