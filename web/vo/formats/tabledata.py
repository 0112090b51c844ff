"""VOTable with rows as XML elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from web.vo.formats.cells import Notation, Texts, Values, texts_of, together
from web.vo.formats.encoder import Encoder
from web.vo.formats.xml import FORBIDDEN_BUT_NUL, Ending, head, tail


def _escaped(joined: str) -> str:
    safe = escape(joined, quote=False)
    # A parser takes carriage returns for line ends unless they are written as a reference.
    return FORBIDDEN_BUT_NUL.sub("\ufffd", safe).replace("\r", "&#13;")


def _quoted(texts: Texts) -> Texts:
    return together(texts, _escaped)


NOTATION: Final = Notation("", "NaN", "+Inf", "-Inf", _quoted, pads=True, exact=True)


class TableData(Encoder):
    """NULL is an empty cell, as is an empty string; strings keep any character that XML knows."""

    tells_errors = True

    def head(self) -> bytes:
        """Everything up to the first row."""
        return (head(self.columns, self.info) + "<DATA>\n<TABLEDATA>\n").encode()

    def rows(self, columns: Sequence[Values]) -> bytes:
        """Some rows."""
        texts = [
            texts_of(values, shape, NOTATION) for values, shape in zip(columns, self.shapes, strict=True)
        ]
        cells = map("</TD><TD>".join, zip(*texts, strict=True))
        return ("<TR><TD>" + "</TD></TR>\n<TR><TD>".join(cells) + "</TD></TR>\n").encode()

    def tail(self, ending: Ending) -> Iterator[bytes]:
        """Everything behind the last row."""
        yield ("</TABLEDATA>\n</DATA>\n" + tail(self.info, ending, self.limit)).encode()
