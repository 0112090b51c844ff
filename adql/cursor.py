"""A place among the tokens of a query, and the errors that speak of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adql.errors import AdqlLimitError, AdqlSyntaxError
from adql.lexer import Token, tokenise
from adql.tree import Identifier
from adql.words import RESERVED, quoted

DEEPEST: Final = 64
"""Of parentheses and calls within one another; a subquery counts as `SUBQUERY`. Python's own stack is safe then."""
SUBQUERY: Final = 4

_SEPARATORS: Final = frozenset(
    {
        "FROM",
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "OFFSET",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "JOIN",
        "ON",
        "USING",
    }
    | {
        "AND",
        "OR",
        "BETWEEN",
        "IN",
        "LIKE",
        "ILIKE",
        "IS",
        "AS",
        "THEN",
        "ELSE",
        "END",
        "WHEN",
        "BY",
        "ASC",
        "DESC",
    }
)
"""Words between the parts of a query: who writes one has left something out, and means no name."""


class Cursor:
    """Reads tokens one after the other.

    Parameters
    ----------
    text
        The query.

    Attributes
    ----------
    token
        The next token to be read.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenise(text)
        self.index = 0
        self.token = self.tokens[0]
        self._depth = 0

    def advance(self) -> Token:
        """Read a token."""
        token = self.token
        if token.kind != "end":
            self.index += 1
            self.token = self.tokens[self.index]
        return token

    def accept(self, key: str) -> bool:
        """Read a word or sign if it is the next one."""
        if self.token.key == key:
            self.advance()
            return True
        return False

    def expect(self, key: str, why: str = "") -> Token:
        """Read a word or sign that must be here; `why` is the hint if it is not.

        Raises
        ------
        AdqlSyntaxError
            If something else is here.
        """
        if self.token.key != key:
            raise self.unexpected(key, suggestion=why)
        return self.advance()

    def ahead(self, steps: int = 1) -> Token:
        """A token further on."""
        return self.tokens[min(self.index + steps, len(self.tokens) - 1)]

    def written(self, token: Token) -> str:
        """A token as it stands in the query."""
        return self.text[token.position : token.end]

    @contextmanager
    def nested(self, weight: int = 1) -> Iterator[None]:
        """Count what is within something else.

        Raises
        ------
        AdqlLimitError
            Beyond `DEEPEST`.
        """
        self._depth += weight
        if self._depth > DEEPEST:
            raise AdqlLimitError(
                "the query is nested too deeply",
                self.token.position,
                self.written(self.token),
                "name inner queries in a WITH clause",
            )
        yield
        self._depth -= weight

    def identifier(self, what: str) -> Identifier:
        """Read a name; `what` says of what, for the error.

        Raises
        ------
        AdqlSyntaxError
            If there is none, or if it is a reserved word without quotes.
        """
        token = self.token
        if token.kind == "word" and token.key not in RESERVED:
            self.advance()
            return Identifier(token.text, position=token.position)
        if token.kind == "delimited":
            self.advance()
            return Identifier(token.text, delimited=True, position=token.position)
        if token.kind == "word":
            raise self.reserved(token, what)
        raise self.unexpected(what)

    def is_name(self) -> bool:
        """Whether a name is next."""
        token = self.token
        return token.kind == "delimited" or (token.kind == "word" and token.key not in RESERVED)

    def reserved(self, token: Token, what: str) -> AdqlSyntaxError:
        """The error that a reserved word stands for a name."""
        if token.key in _SEPARATORS:
            return AdqlSyntaxError(f"{what} is missing before {token.key}", token.position, token.text)
        return AdqlSyntaxError(
            f"{what} is needed, and {token.key} is a reserved word of ADQL",
            token.position,
            token.text,
            f"if it is a name, write it in double quotes: {quoted(token.text)}",
        )

    def unexpected(self, *wanted: str, suggestion: str = "") -> AdqlSyntaxError:
        """The error that the next token is none of those that can stand here."""
        token = self.token
        found = self.written(token) if token.kind != "end" else "the end of the query"
        message = f"{' or '.join(wanted)} is needed before {found}" if token.kind == "end" else ""
        return AdqlSyntaxError(
            message or f"{' or '.join(wanted)} is needed here",
            token.position,
            self.written(token),
            suggestion or self.misspelt(wanted),
        )

    def misspelt(self, wanted: tuple[str, ...]) -> str:
        """A hint if the word here, or the one before it, is nearly one that is wanted."""
        keywords = [word for word in wanted if word.isalpha() and word.isupper()]
        before = self.tokens[self.index - 1] if self.index else self.token
        for token in (self.token, before):
            if token.kind == "word" and token.key not in RESERVED:
                near = difflib.get_close_matches(token.key, keywords, n=1)
                if near:
                    return f"did you mean {near[0]} instead of {token.text}?"
        return ""
