"""Optical model of AAOmega: gratings, camera angles, and the wavelength that falls on each pixel.

The spectrograph is described by two angles. With ``g`` the grating angle, ``b`` the camera angle less
``g``, ``n`` the ruling and ``m`` the order, the grating equation gives the wavelength at column ``x``
(1-based, centre 1024.5) of a fibre at slit height ``h``::

    lambda = 1e7 (sin g + sin(b + (x - 1024.5) p / f)) cos(gamma) / (n m)   [Angstrom in air]

with pixel ``p`` = 15 micron, camera focal length ``f`` = 247 mm, and ``gamma = h / (3.15 * 190 mm)``.
These numbers reproduce LAMBDAC, LAMBDAB and DISPERS of real AAOmega headers to every digit given.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, degrees, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InvalidPlanError

PIXEL_MM = 0.015
CAMERA_FOCUS_MM = 247.0
COLLIMATOR_FOCUS_MM = 3.15 * 190.0
SLIT_HALF_HEIGHT_MM = 72.5
COLUMNS = 2048
CENTRE_COLUMN = 1024.5
SPOT_FWHM_PIXELS = 3.4
ARMS = ("blue", "red")


@dataclass(frozen=True)
class Grating:
    """One volume-phase grating: its name, true ruling, slant and usual place.

    Parameters
    ----------
    name : str
        Identifier written to GRATID.
    lines_per_mm : float
        True ruling, which for some gratings is not the number in the name.
    slant : float
        GRATTILT, degrees.
    centre : float
        Usual central wavelength, Angstrom.
    arm : str
        The arm in which it is used.
    """

    name: str
    lines_per_mm: float
    slant: float
    centre: float
    arm: str


GRATINGS = {
    grating.name: grating
    for grating in (
        Grating("580V", 582.0, 0.7, 4800.0, "blue"),
        Grating("1700B", 1700.0, 0.2, 4000.0, "blue"),
        Grating("1500V", 1500.0, 0.0, 5000.0, "blue"),
        Grating("3200B", 3200.0, 0.0, 4000.0, "blue"),
        Grating("2500V", 2500.0, 0.0, 5000.0, "blue"),
        Grating("385R", 383.0, 0.6, 7250.0, "red"),
        Grating("1000R", 1001.0, 1.2, 6800.0, "red"),
        Grating("1000I", 1000.0, 1.8, 8500.0, "red"),
        Grating("2000R", 2000.0, 0.0, 6500.0, "red"),
        Grating("1700I", 1700.0, 0.7, 8600.0, "red"),
        Grating("1700D", 1700.0, 0.2, 8600.0, "red"),
    )
}


@dataclass(frozen=True)
class Setup:
    """A grating in an arm, at the angles the encoders read.

    Parameters
    ----------
    arm : str
        ``blue`` or ``red``.
    grating : Grating
        The disperser.
    requested_centre : float
        LAMBDCR, Angstrom.
    grating_angle, camera_angle : float
        GRATANGL and CAMANGL, degrees, as read back.
    requested_grating_angle, requested_camera_angle : float
        GRATANGR and CAMANGR, degrees.
    """

    arm: str
    grating: Grating
    requested_centre: float
    grating_angle: float
    camera_angle: float
    requested_grating_angle: float
    requested_camera_angle: float

    @property
    def scale(self) -> float:
        """Wavelength of a unit sine sum, Angstrom."""
        return 1e7 / self.grating.lines_per_mm

    @property
    def diffraction_angle(self) -> float:
        """Angle between the grating normal and the camera axis, radians."""
        return radians(self.camera_angle - self.grating_angle)

    @property
    def central_wavelength(self) -> float:
        """LAMBDAC, Angstrom."""
        return self.scale * (sin(radians(self.grating_angle)) + sin(self.diffraction_angle))

    @property
    def blaze_wavelength(self) -> float:
        """LAMBDAB, Angstrom."""
        return self.scale * 2.0 * sin(radians(self.grating_angle + self.grating.slant))

    @property
    def dispersion(self) -> float:
        """DISPERS, Angstrom per pixel at the centre."""
        return self.scale * PIXEL_MM / CAMERA_FOCUS_MM * cos(self.diffraction_angle)

    @property
    def line_fwhm(self) -> float:
        """Width of an unresolved line, pixels (anamorphic magnification of the fibre image)."""
        return SPOT_FWHM_PIXELS * cos(radians(self.grating_angle)) / cos(self.diffraction_angle)

    def wavelength(self, column: Any, height_mm: Any) -> NDArray[np.float64]:
        """Wavelength in air at a column and slit height.

        Parameters
        ----------
        column : array_like
            1-based column (centre of the chip at 1024.5).
        height_mm : array_like
            Slit height from the optical axis, mm; broadcast against `column`.

        Returns
        -------
        ndarray
            Angstrom.
        """
        angle = self.diffraction_angle + (np.asarray(column) - CENTRE_COLUMN) * PIXEL_MM / CAMERA_FOCUS_MM
        gamma = np.asarray(height_mm) / COLLIMATOR_FOCUS_MM
        along: NDArray[np.float64] = self.scale * (sin(radians(self.grating_angle)) + np.sin(angle))
        return along * np.cos(gamma)


def setup_for(arm: str, grating: str, centre: float | None, rng: np.random.Generator) -> Setup:
    """Point a grating at a wavelength the way the control task does, encoder errors included.

    Parameters
    ----------
    arm : str
        ``blue`` or ``red``.
    grating : str
        A name of `GRATINGS`.
    centre : float or None
        Requested central (and blaze) wavelength in Angstrom; None takes the usual one.
    rng : numpy.random.Generator
        Source of the encoder errors, which move LAMBDAC from LAMBDCR by an Angstrom or two.

    Raises
    ------
    InvalidPlanError
        Unknown arm or grating, or a wavelength the grating cannot reach.
    """
    if arm not in ARMS:
        raise InvalidPlanError(f"unknown arm {arm!r}: give 'blue', 'red' or both")
    if grating not in GRATINGS:
        raise InvalidPlanError(f"unknown grating {grating!r}: choose from {', '.join(sorted(GRATINGS))}")
    disperser = GRATINGS[grating]
    wanted = disperser.centre if centre is None else float(centre)
    if not 3600.0 <= wanted <= 9600.0:
        raise InvalidPlanError(
            f"central wavelength {wanted:g} A of {grating} is outside the detectors' 3600 to 9600 A"
        )
    sine = wanted * disperser.lines_per_mm / 1e7
    if sine >= 1.6:
        raise InvalidPlanError(f"{grating} cannot reach {wanted:g} A: choose a shorter central wavelength")
    grating_angle = degrees(asin(sine / 2.0)) - disperser.slant
    camera_angle = grating_angle + degrees(asin(sine - sin(radians(grating_angle))))
    return Setup(
        arm=arm,
        grating=disperser,
        requested_centre=wanted,
        grating_angle=round(grating_angle + float(rng.normal(0.0, 0.0012)), 6),
        camera_angle=camera_angle + float(rng.normal(0.0, 0.003)),
        requested_grating_angle=round(grating_angle, 6),
        requested_camera_angle=round(camera_angle, 6),
    )
