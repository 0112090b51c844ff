"""The database I/O of requests. Every step may be repeated, and may be cut off at any instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents.reducer.events import announce_finished
from agents.reducer.queue import cancel_waiting
from paws.database import Connection, Pool
from paws.outbox import announce
from paws.requests.orders import tell
from paws.requests.planning import RequestPlan, beside
from paws.requests.states import OPEN, PartState, Situation, StateDecision
from paws.requests.wish import Options, Wish
from paws.status import announce_reductions
from schemas.events import ReductionRequested
from schemas.layout import OWN
from schemas.reductions import Reduction
from schemas.vocabulary import Outcome, ReductionState, RequestState

ASK_AGAIN = timedelta(seconds=60)
"""After so long without a sign of it, a reduction that was asked for is asked for again."""
CANCELLED_CODE = "request_cancelled"
_OPEN = [state.value for state in OPEN]


@dataclass(frozen=True)
class Request:
    """A request as it stands."""

    row: Any
    wish: Wish
    frames: tuple[str, ...]

    @property
    def request_id(self) -> str:
        """Its identifier."""
        return str(self.row["request_id"])

    @property
    def state(self) -> RequestState:
        """Its state."""
        return RequestState(self.row["state"])


async def open_requests(pool: Pool) -> list[str]:
    """Requests in which something is still to happen, and those cancelled a moment ago, the oldest first."""
    rows = await pool.fetch(
        "SELECT request_id FROM request WHERE state = ANY($1::text[]) ORDER BY submitted_at, request_id",
        _OPEN,
    )
    return [row["request_id"] for row in rows]


async def requests_of(pool: Pool, job_key: str) -> list[str]:
    """Open requests that need a reduction."""
    rows = await pool.fetch(
        "SELECT request_id FROM request_part JOIN request USING (request_id)"
        " WHERE job_key = $1 AND state = ANY($2::text[])",
        *(job_key, _OPEN),
    )
    return [row["request_id"] for row in rows]


async def begun_requests(pool: Pool) -> list[str]:
    """Requests that count as queued though one of their reductions is at work: nothing announces that to us."""
    rows = await pool.fetch(
        "SELECT DISTINCT request_id FROM reduction r JOIN request_part p USING (job_key)"
        " JOIN request q USING (request_id)"
        " WHERE r.state IN ('running', 'retrying') AND q.state = 'Queued' AND p.wanted"
    )
    return [row["request_id"] for row in rows]


async def lately_cancelled(pool: Pool, since: datetime) -> list[str]:
    """Requests that were cancelled since a moment: what they asked for just before may have come after."""
    rows = await pool.fetch(
        "SELECT request_id FROM request WHERE state = 'Cancelled' AND finished_at >= $1", since
    )
    return [row["request_id"] for row in rows]


async def read_request(connection: Connection, request_id: str, *, hold: bool = False) -> Request | None:
    """A request, or None; held until the transaction ends if asked for."""
    row = await connection.fetchrow(
        f"SELECT * FROM request WHERE request_id = $1{' FOR UPDATE' if hold else ''}",  # noqa: S608 - constants
        request_id,
    )
    if row is None:
        return None
    frames = await connection.fetch(
        "SELECT frame_id FROM request_frame WHERE request_id = $1 ORDER BY position", request_id
    )
    wish = Wish(
        row["engine"], row["engine_version"], row["parameters"], Options.model_validate(row["options"])
    )
    return Request(row, wish, tuple(item["frame_id"] for item in frames))


async def asked_lately(
    connection: Connection, request_id: str, now: datetime
) -> dict[str, tuple[str, datetime]]:
    """Night and time of reductions that were asked for a moment ago, by key."""
    rows = await connection.fetch(
        "SELECT job_key, night, asked_at FROM request_part WHERE request_id = $1 AND asked_at > $2",
        *(request_id, now - ASK_AGAIN),
    )
    return {row["job_key"]: (row["night"], row["asked_at"]) for row in rows}


async def needs_planning(connection: Connection, request_id: str) -> bool:
    """Whether anything is left to ask for: something failed, was taken back, or was not asked for yet."""
    return bool(
        await connection.fetchval(
            """
            SELECT planned_at IS NULL OR EXISTS (
                SELECT FROM request_part p LEFT JOIN reduction r USING (job_key)
                WHERE p.request_id = q.request_id AND p.wanted
                    AND (coalesce(r.state, 'cancelled') IN ('cancelled', 'failed')))
            FROM request q WHERE request_id = $1
            """,
            request_id,
        )
    )


async def write_plan(
    connection: Connection, request: Request, plan: RequestPlan, gone: Sequence[str], at: datetime
) -> None:
    """Write what a request needs, and ask for what can start. Call it inside a transaction that holds the request."""
    request_id = request.request_id
    await connection.execute(
        "UPDATE request_part SET wanted = false WHERE request_id = $1 AND job_key <> ALL($2::text[])",
        *(request_id, [part.job_key for part in plan.parts]),
    )
    done = await _states(connection, [part.job_key for part in plan.parts])
    await connection.executemany(
        """
        INSERT INTO request_part (request_id, job_key, position, slot, kind, night, arm, label, result, reused, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (request_id, job_key) DO UPDATE SET position = excluded.position, result = excluded.result,
            wanted = true, reason = excluded.reason, label = excluded.label
        """,
        [
            (
                *(request_id, part.job_key, number, part.slot, part.kind.value, part.night),
                *(part.arm.value if part.arm else None, part.label, part.result),
                *(done.get(part.job_key) == ReductionState.SUCCEEDED.value, part.reason),
            )
            for number, part in enumerate(plan.parts)
        ],
    )
    await connection.executemany(
        "UPDATE request_frame SET state = $3, reason = $4, level = $5, job_key = $6, decision = $7"
        " WHERE request_id = $1 AND frame_id = $2",
        [
            (
                *(request_id, frame_id, decision.state, decision.reason),
                *(None if decision.level is None else int(decision.level), decision.job_key),
                decision.document(),
            )
            for frame_id, decision in plan.frames.items()
        ],
    )
    missing = [{"label": item.label, "reason": item.reason} for item in plan.missing]
    missing += [
        {"label": frame_id, "reason": "the frame is not in the archive any more"} for frame_id in gone
    ]
    await connection.execute(
        "UPDATE request SET missing = $2, planned_at = coalesce(planned_at, $3) WHERE request_id = $1",
        *(request_id, missing, at),
    )
    await _ask(connection, request, plan.ready, done, at)


async def _states(connection: Connection, job_keys: list[str]) -> dict[str, str]:
    rows = await connection.fetch(
        "SELECT job_key, state FROM reduction WHERE job_key = ANY($1::text[])", job_keys
    )
    return {row["job_key"]: row["state"] for row in rows}


async def _ask(
    connection: Connection,
    request: Request,
    ready: Sequence[Reduction],
    states: dict[str, str],
    at: datetime,
) -> None:
    """Ask the intake: in the slot of the night's plan where that wants the very same, else beside it."""
    if not ready:
        return
    rows = await connection.fetch(
        "SELECT slot, job_key FROM slot WHERE slot = ANY($1::text[])", [item.slot for item in ready]
    )
    wanted = {row["slot"]: row["job_key"] for row in rows}
    variant = request.row["variant"]
    await announce(
        connection,
        [
            ReductionRequested(
                event_id=f"{item.job_key}:{request.request_id}",
                night=item.night,
                at=at,
                reduction=item if wanted.get(item.slot) == item.job_key else beside(item, variant),
                # What failed is ready only when somebody wants it tried again.
                force=states.get(item.job_key) == ReductionState.FAILED.value,
            )
            for item in ready
        ],
    )
    await connection.execute(
        "UPDATE request_part SET asked_at = $3 WHERE request_id = $1 AND job_key = ANY($2::text[])",
        *(request.request_id, [item.job_key for item in ready], at),
    )


async def situation_of(connection: Connection, request: Request) -> Situation:
    """What a request's state follows from, as the database has it now."""
    rows = await connection.fetch(
        """
        SELECT p.result, p.reused, p.asked_at, r.state, r.error, r.finished_at FROM request_part p
        LEFT JOIN reduction r USING (job_key) WHERE p.request_id = $1 AND p.wanted ORDER BY p.position
        """,
        request.request_id,
    )
    retry_at = request.row["retry_at"]
    return Situation(
        planned=request.row["planned_at"] is not None,
        cancelled=False,
        parts=tuple(
            PartState(_state(row, retry_at), row["result"], row["reused"], _first_line(row["error"]))
            for row in rows
        ),
        missing={item["label"]: item["reason"] for item in request.row["missing"]},
    )


def _first_line(error: str | None) -> str:
    """What went wrong, in a sentence; command and last lines are on the reduction's page."""
    return next(iter((error or "").splitlines()), "")


def _state(row: Any, retry_at: datetime | None) -> ReductionState | None:
    """State of a part; None where it is to be asked for, again or for the first time."""
    if row["state"] is None or row["state"] == ReductionState.CANCELLED.value:
        return None
    state = ReductionState(row["state"])
    if state is ReductionState.FAILED and retry_at is not None and row["finished_at"] <= retry_at:
        return None
    return state


async def write_state(
    connection: Connection, request: Request, decision: StateDecision, at: datetime
) -> bool:
    """Write a request's state. Returns whether the state itself is another than before."""
    row = request.row
    new = (decision.state.value, decision.reason[:1000], decision.parts, decision.done, decision.failed)
    if new == (row["state"], row["reason"], row["parts"], row["parts_done"], row["parts_failed"]):
        return False
    final = decision.state not in OPEN
    await connection.execute(
        """
        UPDATE request SET state = $2, reason = $3, parts = $4, parts_done = $5, parts_failed = $6, parts_reused = $7,
            started_at = CASE WHEN $8 THEN coalesce(started_at, $10) ELSE started_at END,
            finished_at = CASE WHEN $9 THEN $10::timestamptz END
        WHERE request_id = $1
        """,
        *(request.request_id, *new, decision.reused),
        *(final or decision.state is RequestState.RUNNING, final, at),
    )
    changed: bool = decision.state.value != row["state"]
    if changed:
        text = f"{decision.state.value.lower()}: {decision.reason}"
        await tell(connection, request.request_id, decision.state.value, text, at)
    return changed


async def cancel_parts(connection: Connection, request_id: str, at: datetime) -> int:
    """Take out of the queue what this request alone wants. What runs is left to end.

    Returns
    -------
    int
        How many.
    """
    rows = await connection.fetch(
        """
        SELECT r.job_key, r.queue_job_id FROM request_part p JOIN reduction r USING (job_key)
        WHERE p.request_id = $1 AND starts_with(r.slot, $2) AND r.state IN ('queued', 'retrying')
            AND NOT EXISTS (
                SELECT FROM request_part o JOIN request q USING (request_id)
                WHERE o.job_key = p.job_key AND o.request_id <> $1 AND o.wanted AND q.state = ANY($3::text[])
                    AND q.cancel_at IS NULL)
        ORDER BY r.job_key FOR UPDATE OF r
        """,
        *(request_id, OWN, _OPEN),
    )
    cancelled = [
        row["job_key"]
        for row in rows
        # One that a runner has just taken is no longer waiting.
        if row["queue_job_id"] is None or await cancel_waiting(connection, row["queue_job_id"])
    ]
    if not cancelled:
        return 0
    await connection.execute(
        "UPDATE reduction SET state = 'cancelled', outcome = $2, error_code = $3, finished_at = $4,"
        " error = 'The request that wanted it was cancelled.' WHERE job_key = ANY($1::text[])",
        *(cancelled, Outcome.NOT_OURS.value, CANCELLED_CODE, at),
    )
    await announce_reductions(connection, cancelled, at)
    for job_key in cancelled:
        await announce_finished(connection, job_key, at)
    return len(cancelled)


async def results_of(connection: Connection, request_id: str) -> list[dict[str, Any]]:
    """What was asked for, with how it went: for mails and webhooks."""
    rows = await connection.fetch(
        """
        SELECT p.kind, p.arm, p.label, r.state, r.error, r.error_code, d.product_id,
            (d.quality ->> 'signal_to_noise')::float8 AS signal_to_noise
        FROM request_part p LEFT JOIN reduction r USING (job_key)
        LEFT JOIN LATERAL (SELECT product_id, quality FROM product WHERE product.job_key = p.job_key
            ORDER BY kind = 'tlm', kind LIMIT 1) d ON true
        WHERE p.request_id = $1 AND p.wanted AND p.result ORDER BY p.position
        """,
        request_id,
    )
    return [dict(row) for row in rows]


async def frame_names(connection: Connection, frame_ids: Sequence[str]) -> list[str]:
    """Names of frames, without their extension."""
    rows = await connection.fetch(
        "SELECT name FROM frame WHERE frame_id = ANY($1::text[]) ORDER BY night, run, arm", list(frame_ids)
    )
    return [row["name"].removesuffix(".fits") for row in rows]


async def put_delivery(
    connection: Connection, delivery_id: str, request_id: str, body: str, at: datetime
) -> None:
    """Keep a message for a webhook; the same occasion is told once."""
    await connection.execute(
        "INSERT INTO webhook_delivery (delivery_id, request_id, body, created_at, next_at) VALUES ($1, $2, $3, $4, $4)"
        " ON CONFLICT DO NOTHING",
        *(delivery_id, request_id, body, at),
    )


@dataclass(frozen=True)
class Delivery:
    """A message for a webhook, and where it goes."""

    delivery_id: str
    request_id: str
    url: str
    secret: str
    body: str
    tries: int


async def take_delivery(pool: Pool, now: datetime, lease: timedelta) -> Delivery | None:
    """Take the message that is due for longest; nobody else takes it for a while. The try counts before it is made."""
    row = await pool.fetchrow(
        """
        UPDATE webhook_delivery d SET tries = tries + 1, next_at = $2
        FROM request q
        WHERE q.request_id = d.request_id AND d.delivery_id = (
            SELECT delivery_id FROM webhook_delivery WHERE next_at <= $1 ORDER BY next_at, delivery_id LIMIT 1
            FOR UPDATE SKIP LOCKED)
        RETURNING d.delivery_id, d.request_id, q.webhook AS url, q.webhook_secret AS secret, d.body, d.tries
        """,
        *(now, now + lease),
    )
    return None if row is None else Delivery(**dict(row))


async def end_delivery(
    pool: Pool, delivery: Delivery, result: str, at: datetime, again_at: datetime | None
) -> None:
    """Note how a try went; without a time to try again it is over."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE webhook_delivery SET result = $2, next_at = $3,"
            " delivered_at = CASE WHEN $4 THEN $5::timestamptz END WHERE delivery_id = $1",
            *(delivery.delivery_id, result[:500], again_at, result == "delivered", at),
        )
        if again_at is None:
            await tell(connection, delivery.request_id, "webhook", f"webhook: {result}", at)
