"""Paper: pages, text and lines of a PDF. All positions are in points from the lower left corner.

The fonts are those that every reader of PDFs has (Helvetica, plain and bold), so none is embedded, and text can be
searched and copied. The same content gives the same bytes: nothing here tells the time.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO, Final, Literal

import pydyf

WIDTH: Final = 595.28
HEIGHT: Final = 841.89
"""A4, upright."""

Align = Literal["left", "centre", "right"]
Colour = tuple[float, float, float]

BLACK: Final[Colour] = (0.1, 0.12, 0.15)
GREY: Final[Colour] = (0.42, 0.46, 0.5)
PALE: Final[Colour] = (0.8, 0.83, 0.86)

# Advance widths of Helvetica and Helvetica-Bold, characters 32 to 126, thousandths of the size: Adobe's metrics.
_PLAIN: Final = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)
_BOLD: Final = (
    *(278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611),
    *(975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556),
    *(333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611),
    *(611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584),
)
_OTHER: Final = 556
"""Width of what is not in the tables: that of a digit."""
_LEVEL: Final = 6
"""Compression: higher levels take twice as long for a percent."""


def encoded(text: str) -> bytes:
    """Text as the fonts' encoding has it (Windows Latin 1), printable; what it lacks becomes a question mark."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain.encode("cp1252", "replace")


def width_of(text: str, size: float, bold: bool = False) -> float:
    """Width of a text, points."""
    table = _BOLD if bold else _PLAIN
    return size / 1000 * sum(table[code - 32] if 32 <= code <= 126 else _OTHER for code in encoded(text))


def fitted(text: str, size: float, room: float, bold: bool = False, least: float = 4.0) -> tuple[str, float]:
    """A text and the size at which it fits into some room: smaller, then shortened."""
    wanted = width_of(text, size, bold)
    if wanted <= room:
        return text, size
    size = max(least, size * room / wanted)
    while len(text) > 1 and width_of(text, size, bold) > room:
        text = f"{text.rstrip('…')[:-1]}…"
    return text, size


def _rgb(colour: Colour) -> bytes:
    return b"%.3g %.3g %.3g" % colour


@dataclass
class Ink:
    """What is drawn on a page, or on a form that pages repeat."""

    parts: list[bytes] = field(default_factory=list)

    def raw(self, operators: bytes) -> None:
        """Add content as it is."""
        self.parts.append(operators)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 8.0,
        *,
        bold: bool = False,
        colour: Colour = BLACK,
        align: Align = "left",
        turned: bool = False,
    ) -> float:
        """Write one line; gives its width.

        Parameters
        ----------
        turned
            From below upwards.
        """
        width = width_of(text, size, bold)
        back = {"left": 0.0, "centre": width / 2, "right": width}[align]
        x, y = (x, y - back) if turned else (x - back, y)
        string = encoded(text).replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        matrix = b"0 1 -1 0" if turned else b"1 0 0 1"
        self.parts.append(
            b"BT %s rg /%s %.2f Tf %s %.2f %.2f Tm (%s) Tj ET"
            % (_rgb(colour), b"B" if bold else b"F", size, matrix, x, y, string)
        )
        return width

    def line(self, points: Sequence[tuple[float, float]], colour: Colour = BLACK, width: float = 0.5) -> None:
        """Draw a line through points."""
        steps = b" l ".join(b"%.2f %.2f" % point for point in points[1:])
        self.parts.append(b"%s RG %.2f w %.2f %.2f m %s l S" % (_rgb(colour), width, *points[0], steps))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: Colour | None = None,
        edge: Colour | None = None,
    ) -> None:
        """Draw a rectangle."""
        shape = b"%.2f %.2f %.2f %.2f re" % (x, y, width, height)
        if fill is not None:
            self.parts.append(b"%s rg %s f" % (_rgb(fill), shape))
        if edge is not None:
            self.parts.append(b"%s RG 0.5 w %s S" % (_rgb(edge), shape))

    def dots(self, points: Sequence[tuple[float, float]], colour: Colour, size: float) -> None:
        """Draw round dots: lines without a length, with round ends."""
        if points:
            steps = b" ".join(b"%.2f %.2f m %.2f %.2f l" % (x, y, x, y) for x, y in points)
            self.parts.append(b"q 1 J %s RG %.2f w %s S Q" % (_rgb(colour), size, steps))

    def content(self) -> bytes:
        """All of it."""
        return b"\n".join(self.parts)


def _packed(content: bytes, extra: dict[str, object]) -> pydyf.Stream:
    return pydyf.Stream([zlib.compress(content, _LEVEL)], {**extra, "Filter": "/FlateDecode"})


@dataclass
class Bookmark:
    """A line of the outline."""

    text: str
    page: int
    top: float


class Paper:
    """A document that grows page by page.

    Parameters
    ----------
    title, about
        What readers show of it.
    made_at
        ``YYYYMMDDHHMMSS`` in UTC, or nothing: of what it shows, not of the drawing.
    """

    def __init__(self, title: str, about: str, made_at: str = "") -> None:
        self._pdf = pydyf.PDF()
        self._fonts = pydyf.Dictionary()
        for name, font in (("F", "Helvetica"), ("B", "Helvetica-Bold")):
            entry = pydyf.Dictionary(
                {
                    "Type": "/Font",
                    "Subtype": "/Type1",
                    "BaseFont": f"/{font}",
                    "Encoding": "/WinAnsiEncoding",
                }
            )
            self._pdf.add_object(entry)
            self._fonts[name] = entry.reference
        self._forms = pydyf.Dictionary()
        self._resources = pydyf.Dictionary({"Font": self._fonts, "XObject": self._forms})
        self._pdf.add_object(self._resources)
        self._bookmarks: list[Bookmark] = []
        self._pages: list[pydyf.Dictionary] = []
        self._pdf.info["Title"] = pydyf.String(title)
        self._pdf.info["Subject"] = pydyf.String(about)
        self._pdf.info["Producer"] = pydyf.String("PAWS Live")
        if made_at:
            self._pdf.info["CreationDate"] = pydyf.String(f"D:{made_at}Z")
        self._pdf.catalog["Lang"] = pydyf.String("en")
        self._pdf.catalog["ViewerPreferences"] = pydyf.Dictionary({"DisplayDocTitle": "true"})

    @property
    def pages(self) -> int:
        """Number of pages so far."""
        return len(self._pages)

    def add_form(self, name: str, ink: Ink) -> None:
        """Keep a drawing under a name; pages draw it with ``/name Do``."""
        form = _packed(
            ink.content(),
            {
                "Type": "/XObject",
                "Subtype": "/Form",
                # Its origin is the corner of a frame: labels lie outside of that.
                "BBox": pydyf.Array([-60, -60, WIDTH, HEIGHT]),
                "Resources": pydyf.Dictionary({"Font": self._fonts}),
            },
        )
        self._pdf.add_object(form)
        self._forms[name] = form.reference

    def add_page(self, ink: Ink) -> None:
        """Add a page."""
        content = _packed(ink.content(), {})
        self._pdf.add_object(content)
        page = pydyf.Dictionary(
            {
                "Type": "/Page",
                "Parent": self._pdf.pages.reference,
                "MediaBox": pydyf.Array([0, 0, WIDTH, HEIGHT]),
                "Contents": content.reference,
                "Resources": self._resources.reference,
            }
        )
        self._pdf.add_page(page)
        self._pages.append(page)

    def mark(self, text: str, page: int, top: float) -> None:
        """Add a line to the outline: it leads to a height of a page, counted from 0."""
        self._bookmarks.append(Bookmark(text, page, top))

    def write(self, stream: BinaryIO) -> None:
        """Write the document."""
        self._add_outline()
        self._pdf.write(stream, version=b"1.7", compress=True)

    def _add_outline(self) -> None:
        if not self._bookmarks:
            return
        root = pydyf.Dictionary({"Type": "/Outlines", "Count": len(self._bookmarks)})
        self._pdf.add_object(root)
        entries: list[pydyf.Dictionary] = []
        for mark in self._bookmarks:
            target = pydyf.Array([self._pages[mark.page].reference, "/XYZ", "null", mark.top, "null"])
            title = encoded(mark.text).decode("cp1252")
            entry = pydyf.Dictionary({"Title": pydyf.String(title), "Parent": root.reference, "Dest": target})
            self._pdf.add_object(entry)
            entries.append(entry)
        for before, after in pairwise(entries):
            before["Next"], after["Prev"] = after.reference, before.reference
        root["First"], root["Last"] = entries[0].reference, entries[-1].reference
        self._pdf.catalog["Outlines"] = root.reference
        self._pdf.catalog["PageMode"] = "/UseOutlines"
