"""The visitor of a request: who they are and what they may see. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from paws.access.rule import OBSERVATORY, Sight, sees_all, sees_public
from paws.accounts.audit import Actor

Kind = Literal["open", "nobody", "session", "token"]

SCOPES: Final[dict[str, str]] = {
    "read": "see and download what you see",
    "write": "ask for reductions, junk and unjunk in your name",
    "metrics": "read figures for Prometheus (administrators)",
}
"""What an API token may be for."""


@dataclass(frozen=True)
class Person:
    """The account behind a session or token."""

    account_id: int
    name: str
    called: str
    email: str
    administrator: bool
    proposals: frozenset[str]
    leads: frozenset[str]


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes
    ----------
    kind
        ``open``: nobody is asked here; ``nobody``: not signed in.
    sight
        What they may see.
    credential
        Digest of the session's or token's secret; empty for others.
    grants
        Digests of the share links they hold.
    scopes
        What they may do; a session may do everything that its account may.
    """

    kind: Kind
    sight: Sight
    person: Person | None = None
    credential: bytes = b""
    shares: tuple[bytes, ...] = ()
    scopes: frozenset[str] = frozenset(SCOPES)

    @property
    def administrator(self) -> bool:
        """Whether they may manage accounts: administrators with a session, never a token."""
        return self.kind == "session" and self.person is not None and self.person.administrator

    def may_write(self, proposal: str | None = None) -> bool:
        """Whether they may change things: of a proposal, or at all.

        Members may, for their proposals; administrators, and everyone where access is open, for all. Share links
        are read-only.
        """
        if self.kind == "open":
            return True
        if self.person is None or "write" not in self.scopes:
            return False
        if self.person.administrator or proposal is None:
            return self.person.administrator or bool(self.person.proposals)
        return proposal in self.person.proposals

    @property
    def may_request(self) -> bool:
        """Whether they may ask for reductions of what they see: everyone with an account, public data included."""
        return self.kind == "open" or (self.person is not None and "write" in self.scopes)

    @property
    def account_id(self) -> int | None:
        """Their account; None without one."""
        return self.person.account_id if self.person is not None else None

    def actor(self, address: str) -> Actor:
        """Who is named in the audit."""
        name = self.person.name if self.person else "open access" if self.kind == "open" else "visitor"
        return Actor(name, address)


def open_visitor(today: date) -> Visitor:
    """Everyone, where nobody is asked."""
    return Visitor("open", sees_all(today))


def nobody(today: date, grants: frozenset[str] = frozenset(), shares: tuple[bytes, ...] = ()) -> Visitor:
    """Somebody who is not signed in, with what share links add."""
    base = sees_public(today)
    return Visitor("nobody", Sight(False, base.groups, grants, today), None, b"", shares, frozenset())


def sight_of(person: Person, today: date, grants: frozenset[str] = frozenset()) -> Sight:
    """What somebody with an account may see."""
    if person.administrator:
        return sees_all(today)
    return Sight(False, person.proposals | {OBSERVATORY}, grants, today)
