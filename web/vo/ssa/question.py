"""What a query for spectra asks for: parameters of SSA 1.1 (section 4.1), checked. Pure."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from web.vo.problems import BadRequestError
from web.vo.spectra.files import FITS, PNG, VOTABLE
from web.vo.tap.parameters import Parameters

MAXREC: Final = 5_000
MOST_RECORDS: Final = 20_000
DEFAULT_SIZE: Final = 0.2
"""Degrees: diameter of the circle around POS without SIZE."""
_LEAST_RADIUS: Final = 1.05 / 3600
"""Degrees: the radius of a fibre. A circle of no size finds the fibres that a position lies in."""

_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?", re.ASCII)
_MOMENT: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?)?)?)?)?Z?",
    re.ASCII,
)
_MJD_EPOCH: Final = datetime(1858, 11, 17, tzinfo=UTC)
_MOST_VALUES: Final = 100
_ARMS: Final = ("blue", "red")
_FRAMES: Final = ("", "ICRS", "FK5")

METADATA: Final = "metadata"
_FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "all": (VOTABLE, FITS),
    "compliant": (VOTABLE, FITS),
    "native": (FITS,),
    "graphic": (PNG,),
    "votable": (VOTABLE,),
    "xml": (VOTABLE,),
    "fits": (FITS,),
    VOTABLE: (VOTABLE,),
    "text/xml": (VOTABLE,),
    "application/xml": (VOTABLE,),
    FITS: (FITS,),
    "image/fits": (FITS,),
    PNG: (PNG,),
    "image/*": (PNG,),
}


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`; infinite for open ends."""

    low: float
    high: float


@dataclass(frozen=True)
class Cone:
    """A circle on the sky, degrees, ICRS."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True)
class SsaQuestion:
    """A query for spectra. Where several values are given, one must fit.

    Attributes
    ----------
    formats
        Media types, one row of the answer for each.
    bands
        Wavelengths, metres in vacuum.
    arms
        Names of bands: arms of the spectrograph.
    times
        MJD, UTC.
    texts
        By column of ``ssap.spectra``, what it must be.
    figures
        By column, ranges that it must lie in.
    metadata
        Whether only the service is described.
    """

    cone: Cone | None = None
    bands: tuple[Range, ...] = ()
    arms: tuple[str, ...] = ()
    times: tuple[Range, ...] = ()
    texts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    figures: tuple[tuple[str, tuple[Range, ...]], ...] = ()
    formats: tuple[str, ...] = (VOTABLE,)
    limit: int = MAXREC
    metadata: bool = False


_TEXTS: Final = (
    ("TARGETNAME", "ssa_targname"),
    ("TARGETCLASS", "ssa_targclass"),
    ("PUBDID", "ssa_pubdid"),
    ("COLLECTION", "ssa_collection"),
    ("FLUXCALIB", "ssa_fluxcalib"),
    ("WAVECALIB", "ssa_speccalib"),
)
_FIGURES: Final = (("SNR", "ssa_snr"), ("SPECRP", "ssa_specrp"), ("APERTURE", "ssa_aperture"))
_CAPITALS: Final = ("ssa_fluxcalib", "ssa_speccalib")


def read_question(parameters: Parameters) -> SsaQuestion:
    """Check the parameters of a query; those that SSA does not know are ignored, as it asks.

    Raises
    ------
    BadRequestError
        If one is missing or wrong; the text names it.
    """
    request = parameters.one("REQUEST")
    if request is None or request.lower() != "querydata":
        raise BadRequestError(f"REQUEST is queryData, not {(request or '')[:40]!r}.")
    version = parameters.one("VERSION")
    if version is not None and not re.fullmatch(r"1(\.[0-9]+)?", version.strip(), re.ASCII):
        raise BadRequestError(f"VERSION {version[:20]!r} is not spoken here: this is SSA 1.1.")
    formats = _formats(parameters.one("FORMAT"))
    bands, arms = _bands(parameters.one("BAND"))
    return SsaQuestion(
        cone=_cone(parameters.one("POS"), parameters.one("SIZE")),
        bands=bands,
        arms=arms,
        times=_times(parameters.one("TIME")),
        texts=tuple(
            (column, _words(name, text, column in _CAPITALS))
            for name, column in _TEXTS
            if (text := parameters.one(name)) is not None
        ),
        figures=tuple(
            (column, tuple(_range(name, part) for part in _list(name, text)))
            for name, column in _FIGURES
            if (text := parameters.one(name)) is not None
        ),
        formats=formats,
        limit=_limit(parameters),
        metadata=formats == (METADATA,),
    )


def _limit(parameters: Parameters) -> int:
    most = parameters.most_rows(MAXREC, MOST_RECORDS)
    top = (parameters.one("TOP") or "").strip()
    return min(most, int(top)) if top.isascii() and top.isdecimal() and len(top) < 10 else most


def _formats(text: str | None) -> tuple[str, ...]:
    if text is None:
        return (VOTABLE,)
    names = [part.partition(";")[0].strip().lower() for part in text.split(",") if part.strip()]
    if METADATA in names:
        return (METADATA,)
    found = [media_type for name in names[:_MOST_VALUES] for media_type in _FORMATS.get(name, ())]
    # A format that nothing has is no mistake: the answer has no rows.
    return tuple(dict.fromkeys(found))


def _cone(pos: str | None, size: str | None) -> Cone | None:
    if pos is None:
        return None
    place, _semicolon, frame = pos.partition(";")
    if frame.strip().upper() not in _FRAMES:
        raise BadRequestError(f"POS: positions are in ICRS, not in {frame.strip()[:20]!r}.")
    parts = [part for part in re.split(r"[,\s]+", place.strip()) if part]
    if len(parts) != 2:
        raise BadRequestError(
            f"POS is right ascension and declination in degrees, such as 52.1,-28.3; not {pos[:60]!r}."
        )
    ra, dec = (read_number("POS", part) for part in parts)
    if not (-360 <= ra <= 360 and -90 <= dec <= 90):
        raise BadRequestError(f"POS {pos[:60]!r} is no place on the sky: degrees are expected.")
    diameter = DEFAULT_SIZE if size is None else read_number("SIZE", size.split(",")[0])
    if not 0 <= diameter <= 360:
        raise BadRequestError(f"SIZE is a diameter in degrees, 0 to 360; not {(size or '')[:40]!r}.")
    return Cone(ra % 360.0, dec, min(180.0, max(diameter / 2, _LEAST_RADIUS)))


def _bands(text: str | None) -> tuple[tuple[Range, ...], tuple[str, ...]]:
    if text is None:
        return (), ()
    ranges, arms = [], []
    for part in _list("BAND", text):
        if part.lower() in _ARMS:
            arms.append(part.lower())
        else:
            ranges.append(_range("BAND", part))
    return tuple(ranges), tuple(arms)


def _times(text: str | None) -> tuple[Range, ...]:
    return () if text is None else tuple(_time_range(part) for part in _list("TIME", text))


def _time_range(part: str) -> Range:
    first, slash, last = (piece.strip() for piece in part.partition("/"))
    if not first and not last:
        raise BadRequestError("TIME is a range of dates, such as 2026-03-12/2026-03-14.")
    low = _moment(first)[0] if first else -math.inf
    high = _moment(last)[1] if last else math.inf if slash else _moment(first)[1]
    if low > high:
        raise BadRequestError(f"TIME {part[:60]!r} ends before it begins.")
    return Range(low, high)


def _moment(text: str) -> tuple[float, float]:
    """First and last MJD of a date that may be as coarse as a year."""
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (
            None if part is None else int(part) for part in found.groups()
        )
        begin = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=UTC)
    except ValueError:
        raise BadRequestError(
            f"TIME: {text[:40]!r} is no date; write 2026-03-12 or 2026-03-12T11:30:00 (UTC)."
        ) from None
    if month is None:
        length = timedelta(days=366 if calendar.isleap(begin.year) else 365)
    elif day is None:
        length = timedelta(days=calendar.monthrange(begin.year, begin.month)[1])
    else:
        length = timedelta(
            seconds=86400 if hour is None else 3600 if minute is None else 60 if second is None else 1
        )
    start = (begin - _MJD_EPOCH) / timedelta(days=1)
    return start, start + length / timedelta(days=1)


def _words(name: str, text: str, capitals: bool) -> tuple[str, ...]:
    found = tuple(part[:200] for part in _list(name, text))
    return tuple(part.upper() for part in found) if capitals else found


def _list(name: str, text: str) -> Sequence[str]:
    """Values of a list, without the qualifier behind a semicolon."""
    parts = [part.strip() for part in text.partition(";")[0].split(",") if part.strip()]
    if not parts:
        raise BadRequestError(f"{name} is given without a value.")
    if len(parts) > _MOST_VALUES:
        raise BadRequestError(f"{name} has {len(parts)} values; at most {_MOST_VALUES} are compared.")
    return parts


def _range(name: str, part: str) -> Range:
    first, slash, last = (piece.strip() for piece in part.partition("/"))
    if not first and not last:
        raise BadRequestError(f"{name} is a value or a range such as 4e-7/5e-7, not {part[:40]!r}.")
    low = read_number(name, first) if first else -math.inf
    high = read_number(name, last) if last else math.inf if slash else low
    if low > high:
        raise BadRequestError(f"{name} {part[:60]!r} ends before it begins: write the lower value first.")
    return Range(low, high)


def read_number(name: str, text: str) -> float:
    """A finite number.

    Raises
    ------
    BadRequestError
        If the text is none.
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise BadRequestError(f"{name}: {text[:40]!r} is no number.")
    value = float(text)
    if not math.isfinite(value):
        raise BadRequestError(f"{name}: {text[:40]!r} is too large.")
    return value
