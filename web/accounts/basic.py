"""Name and password with every request (RFC 7617): for programs of the Virtual Observatory, which know no tokens."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from typing import Final
from weakref import WeakValueDictionary

from paws.accounts import people
from paws.accounts.audit import Actor, note
from paws.accounts.passwords import LONGEST, Passwords
from paws.clock import Clock
from paws.database import Pool
from web.accounts.service import WINDOW, forgive, may_try
from web.accounts.visitor import Visitor, sight_of
from web.storage import accounts as store

SCHEME: Final = "basic"
_MOST_KEPT: Final = 1000
_LONGEST_HEADER: Final = 2000


class BadBasicError(Exception):
    """Name and password are not those of an account. The text is for whoever sent them."""


class BasicDesk:
    """Believes names and passwords, at the rate at which people sign in.

    A password that was right is not worked out again for as long as the account keeps it: its hash takes 50 ms and
    64 MB, and programs send it with each of a thousand requests.
    """

    def __init__(self, passwords: Passwords, clock: Clock) -> None:
        self._passwords = passwords
        self._clock = clock
        # Digests with a key of this process's own: nothing of a password is kept.
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._checking: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def visitor(self, header: str, address: str, pool: Pool) -> Visitor:
        """Visitor of a request with a name and a password.

        Raises
        ------
        BadBasicError
            If they are none of an account's, or there were too many tries.
        """
        name, password = _read(header)
        account = await people.by_name(pool, name)
        stored = account.password_hash if account and account.disabled_at is None else None
        mark = hmac.digest(self._key, f"{name}\0{stored}\0{password}".encode(), hashlib.sha256)
        # Programs begin with many requests at once: one of them is tried and counted, for all.
        async with self._checking.setdefault(mark, asyncio.Lock()):
            if stored is None or mark not in self._right:
                await self._check(pool, name, password, stored, address)
                self._right[mark] = None
        while len(self._right) > _MOST_KEPT:
            self._right.popitem(last=False)
        assert account is not None
        person = await store.person(pool, account.account_id)
        if person is None:
            raise BadBasicError("Name and password do not fit.")
        sight = sight_of(person, self._clock().date())
        return Visitor("token", sight, person, b"", (), frozenset({"read"}))

    async def _check(self, pool: Pool, name: str, password: str, stored: str | None, address: str) -> None:
        """Work out whether a password is the right one; the tries are counted with those of the sign-in page."""
        if not await may_try(pool, name, address, self._clock()):
            raise BadBasicError(
                f"There were too many tries. Wait {WINDOW.total_seconds() // 60:.0f} minutes, or use a token."
            )
        if not await self._passwords.verify(stored, password):
            async with pool.acquire() as connection:
                await note(connection, Actor("visitor", address), "sign-in refused", name if stored else "")
            raise BadBasicError("Name and password do not fit.")
        async with pool.acquire() as connection:
            await forgive(connection, name, address)


def _read(header: str) -> tuple[str, str]:
    """Name and password of a header.

    Raises
    ------
    BadBasicError
        If it cannot be read.
    """
    try:
        if len(header) > _LONGEST_HEADER:
            raise ValueError("too long")
        text = base64.b64decode(header.partition(" ")[2].strip(), validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise BadBasicError(
            "The Authorization header cannot be read: Basic, then base64 of NAME:PASSWORD."
        ) from error
    name, colon, password = text.partition(":")
    if not colon or "\0" in text or len(password) > LONGEST:
        raise BadBasicError("Name and password do not fit.")
    return name.strip().lower()[:200], password
