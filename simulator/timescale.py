"""Time at the telescope: dates as numbers, and the stars overhead."""

from __future__ import annotations

from datetime import UTC, datetime

LONGITUDE_DEG = 149.0661


def sidereal_degrees(moment: datetime) -> float:
    """Local mean sidereal time at the AAT (149.0661 E), degrees; good to a second of time."""
    days = modified_julian_date(moment) - 51544.5
    return (280.46061837 + 360.98564736629 * days + LONGITUDE_DEG) % 360.0


def modified_julian_date(moment: datetime) -> float:
    """MJD (UTC) of an aware moment."""
    epoch = datetime(1858, 11, 17, tzinfo=UTC)
    return (moment - epoch).total_seconds() / 86400.0
