from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.utils import iers

from quicklook.redframe import SITE_HEIGHT, SITE_LATITUDE, SITE_LONGITUDE, heliocentric_velocity


def header(ra: float, dec: float, mjd: float, exposed: float = 1800.0) -> fits.Header:
    return fits.Header({"MEANRA": ra, "MEANDEC": dec, "UTMJD": mjd, "EXPOSED": exposed})


@pytest.mark.parametrize(("ra", "dec"), [(35.5, -28.7), (0.0, 0.0), (270.0, 66.5), (181.0, -89.0)])
@pytest.mark.parametrize("mjd", [49000.25, 57373.5593, 61111.4])
def test_heliocentric_velocity_is_astropys_within_ten_centimetres_a_second(ra, dec, mjd):
    site = EarthLocation.from_geodetic(
        SITE_LONGITUDE * units.deg, SITE_LATITUDE * units.deg, SITE_HEIGHT * units.m
    )
    with warnings.catch_warnings(), iers.conf.set_temp("auto_download", False):
        warnings.simplefilter("ignore")
        expected = SkyCoord(ra * units.deg, dec * units.deg).radial_velocity_correction(
            "heliocentric", obstime=Time(mjd + 900 / 86400, format="mjd", scale="utc"), location=site
        )
    assert heliocentric_velocity(header(ra, dec, mjd)) == pytest.approx(
        expected.to_value(units.km / units.s), abs=1e-4
    )


@pytest.mark.parametrize(
    "damage", [{"MEANRA": np.pi * 1e6}, {"MEANDEC": "north"}, {"UTMJD": 12.0}, {"UTMJD": True}]
)
def test_without_pointing_or_time_there_is_no_velocity(damage):
    cards = header(35.5, -28.7, 57373.5)
    cards.update(damage)
    assert heliocentric_velocity(cards) is None
