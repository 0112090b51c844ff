"""Time: always UTC and aware; nights roll over at local noon of the site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

Clock = Callable[[], datetime]
"""What tells the time. Passed in, so that tests can turn it."""

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def from_mjd(mjd: float) -> datetime:
    """Time of a modified Julian date (UTC), to the microsecond."""
    return MJD_EPOCH + timedelta(days=mjd)


def from_nanoseconds(nanoseconds: int) -> datetime:
    """Time of a file system's count since 1970, down to the microsecond.

    Exact: the same count gives the same time, which floating seconds do not.
    """
    return UNIX_EPOCH + timedelta(microseconds=nanoseconds // 1000)


def night_of(moment: datetime, longitude: float) -> str:
    """Night that a moment belongs to: ``YYYYMMDD`` of the civil date at the site when the night began.

    Parameters
    ----------
    moment
        Aware time.
    longitude
        Of the site, degrees east. Local mean time serves: no time zone's rule changes the night.

    Notes
    -----
    The night changes at local mean noon, when nobody observes. The Anglo-Australian Telescope names its
    folders by the UT date at the start of the afternoon's calibrations, which is the same date.
    """
    local = moment.astimezone(UTC) + timedelta(hours=longitude / 15.0)
    return (local - timedelta(hours=12)).strftime("%Y%m%d")


def night_date(night: str) -> date:
    """Calendar date of a night."""
    return datetime.strptime(night, "%Y%m%d").replace(tzinfo=UTC).date()


def nights_apart(one: str, other: str) -> int:
    """Number of nights from one to the other, positive when `other` is later."""
    return (night_date(other) - night_date(one)).days
