"""Accounts in the database: found, made, changed, disabled. Every change is in the audit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from paws.accounts.audit import Actor, note
from paws.database import Connection, Pool
from paws.errors import InvalidInputError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
# Stricter than RFC 5322: no quoting, no comments, nothing that ends a header or adds a second address.
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_LONGEST_EMAIL: Final = 254
COLUMNS: Final = (
    "account_id, name, full_name, email, password_hash, administrator, disabled_at, oidc_issuer, oidc_subject,"
    " created_at, signed_in_at"
)


class AccountError(InvalidInputError):
    """An account cannot be made or changed so. The message says why."""

    code = "account"


@dataclass(frozen=True)
class Account:
    """A person's account."""

    account_id: int
    name: str
    full_name: str
    email: str
    password_hash: str | None
    administrator: bool
    disabled_at: datetime | None
    oidc_issuer: str | None
    oidc_subject: str | None
    created_at: datetime
    signed_in_at: datetime | None

    @property
    def called(self) -> str:
        """What people call them."""
        return self.full_name or self.name


def check_name(text: str) -> str:
    """Account name, checked.

    Raises
    ------
    AccountError
        If it cannot be one.
    """
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise AccountError(
            "An account name has letters a to z, digits, '.', '_' and '-', at most 40, and begins with a letter or digit."
        )
    return name


def check_email(text: str) -> str:
    """Mail address, checked; may be empty.

    Raises
    ------
    AccountError
        If it is none, or could carry more into a mail's header.
    """
    email = text.strip()
    if email and (len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email)):
        raise AccountError("That is no mail address; write name@example.org.")
    return email


def check_words(text: str, what: str, most: int = 120) -> str:
    """One line of text for people, checked.

    Raises
    ------
    AccountError
        If it is too long or holds control characters.
    """
    words = text.strip()
    if len(words) > most or not words.isprintable():
        raise AccountError(f"{what} is one line of at most {most} characters.")
    return words


def _account(row: Any) -> Account | None:
    return None if row is None else Account(**dict(row))


async def by_name(pool: Pool, name: str) -> Account | None:
    """Account of a name, or None."""
    return _account(await pool.fetchrow(f"SELECT {COLUMNS} FROM account WHERE name = $1", name))  # noqa: S608 - constant columns


async def by_id(pool: Pool, account_id: int) -> Account | None:
    """Account of a number, or None."""
    return _account(
        await pool.fetchrow(f"SELECT {COLUMNS} FROM account WHERE account_id = $1", account_id)  # noqa: S608 - constant columns
    )


async def by_name_or_email(pool: Pool, text: str) -> list[Account]:
    """Accounts, not disabled, that a person may mean who forgot the password."""
    rows = await pool.fetch(
        f"SELECT {COLUMNS} FROM account WHERE disabled_at IS NULL"  # noqa: S608 - constant columns
        " AND (name = lower($1) OR (email <> '' AND lower(email) = lower($1))) ORDER BY name LIMIT 5",
        text,
    )
    return [Account(**dict(row)) for row in rows]


async def by_issuer(pool: Pool, issuer: str, subject: str) -> Account | None:
    """Account that an issuer of OpenID Connect vouches for, or None."""
    return _account(
        await pool.fetchrow(
            f"SELECT {COLUMNS} FROM account WHERE oidc_issuer = $1 AND oidc_subject = $2",  # noqa: S608 - constant columns
            issuer,
            subject,
        )
    )


async def everyone(pool: Pool) -> list[tuple[Account, list[str]]]:
    """All accounts with their proposals, by name."""
    columns = ", ".join(f"a.{name.strip()}" for name in COLUMNS.split(","))
    rows = await pool.fetch(
        f"SELECT {columns}, ARRAY(SELECT m.proposal FROM membership m WHERE m.account_id = a.account_id"  # noqa: S608 - constant columns
        " ORDER BY m.proposal) AS proposals FROM account a ORDER BY a.name"
    )
    found = []
    for row in rows:
        values = dict(row)
        proposals = values.pop("proposals")
        found.append((Account(**values), list(proposals)))
    return found


async def add(
    connection: Connection,
    actor: Actor,
    name: str,
    *,
    email: str = "",
    full_name: str = "",
    administrator: bool = False,
    password_hash: str | None = None,
    issuer: str | None = None,
    subject: str | None = None,
) -> Account:
    """Make an account. Call it inside a transaction.

    Raises
    ------
    AccountError
        If the name is taken, or a value cannot be used.
    """
    name, email, full_name = check_name(name), check_email(email), check_words(full_name, "A full name")
    try:
        async with connection.transaction():
            row = await connection.fetchrow(
                "INSERT INTO account (name, email, full_name, administrator, password_hash, password_changed_at,"  # noqa: S608 - constant columns
                " oidc_issuer, oidc_subject, created_by) VALUES ($1, $2, $3, $4, $5, now(), $6, $7, $8)"
                f" RETURNING {COLUMNS}",
                *(name, email, full_name, administrator, password_hash, issuer, subject, actor.name),
            )
    except asyncpg.UniqueViolationError as error:
        raise AccountError(f"There is an account {name} already; take another name.") from error
    await note(connection, actor, "account made", name, administrator=administrator, email=email)
    return Account(**dict(row))


async def set_password(connection: Connection, actor: Actor, account: Account, password_hash: str) -> None:
    """Give an account a password, ending its sessions and unused resets. Call it inside a transaction."""
    await connection.execute(
        "UPDATE account SET password_hash = $2, password_changed_at = now() WHERE account_id = $1",
        account.account_id,
        password_hash,
    )
    await end_sessions(connection, account.account_id)
    await connection.execute(
        "UPDATE password_reset SET used_at = now() WHERE account_id = $1 AND used_at IS NULL",
        account.account_id,
    )
    await note(connection, actor, "password set", account.name)


async def end_sessions(connection: Connection, account_id: int) -> int:
    """End all sessions of an account."""
    rows = await connection.fetch("DELETE FROM web_session WHERE account_id = $1 RETURNING 1", account_id)
    return len(rows)


async def set_disabled(connection: Connection, actor: Actor, account: Account, disabled: bool) -> None:
    """Disable an account, which ends its sessions and stops its tokens and links; or enable it again.

    Raises
    ------
    AccountError
        If it is the last administrator that is left.
    """
    if disabled and account.administrator:
        await _keep_an_administrator(connection, account)
    await connection.execute(
        "UPDATE account SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END WHERE account_id = $1",
        account.account_id,
        disabled,
    )
    if disabled:
        await end_sessions(connection, account.account_id)
    await note(connection, actor, "account disabled" if disabled else "account enabled", account.name)


async def set_administrator(
    connection: Connection, actor: Actor, account: Account, administrator: bool
) -> None:
    """Make somebody an administrator, or no longer one.

    Raises
    ------
    AccountError
        If it is the last administrator that is left.
    """
    if not administrator and account.administrator:
        await _keep_an_administrator(connection, account)
    await connection.execute(
        "UPDATE account SET administrator = $2 WHERE account_id = $1", account.account_id, administrator
    )
    await note(connection, actor, "administrator" if administrator else "no administrator", account.name)


async def _keep_an_administrator(connection: Connection, account: Account) -> None:
    rows = await connection.fetch(
        "SELECT account_id FROM account WHERE administrator AND disabled_at IS NULL FOR UPDATE"
    )
    if {row["account_id"] for row in rows} <= {account.account_id}:
        raise AccountError(
            f"{account.name} is the only administrator; make somebody else one first (paws user add --administrator)."
        )
