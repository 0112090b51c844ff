"""The pages of spectra: several on a page, each with what is known of its target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from web.pages import words
from web.pdf import curves
from web.pdf.paper import BLACK, GREY, HEIGHT, PALE, WIDTH, Colour, Ink, Paper, fitted
from web.pdf.reading import Floats, Sheet
from web.pdf.sky import bright, within
from web.spectra import FibreRow
from web.ticks import ticks

PER_PAGE: Final = 6
LEFT: Final = 46.0
RIGHT: Final = 22.0
TOP: Final = 44.0
BOTTOM: Final = 30.0
FRAME_WIDTH: Final = WIDTH - LEFT - RIGHT
PITCH: Final = (HEIGHT - TOP - BOTTOM) / PER_PAGE
FRAME_HEIGHT: Final = PITCH - 33.0
_PLACES: Final = 880
"""Places of a curve along the frame, 0.6 points each: finer than its line is wide on most printers."""

_FLUX: Final[Colour] = (0.08, 0.25, 0.46)
_SIGMA: Final[Colour] = (0.72, 0.52, 0.32)
_EMISSION: Final[Colour] = (1.0, 0.93, 0.75)
_ABSORPTION: Final[Colour] = (0.9, 0.93, 0.96)
_AXIS: Final = "axis"


@dataclass(frozen=True, eq=False)
class Curves:
    """What is drawn of all spectra of a product, made at once."""

    flux: curves.Envelope
    sigma: curves.Envelope | None
    ranges: NDArray[np.float64]


def curves_of(sheet: Sheet) -> Curves:
    """Prepare the curves of a product."""
    left_out = bright(sheet.waves) if sheet.axis == "wavelength" else np.zeros(sheet.flux.shape[1], bool)
    ranges = curves.spread(sheet.flux, left_out)
    sigma: Floats | None = sheet.sigma
    return Curves(
        flux=curves.envelope(sheet.flux, FRAME_WIDTH, _PLACES),
        sigma=None if sigma is None else curves.envelope(sigma, FRAME_WIDTH, _PLACES // 4),
        ranges=ranges,
    )


def add_spectra(paper: Paper, sheet: Sheet) -> None:
    """Add the pages of all spectra that hold anything, and a list of those that do not."""
    paper.add_form(_AXIS, _axis(sheet))
    drawn = curves_of(sheet)
    filled = [index for index in range(len(sheet.fibres)) if sheet.filled[index]]
    empty = [fibre for fibre in sheet.fibres if not sheet.filled[fibre.fibre - 1]]
    for first in range(0, len(filled), PER_PAGE):
        ink = Ink()
        running_head(ink, sheet, paper.pages + 1)
        for place, index in enumerate(filled[first : first + PER_PAGE]):
            bottom = HEIGHT - TOP - (place + 1) * PITCH + 18.0
            fibre = sheet.fibres[index]
            paper.mark(f"{fibre.fibre}  {fibre.name or kind_of(fibre)}", paper.pages, bottom + PITCH)
            _panel(ink, sheet, drawn, index, bottom)
        paper.add_page(ink)
    if empty:
        _add_empty(paper, sheet, empty)


def running_head(ink: Ink, sheet: Sheet, number: int) -> None:
    """What stands at the head of each page."""
    y = HEIGHT - 26.0
    where = " · ".join(
        part for part in (sheet.card("OBJECT"), sheet.card("UTDATE").replace(":", "-")) if part
    )
    text, size = fitted(f"{sheet.name}   {where}", 8.0, FRAME_WIDTH - 60)
    ink.text(LEFT, y, text, size, colour=GREY)
    ink.text(WIDTH - RIGHT, y, str(number), 8.0, colour=GREY, align="right")


def kind_of(fibre: FibreRow) -> str:
    """What a fibre is there for."""
    return words.word(words.FIBRE_TYPES, fibre.type) or "unknown type"


def sexagesimal(ra: float | None, dec: float | None) -> str:
    """A position as it is written, J2000: 02:21:39.44 -28:54:32.3; empty when it is not known."""
    if ra is None or dec is None or not -90 <= dec <= 90:
        return ""
    hundredths = round(ra % 360.0 / 15.0 * 360_000) % (24 * 360_000)
    tenths = round(abs(dec) * 36_000)
    hours, rest = divmod(hundredths, 360_000)
    degrees, left = divmod(tenths, 36_000)
    return (
        f"{hours:02d}:{rest // 6000:02d}:{rest % 6000 / 100:05.2f} "
        f"{'-' if dec < 0 else '+'}{degrees:02d}:{left // 600:02d}:{left % 600 / 10:04.1f}"
    )


def facts_of(fibre: FibreRow, signal_to_noise: float) -> str:
    """What is said of a spectrum beside the name of its target."""
    parts = [kind_of(fibre), sexagesimal(fibre.ra, fibre.dec)]
    if fibre.magnitude is not None and 0 < fibre.magnitude < 99:
        parts.append(f"mag {fibre.magnitude:.2f}")
    if math.isfinite(signal_to_noise):
        parts.append(f"S/N {signal_to_noise:.1f}")
    if fibre.pivot is not None:
        parts.append(f"pivot {fibre.pivot}")
    return "   ".join(part for part in parts if part)


def _panel(ink: Ink, sheet: Sheet, drawn: Curves, index: int, bottom: float) -> None:
    fibre = sheet.fibres[index]
    top = bottom + FRAME_HEIGHT
    facts, size = fitted(facts_of(fibre, float(sheet.signal_to_noise[index])), 7.5, FRAME_WIDTH * 0.72)
    ink.text(LEFT - 6, top + 4.5, str(fibre.fibre), 8.5, bold=True, colour=GREY, align="right")
    taken = ink.text(WIDTH - RIGHT, top + 4.5, facts, size, align="right")
    name, size = fitted(fibre.name, 8.5, FRAME_WIDTH - taken - 10, bold=True)
    ink.text(LEFT, top + 4.5, name, size, bold=True)
    low, high = (float(value) for value in drawn.ranges[index])
    for value in ticks(low, high, 4):
        y = bottom + (value - low) / (high - low) * FRAME_HEIGHT
        ink.line([(LEFT - 3, y), (LEFT, y)], GREY)
        if abs(value) < 1e-12 * (high - low):
            ink.line([(LEFT, y), (LEFT + FRAME_WIDTH, y)], PALE, 0.4)
        ink.text(LEFT - 5, y - 2.0, curves.tick_text(value), 6.0, colour=GREY, align="right")
    ink.raw(b"q 1 0 0 1 %.2f %.2f cm /%s Do Q" % (LEFT, bottom, _AXIS.encode()))
    ink.raw(
        b"q %.2f %.2f %.2f %.2f re W n %g 0 0 %g %.2f %.2f cm 1 j"
        % (LEFT, bottom, FRAME_WIDTH, FRAME_HEIGHT, curves.UNIT, curves.UNIT, LEFT, bottom)
    )
    if drawn.sigma is not None:
        ink.raw(b"%.2f %.2f %.2f RG 3 w" % _SIGMA)
        ink.raw(curves.polyline(drawn.sigma.x, drawn.sigma.y[index], low, high, FRAME_HEIGHT) + b"S")
    ink.raw(b"%.2f %.2f %.2f RG 3.5 w" % _FLUX)
    ink.raw(curves.polyline(drawn.flux.x, drawn.flux.y[index], low, high, FRAME_HEIGHT) + b"S Q")


def _axis(sheet: Sheet) -> Ink:
    """Frame, ticks and marks of the sky: the same in every panel, so drawn once."""
    ink = Ink()
    across = FRAME_WIDTH / (sheet.high - sheet.low)

    def place(wave: float) -> float:
        return min(max((wave - sheet.low) * across, 0.0), FRAME_WIDTH)

    if sheet.axis == "wavelength":
        marks = within(sheet.low, sheet.high)
        for mark in marks:
            left, right = place(mark.low), place(mark.high)
            fill = _ABSORPTION if mark.absorbs else _EMISSION
            ink.box(left, 0, max(right - left, 0.8), FRAME_HEIGHT, fill=fill)
        free = -1.0
        for mark in sorted(marks, key=lambda one: one.low):
            at = place(mark.middle)
            if mark.name and at - 8 > free and at < FRAME_WIDTH - 8:
                free = at + ink.text(at, FRAME_HEIGHT - 6.5, mark.name, 4.6, colour=GREY, align="centre") / 2
    for value in ticks(sheet.low, sheet.high, 14):
        at = place(value)
        ink.line([(at, 0), (at, -3)], GREY)
        ink.line([(at, FRAME_HEIGHT), (at, FRAME_HEIGHT - 2)], GREY)
        if 8 < at < FRAME_WIDTH - 8:
            ink.text(at, -9.5, f"{value:g}", 6.0, colour=GREY, align="centre")
    ink.box(0, 0, FRAME_WIDTH, FRAME_HEIGHT, edge=GREY)
    return ink


def _add_empty(paper: Paper, sheet: Sheet, empty: list[FibreRow]) -> None:
    """The fibres that have no spectrum, by number, so that none is missed and every name is found."""
    columns, lines = 3, 68
    for first in range(0, len(empty), columns * lines):
        ink = Ink()
        running_head(ink, sheet, paper.pages + 1)
        top = HEIGHT - TOP - 14
        ink.text(LEFT, top, "Fibres without a spectrum", 12.0, bold=True)
        if first == 0:
            paper.mark("Fibres without a spectrum", paper.pages, top + 20)
        for place, fibre in enumerate(empty[first : first + columns * lines]):
            x = LEFT + 14 + (place // lines) * (FRAME_WIDTH / columns)
            y = top - 20 - (place % lines) * 10.2
            ink.text(x, y, str(fibre.fibre), 7.5, bold=True, align="right")
            text, size = fitted(
                "  ".join(part for part in (kind_of(fibre), fibre.name) if part),
                7.5,
                FRAME_WIDTH / columns - 24,
            )
            ink.text(x + 5, y, text, size, colour=BLACK)
        paper.add_page(ink)
