"""What every engine is: something that runs one ``aaorun`` command in a prepared folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from paws.errors import RetriableError

OnLine = Callable[[str], None]
"""Takes each line of output as it comes; it must be quick and raise nothing."""

TAIL_LINES = 12
"""Last lines of output kept for a report."""

LONGEST_LINE = 1 << 20
"""Bytes of one line of output; what is longer is cut in pieces."""

NICENESS = 10
"""Engines yield to what passes events on: a frame's way must not wait for another frame's sums."""


class EngineDiedError(RetriableError):
    """The engine's process ended in the middle of a command: killed, out of memory, or a fault of its own."""

    code = "engine_died"


class EngineOutOfMemoryError(EngineDiedError):
    """The kernel ended the engine's process, or a child of it, for want of memory."""

    code = "engine_out_of_memory"


class EngineAwayError(RetriableError):
    """What runs the engine is away, such as the Docker daemon: nothing that the reduction could help."""

    code = "engine_away"


class EngineDeadlineError(RetriableError):
    """The command ran longer than allowed and was ended."""

    code = "engine_deadline"


@dataclass(frozen=True)
class EngineResult:
    """How a command ended.

    Attributes
    ----------
    exit_status
        0 is success.
    exit_marker
        Whether the marker of an orderly end was printed.
    tail
        Last lines of output.
    """

    exit_status: int
    exit_marker: bool
    started_at: datetime
    finished_at: datetime
    tail: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the command ran."""
        return (self.finished_at - self.started_at).total_seconds()


class Engine(Protocol):
    """An engine. It may be asked to run several commands at once, each in its own folder.

    Attributes
    ----------
    name
        As in the settings and in products.
    invalid_status
        Exit statuses that mean: the input cannot be used.
    """

    name: str
    invalid_status: frozenset[int]

    async def start(self) -> None:
        """Make ready, so that the first command need not wait.

        Raises
        ------
        ConfigurationError
            If the engine cannot work here; the message tells what to install or set.
        """

    async def run(self, command: Sequence[str], cwd: Path, on_line: OnLine, deadline: float) -> EngineResult:
        """Run a command, the verb first.

        Parameters
        ----------
        cwd
            Private folder; all names in the command are relative to it.
        on_line
            Called for each line of output.
        deadline
            Most seconds that the command may take.

        Raises
        ------
        EngineDiedError
            If the process ended without finishing the command; `EngineOutOfMemoryError` if that was for want
            of memory.
        EngineAwayError
            If what runs the engine went away; the try is nobody's fault and does not count.
        EngineDeadlineError
            If the deadline passed; nothing of the command runs any more.
        """

    def grow(self, slots: int) -> None:
        """Take so many commands more at once from now on; whatever they need is made when they come."""

    async def close(self) -> None:
        """End every process of the engine."""
