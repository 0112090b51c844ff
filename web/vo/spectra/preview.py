"""A picture of a spectrum, for clients that show one beside a row of results."""

from __future__ import annotations

import math
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from web.spectrum_files import flux_unit
from web.ticks import ticks
from web.vo.spectra.samples import Samples

WIDTH: Final = 720
HEIGHT: Final = 320
_FINE: Final = 2
"""Drawn this many times as large, and made smaller: lines without steps."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 30, 40
_BACKGROUND: Final = "white"
_INK: Final = "#1d2733"
_GRID: Final = "#dde3ea"
_LINE: Final = "#1f5f99"
_ERROR: Final = "#bcd3e8"
_LONGEST_TITLE: Final = 90
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def picture(samples: Samples, title: str) -> bytes:
    """Draw a spectrum with its error as PNG: flux against wavelength, between percentiles that leave spikes out."""
    image = Image.new("RGB", (WIDTH * _FINE, HEIGHT * _FINE), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    box = (_LEFT * _FINE, _TOP * _FINE, (WIDTH - _RIGHT) * _FINE, (HEIGHT - _BOTTOM) * _FINE)
    low, high = samples.range
    bottom, top = flux_range(samples.flux)
    across = _Scale(low, high, box[0], box[2])
    upward = _Scale(bottom, top, box[3], box[1])
    _axes(draw, box, across, upward)
    _curve(draw, box, samples, across, upward)
    draw.rectangle(box, outline=_INK, width=_FINE)
    # The picture's font has Latin letters; a name in others would be a row of boxes.
    shown = title[:_LONGEST_TITLE].encode("latin-1", "replace").decode("latin-1")
    draw.text((box[0], 8 * _FINE), shown, _INK, _font(13 * _FINE))
    words = f"wavelength in {samples.medium} (Angstrom)"
    draw.text(((box[0] + box[2]) / 2, (HEIGHT - 19) * _FINE), words, _INK, _font(11 * _FINE), anchor="ma")
    unit = flux_unit(samples.unit)
    draw.text((box[2], 8 * _FINE), f"flux ({unit})" if unit else "flux", _INK, _font(11 * _FINE), anchor="ra")
    out = BytesIO()
    # Few colours: a palette makes the file a third as large.
    image.reduce(_FINE).quantize(32, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        out, "PNG"
    )
    return out.getvalue()


class _Scale:
    """From values to places in the picture."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high
        self._start = start
        self._slope = (end - start) / (high - low if high > low else 1.0)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._start + (values - self.low) * self._slope


def flux_range(flux: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest flux that is shown: the 0.5th and 99.5th percentile, with room around them."""
    good = flux[np.isfinite(flux)]
    if not good.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(good, (0.5, 99.5)))
    room = 0.12 * (high - low) or max(abs(high) * 0.1, 1e-30)
    return low - room, high + room


def _axes(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], across: _Scale, upward: _Scale) -> None:
    font = _font(11 * _FINE)
    for value in ticks(across.low, across.high, 8, _STEPS) or [across.low]:
        x = float(across(np.array(value)))
        draw.line((x, box[1], x, box[3]), _GRID, _FINE)
        draw.text((x, box[3] + 4 * _FINE), f"{value:g}", _INK, font, anchor="ma")
    for value in ticks(upward.low, upward.high, 5, _STEPS):
        y = float(upward(np.array(value)))
        draw.line((box[0], y, box[2], y), _GRID, _FINE)
        draw.text((box[0] - 5 * _FINE, y), f"{value:.4g}", _INK, font, anchor="rm")


def _curve(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    samples: Samples,
    across: _Scale,
    upward: _Scale,
) -> None:
    """Line through the means of what falls on one place, with a band of one standard error."""
    places = np.clip(across(samples.wavelength).astype(int), box[0], box[2] - 1) - box[0]
    count = box[2] - box[0]

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        good = np.isfinite(values)
        number = np.bincount(places[good], minlength=count)
        with np.errstate(invalid="ignore"):
            return np.bincount(places[good], values[good], minlength=count) / np.where(number, number, np.nan)

    flux = means(samples.flux)
    xs = np.arange(count) + box[0]

    def height(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(upward(values), box[1], box[3])

    gap = _gap(samples, count)
    shown = np.flatnonzero(np.isfinite(flux))
    error = None if samples.error is None else means(samples.error)
    for part in np.split(shown, np.flatnonzero(np.diff(shown) > gap) + 1) if shown.size else []:
        if error is not None:
            band = part[np.isfinite(error[part])]
            upper, lower = height(flux[band] + error[band]), height(flux[band] - error[band])
            edge = [*zip(xs[band], upper, strict=True), *zip(xs[band][::-1], lower[::-1], strict=True)]
            if len(band) > 1:
                draw.polygon([(float(x), float(y)) for x, y in edge], fill=_ERROR)
        points = [(float(x), float(y)) for x, y in zip(xs[part], height(flux[part]), strict=True)]
        if len(points) > 1:
            draw.line(points, _LINE, 3 * _FINE // 2, joint="curve")
        elif points:
            draw.point(points, _LINE)


def _gap(samples: Samples, count: int) -> int:
    """Empty places that part the line: what is narrower only has fewer samples than places."""
    return max(2, math.ceil(2 * count / max(1, len(samples.wavelength))))
