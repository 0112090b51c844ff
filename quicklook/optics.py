"""Where each wavelength falls on the chip, predicted from the angles in the header alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from quicklook.errors import InvalidInput
from quicklook.fibres import N_FIBRES
from quicklook.headers import card_value
from quicklook.types import FloatArray

N_COLUMNS = 2048
N_ROWS = 4098

CAMERA_FOCAL_LENGTH = 247.0
"""Millimetres."""

PIXEL_SIZE = 0.015
"""Millimetres."""

SLIT_HALF_HEIGHT = 72.5
"""Millimetres from the middle of the slit to its end."""

COLLIMATOR_FOCAL_LENGTH = 3.15 * 190.0
"""Millimetres: beam of 190 mm at f/3.15."""

CENTRE_COLUMN = 1023.5
"""0-based column of the optical axis (1024.5 counted from 1)."""

CENTRE_ROW = 2048.0
"""0-based row of the middle of the slit (2049 counted from 1)."""

SPECTRAL_FWHM = 3.4
"""Pixels, before the anamorphic factor of the grating."""


@dataclass(frozen=True)
class OpticalModel:
    """The spectrograph as a grating equation.

    Attributes
    ----------
    grating_angle, camera_minus_grating : float
        Angles of incidence and of diffraction on the axis [radian].
    lines : float
        Ruling times order [1/mm].
    """

    grating_angle: float
    camera_minus_grating: float
    lines: float

    @property
    def central_wavelength(self) -> float:
        """Wavelength on the optical axis [Angstrom]."""
        return 1e7 * (math.sin(self.grating_angle) + math.sin(self.camera_minus_grating)) / self.lines

    @property
    def dispersion(self) -> float:
        """Dispersion on the optical axis [Angstrom per pixel]."""
        return 1e7 * PIXEL_SIZE / CAMERA_FOCAL_LENGTH * math.cos(self.camera_minus_grating) / self.lines

    @property
    def fwhm(self) -> float:
        """Spectral resolution element [pixel]; the anamorphic factor is cos(incidence)/cos(diffraction)."""
        return SPECTRAL_FWHM * math.cos(self.grating_angle) / math.cos(self.camera_minus_grating)

    def wavelength(self, column: FloatArray, row: FloatArray) -> FloatArray:
        """Wavelength at 0-based positions on the chip [Angstrom].

        Notes
        -----
        Grating equation with an angle linear in the column, times the cosine of the angle that the fibre's
        place on the slit makes with the axis.
        """
        angle = self.camera_minus_grating + (column - CENTRE_COLUMN) * (PIXEL_SIZE / CAMERA_FOCAL_LENGTH)
        on_axis = 1e7 * (math.sin(self.grating_angle) + np.sin(angle)) / self.lines
        height = (row - CENTRE_ROW) * (SLIT_HALF_HEIGHT / (N_ROWS / 2))
        return np.asarray(on_axis * np.cos(height / COLLIMATOR_FOCAL_LENGTH), dtype=np.float64)


def optical_model(header: fits.Header) -> OpticalModel:
    """The optical model of a frame.

    Parameters
    ----------
    header : fits.Header
        With GRATANGL, CAMANGL (degree), GRATLPMM (1/mm) and ORDER; when an angle is missing, LAMBDAC and
        DISPERS (Angstrom, Angstrom per pixel) serve to find both.

    Raises
    ------
    InvalidInput
        When neither is there, or the result is not a spectrograph's.
    """
    order = _number(header, "ORDER", 1.0)
    ruling = _number(header, "GRATLPMM")
    if not (math.isfinite(ruling) and 50.0 <= ruling <= 5000.0 and 1 <= abs(order) <= 5):
        raise InvalidInput(
            f"GRATLPMM={header.get('GRATLPMM')!r} and ORDER={header.get('ORDER')!r} describe no grating of "
            "AAOmega; correct the header before reducing"
        )
    lines = ruling * order
    grating = math.radians(_number(header, "GRATANGL"))
    camera = math.radians(_number(header, "CAMANGL")) - grating
    if not (math.isfinite(grating) and math.isfinite(camera)):
        grating, camera = _angles_from_wavelengths(header, lines)
    model = OpticalModel(grating, camera, lines)
    if not (2500.0 < model.central_wavelength < 12000.0 and model.dispersion > 0.02):
        raise InvalidInput(
            f"GRATANGL={header.get('GRATANGL')!r} and CAMANGL={header.get('CAMANGL')!r} put "
            f"{model.central_wavelength:.0f} Angstrom on the axis, which AAOmega cannot; correct the header"
        )
    return model


def nominal_rows() -> FloatArray:
    """0-based rows of the 400 slit positions if they were evenly spaced, shape (400, 1)."""
    pitch = N_ROWS / N_FIBRES
    return np.asarray((pitch * (np.arange(N_FIBRES) + 0.5) - 0.5)[:, np.newaxis], dtype=np.float64)


def predict_wavelengths(header: fits.Header, rows: FloatArray | None = None) -> FloatArray:
    """Predict the wavelength of every spectral pixel.

    Parameters
    ----------
    header : fits.Header
        Of the frame, see `optical_model`.
    rows : ndarray (400, 2048) or (400, 1), optional
        0-based rows of the tramlines; evenly spaced fibres when absent. Only the middle column counts: a fibre's
        light leaves the slit at one angle, and it is the camera behind the grating that curves its tramline.

    Returns
    -------
    ndarray of float64 (400, 2048)
        Angstrom in air at pixel centres.
    """
    model = optical_model(header)
    where = nominal_rows() if rows is None else np.asarray(rows, dtype=np.float64)
    where = where[:, where.shape[1] // 2, np.newaxis]
    columns = np.arange(N_COLUMNS, dtype=np.float64)[np.newaxis, :]
    return np.ascontiguousarray(np.broadcast_to(model.wavelength(columns, where), (N_FIBRES, N_COLUMNS)))


def _angles_from_wavelengths(header: fits.Header, lines: float) -> tuple[float, float]:
    centre = _number(header, "LAMBDAC", _number(header, "LAMBDCR"))
    dispersion = _number(header, "DISPERS")
    cos_b = dispersion * lines * CAMERA_FOCAL_LENGTH / (1e7 * PIXEL_SIZE)
    if not (math.isfinite(centre) and math.isfinite(cos_b)):
        raise InvalidInput(
            "GRATANGL and CAMANGL are missing, and so are LAMBDAC and DISPERS: the wavelengths cannot be "
            "predicted; restore the keywords from the observing log"
        )
    camera = math.acos(min(abs(cos_b), 1.0))
    sine = centre * lines / 1e7 - math.sin(camera)
    if abs(sine) > 1.0:
        raise InvalidInput(f"LAMBDAC={centre} and DISPERS={dispersion} do not belong to this grating")
    return math.asin(sine), camera


def _number(header: fits.Header, key: str, default: float = math.nan) -> float:
    value = card_value(header, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return default
    return float(value)
