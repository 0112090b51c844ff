"""The rule: a thing is seen by members of its proposal, by administrators, with a share link, or once public.

The same rule stands in the database as ``may_see`` and ``may_see_frame`` (``0002_accounts.sql``), for queries;
`paws.access.predicate` writes it into them. A test holds all of them to the same answers.

What belongs to whom:

- Frames through the fibres (objects, arcs, fibre flats, twilight sky) carry the fibre table, hence the names and
  positions of the targets: they belong to their proposal, calibrations or not.
- Bias, dark and long-slit flat calibrate the detectors for everybody: they belong to the observatory, and whoever
  has an account sees them. Visitors without one see them when they become public.
- Frames whose proposal is not known belong to nobody: administrators see them, and everybody once public.
- A product or reduction belongs to the proposals of all frames that went in; to see it is to be allowed each.
"""

from __future__ import annotations

import calendar
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from schemas.vocabulary import FrameClass

OBSERVATORY: Final = "*"
"""Owner of what serves everyone who has an account."""

NOBODY: Final = ""
"""Owner of what no known proposal claims."""

PROPRIETARY_MONTHS: Final = 18
"""Months from the observation after which everybody may see it, where nothing else is set."""

_OF_THE_OBSERVATORY: Final = (FrameClass.BIAS, FrameClass.DARK, FrameClass.LFLAT)
_PROPOSAL: Final = re.compile(r"[A-Z0-9][A-Z0-9 /._:+-]{0,79}")
_UPPER: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_MJD_EPOCH: Final = date(1858, 11, 17)
_MJD_END: Final = 200_000
_FIELD_MARK: Final = "\x1f"
_THING_MARK: Final = "\x1e"


def proposal_key(text: str) -> str:
    """A proposal as it is compared: AAOPRGID in capitals; `NOBODY` when it cannot be the name of one."""
    key = text.strip(" ").translate(_UPPER)
    return key if _PROPOSAL.fullmatch(key) else NOBODY


def owner_of(proposal: str, frame_class: str) -> str:
    """Whom a frame belongs to: a proposal, the observatory, or nobody."""
    return OBSERVATORY if frame_class in _OF_THE_OBSERVATORY else proposal_key(proposal)


def field_grant(proposal: str, field_name: str) -> str:
    """What a share link gives that covers a field of a proposal."""
    return f"{proposal}{_FIELD_MARK}{field_name}"


def thing_grant(identifier: str) -> str:
    """What a share link gives that covers one product or reduction."""
    return f"{_THING_MARK}{identifier}"


@dataclass(frozen=True)
class Periods:
    """Proprietary periods of one proposal.

    Attributes
    ----------
    default
        Months where none is set.
    since
        Months by the date from which observations have them; None is for ever.
    """

    default: int = PROPRIETARY_MONTHS
    since: Mapping[date, int | None] = field(default_factory=dict)

    def months(self, observed: date) -> int | None:
        """Period of what was observed at a date; None is for ever."""
        begun = [start for start in self.since if start <= observed]
        return self.since[max(begun)] if begun else self.default


def public_on(utmjd: float, periods: Periods) -> date:
    """First day (UTC) at which everybody may see what was observed at a modified Julian date.

    ``date.max`` is never: the period is for ever, or the observation has no sensible date.
    """
    if not 0 <= utmjd < _MJD_END:
        return date.max
    observed = _MJD_EPOCH + timedelta(days=int(utmjd))
    months = periods.months(observed)
    return date.max if months is None else _months_later(observed, months)


def _months_later(start: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + year, month + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class Scope:
    """What the rule needs to know of a frame, product or reduction.

    Attributes
    ----------
    owners
        Whom its frames belong to; empty when nothing is known of it, and then only administrators see it.
    public_on
        First day at which everybody may see it: the latest of its frames'.
    field
        Label of its field; empty for what has none.
    thing
        Identifier of a product or reduction; empty for frames.
    """

    owners: frozenset[str]
    public_on: date
    field: str = ""
    thing: str = ""


UNKNOWN: Final = Scope(frozenset(), date.max)
"""Scope of what nothing is known of."""


@dataclass(frozen=True)
class Sight:
    """What somebody may see, on one day.

    Attributes
    ----------
    everything
        No limits: administrators, and everyone where access is open.
    groups
        Proposals of which they are a member; the observatory too for whoever has an account.
    grants
        What share links add: `field_grant` and `thing_grant`.
    today
        Date, UTC.
    """

    everything: bool
    groups: frozenset[str]
    grants: frozenset[str]
    today: date

    def __post_init__(self) -> None:
        if NOBODY in self.groups:
            raise ValueError("expected groups of somebody: what belongs to nobody has no members")


def sees_all(today: date) -> Sight:
    """Sight without limits."""
    return Sight(True, frozenset(), frozenset(), today)


def sees_public(today: date) -> Sight:
    """Sight of a visitor: what is public."""
    return Sight(False, frozenset(), frozenset(), today)


@dataclass(frozen=True)
class Access:
    """Whether something is seen, and why."""

    allowed: bool
    reason: str


def access(sight: Sight, scope: Scope) -> Access:
    """Decide whether something is seen, with the reason. For logs and tests; the reason is not for visitors."""
    if sight.everything:
        return Access(True, "everything is seen")
    if scope.public_on <= sight.today:
        return Access(True, f"public since {scope.public_on}")
    if scope.owners and scope.owners <= sight.groups:
        return Access(True, "a member of its proposal")
    if len(scope.owners) == 1 and field_grant(min(scope.owners), scope.field) in sight.grants:
        return Access(True, "a share link covers its field")
    if scope.thing and thing_grant(scope.thing) in sight.grants:
        return Access(True, "a share link covers it")
    return Access(False, "neither a member nor public yet" if scope.owners else "it belongs to nobody known")


def may_see(sight: Sight, scope: Scope) -> bool:
    """Whether something is seen."""
    return access(sight, scope).allowed


def may_see_request(sight: Sight, viewer: int | None, owners: frozenset[str], account_id: int | None) -> bool:
    """Whether a request is seen: by whoever submitted it, and by members of the proposals of all its frames.

    Unlike data it never becomes public: it tells what somebody works on. As SQL it is ``may_see_request`` of
    ``0004_requests.sql``.
    """
    if sight.everything or (viewer is not None and viewer == account_id):
        return True
    return bool(owners) and owners <= sight.groups
