"""Groups: a proposal, its members, and its proprietary periods."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, Literal

from paws.access.rule import proposal_key
from paws.accounts.audit import Actor, note
from paws.accounts.people import Account, AccountError, check_words
from paws.database import Connection, Pool

Role = Literal["member", "leader"]
ROLES: Final[tuple[Role, ...]] = ("member", "leader")
LONGEST_PERIOD: Final = 1200


def check_proposal(text: str) -> str:
    """Name of a proposal, as AAOPRGID has it, checked.

    Raises
    ------
    AccountError
        If it cannot be one.
    """
    key = proposal_key(text)
    if not key:
        raise AccountError(
            "A proposal is named as in AAOPRGID, such as A/2026A/008: letters, digits, spaces and / . _ : + -."
        )
    return key


async def all_groups(pool: Pool) -> list[dict[str, Any]]:
    """All proposals with the number of members and frames."""
    rows = await pool.fetch(
        """
        SELECT p.proposal, p.title,
            (SELECT count(*) FROM membership m WHERE m.proposal = p.proposal) AS members,
            (SELECT count(*) FROM frame f WHERE f.owner = p.proposal) AS frames
        FROM proposal p ORDER BY p.proposal
        """
    )
    return [dict(row) for row in rows]


async def unclaimed(pool: Pool) -> list[str]:
    """Proposals that own frames and are no group yet."""
    rows = await pool.fetch(
        "SELECT DISTINCT owner FROM frame WHERE owner NOT IN ('', '*')"
        " AND owner NOT IN (SELECT proposal FROM proposal) ORDER BY owner LIMIT 200"
    )
    return [row["owner"] for row in rows]


async def group(pool: Pool, proposal: str) -> dict[str, Any] | None:
    """One proposal with members and periods, or None."""
    row = await pool.fetchrow("SELECT proposal, title FROM proposal WHERE proposal = $1", proposal)
    if row is None:
        return None
    members = await pool.fetch(
        "SELECT a.account_id, a.name, a.full_name, m.role, m.added_at, m.added_by"
        " FROM membership m JOIN account a USING (account_id) WHERE m.proposal = $1 ORDER BY a.name",
        proposal,
    )
    periods = await pool.fetch(
        "SELECT observed_from, months, set_at, set_by FROM proprietary_period WHERE proposal = $1"
        " ORDER BY observed_from",
        proposal,
    )
    return {**dict(row), "members": [dict(one) for one in members], "periods": [dict(one) for one in periods]}


async def add(connection: Connection, actor: Actor, proposal: str, title: str = "") -> str:
    """Make a group, or give it another title. Returns its name.

    Raises
    ------
    AccountError
        If the name or title cannot be one.
    """
    key, title = check_proposal(proposal), check_words(title, "A title", 200)
    await connection.execute(
        "INSERT INTO proposal (proposal, title, created_by) VALUES ($1, $2, $3)"
        " ON CONFLICT (proposal) DO UPDATE SET title = CASE WHEN excluded.title = '' THEN proposal.title"
        " ELSE excluded.title END",
        *(key, title, actor.name),
    )
    await note(connection, actor, "group made", key, title=title)
    return key


async def put_member(
    connection: Connection, actor: Actor, proposal: str, account: Account, role: Role
) -> None:
    """Make somebody a member, or change what they are.

    Raises
    ------
    AccountError
        If there is no such group.
    """
    key = check_proposal(proposal)
    if role not in ROLES:
        raise AccountError(f"A role is one of: {', '.join(ROLES)}.")
    if not await connection.fetchval("SELECT true FROM proposal WHERE proposal = $1", key):
        raise AccountError(f"There is no group {key}; make it first (paws group add {key}).")
    await connection.execute(
        "INSERT INTO membership (proposal, account_id, role, added_by) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (proposal, account_id) DO UPDATE SET role = excluded.role",
        *(key, account.account_id, role, actor.name),
    )
    await note(connection, actor, "member added", key, account=account.name, role=role)


async def drop_member(connection: Connection, actor: Actor, proposal: str, account: Account) -> None:
    """Take somebody out of a group. Their share links of it end too."""
    key = check_proposal(proposal)
    await connection.execute(
        "DELETE FROM membership WHERE proposal = $1 AND account_id = $2", key, account.account_id
    )
    await connection.execute(
        "UPDATE share_link SET revoked_at = now() WHERE proposal = $1 AND account_id = $2 AND revoked_at IS NULL",
        key,
        account.account_id,
    )
    await note(connection, actor, "member removed", key, account=account.name)


async def set_period(
    connection: Connection, actor: Actor, proposal: str, months: int | None, observed_from: date = date.min
) -> None:
    """Set the proprietary period of what is observed from a date on; None is for ever.

    Raises
    ------
    AccountError
        If there is no such group, or the period is none.
    """
    key = check_proposal(proposal)
    if months is not None and not 0 <= months <= LONGEST_PERIOD:
        raise AccountError(f"A proprietary period has 0 to {LONGEST_PERIOD} months.")
    if not await connection.fetchval("SELECT true FROM proposal WHERE proposal = $1", key):
        raise AccountError(f"There is no group {key}; make it first (paws group add {key}).")
    await connection.execute(
        "INSERT INTO proprietary_period (proposal, observed_from, months, set_by) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (proposal, observed_from) DO UPDATE SET months = excluded.months, set_at = now(),"
        " set_by = excluded.set_by",
        *(key, observed_from, months, actor.name),
    )
    since = None if observed_from == date.min else observed_from.isoformat()
    await note(connection, actor, "period set", key, months=months, observed_from=since)


async def drop_period(connection: Connection, actor: Actor, proposal: str, observed_from: date) -> None:
    """Take a period back: what stands before it, or the usual one, counts again."""
    key = check_proposal(proposal)
    await connection.execute(
        "DELETE FROM proprietary_period WHERE proposal = $1 AND observed_from = $2", key, observed_from
    )
    since = None if observed_from == date.min else observed_from.isoformat()
    await note(connection, actor, "period removed", key, observed_from=since)
