"""What a failed try means, and what people read of it. Pure."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from agents.reducer.check import BadProductError, ReductionFailedError
from agents.reducer.engines.base import EngineAwayError, EngineDiedError, EngineOutOfMemoryError
from agents.reducer.runner.workfolder import InputGoneError
from agents.reducer.store import DiskFullError
from paws.errors import PawsError
from schemas.vocabulary import Outcome

_TAIL_IN_REPORT = 5
_LONGEST_COMMAND = 1000

_NOBODYS_FAULT = (EngineAwayError, DiskFullError, InputGoneError)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_MAY_REPEAT = frozenset({ReductionFailedError.code, BadProductError.code})
"""Codes of failures that a program ends in by itself, so that the same end twice means a third."""


class Failure(NamedTuple):
    """A failed try.

    Attributes
    ----------
    outcome
        What may be done next.
    sentence
        For people.
    tail
        The command's last lines.
    command
        What was run, the verb first.
    counts
        Whether the reduction may be the reason; see `agents.reducer.retry.Trouble`.
    killed
        Whether the engine was ended from outside, and not for want of memory.
    """

    outcome: Outcome
    code: str
    sentence: str
    tail: Sequence[str] = ()
    command: Sequence[str] = ()
    counts: bool = True
    killed: bool = False


def classify(error: Exception) -> Failure:
    """What an error means."""
    if isinstance(error, PawsError):
        return Failure(
            error.outcome,
            error.code,
            error.message,
            [str(line) for line in error.context.get("tail", ())],
            [str(part) for part in error.context.get("command", ())],
            not isinstance(error, _NOBODYS_FAULT),
            isinstance(error, EngineDiedError) and not isinstance(error, EngineOutOfMemoryError),
        )
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Failure(
            Outcome.RETRIABLE, DiskFullError.code, f"There is no room: {error}. Make room.", counts=False
        )
    if isinstance(error, OSError):
        return Failure(Outcome.RETRIABLE, "file_system", f"A file could not be read or written: {error}.")
    return Failure(Outcome.PERMANENT, "internal", f"An unexpected error ({type(error).__name__}): {error}.")


def ends_alike(failure: Failure, code: str | None, told: str | None) -> bool:
    """Whether a program ended by itself as it did in the try before.

    Parameters
    ----------
    code, told
        Code and report of that try, as they are recorded.
    """
    return failure.code in _MAY_REPEAT and failure.code == code and (told or "").startswith(_first(failure))


def report(failure: Failure, then: str, log_path: str) -> str:
    """What people read: what went wrong, what follows, the command, its last lines, and where all of them are."""
    lines = [f"{_first(failure)} {then}"]
    if failure.command:
        lines.append(f"Command: {shlex.join(('aaorun', *failure.command))[:_LONGEST_COMMAND]}")
    if failure.tail:
        lines += ["Last lines:", *(f"  {line[:200]}" for line in failure.tail[-_TAIL_IN_REPORT:])]
    return "\n".join([*lines, f"Log: {log_path}"]).replace("\x00", "")


def _first(failure: Failure) -> str:
    sentence = failure.sentence.replace("\x00", "").rstrip()
    return f"{sentence}{'' if sentence.endswith(('.', '!', '?')) else '.'}"
