"""The error tree: what went wrong, and which of four things may be done next.

Every class knows its code, what may be done next, a sentence for the user and its context for the log.
"""

from __future__ import annotations

from typing import Any, ClassVar

from schemas.vocabulary import Outcome


class PawsError(Exception):
    """Base of all errors of ours. Not raised itself.

    Parameters
    ----------
    message
        What went wrong, with which file or parameter, and what to do next.
    context
        Plain values for the log.
    """

    code: ClassVar[str] = "internal"
    outcome: ClassVar[Outcome] = Outcome.PERMANENT

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.context = context


class RetriableError(PawsError):
    """Nothing permanent has changed and another try may succeed: a service is away, a deadline passed."""

    code = "retriable"
    outcome = Outcome.RETRIABLE


class PermanentError(PawsError):
    """Another try would end the same way, though the input is good: a reduction fails, a disk is full."""

    code = "permanent"
    outcome = Outcome.PERMANENT


class InvalidInputError(PawsError):
    """The input cannot be used. It is kept, named and shown; only new content makes another try sensible."""

    code = "invalid_input"
    outcome = Outcome.INVALID_INPUT


class NotOursError(PawsError):
    """The input is valid and meant for somebody else."""

    code = "not_ours"
    outcome = Outcome.NOT_OURS


class ConfigurationError(PermanentError):
    """A setting is missing or wrong. Raised at start, before any work."""

    code = "configuration"


class ServiceUnavailableError(RetriableError):
    """The broker or the database does not answer within its deadline."""

    code = "service_unavailable"


class FrameRejectedError(InvalidInputError):
    """A file in a raw folder is no usable raw frame.

    Parameters
    ----------
    code
        Short, stable name of the defect, such as ``truncated``.
    message
        What is wrong and what to do next.
    """

    def __init__(self, code: str, message: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.defect = code
