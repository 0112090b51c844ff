"""What a failed try means, and what people read of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paws.errors import PawsError
from schemas.vocabulary import Outcome

_TAIL_IN_REPORT = 5


class Failure(NamedTuple):
    """A failed try: what may be done next, its code, a sentence for people, the command's last lines."""

    outcome: Outcome
    code: str
    sentence: str
    tail: Sequence[str] = ()


def classify(error: Exception) -> Failure:
    """What an error means."""
    if isinstance(error, PawsError):
        tail = [str(line) for line in error.context.get("tail", [])]
        return Failure(error.outcome, error.code, error.message, tail)
    if isinstance(error, OSError):
        return Failure(Outcome.RETRIABLE, "file_system", f"A file could not be read or written: {error}.")
    return Failure(Outcome.PERMANENT, "internal", f"An unexpected error ({type(error).__name__}): {error}.")


def report(failure: Failure, then: str, log_path: str) -> str:
    """What people read: what went wrong, what follows, the last lines, and where all of them are."""
    sentence = failure.sentence.rstrip()
    lines = [f"{sentence}{'' if sentence.endswith(('.', '!', '?')) else '.'} {then}"]
    if failure.tail:
        lines += ["Last lines:", *(f"  {line[:200]}" for line in failure.tail[-_TAIL_IN_REPORT:])]
    return "\n".join([*lines, f"Log: {log_path}"]).replace("\x00", "")
