"""From the text of a query to tokens."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

from adql.errors import AdqlLimitError, AdqlSyntaxError

LONGEST_QUERY: Final = 200_000
"""Characters. A list of ten thousand names in an IN fits."""
MOST_TOKENS: Final = 50_000

TokenKind: TypeAlias = Literal["word", "delimited", "number", "string", "sign", "end"]


class Token(NamedTuple):
    """A piece of a query.

    Attributes
    ----------
    key
        A word in upper case, or a sign; empty for the other kinds, so that a delimited "SELECT" is no SELECT.
    text
        A word or number as written; the content of a delimited identifier or text; a sign.
    position, end
        Where it stands in the query.
    """

    kind: TokenKind
    key: str
    text: str
    position: int
    end: int


_TOKEN: Final = re.compile(
    r"""
    (?P<blank>   (?: \s+ | --[^\n\r]* )+ )
  | (?P<word>    [A-Za-z][A-Za-z0-9_]* )
  | (?P<number>  0[xX][0-9A-Fa-f]+ | (?: [0-9]+ (?: \.[0-9]* )? | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? )
  | (?P<string>  '(?: [^'] | '' )*' )
  | (?P<delimited> "(?: [^"] | "" )+" )
  | (?P<sign>    <> | != | <= | >= | \|\| | /(?!\*) | [-+*=<>(),.;] )
    """,
    re.VERBOSE,
)

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Halves of UTF-16 pairs, which no database takes."""

_HINTS: Final = {
    "'": "texts end with a single quote; one inside them is doubled",
    '"': "names end with a double quote; one inside them is doubled",
    "“": 'use the straight double quote "',
    "”": 'use the straight double quote "',
    "‘": "use the straight single quote '",
    "’": "use the straight single quote '",
    "`": 'names that need it stand in double quotes "',
    "[": 'names that need it stand in double quotes "',
    "&": "ADQL 2.1 has no operators on bits; write AND between conditions",
    "|": "texts are joined by ||; write OR between conditions",
    "^": "write POWER(x, y)",
    "%": "write MOD(x, y)",
    "!": "write <> or !=, and NOT before a condition",
    ":": "write CAST(value AS type)",
    "?": "parameters are written into the query",
    "$": "parameters are written into the query",
    "_": "a name that begins with an underscore stands in double quotes",
}


def tokenise(text: str) -> list[Token]:
    """The tokens of a query, with one of kind ``end`` after them; comments and blanks are gone.

    Texts that follow one another on different lines are one, as in SQL.

    Raises
    ------
    AdqlLimitError
        If the query is longer than `LONGEST_QUERY` or `MOST_TOKENS`.
    AdqlSyntaxError
        At a character that begins no token.
    """
    if len(text) > LONGEST_QUERY:
        raise AdqlLimitError(
            f"the query has {len(text)} characters; at most {LONGEST_QUERY} are read",
            suggestion="upload long lists as a table and join it (TAP_UPLOAD)",
        )
    if (lone := _SURROGATE.search(text)) is not None:
        raise AdqlSyntaxError("this is half a character", lone.start(), suggestion="send the query as UTF-8")
    tokens: list[Token] = []
    position = 0
    length = len(text)
    match = _TOKEN.match
    while position < length:
        found = match(text, position)
        if found is None:
            raise _unreadable(text, position)
        kind, end = found.lastgroup, found.end()
        if kind == "word":
            piece = found.group()
            tokens.append(Token("word", piece.upper(), piece, position, end))
        elif kind == "sign":
            piece = found.group()
            tokens.append(Token("sign", piece, piece, position, end))
        elif kind == "number":
            tokens.append(Token("number", "", found.group(), position, end))
        elif kind == "string":
            _add_string(tokens, text, position, end)
        elif kind == "delimited":
            tokens.append(
                Token("delimited", "", text[position + 1 : end - 1].replace('""', '"'), position, end)
            )
        position = end
    if len(tokens) > MOST_TOKENS:
        raise AdqlLimitError(
            f"the query has {len(tokens)} words and signs; at most {MOST_TOKENS} are read",
            suggestion="upload long lists as a table and join it (TAP_UPLOAD)",
        )
    tokens.append(Token("end", "", "", length, length))
    return tokens


def _add_string(tokens: list[Token], text: str, position: int, end: int) -> None:
    value = text[position + 1 : end - 1].replace("''", "'")
    if "\0" in value:
        raise AdqlSyntaxError("a text cannot hold the character NUL", position)
    if tokens and (before := tokens[-1]).kind == "string" and "\n" in text[before.end : position]:
        tokens[-1] = Token("string", "", before.text + value, before.position, end)
    else:
        tokens.append(Token("string", "", value, position, end))


def _unreadable(text: str, position: int) -> AdqlSyntaxError:
    character = text[position]
    if character == "'":
        message = "a text begins here and is not closed"
    elif character == '"':
        empty = text.startswith('""', position)
        message = "a name in quotes is empty" if empty else "a name in quotes begins here and is not closed"
    elif text.startswith("/*", position):
        return AdqlSyntaxError("this is no comment in ADQL", position, "/*", "comments begin with --")
    else:
        message = "this character has no meaning in ADQL"
    hint = _HINTS.get(character, "")
    if not hint and character.isalpha():
        hint = "names hold the letters A to Z, digits and underscores; others stand in double quotes"
    return AdqlSyntaxError(message, position, character, hint)
