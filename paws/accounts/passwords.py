"""Passwords: argon2id as RFC 9106 recommends for memory-constrained servers, and what may be one."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from paws.errors import InvalidInputError

SHORTEST: Final = 10
LONGEST: Final = 200
"""Longer ones would let anyone keep a processor busy."""

_TOO_COMMON: Final = frozenset(
    {
        "1234567890",
        "0123456789",
        "password12",
        "password123",
        "passwordpassword",
        "qwertyuiop",
        "iloveyou12",
        "letmein123",
        "observatory",
        "spectrograph",
        "astronomer",
        "astronomy1",
    }
)
_HASHER: Final = PasswordHasher()
_AT_ONCE: Final = 2
"""Each hash takes 64 MB: more at once would let strangers fill the memory."""


class WeakPasswordError(InvalidInputError):
    """A password that would be guessed. The message says what is wrong with it."""

    code = "weak_password"


def check_strength(password: str, name: str, email: str = "") -> None:
    """Refuse what would be guessed at once. Length counts, not the kinds of characters (NIST SP 800-63B).

    Raises
    ------
    WeakPasswordError
        If it is too short, too long, or easy to guess.
    """
    plain = password.casefold()
    if len(password) < SHORTEST:
        raise WeakPasswordError(f"The password is too short: take at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise WeakPasswordError(f"The password is too long: take at most {LONGEST} characters.")
    own = {name.casefold(), email.casefold(), email.partition("@")[0].casefold()} - {""}
    if plain in _TOO_COMMON or len(set(plain)) < 4 or any(len(part) > 3 and part in plain for part in own):
        raise WeakPasswordError(
            "The password is easy to guess: take one that does not contain your name and is not well known."
        )


class Passwords:
    """Makes and checks hashes, a few at once. One per process and event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Hash of a password, with its parameters and salt."""
        async with self._turn:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one. Takes as long where there is no account, or none with a password."""
        async with self._turn:
            return await asyncio.to_thread(_verify, stored, password[: LONGEST + 1])


def needs_rehash(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _verify(stored: str | None, password: str) -> bool:
    try:
        _HASHER.verify(stored or _hash_of_nothing(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@lru_cache(maxsize=1)
def _hash_of_nothing() -> str:
    return _HASHER.hash("nobody has this password")
