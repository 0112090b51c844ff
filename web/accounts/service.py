"""Signing in and resetting passwords: counted, in the same time for everyone, written into the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paws.accounts import people
from paws.accounts.audit import Actor, note
from paws.accounts.passwords import LONGEST, Passwords, check_strength, needs_rehash
from paws.accounts.people import Account
from paws.accounts.secrets import digest, new_secret
from paws.database import Connection, Pool
from paws.letters import Letter, put_letter
from paws.log import get_logger
from paws.settings import Settings
from web.storage import accounts as store

log = get_logger(__name__)

_TRY: Final = "sign in"
WINDOW: Final = timedelta(minutes=15)
PER_NAME_AND_ADDRESS: Final = 8
PER_NAME: Final = 60
"""From all addresses: high, because whoever knows a name could shut its owner out."""
PER_ADDRESS: Final = 40
"""Of all names: an institution may share an address."""
RESETS_PER_NAME: Final = 3
RESETS_PER_ADDRESS: Final = 12
RESET_WINDOW: Final = timedelta(hours=1)
RESET_LASTS: Final = timedelta(hours=1)
INVITATION_LASTS: Final = timedelta(hours=72)


@dataclass(frozen=True)
class SignIn:
    """How a sign-in went.

    Attributes
    ----------
    secret
        Of the new session; None when there is none, and then `problem` says why, in words for people.
    """

    secret: str | None
    problem: str = ""
    too_many: bool = False


async def sign_in(
    pool: Pool,
    passwords: Passwords,
    settings: Settings,
    name: str,
    password: str,
    actor: Actor,
    browser: str,
    now: datetime,
) -> SignIn:
    """Check a name and password and begin a session.

    The answer does not tell whether there is such an account: neither by its words nor by its time.
    """
    name = name.strip().lower()[:200]
    if not await may_try(pool, name, actor.address, now):
        minutes = int(WINDOW.total_seconds() // 60)
        return SignIn(
            None, f"There were too many tries. Wait {minutes} minutes, or reset the password.", True
        )
    account = await people.by_name(pool, name)
    stored = account.password_hash if account and account.disabled_at is None else None
    if not await passwords.verify(stored, password) or account is None:
        async with pool.acquire() as connection:
            await note(connection, actor, "sign-in refused", name if account else "")
        return SignIn(None, "Name and password do not fit.")
    secret = new_secret()
    fresh = await passwords.hash(password) if stored and needs_rehash(stored) else None
    async with pool.acquire() as connection, connection.transaction():
        if fresh:
            await connection.execute(
                "UPDATE account SET password_hash = $2 WHERE account_id = $1", account.account_id, fresh
            )
        await open_session(connection, settings, account, secret, actor, browser, now)
        await forgive(connection, name, actor.address)
    return SignIn(secret)


async def may_try(pool: Pool, name: str, address: str, now: datetime) -> bool:
    """Count a try to sign in, with whatever it is made. False when there were too many."""
    async with pool.acquire() as connection, connection.transaction():
        # Counted before it is checked, so that many at once are no way around.
        counts = await store.count_attempt(
            connection, _TRY, [f"{name}|{address}", f"name {name}", f"address {address}"], now, WINDOW
        )
    most = (PER_NAME_AND_ADDRESS, PER_NAME, PER_ADDRESS)
    if any(count > limit for count, limit in zip(counts, most, strict=True)):
        log.warning("too many sign-ins", address=address)
        return False
    return True


async def forgive(connection: Connection, name: str, address: str) -> None:
    """Forget the tries of a name from an address, once one was right."""
    await store.forgive_attempts(connection, _TRY, f"{name}|{address}")


async def open_session(
    connection: Connection,
    settings: Settings,
    account: Account,
    secret: str,
    actor: Actor,
    browser: str,
    now: datetime,
) -> None:
    """Begin a session of an account. Call it inside a transaction."""
    await store.begin_session(
        connection, account.account_id, digest(secret), now, settings.session_lifetime, actor.address, browser
    )
    await note(connection, Actor(account.name, actor.address), "signed in", account.name)


async def ask_reset(pool: Pool, base: str, text: str, actor: Actor, now: datetime) -> bool:
    """Send mails to those who may be meant by a name or address. False when too many were asked for."""
    text = text.strip()[:254]
    async with pool.acquire() as connection, connection.transaction():
        counts = await store.count_attempt(
            connection, "reset", [f"name {text.lower()}", f"address {actor.address}"], now, RESET_WINDOW
        )
        if counts[0] > RESETS_PER_NAME or counts[1] > RESETS_PER_ADDRESS:
            return False
        for account in await people.by_name_or_email(connection, text):
            if account.email:
                await send_reset(connection, base, account, actor, now, RESET_LASTS)
    return True


async def send_reset(
    connection: Connection, base: str, account: Account, actor: Actor, now: datetime, lasts: timedelta
) -> str:
    """Make a reset for an account and mail it, if it has an address. Returns the link, to be shown to nobody else."""
    secret = new_secret()
    await store.add_reset(connection, account.account_id, digest(secret), now + lasts)
    link = f"{base}/reset?key={secret}"
    if account.email:
        await put_letter(connection, reset_letter(account, link, lasts))
    await note(connection, actor, "password reset sent", account.name, mailed=bool(account.email))
    return link


def reset_letter(account: Account, link: str, lasts: timedelta) -> Letter:
    """Mail with the link that sets a password."""
    hours = int(lasts.total_seconds() // 3600)
    body = "\n".join(
        [
            f"Hello {account.called},",
            "",
            f"with this link the account '{account.name}' gets a new password. It works once, within "
            f"{hours} {'hour' if hours == 1 else 'hours'}:",
            "",
            f"    {link}",
            "",
            "If you did not ask for it, do nothing: the password stays as it is.",
            "",
        ]
    )
    return Letter(account.email, "[PAWS Live] Set your password", body, f"reset {digest(link).hex()[:16]}")


async def use_reset(
    pool: Pool, passwords: Passwords, key: str, password: str, address: str, now: datetime
) -> str | None:
    """Set a password by a reset. Returns the account's name; None when the reset is of no use any more.

    Raises
    ------
    WeakPasswordError
        If the password would be guessed; the reset may be used again.
    """
    async with pool.acquire() as connection, connection.transaction():
        found = await store.account_of_reset(connection, digest(key[:200]), now)
        account = await people.by_id(connection, found) if found is not None else None
    if account is None:
        return None
    check_strength(password, account.name, account.email)
    hashed = await passwords.hash(password)
    async with pool.acquire() as connection, connection.transaction():
        # Looked at again under a lock: two may come with the same link.
        if await store.account_of_reset(connection, digest(key[:200]), now) is None:
            return None
        await people.set_password(connection, Actor(account.name, address), account, hashed)
    return account.name


async def change_password(
    pool: Pool, passwords: Passwords, account: Account, old: str, new: str, actor: Actor, now: datetime
) -> str | None:
    """Change somebody's own password, which ends all sessions. Returns what is wrong, or None.

    Raises
    ------
    WeakPasswordError
        If the new password would be guessed.
    """
    async with pool.acquire() as connection, connection.transaction():
        (count,) = await store.count_attempt(connection, "change", [f"name {account.name}"], now, WINDOW)
    if count > PER_NAME_AND_ADDRESS:
        return "There were too many tries. Wait a while."
    check_strength(new, account.name, account.email)
    if len(old) > LONGEST or not await passwords.verify(account.password_hash, old):
        return "The present password is another one."
    hashed = await passwords.hash(new)
    async with pool.acquire() as connection, connection.transaction():
        await people.set_password(connection, actor, account, hashed)
    return None
