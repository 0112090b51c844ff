"""What the end of a command in a container means. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.reducer.engines.base import EngineDiedError, EngineOutOfMemoryError
from agents.reducer.engines.docker.script import Report

_CRASHES = frozenset(
    {
        signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT,
        signal.SIGBUS, signal.SIGFPE, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, signal.SIGTERM,
        signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS,
    }
)  # fmt: skip
_OF_SIGNALS = 128
"""What a shell adds to the number of the signal that ended a program."""


@dataclass(frozen=True)
class Wear:
    """When a warm container is replaced.

    Attributes
    ----------
    commands
        Most commands.
    growth
        Most memory, in bytes, that it may hold between commands beyond what it held at first.
    """

    commands: int
    growth: int


def worn(report: Report, commands: int, held_at_first: int, wear: Wear) -> str | None:
    """Why a container is to be replaced after a command, or None when it may serve on."""
    if report.status != 0:
        return f"the command ended with status {report.status}"
    if report.killed_for_memory:
        return "a process in it ran out of memory"
    if report.left:
        return f"{report.left} processes of the command could not be ended"
    if report.held - held_at_first > wear.growth:
        return f"it holds {(report.held - held_at_first) >> 20} MB more than at first"
    if commands >= wear.commands:
        return f"it has run {commands} commands"
    return None


def fault(verb: str, report: Report, memory: int) -> EngineDiedError | None:
    """Error that a finished command stands for; None when its status is to be judged like any other.

    Parameters
    ----------
    memory
        That a container may use, bytes.
    """
    if report.status != 0 and report.killed_for_memory:
        return out_of_memory(verb, memory)
    number = report.status - _OF_SIGNALS
    if number in _CRASHES:
        return EngineDiedError(
            f"{verb} crashed in its container ({signal.Signals(number).name}). It is tried again in a new container; "
            "the log tells what it did last."
        )
    return None


def interrupted(verb: str, state: Mapping[str, Any], memory: int) -> EngineDiedError:
    """Error of a command that told nothing about its end.

    Parameters
    ----------
    state
        ``State`` of its container.
    """
    if state.get("OOMKilled"):
        return out_of_memory(verb, memory)
    if not state.get("Running"):
        return EngineDiedError(
            f"The container ended during {verb} (status {state.get('ExitCode')}): somebody ended it, or the Docker "
            "daemon was restarted. It is tried again in a new container."
        )
    return EngineDiedError(f"{verb} was ended from outside. It is tried again in a new container.")


def out_of_memory(verb: str, memory: int) -> EngineOutOfMemoryError:
    """Error of a command that needed more memory than there is."""
    return EngineOutOfMemoryError(
        f"{verb} ran out of memory: its container may use {memory >> 20} MB, files in its scratch included. It is "
        "tried again in a new container; when this happens often, raise PAWS_DOCKER_MEMORY or lower "
        "PAWS_RUNNER_SLOTS."
    )
