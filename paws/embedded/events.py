"""What a supervisor reports of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What a supervisor reports of a process."""

    STARTED = "started"
    READY = "ready"
    ENDED = "ended"
    HELD_BACK = "held back"
    PAUSED = "paused"
    RESUMED = "resumed"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SupervisorEvent:
    """Something that happened to a process.

    Attributes
    ----------
    name : str
        The process.
    kind : EventKind
        What happened.
    message : str
        The same as a sentence without the name; for ENDED it holds the reason of the decision.
    pid : int
        Its process id; after its end the one that it had, 0 when it never had one.
    """

    name: str
    kind: EventKind
    message: str
    pid: int = 0
