"""Sessions, tokens, share links, resets and counted tries, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from paws.access.rule import field_grant, thing_grant
from paws.database import Connection, Pool
from web.accounts.visitor import Person

_PERSON: Final = (
    "a.account_id, a.name, a.full_name, a.email, a.administrator,"
    " ARRAY(SELECT m.proposal FROM membership m WHERE m.account_id = a.account_id) AS proposals,"
    " ARRAY(SELECT m.proposal FROM membership m WHERE m.account_id = a.account_id AND m.role = 'leader') AS leads"
)
_SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's last use is written down so often: not at each request."""


@dataclass(frozen=True)
class Known:
    """What is behind a credential."""

    person: Person
    scopes: frozenset[str] | None
    stale: bool


def _person(row: Any) -> Person:
    return Person(
        account_id=row["account_id"],
        name=row["name"],
        called=row["full_name"] or row["name"],
        email=row["email"],
        administrator=row["administrator"],
        proposals=frozenset(row["proposals"]),
        leads=frozenset(row["leads"]),
    )


async def sessions(pool: Pool, digests: Sequence[bytes], now: datetime, idle: float) -> dict[bytes, Known]:
    """Sessions that are valid, by their digests: not ended, not idle for too long, of accounts that may enter."""
    rows = await pool.fetch(
        f"SELECT s.session_hash, s.seen_at, {_PERSON} FROM web_session s JOIN account a USING (account_id)"  # noqa: S608 - constant columns
        " WHERE s.session_hash = ANY($1::bytea[]) AND s.expires_at > $2 AND s.seen_at > $3 AND a.disabled_at IS NULL",
        *(list(digests), now, now - timedelta(seconds=idle)),
    )
    return {
        row["session_hash"]: Known(_person(row), None, now - row["seen_at"] > _SEEN_EVERY) for row in rows
    }


async def tokens(pool: Pool, digests: Sequence[bytes], now: datetime) -> dict[bytes, Known]:
    """API tokens that are valid, by their digests."""
    rows = await pool.fetch(
        f"SELECT t.token_hash, t.scopes, t.used_at, {_PERSON} FROM api_token t JOIN account a USING (account_id)"  # noqa: S608 - constant columns
        " WHERE t.token_hash = ANY($1::bytea[]) AND t.expires_at > $2 AND t.revoked_at IS NULL"
        " AND a.disabled_at IS NULL",
        *(list(digests), now),
    )
    return {
        row["token_hash"]: Known(
            _person(row),
            frozenset(row["scopes"]),
            row["used_at"] is None or now - row["used_at"] > _SEEN_EVERY,
        )
        for row in rows
    }


async def touch_session(pool: Pool, digest: bytes, now: datetime) -> None:
    """Note that a session is used."""
    await pool.execute("UPDATE web_session SET seen_at = $2 WHERE session_hash = $1", digest, now)


async def touch_token(pool: Pool, digest: bytes, now: datetime) -> None:
    """Note that a token is used."""
    await pool.execute("UPDATE api_token SET used_at = $2 WHERE token_hash = $1", digest, now)


async def grants(pool: Pool, digests: Sequence[bytes], now: datetime) -> dict[bytes, frozenset[str]]:
    """What share links give, by their digests: while they last, and while their maker may still share.

    A product counts while all of its frames belong to the link's proposal.
    """
    rows = await pool.fetch(
        """
        SELECT l.share_hash, l.proposal, l.fields,
            ARRAY(SELECT unnest(ARRAY[p.product_id, p.job_key]) FROM product p
                  WHERE p.product_id = ANY(l.product_ids) AND p.owners = ARRAY[l.proposal]) AS things
        FROM share_link l JOIN account a USING (account_id)
        WHERE l.share_hash = ANY($1::bytea[]) AND l.revoked_at IS NULL AND l.expires_at > $2
            AND a.disabled_at IS NULL AND (a.administrator OR EXISTS (
                SELECT 1 FROM membership m
                WHERE m.account_id = a.account_id AND m.proposal = l.proposal AND m.role = 'leader'))
        """,
        list(digests),
        now,
    )
    return {
        row["share_hash"]: frozenset(
            {field_grant(row["proposal"], name) for name in row["fields"]}
            | {thing_grant(thing) for thing in row["things"]}
        )
        for row in rows
    }


async def begin_session(
    connection: Connection,
    account_id: int,
    digest: bytes,
    now: datetime,
    lifetime: float,
    address: str,
    browser: str,
) -> None:
    """Write a new session, and forget those that have ended."""
    await connection.execute("DELETE FROM web_session WHERE expires_at < $1", now)
    await connection.execute(
        "INSERT INTO web_session (session_hash, account_id, created_at, seen_at, expires_at, address, browser)"
        " VALUES ($1, $2, $3, $3, $4, $5, $6)",
        *(digest, account_id, now, now + timedelta(seconds=lifetime), address, browser[:200]),
    )
    await connection.execute("UPDATE account SET signed_in_at = $2 WHERE account_id = $1", account_id, now)


async def end_session(connection: Connection, digest: bytes) -> None:
    """End one session."""
    await connection.execute("DELETE FROM web_session WHERE session_hash = $1", digest)


async def count_attempt(
    connection: Connection, kind: str, subjects: Sequence[str], now: datetime, window: timedelta
) -> list[int]:
    """Count a try for each of some subjects, and tell how many each has within a time, this one included."""
    await connection.execute("DELETE FROM attempt WHERE at < $1", now - timedelta(days=1))
    await connection.executemany(
        "INSERT INTO attempt (kind, subject, at) VALUES ($1, $2, $3)",
        [(kind, subject, now) for subject in subjects],
    )
    rows = await connection.fetch(
        "SELECT subject, count(*) AS n FROM attempt WHERE kind = $1 AND subject = ANY($2::text[]) AND at > $3"
        " GROUP BY subject",
        *(kind, list(subjects), now - window),
    )
    counts = {row["subject"]: row["n"] for row in rows}
    return [counts.get(subject, 0) for subject in subjects]


async def forgive_attempts(connection: Connection, kind: str, subject: str) -> None:
    """Forget the tries of a subject: it has shown who it is."""
    await connection.execute("DELETE FROM attempt WHERE kind = $1 AND subject = $2", kind, subject)


async def sessions_of(pool: Pool, account_id: int, now: datetime, idle: float) -> list[dict[str, Any]]:
    """Open sessions of an account, the newest first."""
    rows = await pool.fetch(
        "SELECT session_hash, created_at, seen_at, address, browser FROM web_session"
        " WHERE account_id = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC LIMIT 100",
        *(account_id, now, now - timedelta(seconds=idle)),
    )
    return [dict(row) for row in rows]


async def tokens_of(pool: Pool, account_id: int) -> list[dict[str, Any]]:
    """Tokens of an account that are not revoked, the newest first."""
    rows = await pool.fetch(
        "SELECT token_id, hint, name, scopes, created_at, expires_at, used_at FROM api_token"
        " WHERE account_id = $1 AND revoked_at IS NULL ORDER BY created_at DESC, token_id DESC LIMIT 200",
        account_id,
    )
    return [dict(row) for row in rows]


async def add_token(
    connection: Connection,
    account_id: int,
    digest: bytes,
    hint: str,
    name: str,
    scopes: list[str],
    until: datetime,
) -> None:
    """Write a new token."""
    await connection.execute(
        "INSERT INTO api_token (token_hash, hint, account_id, name, scopes, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(digest, hint, account_id, name, scopes, until),
    )


async def revoke_token(connection: Connection, account_id: int, token_id: int, now: datetime) -> str | None:
    """Revoke a token of an account. Returns its name, or None when the account has no such token."""
    found = await connection.fetchval(
        "UPDATE api_token SET revoked_at = $3 WHERE token_id = $2 AND account_id = $1 AND revoked_at IS NULL"
        " RETURNING name",
        *(account_id, token_id, now),
    )
    return None if found is None else str(found)


async def add_reset(connection: Connection, account_id: int, digest: bytes, until: datetime) -> None:
    """Write a reset that may be used once. Earlier ones of the account end."""
    await connection.execute(
        "UPDATE password_reset SET used_at = now() WHERE account_id = $1 AND used_at IS NULL", account_id
    )
    await connection.execute(
        "INSERT INTO password_reset (reset_hash, account_id, expires_at) VALUES ($1, $2, $3)",
        *(digest, account_id, until),
    )


async def account_of_reset(connection: Connection, digest: bytes, now: datetime) -> int | None:
    """Account that a reset is for, locked; None when it is used, too old, or of a disabled account."""
    found = await connection.fetchval(
        "SELECT r.account_id FROM password_reset r JOIN account a USING (account_id) WHERE r.reset_hash = $1"
        " AND r.used_at IS NULL AND r.expires_at > $2 AND a.disabled_at IS NULL FOR UPDATE OF r",
        *(digest, now),
    )
    return None if found is None else int(found)


async def person(pool: Pool, account_id: int) -> Person | None:
    """Who has an account, unless they may not enter any more."""
    row = await pool.fetchrow(
        f"SELECT {_PERSON} FROM account a WHERE a.account_id = $1 AND a.disabled_at IS NULL",  # noqa: S608 - constant columns
        account_id,
    )
    return None if row is None else _person(row)
