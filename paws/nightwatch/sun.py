"""When the Sun sets and rises at the site, and when it is dark. Computed here: nothing is asked of a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from paws.clock import MJD_EPOCH, from_mjd, night_date

SETTING: Final = -0.833
"""Altitude of the Sun's centre at sunset, degree: refraction and radius."""
TWILIGHTS: Final = {"civil": -6.0, "nautical": -12.0, "astronomical": -18.0}
_STEP_MINUTES: Final = 4
_MJD_ZERO: Final = 2_400_000.5
_TT_AHEAD: Final = 69.2 / 86400.0
"""Terrestrial time less UTC, days: 69.2 s since 2017. The Sun moves 3 arcsec in a minute of it."""


@dataclass(frozen=True)
class Darkness:
    """Evening and morning of an altitude of the Sun; None where it does not pass it in that night."""

    name: str
    evening: datetime | None
    morning: datetime | None


def sun_altitude(mjd: NDArray[np.float64], longitude: float, latitude: float) -> NDArray[np.float64]:
    """Altitude of the Sun's centre above the horizon, degree, without refraction.

    Parameters
    ----------
    mjd : ndarray
        Modified Julian dates (UTC).
    longitude, latitude
        Of the site, degrees, east and north.

    Notes
    -----
    Right to an arcminute: UT1 is taken for UTC, and the direction to the Sun is not corrected for aberration (20 arcsec).
    """
    tt = mjd + _TT_AHEAD
    to_earth, _velocity = erfa.epv00(_MJD_ZERO, tt)
    heliocentric = to_earth["p"]
    # Both from the centre of the Earth: the Sun's parallax is 9 arcsec.
    of_date = np.einsum("...ij,...j->...i", erfa.pnm06a(_MJD_ZERO, tt), -heliocentric)
    x, y, z = np.moveaxis(of_date, -1, 0)
    ascension, declination = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
    hour = erfa.gst06a(_MJD_ZERO, mjd, _MJD_ZERO, tt) + np.radians(longitude) - ascension
    phi = np.radians(latitude)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))


@lru_cache(maxsize=64)
def darkness_of(night: str, longitude: float, latitude: float) -> tuple[Darkness, ...]:
    """Sunset and the three twilights of a night, each with its evening and its morning."""
    noon = datetime.combine(night_date(night), time(12), UTC) - timedelta(hours=longitude / 15.0)
    start = (noon - MJD_EPOCH) / timedelta(days=1)
    mjd = start + np.arange(0, 24 * 60 + 1, _STEP_MINUTES) / 1440.0
    altitude = sun_altitude(mjd, longitude, latitude)
    levels = {"sunset": SETTING, **TWILIGHTS}
    return tuple(
        Darkness(name, _crossing(mjd, altitude, level, -1), _crossing(mjd, altitude, level, 1))
        for name, level in levels.items()
    )


def _crossing(
    mjd: NDArray[np.float64], altitude: NDArray[np.float64], level: float, direction: int
) -> datetime | None:
    """When the altitude passes a level: first downwards (-1), or last upwards (1)."""
    above = altitude - level
    found = np.nonzero((np.sign(above[1:]) != np.sign(above[:-1])) & (np.sign(np.diff(above)) == direction))[
        0
    ]
    if not len(found):
        return None
    at = int(found[0] if direction < 0 else found[-1])
    part = above[at] / (above[at] - above[at + 1])
    return from_mjd(float(mjd[at] + part * (mjd[at + 1] - mjd[at]))).replace(microsecond=0)
