"""Whether a file is complete: from its notices, its quiet time and its structure. Pure.

A rename or a close by the writer is the best sign; without one, a file that has not changed for the settle
time is looked into. The structural check has the last word: a file that lacks bytes is waited for, within
bounds, and then rejected; every change of it starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agents.ingest.inspect import Inspection, Verdict
from agents.ingest.names import NameKind, name_kind


class Notice(StrEnum):
    """Strongest sign since a file last changed."""

    FOUND = "found"
    CLOSED = "closed"
    MOVED = "moved"


class Step(StrEnum):
    """What to do with a file next."""

    IGNORE = "ignore"
    WAIT = "wait"
    INSPECT = "inspect"
    READY = "ready"
    REJECT = "reject"


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds.

    Attributes
    ----------
    settle
        Quiet time after which a file without a close notice is looked into.
    reopen
        Quiet time after which a file that its writer closed incomplete is given up: writers that append
        in pieces close after each.
    growth
        Quiet time after which an incomplete file without a close notice is given up.
    """

    settle: float
    reopen: float
    growth: float

    @classmethod
    def of(cls, settle: float, growth: float) -> Patience:
        """Patience from the two settings."""
        return cls(settle, min(growth, 5.0 * settle), growth)


@dataclass(frozen=True)
class Completeness:
    """Decision about a file, with its reason.

    Attributes
    ----------
    wait
        Seconds after which to decide again, for `Step.WAIT`.
    """

    step: Step
    reason: str
    wait: float = 0.0


def before_inspection(name: str, notice: Notice, quiet: float, patience: Patience) -> Completeness:
    """Decide whether a file should be looked into.

    Parameters
    ----------
    name
        File name.
    notice
        Strongest sign since the file last changed.
    quiet
        Seconds since it last changed.
    """
    kind = name_kind(name)
    if kind is NameKind.TEMPORARY:
        return Completeness(Step.IGNORE, "temporary names and dot files are their writers' matter")
    if kind is NameKind.OTHER:
        return Completeness(Step.IGNORE, "not a FITS file")
    if notice is not Notice.FOUND:
        return Completeness(Step.INSPECT, f"its writer has {notice.value} it")
    if quiet < patience.settle:
        return Completeness(
            Step.WAIT, f"changed {quiet:.1f} s ago, without a close notice", patience.settle - quiet
        )
    return Completeness(Step.INSPECT, f"unchanged for {quiet:.1f} s")


def after_inspection(
    inspection: Inspection, notice: Notice, quiet: float, patience: Patience
) -> Completeness:
    """Decide what an inspected file is."""
    match inspection.verdict:
        case Verdict.FRAME:
            return Completeness(Step.READY, "whole and valid")
        case Verdict.REJECTED:
            return Completeness(Step.REJECT, inspection.reason)
        case Verdict.NOT_OURS | Verdict.GONE:
            return Completeness(Step.IGNORE, inspection.reason)
        case Verdict.CHANGED:
            return Completeness(Step.WAIT, inspection.reason, patience.settle)
        case Verdict.INCOMPLETE:
            return _incomplete(inspection, notice, quiet, patience)


def _incomplete(inspection: Inspection, notice: Notice, quiet: float, patience: Patience) -> Completeness:
    if notice is Notice.MOVED:
        return Completeness(Step.REJECT, f"{inspection.reason} (It was renamed into place so.)")
    limit = patience.reopen if notice is Notice.CLOSED else patience.growth
    if quiet >= limit:
        return Completeness(Step.REJECT, f"{inspection.reason} (It has not changed for {quiet:.0f} s.)")
    return Completeness(Step.WAIT, f"{inspection.reason} It may still grow.", limit - quiet)
