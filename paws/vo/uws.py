"""Jobs of UWS 1.1: what may be done with one in which phase. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Phases of a job that we have. UWS knows more: HELD, SUSPENDED, ARCHIVED and UNKNOWN."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"

    @property
    def is_active(self) -> bool:
        """Whether it is going to change by itself."""
        return self in (Phase.QUEUED, Phase.EXECUTING)

    @property
    def is_final(self) -> bool:
        """Whether it will never change again."""
        return self in (Phase.COMPLETED, Phase.ERROR, Phase.ABORTED)


ALL_PHASES: Final = (*(phase.value for phase in Phase), "HELD", "SUSPENDED", "ARCHIVED", "UNKNOWN")
"""Phases that the standard knows: questions may name them."""


@dataclass(frozen=True)
class Change:
    """What a request does to a job's phase.

    Attributes
    ----------
    phase
        The new one; None when it stays as it is.
    refusal
        Why it cannot be done; empty when it can.
    """

    phase: Phase | None
    refusal: str = ""


def ask_phase(current: Phase, wanted: str) -> Change:
    """Decide on ``PHASE=RUN`` or ``PHASE=ABORT``. What is asked twice is done once."""
    match wanted.upper():
        case "RUN":
            if current is Phase.PENDING:
                return Change(Phase.QUEUED)
            if current.is_active:
                return Change(None)
            return Change(None, f"The job is {current.value}: it ran already. Make a new one.")
        case "ABORT":
            if current.is_final:
                return Change(None)
            return Change(Phase.ABORTED)
        case _:
            return Change(None, f"PHASE may be RUN or ABORT, not {wanted[:40]!r}.")


def refuse_setting(current: Phase, name: str) -> str | None:
    """Why a parameter cannot be set any more; None when it can. Destruction can always be."""
    if current is Phase.PENDING:
        return None
    return f"{name} can be set while the job is PENDING; it is {current.value}."


_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


def read_moment(text: str) -> datetime:
    """A moment as ISO 8601; without a zone it is UTC.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _ISO.fullmatch(text.strip())
    if found is None:
        raise ValueError("a moment looks like 2026-11-22T18:00:00Z")
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # The first and the last hours of the calendar, in zones that lie beyond it.
        raise ValueError("a moment is of the years 1 to 9999") from None


def bounded_destruction(wanted: datetime, now: datetime, longest: float) -> datetime:
    """When a job is destroyed that asks for a moment: no later than the longest time from now, in seconds."""
    return min(wanted, now + timedelta(seconds=longest))


def bounded_duration(wanted: int, longest: float) -> int:
    """How long a job may run that asks for some seconds; 0 asks for the longest time."""
    most = int(longest)
    return most if wanted <= 0 else min(wanted, most)


@dataclass(frozen=True)
class Wait:
    """How long a question for a job is held back.

    Attributes
    ----------
    seconds
        At most so long;
    phase
        while the job is in this phase.
    """

    seconds: float
    phase: Phase


def ask_wait(current: Phase, seconds: str | None, phase: str | None, longest: float) -> Wait | None:
    """Decide on ``WAIT`` and ``PHASE`` of a question for a job; None when it is answered at once.

    Only jobs that are going to change are waited for; a PENDING job is, because somebody may start it.

    Raises
    ------
    ValueError
        If a parameter is none.
    """
    if seconds is None:
        return None
    try:
        wanted = int(seconds.strip())
    except ValueError:
        raise ValueError("WAIT is a whole number of seconds; -1 waits as long as may be") from None
    if phase is not None and phase.upper() not in ALL_PHASES:
        raise ValueError(f"PHASE is none of {', '.join(ALL_PHASES)}")
    if current.is_final or wanted == 0 or (phase is not None and phase.upper() != current.value):
        return None
    # Compared as it is: a whole number may be larger than any float.
    return Wait(longest if wanted < 0 or wanted > longest else float(wanted), current)
