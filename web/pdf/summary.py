"""The first page: what the product is, how good it is, in numbers and two small plots."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from web.pages import words
from web.pdf.panels import LEFT, RIGHT, running_head
from web.pdf.paper import BLACK, GREY, HEIGHT, PALE, WIDTH, Colour, Ink, Paper, fitted
from web.pdf.reading import Sheet
from web.ticks import ticks

_STEPS: Final[tuple[tuple[float, str, Colour], ...]] = (
    (1.0, "< 1", (0.27, 0.0, 0.33)),
    (3.0, "1 to 3", (0.24, 0.29, 0.54)),
    (5.0, "3 to 5", (0.15, 0.5, 0.56)),
    (10.0, "5 to 10", (0.21, 0.66, 0.44)),
    (20.0, "10 to 20", (0.56, 0.8, 0.2)),
    (math.inf, "> 20", (0.93, 0.73, 0.06)),
)
"""Signal to noise by colour: the same in every product, so that two can be compared. Told apart in grey as well."""

_CARDS: Final = (
    ("OBJECT", "Field or object"),
    ("UTDATE", "Date (UT)"),
    ("UTSTART", "Start (UT)"),
    ("EXPOSED", "Exposed (s)"),
    ("SPECTID", "Arm"),
    ("GRATID", "Grating"),
    ("LAMBDCR", "Central wavelength (Angstrom)"),
    ("DICHROIC", "Dichroic"),
    ("SOURCE", "Plate"),
    ("CFG_FILE", "Configuration"),
    ("AAOPRGID", "Proposal"),
    ("RUN", "Run"),
    ("MEANRA", "Field centre RA (deg)"),
    ("MEANDEC", "Field centre Dec (deg)"),
    ("ZDSTART", "Zenith distance (deg)"),
    ("PAWSENG", "Reduced by"),
    ("PAWSVER", "PAWS Live"),
    ("TDFDRVER", "Version of the reducer"),
    ("PAWSDATE", "Reduced (UT)"),
    ("PAWSLVL", "Calibration level, worst"),
)
_QUALITY: Final = (
    ("QSKYRES", "Sky residual (fraction)"),
    ("QSKYNSE", "Sky residual / noise"),
    ("QARCRMS", "Arc rms (pixel)"),
    ("QFWHM", "Fibre profile (pixel)"),
    ("QDRIFT", "Fibre shift since flat (pixel)"),
    ("QWDRIFT", "Wavelength shift since arc (pixel)"),
    ("QTHPUT", "Throughput spread (fraction)"),
    ("QCOSMIC", "Cosmic-ray pixels"),
    ("QSATUR", "Saturated (fraction)"),
)


def add_summary(paper: Paper, sheet: Sheet) -> None:
    """Add the page."""
    ink = Ink()
    running_head(ink, sheet, 1)
    paper.mark("Summary", 0, HEIGHT)
    top = HEIGHT - 66.0
    title, size = fitted(sheet.card("OBJECT") or sheet.name, 18.0, WIDTH - LEFT - RIGHT, bold=True)
    ink.text(LEFT, top, title, size, bold=True)
    ink.text(LEFT, top - 14, _subtitle(sheet), 9.0, colour=GREY)
    middle = _facts(ink, sheet, top - 38)
    _magnitudes(ink, sheet, LEFT + 22, middle - 262, 225, 225)
    _plate(ink, sheet, WIDTH - RIGHT - 225, middle - 262, 225)
    _legend(ink, sheet, middle - 300)
    paper.add_page(ink)


def colour_of(signal_to_noise: float) -> Colour:
    """Colour of a signal to noise."""
    return next(colour for limit, _text, colour in _STEPS if signal_to_noise < limit or limit == math.inf)


def _subtitle(sheet: Sheet) -> str:
    kinds = Counter(words.word(words.FIBRE_TYPES, fibre.type) or "unknown" for fibre in sheet.fibres)
    counted = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    axis = f"{sheet.low:.0f} to {sheet.high:.0f} " + (
        "Angstrom in air" if sheet.axis == "wavelength" else "pixels"
    )
    fibres = "1 fibre" if len(sheet.fibres) == 1 else f"{len(sheet.fibres)} fibres"
    return f"{fibres}: {counted}.  {axis}."


def _facts(ink: Ink, sheet: Sheet, top: float) -> float:
    """Numbers in two columns; gives the height below them."""
    left = [(name, value) for keyword, name in _CARDS if (value := _told(sheet, keyword))]
    if sheet.header.get("PAWSPROV") is True:
        left.append(("Provisional", "made with less than the best calibrations"))
    right = quality_lines(sheet)
    right += [(name, value) for keyword, name in _QUALITY if (value := _told(sheet, keyword))]
    half = (WIDTH - LEFT - RIGHT) / 2
    for column, lines in enumerate((left, right)):
        x = LEFT + column * half
        for place, (name, value) in enumerate(lines):
            y = top - place * 12.2
            ink.text(x, y, name, 8.0, colour=GREY)
            text, size = fitted(value, 8.0, half - 142)
            ink.text(x + 136, y, text, size)
    return top - max(len(left), len(right), 1) * 12.2 - 8


def _told(sheet: Sheet, keyword: str) -> str:
    """A card as people read it."""
    value = sheet.header.get(keyword, "")
    if keyword == "PAWSLVL":
        return f"L{value}" if isinstance(value, int) and value >= 0 else ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def quality_lines(sheet: Sheet) -> list[tuple[str, str]]:
    """What the spectra themselves say of their quality."""
    targets = np.array([fibre.type == "P" for fibre in sheet.fibres])
    ratios = sheet.signal_to_noise[targets & np.isfinite(sheet.signal_to_noise)]
    lines = [
        ("Spectra", str(int(sheet.filled.sum()))),
        ("Targets with a spectrum", str(int((targets & sheet.filled).sum()))),
    ]
    if len(ratios):
        per = "per Angstrom" if sheet.axis == "wavelength" else "per pixel"
        lines += [
            (f"Median S/N {per}", f"{np.median(ratios):.2f}"),
            (
                "S/N, faintest to best tenth",
                f"{np.percentile(ratios, 10):.2f} to {np.percentile(ratios, 90):.2f}",
            ),
            (
                "Targets above S/N 3, 5, 10",
                ", ".join(f"{100 * float((ratios >= one).mean()):.0f} %" for one in (3, 5, 10)),
            ),
        ]
    good = np.isfinite(sheet.flux[sheet.filled])
    if good.size:
        lines.append(("Samples without a value", f"{100 * (1 - float(good.mean())):.2f} %"))
    return lines


def _box(ink: Ink, x: float, y: float, width: float, height: float, title: str) -> None:
    ink.text(x, y + height + 7, title, 9.0, bold=True)
    ink.box(x, y, width, height, edge=GREY)


def _magnitudes(ink: Ink, sheet: Sheet, x: float, y: float, width: float, height: float) -> None:
    """Signal to noise against magnitude, logarithmic upwards."""
    _box(ink, x, y, width, height, "S/N against magnitude")
    points = [
        (fibre.magnitude, float(ratio))
        for fibre, ratio in zip(sheet.fibres, sheet.signal_to_noise, strict=True)
        if fibre.type == "P"
        and fibre.magnitude is not None
        and 0 < fibre.magnitude < 99
        and math.isfinite(ratio)
    ]
    if not points:
        ink.text(x + width / 2, y + height / 2, "no magnitudes of targets", 8.0, colour=GREY, align="centre")
        return
    magnitudes = [point[0] for point in points]
    low, high = min(magnitudes) - 0.3, max(magnitudes) + 0.3
    ratios = [max(point[1], 0.1) for point in points]
    bottom, top = math.log10(min(ratios)) - 0.1, math.log10(max(ratios)) + 0.1

    def at(magnitude: float, ratio: float) -> tuple[float, float]:
        up = (math.log10(max(ratio, 0.1)) - bottom) / (top - bottom)
        return x + width * (magnitude - low) / (high - low), y + height * up

    for value in ticks(low, high, 6):
        across = at(value, 1.0)[0]
        ink.line([(across, y), (across, y - 3)], GREY)
        ink.text(across, y - 10, f"{value:g}", 6.5, colour=GREY, align="centre")
    for value in _decades(bottom, top):
        up = at(low, value)[1]
        ink.line([(x, up), (x + width, up)], PALE, 0.3)
        ink.text(x - 4, up - 2, f"{value:g}", 6.5, colour=GREY, align="right")
    ink.text(x + width / 2, y - 20, "magnitude", 7.5, colour=GREY, align="centre")
    ink.text(x - 22, y + height / 2, "S/N", 7.5, colour=GREY, align="centre", turned=True)
    _dots_by_colour(ink, [(*at(magnitude, ratio), ratio) for magnitude, ratio in points])


def _decades(bottom: float, top: float) -> list[float]:
    values = [
        one * 10.0**power for power in range(math.floor(bottom), math.ceil(top) + 1) for one in (1, 2, 5)
    ]
    return [value for value in values if bottom <= math.log10(value) <= top]


def _dots_by_colour(ink: Ink, points: Sequence[tuple[float, float, float]], size: float = 3.6) -> None:
    for _limit, _text, colour in _STEPS:
        ink.dots([(x, y) for x, y, ratio in points if colour_of(ratio) == colour], colour, size)


def _plate(ink: Ink, sheet: Sheet, x: float, y: float, side: float) -> None:
    """Where the fibres are on the plate, targets coloured by signal to noise."""
    places, what = _places(sheet)
    _box(ink, x, y, side, side, f"S/N {what}")
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        ink.text(
            x + side / 2, y + side / 2, "no positions in the fibre table", 8.0, colour=GREY, align="centre"
        )
        return
    centre = (places[known].max(axis=0) + places[known].min(axis=0)) / 2
    reach = float(np.abs(places[known] - centre).max()) * 1.07 or 1.0
    spots = [
        (
            float(x + side / 2 * (1 + (place[0] - centre[0]) / reach)),
            float(y + side / 2 * (1 + (place[1] - centre[1]) / reach)),
        )
        for place in places
    ]
    rows = list(zip(sheet.fibres, spots, known, sheet.signal_to_noise, strict=True))
    sky = [spot for fibre, spot, there, _ratio in rows if there and fibre.type == "S"]
    other = [
        spot
        for fibre, spot, there, ratio in rows
        if there and fibre.type != "S" and not (fibre.type == "P" and math.isfinite(ratio))
    ]
    ink.dots(other, PALE, 2.4)
    ink.dots(sky, GREY, 3.6)
    ink.dots(sky, (1.0, 1.0, 1.0), 2.4)
    _dots_by_colour(
        ink,
        [
            (*spot, float(ratio))
            for fibre, spot, there, ratio in rows
            if there and fibre.type == "P" and math.isfinite(ratio)
        ],
    )


def _places(sheet: Sheet) -> tuple[np.ndarray, str]:
    """Positions to draw, and in which plane they are."""
    if np.isfinite(sheet.plate).all(axis=1).any() and np.nanmax(np.abs(sheet.plate)) > 0:
        return sheet.plate, "on the plate (x, y)"
    sky = np.array(
        [
            (np.nan, np.nan) if fibre.ra is None or fibre.dec is None else (fibre.ra, fibre.dec)
            for fibre in sheet.fibres
        ]
    )
    good = np.isfinite(sky).all(axis=1)
    if good.any():
        middle = sky[good][0]
        # East is left, as on the sky; the field may lie across 0 h.
        across = (sky[:, 0] - middle[0] + 180.0) % 360.0 - 180.0
        sky = np.column_stack([-across * math.cos(math.radians(float(middle[1]))), sky[:, 1] - middle[1]])
    return sky, "on the sky (north up, east left)"


def _legend(ink: Ink, sheet: Sheet, y: float) -> None:
    x = LEFT
    x += ink.text(x, y, "S/N", 7.5, colour=GREY) + 8
    for _limit, text, colour in _STEPS:
        ink.dots([(x, y + 2.4)], colour, 5.0)
        x += 6 + ink.text(x + 5, y, text, 7.5) + 10
    ink.dots([(x, y + 2.4)], GREY, 5.0)
    ink.dots([(x, y + 2.4)], (1.0, 1.0, 1.0), 3.6)
    x += 6 + ink.text(x + 5, y, "sky", 7.5) + 10
    ink.dots([(x, y + 2.4)], PALE, 3.6)
    ink.text(x + 5, y, "others", 7.5)
    unit = f" Flux in {sheet.unit}." if sheet.unit else ""
    notes = (
        f"On the following pages: flux in blue, its standard error in brown.{unit} Yellow: bright lines of the night sky; "
        "grey: absorption by the air.",
        "A frame shows the range of the spectrum outside of bright sky lines; what is larger is cut at its edge. "
        "S/N is the median over the spectrum.",
    )
    for place, note in enumerate(notes):
        text, size = fitted(note, 7.5, WIDTH - LEFT - RIGHT)
        ink.text(LEFT, y - 16 - 10 * place, text, size, colour=GREY)
    room = int((y - 60 - 24) / 8.4)
    lines = list(sheet.history)[-min(room, 14) :] if room > 0 else []
    if lines:
        ink.text(LEFT, y - 48, "History, its end", 9.0, bold=True)
    for place, line in enumerate(lines):
        text, size = fitted(line, 6.5, WIDTH - LEFT - RIGHT)
        ink.text(LEFT, y - 60 - 8.4 * place, text, size, colour=BLACK)
