"""Junking a frame by its name, against a running system or a resting one."""

from __future__ import annotations

import secrets
from typing import Any

from paws.accounts.audit import Actor
from paws.clock import Clock, utc_now
from paws.database import connect
from paws.errors import InvalidInputError
from paws.orders.book import carry_out, find_frames
from paws.orders.order import LONGEST_REASON, Order, OrderKind
from paws.settings import Settings


async def junk_by_name(
    settings: Settings,
    name: str,
    *,
    night: str | None,
    junked: bool,
    reason: str,
    who: str,
    clock: Clock = utc_now,
) -> dict[str, Any]:
    """Mark a frame as junk, or take that back. Doing it twice does it once.

    Parameters
    ----------
    name
        Frame identifier, or file name with or without its extension.
    night
        ``YYYYMMDD``, where the name alone is not enough.

    Returns
    -------
    dict
        ``frame_id``, ``night``, ``name``, ``junked`` and whether that ``changed`` anything.

    Raises
    ------
    InvalidInputError
        If no frame, or more than one, has that name.
    ServiceUnavailableError
        If the database does not answer.
    """
    connection = await connect(settings)
    try:
        rows = await find_frames(connection, name, night)
        if not rows:
            where = f" of night {night}" if night else ""
            raise InvalidInputError(f"There is no frame {name}{where}. `paws status` lists those there are.")
        if len(rows) > 1:
            choices = ", ".join(row["frame_id"] for row in rows[:5])
            raise InvalidInputError(
                f"More than one frame is called {name}: {choices}. Give --night, or one of these identifiers."
            )
        row = rows[0]
        order = Order(
            secrets.token_hex(16),
            row["night"],
            OrderKind.JUNK if junked else OrderKind.UNJUNK,
            (row["frame_id"],),
            " ".join(reason.split())[:LONGEST_REASON],
            Actor(who.strip()[:80] or "unknown"),
            clock(),
        )
        (effect,) = await carry_out(connection, order)
        return {
            "frame_id": row["frame_id"],
            "night": row["night"],
            "name": row["name"],
            "junked": junked,
            "changed": effect.action == "mark",
        }
    finally:
        await connection.close()
