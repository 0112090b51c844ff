"""Comma- and tab-separated values.

Neither has a place for metadata, overflow or errors: the answer of a query that fails halfway is broken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from web.vo.formats.cells import Notation, Texts, Values, texts_of
from web.vo.formats.encoder import Encoder
from web.vo.formats.xml import Ending

_SPECIAL: Final = re.compile('[",\r\n]')
_BLANK: Final = str.maketrans({"\t": " ", "\n": " ", "\r": " "})


def _quoted(texts: Texts) -> Texts:
    """CSV, as PostgreSQL writes it: an empty string is quoted, which tells it from NULL."""
    if "" not in texts and _SPECIAL.search("\0".join(texts)) is None:
        return texts
    return [
        '"' + text.replace('"', '""') + '"' if not text or _SPECIAL.search(text) else text for text in texts
    ]


def _unseparated(texts: Texts) -> Texts:
    """TSV, which by its definition has no quotes: tabs and line ends in texts become spaces."""
    joined = "\0".join(texts)
    changed = joined.translate(_BLANK) if any(sign in joined for sign in "\t\n\r") else joined
    return changed.split("\0") if texts else texts


class Csv(Encoder):
    """RFC 4180 with a line of names; UTF-8."""

    separator = ","
    notation = Notation("", "NaN", "Infinity", "-Infinity", _quoted, pads=True)

    def head(self) -> bytes:
        """Names of the columns."""
        names = self.notation.quote([column.name for column in self.columns])
        return (self.separator.join(names) + "\n").encode()

    def rows(self, columns: Sequence[Values]) -> bytes:
        """Some rows."""
        texts = [
            texts_of(values, shape, self.notation) for values, shape in zip(columns, self.shapes, strict=True)
        ]
        lines = map(self.separator.join, zip(*texts, strict=True))
        return ("\n".join(lines) + "\n").encode(errors="replace")

    def tail(self, ending: Ending) -> Iterator[bytes]:
        """Nothing."""
        yield b""


class Tsv(Csv):
    """The media type's own definition: a line of names, one tab between two cells."""

    separator = "\t"
    notation = Notation("", "NaN", "Infinity", "-Infinity", _unseparated, pads=True)
