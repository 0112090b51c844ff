"""Time at the telescope: dates as numbers, and the stars overhead."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from datetime import date as CalendarDate  # noqa: N812 - `date` is an argument here

from simulator.errors import InvalidPlanError

LONGITUDE_DEG = 149.0661


def sidereal_degrees(moment: datetime) -> float:
    """Local mean sidereal time at the AAT (149.0661 E), degrees; good to a second of time."""
    days = modified_julian_date(moment) - 51544.5
    return (280.46061837 + 360.98564736629 * days + LONGITUDE_DEG) % 360.0


def modified_julian_date(moment: datetime) -> float:
    """MJD (UTC) of an aware moment."""
    epoch = datetime(1858, 11, 17, tzinfo=UTC)
    return (moment - epoch).total_seconds() / 86400.0


def parse_night(date: str | CalendarDate) -> CalendarDate:
    """Read a night given as ``YYYYMMDD``.

    Raises
    ------
    InvalidPlanError
        It is not a date between 1996 and 2099.
    """
    if isinstance(date, CalendarDate):
        night = date
    else:
        digits = date.strip()
        if not re.fullmatch(r"[0-9]{8}", digits):
            raise InvalidPlanError(f"date must be YYYYMMDD, for example 20260312, got {date!r}")
        try:
            night = CalendarDate(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError as error:
            raise InvalidPlanError(f"{date!r} is not a date of the calendar: {error}") from error
    if not 1996 <= night.year <= 2099:
        raise InvalidPlanError(f"date must lie between 1996 and 2099, got {night:%Y%m%d}")
    return night
