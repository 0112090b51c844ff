"""The book of orders: each is written, carried out and announced in one transaction, once however often it comes.

The matcher hears of it by events, and plans the night anew; whoever repeats reductions asks the intake for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from paws.accounts.audit import note
from paws.database import Connection
from paws.matching.sighting import in_order
from paws.orders.order import Effect, FrameNow, Order, OrderKind, effects
from paws.orders.repeat import choose, keys_of_frames, request_again, wanted_reductions
from paws.outbox import announce
from paws.status import announce_frames
from schemas.events import FrameJunked, FrameParametersSet


async def carry_out(connection: Connection, order: Order) -> list[Effect]:
    """Carry out an order. One that was carried out already only tells what it came to.

    Raises
    ------
    InvalidInputError
        If it is no order for frames of its night.
    """
    async with connection.transaction():
        new = await connection.fetchval(
            "INSERT INTO observer_order (order_id, night, kind, parameters, reason, who, address, at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING order_id",
            *(order.order_id, order.night, order.kind.value, dict(order.parameters or {}), order.reason),
            *(order.actor.name, order.actor.address, order.at),
        )
        if new is None:
            return await _told(connection, order.order_id)
        found = effects(order, await frames_now(connection, order.frame_ids))
        await _mark(connection, order, [item.frame_id for item in found if item.action == "mark"])
        await _set(connection, order, [item.frame_id for item in found if item.action == "set"])
        await _repeat(connection, order, [item.frame_id for item in found if item.action == "repeat"])
        await connection.executemany(
            "INSERT INTO observer_order_frame (order_id, frame_id, effect) VALUES ($1, $2, $3)",
            [(order.order_id, item.frame_id, item.words) for item in found],
        )
        await note(
            connection,
            order.actor,
            f"frames {order.kind.meaning}",
            order.night,
            frames=list(order.frame_ids),
            reason=order.reason,
            **({"parameters": dict(order.parameters)} if order.parameters is not None else {}),
        )
    return found


async def frames_now(connection: Connection, frame_ids: Sequence[str]) -> list[FrameNow]:
    """Frames as they are, held until the transaction ends."""
    rows = await connection.fetch(
        "SELECT f.frame_id, f.night, f.name, f.junked, f.junk_reason, p.parameters FROM frame f"
        " LEFT JOIN frame_parameters p USING (frame_id) WHERE f.frame_id = ANY($1::text[])"
        " ORDER BY f.frame_id FOR UPDATE OF f",
        list(frame_ids),
    )
    return [
        FrameNow(
            row["frame_id"],
            row["night"],
            row["name"],
            row["junked"],
            row["junk_reason"] or "",
            in_order(row["parameters"] or {}),
        )
        for row in rows
    ]


async def find_frames(connection: Connection, name: str, night: str | None) -> list[Any]:
    """Frames of an identifier, or of a file name with or without its extension."""
    stem = name.removesuffix(".fits")
    return list(
        await connection.fetch(
            "SELECT frame_id, night, name FROM frame"
            " WHERE (frame_id = $1 OR name = $2) AND ($3::text IS NULL OR night = $3) ORDER BY frame_id",
            name,
            f"{stem}.fits",
            night,
        )
    )


async def mark_frames(
    connection: Connection,
    frame_ids: Iterable[str],
    night: str,
    *,
    junked: bool,
    reason: str,
    who: str,
    at: datetime,
) -> None:
    """Mark frames of a night as junk, or take that back, and announce it. Call it inside a transaction."""
    chosen = sorted(frame_ids)
    await connection.execute(
        "UPDATE frame SET junked = $2, junk_reason = $3, junked_by = $4, junked_at = $5"
        " WHERE frame_id = ANY($1::text[])",
        *(chosen, junked, reason, who, at),
    )
    await announce(
        connection,
        [
            FrameJunked(
                event_id=f"{frame_id}:{junked}:{at.isoformat()}",
                night=night,
                at=at,
                frame_id=frame_id,
                junked=junked,
                reason=reason,
                who=who,
            )
            for frame_id in chosen
        ],
    )
    await announce_frames(connection, chosen, at)


async def _mark(connection: Connection, order: Order, frame_ids: list[str]) -> None:
    if frame_ids:
        junked = order.kind is OrderKind.JUNK
        await mark_frames(
            connection,
            frame_ids,
            order.night,
            junked=junked,
            reason=order.reason,
            who=order.actor.name,
            at=order.at,
        )


async def _set(connection: Connection, order: Order, frame_ids: list[str]) -> None:
    if not frame_ids:
        return
    parameters = dict(in_order(order.parameters or {}))
    await connection.executemany(
        """
        INSERT INTO frame_parameters (frame_id, night, parameters, reason, who, at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (frame_id) DO UPDATE SET parameters = excluded.parameters, reason = excluded.reason,
            who = excluded.who, at = excluded.at
        """,
        [
            (frame_id, order.night, parameters, order.reason, order.actor.name, order.at)
            for frame_id in frame_ids
        ],
    )
    await announce(
        connection,
        [
            FrameParametersSet(
                event_id=f"{frame_id}:parameters:{order.at.isoformat()}",
                night=order.night,
                at=order.at,
                frame_id=frame_id,
                parameters=parameters,
                reason=order.reason,
                who=order.actor.name,
            )
            for frame_id in frame_ids
        ],
    )


async def _repeat(connection: Connection, order: Order, frame_ids: list[str]) -> None:
    if not frame_ids:
        return
    wanted = await wanted_reductions(connection, [order.night])
    asked = choose(wanted, await keys_of_frames(connection, frame_ids), force=True, kind=None)
    await announce(connection, [request_again(wanted[item.job_key].reduction, order.at) for item in asked])


async def _told(connection: Connection, order_id: str) -> list[Effect]:
    rows = await connection.fetch(
        "SELECT frame_id, effect FROM observer_order_frame WHERE order_id = $1 ORDER BY frame_id", order_id
    )
    return [Effect(row["frame_id"], "nothing", row["effect"]) for row in rows]
