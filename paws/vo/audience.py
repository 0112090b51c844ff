"""Who sees a published table. It is seen as a whole, or not at all: its rows belong to one owner.

The same rule as SQL, `audience_condition`, is for TAP_SCHEMA, which must not name what somebody may not see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from paws.access.rule import Sight, proposal_key

AUDIENCE: Final = "{audience}"
"""Where the condition that a row ``r`` of ``tap_schema.tables`` is seen belongs in the query of a relation."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who sees a table: everybody, unless it belongs to a proposal or to one account.

    Attributes
    ----------
    proposal
        Its members and administrators see it.
    account
        It is personal: this account alone sees it, administrators do not.
    """

    proposal: str | None = None
    account: int | None = None

    def __post_init__(self) -> None:
        if self.proposal is not None and self.account is not None:
            raise ValueError("expected a table of a proposal or of an account, not of both")
        if self.proposal is not None and proposal_key(self.proposal) != self.proposal:
            raise ValueError(f"expected a proposal as it is compared, got {self.proposal!r}")

    @property
    def words(self) -> str:
        """Who that is, for people."""
        if self.account is not None:
            return "its owner"
        return f"members of {self.proposal}" if self.proposal else "everybody"


EVERYBODY: Final = Audience()


def sees(sight: Sight, account: int | None, audience: Audience) -> bool:
    """Whether somebody sees a table."""
    if audience.account is not None:
        return audience.account == account
    return audience.proposal is None or sight.everything or audience.proposal in sight.groups


def audience_condition(sight: Sight, account: int | None, alias: str = "r") -> str:
    """Condition that a row of ``tap_schema.tables`` is seen, its values written out: it needs no parameters."""
    own = "" if account is None else f" OR {alias}.owner_account = {int(account)}"
    text = f"({alias}.owner_account IS NULL{own})"
    if sight.everything:
        return text
    # Names of proposals have no quotes; doubling them anyway costs nothing.
    groups = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(sight.groups))
    return f"{text} AND ({alias}.proposal IS NULL OR {alias}.proposal = ANY (ARRAY[{groups}]::text[]))"
