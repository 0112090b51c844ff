"""Secrets that programs make up: sessions, tokens, links. The database keeps their digest alone."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

TOKEN_MARK: Final = "paws_"  # noqa: S105 - the mark, not a token
"""How API tokens begin, so that people and scanners of leaked secrets know them."""

HINT: Final = 10
"""Characters of a token that are kept to tell it from others."""


def new_secret() -> str:
    """256 random bits as text that goes into addresses and headers."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """A new API token."""
    return TOKEN_MARK + new_secret()


def digest(secret: str) -> bytes:
    """What the database keeps of a secret. Being random in full, it needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def csrf_of(cookie: str) -> str:
    """Value that forms carry beside a cookie: who cannot read the cookie cannot make it."""
    return hashlib.sha256(b"paws form " + cookie.encode("utf-8", "surrogateescape")).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return secrets.compare_digest(
        one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
    )
