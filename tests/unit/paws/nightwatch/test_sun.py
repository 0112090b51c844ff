from __future__ import annotations

from datetime import timedelta

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, get_sun
from astropy.time import Time
from astropy.utils import iers

from paws.clock import night_of
from paws.nightwatch.sun import darkness_of, sun_altitude

SITE = (149.0661, -31.2754)


def test_the_sun_stands_where_astropy_has_it():
    mjd = np.array([51544.4, 56000.1, 58849.83, 59200.2, 59800.55, 60500.9])
    place = EarthLocation.from_geodetic(SITE[0] * u.deg, SITE[1] * u.deg, 1164 * u.m)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        when = Time(mjd, format="mjd")
        expected = get_sun(when).transform_to(AltAz(obstime=when, location=place)).alt.deg
    assert np.abs(sun_altitude(mjd, *SITE) - expected).max() < 1.5 / 60


@pytest.mark.parametrize("night", ["20260312", "20260621", "20251221", "20240229"])
def test_evening_and_morning_follow_one_another_within_the_night(night):
    found = darkness_of(night, *SITE)
    assert [item.name for item in found] == ["sunset", "civil", "nautical", "astronomical"]
    evenings, mornings = [item.evening for item in found], [item.morning for item in found]
    assert evenings == sorted(evenings)
    assert mornings == sorted(mornings, reverse=True)
    assert evenings[-1] < mornings[-1]
    for moment in (*evenings, *mornings):
        assert night_of(moment, SITE[0]) == night


def test_the_sun_is_at_its_altitude_at_that_time():
    (sunset, *_rest, dark) = darkness_of("20260312", *SITE)
    for moment, level in ((sunset.evening, -0.833), (dark.morning, -18.0)):
        mjd = (moment - moment.replace(year=2026, month=3, day=12, hour=0, minute=0, second=0)) / timedelta(
            days=1
        ) + 61111
        assert sun_altitude(np.array([mjd]), *SITE)[0] == pytest.approx(level, abs=0.03)


def test_where_the_sun_stays_up_there_is_no_darkness():
    found = {item.name: item for item in darkness_of("20260621", 20.0, 70.0)}
    assert found["astronomical"].evening is None
    assert found["sunset"].morning is None
