"""Letters to one person: written into the database in the transaction that is their occasion; the notifier sends them.

A letter of an account may hold a secret, so its body is wiped once it is sent, and it is not sent once it is too old.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from paws.database import Connection, Pool

ACCOUNT_KIND: Final = "account"
"""Kind of the letters that are about an account."""

REQUEST_KIND: Final = "request"
"""Kind of the letters that tell how a request went."""

LETTER_LASTS: Final = timedelta(hours=12)
"""After so long a letter about an account is not sent any more: its secret may have ended."""


@dataclass(frozen=True)
class Letter:
    """A letter.

    Attributes
    ----------
    recipient
        One mail address.
    occasion
        What it is about; the same occasion is told once.
    kind
        `ACCOUNT_KIND` may hold a secret.
    """

    recipient: str
    subject: str
    body: str
    occasion: str
    kind: str = ACCOUNT_KIND


async def put_letter(connection: Connection, letter: Letter) -> bool:
    """Keep a letter for the notifier. False when its occasion was told before."""
    name = hashlib.sha256(f"{letter.recipient}|{letter.occasion}".encode()).hexdigest()[:32]
    row = await connection.fetchrow(
        "INSERT INTO notification (notification_id, night, kind, subject, body, recipient)"
        " VALUES ($1, '', $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1",
        *(f"{letter.kind}:{name}", letter.kind, letter.subject, letter.body, letter.recipient),
    )
    return row is not None


async def letters_wait(pool: Pool) -> bool:
    """Whether a letter to one person waits to be sent."""
    return bool(
        await pool.fetchval(
            "SELECT EXISTS (SELECT 1 FROM notification WHERE sent_at IS NULL AND recipient IS NOT NULL)"
        )
    )


async def drop_old_letters(pool: Pool) -> None:
    """Give up letters about accounts that could not be sent in time."""
    await pool.execute(
        "UPDATE notification SET sent_at = now(), body = '', location = 'given up: too old'"
        " WHERE sent_at IS NULL AND kind = $1 AND created_at < now() - $2::interval",
        *(ACCOUNT_KIND, LETTER_LASTS),
    )
