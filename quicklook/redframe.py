"""The reduced frame: linear wavelength axis, header cards and history as readers of 2dFdr products expect."""

from __future__ import annotations

from collections.abc import Mapping

import erfa
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from quicklook.fibres import FibreTable
from quicklook.headers import card_value
from quicklook.products import Product
from quicklook.types import FloatArray, FloatImage, LinearGrid

SITE_LONGITUDE, SITE_LATITUDE, SITE_HEIGHT = 149.0661, -31.27704, 1164.0
"""Siding Spring [degree east, degree, m]; a header's own values may be another survey's and differ by metres."""

TT_MINUS_UTC = 69.184
"""Seconds, since 2017; ten seconds less, as in 1990, would make 6 cm/s."""

ASTRONOMICAL_UNIT = 149597870.7
"""km."""


def set_axes(header: fits.Header, grid: LinearGrid) -> None:
    """Write the wavelength and fibre axes; the reference pixel is half the length, counted from 1."""
    for key in ("CD1_1", "CD1_2", "CD2_1", "CD2_2", "PC1_1", "PC2_2", "WCSAXES"):
        header.remove(key, ignore_missing=True)
    reference = grid.n // 2
    header["CRPIX1"] = (float(reference), "reference pixel")
    header["CRVAL1"] = (grid.start + grid.step * (reference - 1), "wavelength there (Angstrom, air)")
    header["CDELT1"] = (grid.step, "dispersion (Angstrom per pixel)")
    header["CTYPE1"] = ("Wavelength", "")
    header["CUNIT1"] = ("Angstroms", "")
    header["CRPIX2"] = (1.0, "reference fibre")
    header["CRVAL2"] = (0.5, "")
    header["CDELT2"] = (1.0, "")
    header["CTYPE2"] = ("Fibre Number", "")
    header["CUNIT2"] = ("", "")
    header["SCRUNCH"] = (True, "rebinned to linear wavelength")
    header["VACUUM"] = (False, "wavelengths are in air")


def grid_of(header: fits.Header, n: int) -> LinearGrid:
    """The wavelength axis of a reduced frame.

    Raises
    ------
    InvalidInput
        When there is none.
    """
    from quicklook.errors import InvalidInput
    from quicklook.headers import number

    step = number(header, "CDELT1", low=1e-4, high=100.0)
    reference = number(header, "CRPIX1", low=-1e6, high=1e6)
    value = number(header, "CRVAL1", low=1000.0, high=30000.0)
    if card_value(header, "CTYPE1") is None:
        raise InvalidInput("the file has no wavelength axis; give reduced (red) frames")
    return LinearGrid(value + step * (1.0 - reference), step, n)


def red_product(
    flux: FloatImage,
    variance: FloatImage,
    header: fits.Header,
    grid: LinearGrid,
    fibres: FibreTable | None,
    ndf_class: str,
    *,
    history: list[str],
    extras: Mapping[str, NDArray[np.floating]] | None = None,
) -> Product:
    """A reduced frame ready to be written."""
    result = header.copy()
    set_axes(result, grid)
    result["BUNIT"] = ("electron", "per pixel")
    return Product(
        data=flux,
        variance=variance,
        header=result,
        fibres=fibres,
        ndf_class=ndf_class,
        extras=dict(extras or {}),
        history=history,
    )


def heliocentric_velocity(header: fits.Header) -> float | None:
    """Velocity to add to measured redshifts for the motion of the telescope about the Sun [km/s].

    None when the header lacks pointing or time.
    """
    values = [card_value(header, key) for key in ("MEANRA", "MEANDEC", "UTMJD")]
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not np.isfinite(v) for v in values):
        return None
    ra, dec, mjd = (float(v) for v in values if isinstance(v, int | float))
    exposed = card_value(header, "EXPOSED")
    if isinstance(exposed, int | float) and 0 < exposed < 1e5:
        mjd += 0.5 * exposed / 86400.0
    if not (-720 <= ra <= 720 and -90 <= dec <= 90 and 40000 < mjd < 100000):
        return None
    return float(_velocity_of_site(mjd) @ _direction(ra, dec))


def _direction(ra: float, dec: float) -> FloatArray:
    """Unit vector towards a position [degree]."""
    return np.asarray(erfa.s2c(np.radians(ra), np.radians(dec)), dtype=np.float64)


def _velocity_of_site(mjd: float) -> FloatArray:
    """Velocity of the telescope relative to the Sun on the celestial axes [km/s].

    ERFA's Earth ephemeris (epv00, good to 5 mm/s) and the rotation of the site. UT1 is taken for UTC, which is
    0.9 s at most and makes 3 cm/s; so no table of the Earth's rotation has to be kept up to date.
    """
    terrestrial = mjd + TT_MINUS_UTC / 86400.0
    about_sun, _ = erfa.epv00(2400000.5, terrestrial)
    turned = erfa.pvtob(
        np.radians(SITE_LONGITUDE), np.radians(SITE_LATITUDE), SITE_HEIGHT, 0.0, 0.0, 0.0, erfa.era00(2400000.5, mjd)
    )  # fmt: skip
    celestial = erfa.c2i06a(2400000.5, terrestrial).T @ np.asarray(turned["v"])
    return np.asarray(np.asarray(about_sun["v"]) * ASTRONOMICAL_UNIT / 86400.0 + celestial / 1000.0)


def wavelength_shifts(n_fibres: int, pixels: FloatArray) -> FloatArray:
    """The SHIFTS extension: constant term [pixel], scale and two higher terms of each fibre."""
    result = np.tile([0.0, 1.0, 0.0, 0.0], (n_fibres, 1))
    result[:, 0] = pixels
    return result
