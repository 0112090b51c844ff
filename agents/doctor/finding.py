"""What was found about a part, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How well a part is: in order, may become trouble, does not work, was not looked at."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    part
        What it is about, such as ``database``.
    detail
        What was found, with figures.
    advice
        What to do; empty when nothing is.
    """

    part: str
    state: State
    detail: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For programs."""
        return {"part": self.part, "state": self.state.value, "detail": self.detail, "advice": self.advice}


def ok(part: str, detail: str) -> Finding:
    """All is well."""
    return Finding(part, State.OK, detail)


def warning(part: str, detail: str, advice: str) -> Finding:
    """It works, and may not for long."""
    return Finding(part, State.WARNING, detail, advice)


def error(part: str, detail: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(part, State.ERROR, detail, advice)


def skipped(part: str, detail: str) -> Finding:
    """It was not looked at, because something else must work first or it is not used."""
    return Finding(part, State.SKIPPED, detail)


def exit_status(findings: Iterable[Finding]) -> int:
    """0 when nothing is broken, else 1. Warnings break nothing."""
    return int(any(item.state is State.ERROR for item in findings))


def document(findings: Iterable[Finding]) -> dict[str, Any]:
    """All findings for programs."""
    found = list(findings)
    return {"ok": exit_status(found) == 0, "findings": [item.as_dict() for item in found]}
