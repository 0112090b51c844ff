"""The audit: who did what, from where. Written in the transaction that does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from paws.database import Connection, Pool


@dataclass(frozen=True)
class Actor:
    """Who does something.

    Attributes
    ----------
    name
        Account name, or where the order came from when nobody had to sign in.
    address
        Network address; empty for this machine's own commands.
    """

    name: str
    address: str = ""


COMMAND_LINE: Final = Actor("command line")


async def note(connection: Connection, actor: Actor, action: str, subject: str = "", **detail: Any) -> None:
    """Note what somebody did. Never give it a secret."""
    await connection.execute(
        "INSERT INTO audit (actor, address, action, subject, detail) VALUES ($1, $2, $3, $4, $5)",
        *(actor.name, actor.address, action, subject, detail),
    )


async def newest(pool: Pool, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """What was done, the newest first."""
    rows = await pool.fetch(
        "SELECT at, actor, address, action, subject, detail FROM audit ORDER BY audit_id DESC LIMIT $1 OFFSET $2",
        limit,
        offset,
    )
    return [dict(row) for row in rows]
