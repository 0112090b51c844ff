"""What quicklook raises, and only this: two kinds of failure, told apart by what may be done next."""

from __future__ import annotations

from pathlib import Path


class QuicklookError(Exception):
    """Any failure of a reduction that quicklook understands.

    Parameters
    ----------
    message : str
        One or two sentences for the observer: what is wrong, where, and what to do next.
    path : path, optional
        The file concerned; its name leads the message.

    Attributes
    ----------
    code : str
        A short stable word for programs (class attribute).
    path : Path or None
        The file concerned.
    """

    code = "quicklook_error"

    def __init__(self, message: str, *, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.message = message
        super().__init__(f"{self.path.name}: {message}" if self.path is not None else message)


class InvalidInput(QuicklookError):  # noqa: N818 - a fact about the input, read as a word in logs
    """The frame, a keyword or a parameter cannot be used as it is: trying again will not help."""

    code = "invalid_input"


class UnsupportedFrame(InvalidInput):
    """A sound frame that quicklook does not reduce (binned, windowed, another instrument)."""

    code = "unsupported_frame"


class Saturated(InvalidInput):
    """So much of the frame is saturated that nothing trustworthy can be derived from it."""

    code = "saturated"


class Failure(QuicklookError):  # noqa: N818 - pairs with InvalidInput
    """The input was acceptable, but a step could not reach a trustworthy result."""

    code = "failure"
