"""FITS header cards, read quickly and without trust.

astropy's reader repairs what it can and warns about the rest, through process-wide warning filters that
threads must not touch. Here nothing is repaired: a value that is not what the standard allows stays text,
and whoever needs a number refuses it by name. Reading is also several times quicker, which an archive
of a hundred thousand frames wants.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = 2880
CARD = 80
MAX_HEADER_BLOCKS = 250
"""Longest header that is read, in blocks: 9000 cards, ten times the longest of a reduced frame."""

CardValue = str | int | float | bool
Cards = dict[str, CardValue]

_PRINTABLE = re.compile(rb"^[ -~]{8}$")  # old controllers wrote keywords that the standard does not allow
_STRING = re.compile(r"'((?:[^']|'')*)'")
_INTEGER = re.compile(r"^[+-]?\d{1,40}$")
_REAL = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[EDed][+-]?\d{1,5})?$")
_UNPRINTABLE = re.compile(r"[^ -~]")


@dataclass(frozen=True)
class HeaderEnd:
    """Where a header ends: the cards, and the offset of the first byte after its last block."""

    cards: Cards
    end: int


class HeaderIncompleteError(Exception):
    """The bytes end before the header's END card."""


class HeaderDamagedError(Exception):
    """The bytes cannot be a FITS header."""


def read_header(buffer: bytes | bytearray | memoryview, offset: int) -> HeaderEnd:
    """Cards of the header that starts at an offset.

    Of a keyword given twice the first counts, as in other readers. Commentary cards, HIERARCH and
    CONTINUE are passed over.

    Raises
    ------
    HeaderIncompleteError
        If there is no END card before the bytes end.
    HeaderDamagedError
        If a card cannot be one, or no END card comes within `MAX_HEADER_BLOCKS`.
    """
    cards: Cards = {}
    for number in range(MAX_HEADER_BLOCKS):
        start = offset + number * BLOCK
        block = bytes(buffer[start : start + BLOCK])
        if len(block) < BLOCK:
            raise HeaderIncompleteError
        for at in range(0, BLOCK, CARD):
            card = block[at : at + CARD]
            if card[:8] == b"END     ":
                return HeaderEnd(cards, start + BLOCK)
            if not _PRINTABLE.match(card[:8]):
                raise HeaderDamagedError(f"byte {start + at} should begin a header card and does not")
            if card[8:10] == b"= " and card[:8].strip():
                cards.setdefault(card[:8].rstrip().decode("ascii"), parse_value(card[10:]))
    raise HeaderDamagedError(f"no END card within {MAX_HEADER_BLOCKS * BLOCK // CARD} cards")


def parse_value(field: bytes) -> CardValue:
    """Value in the bytes after a card's value indicator.

    Numbers that the standard does not know (``NaN``, ``inf``) stay text, and so does everything odd.
    Bytes that are not printable ASCII become spaces.
    """
    text = field.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        text = _UNPRINTABLE.sub(" ", text)
    text = text.strip()
    if text.startswith("'"):
        match = _STRING.match(text)
        return match.group(1).replace("''", "'").rstrip() if match else text.strip("'").strip()
    text = text.split("/", 1)[0].strip()
    if text in ("T", "F"):
        return text == "T"
    if _INTEGER.match(text):
        return int(text)
    if _REAL.match(text):
        value = float(text.upper().replace("D", "E"))
        return value if abs(value) < float("inf") else text
    return text
