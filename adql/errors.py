"""What is wrong with a query, said so that its author can mend it."""

from __future__ import annotations

import re
from typing import Final

LONGEST_TOKEN_SHOWN: Final = 60
_WORD: Final = re.compile(r"\"[^\"]*\"|'[^']*'|[\w.]+|\S")


class AdqlError(ValueError):
    """A query that is not ADQL, or that asks for what is not there.

    Parameters
    ----------
    message
        One sentence without a full stop: what is wrong.
    position
        Offset of the token in the text of the query, from 0; None when no single place is to blame.
    token
        The offending piece of text as the author wrote it; empty at the end of the query.
    suggestion
        The likely fix, as a phrase that can stand after the message ("did you mean ra?").

    Notes
    -----
    Who raises it need not know the text: `located` adds line and column, and is called where the text is at
    hand (`adql.parse`, `adql.compile_query`).
    """

    def __init__(
        self, message: str, position: int | None = None, token: str = "", suggestion: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.token = token
        self.suggestion = suggestion
        self.line: int | None = None
        self.column: int | None = None

    def located(self, text: str) -> AdqlError:
        """The same error, knowing the line and column (both from 1) of its position in `text`."""
        if self.position is not None:
            before = text[: self.position]
            self.line = before.count("\n") + 1
            self.column = self.position - (before.rfind("\n") + 1) + 1
            if not self.token and (found := _WORD.match(text, self.position)):
                self.token = found.group()
        return self

    def __str__(self) -> str:
        """One line for a VOTable INFO: what, where, at which token, and the likely fix."""
        parts = [self.message]
        if self.line is not None:
            parts.append(f" (line {self.line}, column {self.column}{self._near()})")
        elif self.token:
            parts.append(f" (at {shown(self.token)})")
        if self.suggestion:
            parts.append(f"; {self.suggestion}")
        return printable("".join(parts))

    def _near(self) -> str:
        return f", at {shown(self.token)}" if self.token else ""


class AdqlSyntaxError(AdqlError):
    """The text does not follow the grammar of ADQL 2.1."""


class AdqlNameError(AdqlError):
    """A table, column or function that does not exist, or a name that fits more than one."""


class AdqlTypeError(AdqlError):
    """Values that do not go together: a text compared with a number, a wrong count of arguments."""


class AdqlLimitError(AdqlError):
    """A query longer, deeper or larger than this service reads."""


def shown(token: str) -> str:
    """A token fit for a message: on one line, bounded, its control characters escaped."""
    text = token if len(token) <= LONGEST_TOKEN_SHOWN else token[: LONGEST_TOKEN_SHOWN - 3] + "..."
    return printable(text)


def printable(text: str) -> str:
    """A text on one line, its control characters escaped: names and texts of users may hold any."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
