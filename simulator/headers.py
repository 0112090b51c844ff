"""Primary headers of raw frames, keyword by keyword as AAOmega writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, atan2, cos, degrees, radians, sin

import numpy as np
from astropy.io import fits

from simulator.detector import DETECTORS, OVERSCAN_COLUMNS
from simulator.lamps import ARC_LAMP
from simulator.optics import COLUMNS, Setup
from simulator.plan import (
    ExposurePlan,
    FrameClass,
    Illumination,
    NightPlan,
)
from simulator.slit import ROWS
from simulator.timescale import LONGITUDE_DEG, modified_julian_date, sidereal_degrees

LATITUDE_DEG = -31.27704
ALTITUDE_M = 1164

# Class to (OBSTYPE, RUNCMD).
_COMMANDS = {
    FrameClass.BIAS: ("BIAS", "BIAS"),
    FrameClass.DARK: ("DARK", "DARK"),
    FrameClass.FLAT: ("FLAT", "FLAT"),
    FrameClass.ARC: ("ARC", "ARC"),
    FrameClass.SKY: ("SKY", "SKY"),
    FrameClass.OBJECT: ("OBJECT", "RUN"),
}
_CONTROLLER_IDS = {"blue": (9, 1, 5, 6, 21), "red": (11, 3, 5, 6, 21)}
_BOARDS = ((65537, 63), (327681, 73), (131074, 83), (131074, 84), (196610, 97), (262146, 76))


@dataclass(frozen=True)
class Pointing:
    """Where the telescope looks at a moment, degrees.

    Parameters
    ----------
    ra, dec : float
        Mean place.
    hour_angle, zenith_distance : float
        At that moment.
    """

    ra: float
    dec: float
    hour_angle: float
    zenith_distance: float

    @property
    def airmass(self) -> float:
        """Plane-parallel airmass, at most 5."""
        return 1.0 / max(cos(radians(self.zenith_distance)), 0.2)


def pointing_at(exposure: ExposurePlan, moment: datetime) -> Pointing:
    """Pointing of an exposure at a moment; without a field the telescope is parked at the zenith."""
    sidereal = sidereal_degrees(moment)
    if exposure.field is None:
        return Pointing(sidereal, LATITUDE_DEG, 0.0, 0.0)
    ra, dec = exposure.field.centre_ra, exposure.field.centre_dec
    apparent_ra, apparent_dec = apparent_place(ra, dec, modified_julian_date(moment))
    hour_angle = (sidereal - degrees(apparent_ra) + 180.0) % 360.0 - 180.0
    sine = sin(radians(LATITUDE_DEG)) * sin(apparent_dec)
    sine += cos(radians(LATITUDE_DEG)) * cos(apparent_dec) * cos(radians(hour_angle))
    return Pointing(ra, dec, hour_angle, 90.0 - degrees(asin(max(-1.0, min(1.0, sine)))))


def primary_header(night: NightPlan, exposure: ExposurePlan, arm: str) -> fits.Header:
    """Primary header of one raw frame.

    Parameters
    ----------
    night : NightPlan
        The night.
    exposure : ExposurePlan
        One of its exposures.
    arm : str
        ``blue`` or ``red``.

    Returns
    -------
    astropy.io.fits.Header
        Complete, the structural keywords of a 2070 x 4098 unsigned 16-bit image included.
    """
    header = fits.Header()
    _structure(header)
    _controller(header, exposure, arm)
    _observatory(header, exposure)
    _spectrograph(header, night.setups[arm], night)
    _configuration(header, exposure)
    _time_and_place(header, exposure)
    _windows(header, exposure, arm)
    return header


def _structure(header: fits.Header) -> None:
    header["SIMPLE"] = (True, "file does conform to FITS standard")
    header["BITPIX"] = (16, "number of bits per data pixel")
    header["NAXIS"] = (2, "number of data axes")
    header["NAXIS1"] = (COLUMNS + OVERSCAN_COLUMNS, "length of data axis 1")
    header["NAXIS2"] = (ROWS, "length of data axis 2")
    header["EXTEND"] = (True, "file may contain extensions")
    header["BSCALE"] = (1.0, "real = tape * BSCALE + BZERO")
    header["BZERO"] = (32768.0, "offset of unsigned 16-bit data")


def _controller(header: fits.Header, exposure: ExposurePlan, arm: str) -> None:
    detector = DETECTORS[arm]
    header["DCT_DATE"] = ("Sep 12 2014", "DCT release date")
    header["DCT_VER"] = ("r3_110_2_3", "DCT version number")
    header["DETECXE"] = (2048, "Last column of detector")
    header["DETECXS"] = (1, "First column of detector")
    header["DETECYE"] = (4102, "Last row of detector")
    header["DETECYS"] = (1, "First row of detector")
    header["FIRMVSYS"] = ("System: AAO2 CCD Controller System Controller V1.23 151104", "")
    header["FIRMVSEQ"] = ("Sequencer: AAO2 CCD Controller Sequencer V1.3 161203", "")
    header["DETECTOR"] = (detector.name, "Detector name")
    header["XPIXSIZE"] = (15.0, "X Pixel size in microns")
    header["YPIXSIZE"] = (15.0, "Y Pixel size in microns")
    names = ("CONFIGID", "DETECTID", "ABCKPLID", "VIDPBID", "CLKPBID")
    for name, number in zip(names, _CONTROLLER_IDS[arm], strict=True):
        header[name] = (number, "Controller identification")
    for index, (board, serial) in enumerate(_BOARDS, start=1):
        header[f"BRDID_{index}"] = (board, f"Controller board #{index} Id")
        header[f"BRDSN_{index}"] = (serial + (arm == "blue"), f"Controller board #{index} serial #")
    header["METHOD"] = ("Normal ccd control method", "Observing method")
    header["SPEED"] = ("NORMAL", "Readout speed")
    header["READAMP"] = ("RIGHT", "Readout amplifier")
    header["EXPOSED"] = (exposure.seconds, "Exposure time (sec)")
    header["ELAPSED"] = (
        round(exposure.seconds + (0.6 if exposure.seconds else 0.0), 1),
        "Elapsed time (seconds)",
    )
    header["TOTALEXP"] = (exposure.seconds, "Total exposure (seconds)")
    header["RO_GAIN"] = (detector.gain, "Readout amplifier (inverse) gain (e-/ADU)")
    header["RO_NOISE"] = (detector.read_noise, "Readout noise (electrons)")


def _observatory(header: fits.Header, exposure: ExposurePlan) -> None:
    header["ORIGIN"] = ("AAO", "Originating Institution")
    header["TELESCOP"] = ("Anglo-Australian Telescope", "Telescope Name")
    header["ALT_OBS"] = (ALTITUDE_M, "Altitude of observatory in metres")
    header["LAT_OBS"] = (LATITUDE_DEG, "Observatory latitude in degrees")
    header["LONG_OBS"] = (LONGITUDE_DEG, "Observatory longitude in degrees")
    header["RCT_VER"] = ("r3_73", "Run Control Task version number")
    header["RCT_DATE"] = ("13-Jan-2015", "Run Control Task version date")
    header["OBJECT"] = (exposure.object_name, "Object name")
    header["RUNCMD"] = (_COMMANDS[exposure.frame_class][1], "Run command")
    header["RADECSYS"] = ("FK5", "FK5 reference system")
    header["EQUINOX"] = (2000.0, "J2000 equinox")
    header["INSTRUME"] = ("AAOMEGA-2dF", "Instrument in use")
    header["AAOPRGID"] = ("SIM/0001", "AAO Proposal ID")
    if exposure.light is Illumination.ARC:
        header["LAMPNAME"] = (ARC_LAMP, "Arc lamps lit")


def _spectrograph(header: fits.Header, setup: Setup, night: NightPlan) -> None:
    red = setup.arm == "red"
    header["SPECTID"] = ("RD" if red else "BL", "Spectrograph ID")
    header["SFILT1"] = (" ", "Lower filter wheel position")
    header["SFILT2"] = (" ", "Upper filter wheel position")
    header["TILTSPAT"] = (-782.2497432184 if red else -411.7120031, "Camera focus spatial (encoder)")
    header["TILTSPEC"] = (2392.384253712 if red else 1877.9014452, "Camera focus spectral (encoder)")
    header["PISTON"] = (801.97191824 if red else 655.30410091, "Camera focus piston (encoder)")
    header["GRATID"] = (setup.grating.name, "Disperser ID")
    header["GRATTILT"] = (setup.grating.slant, "Grating tilt to be symmetric (degree)")
    header["GRATLPMM"] = (setup.grating.lines_per_mm, "Disperser ruling (lines/mm)")
    header["ORDER"] = (1, "Spectrum order")
    header["DISPENC"] = (round(-7542.1 * setup.grating_angle), "Disperser angle reading (encoder unit)")
    header["CAMENC"] = (round(-28803.0 * setup.camera_angle), "Camera angle reading (encoder unit)")
    header["GRATANGL"] = (setup.grating_angle, "Disperser angle reading (degree)")
    header["CAMANGL"] = (setup.camera_angle, "Camera angle reading (degree)")
    header["LAMBDAC"] = (setup.central_wavelength, "Central wavelength reading (Angstrom)")
    header["LAMBDAB"] = (setup.blaze_wavelength, "Optimal wavelength reading (Angstrom)")
    header["DISPERS"] = (setup.dispersion, "Central dispersion (Angstrom/pixel)")
    header["GRATANGR"] = (setup.requested_grating_angle, "Requested disperser angle (degree)")
    header["CAMANGR"] = (setup.requested_camera_angle, "Requested camera angle (degree)")
    header["LAMBDCR"] = (setup.requested_centre, "Requested central wavelength (Angstrom)")
    header["LAMBDBR"] = (setup.requested_centre, "Requested optimal wavelength (Angstrom)")
    header["DICHROIC"] = (night.dichroic, "Dichroic name")


def _configuration(header: fits.Header, exposure: ExposurePlan) -> None:
    configured = exposure.field
    closed = exposure.light in (Illumination.QUARTZ, Illumination.ARC)
    guiding = exposure.light is Illumination.TARGETS
    header["TDFCTVER"] = ("r11_44", "2dF Control Task Version")
    header["TDFCTDAT"] = ("21-Jul-2015", "2dF Control Task Version Date")
    header["AAOMOSFT"] = (1, "Indicates file generated by AAOmega software.")
    header["NDFCLASS"] = (exposure.frame_class.value, "Data Reduction class name (NDFCLASS)")
    header["CFG_FILE"] = (
        configured.configuration if configured else "NONE",
        "2dF fibre configuration filename",
    )
    header["PARKMASK"] = (False, "2dF park position mask NOT installed")
    header["TDFCTEVT"] = (str(exposure.run + 4), "2dF Control Task Event")
    header["DUMMY"] = 0
    header["FLAPS"] = ("CLOSED" if closed else "OPEN", "2df Flap Status")
    header["RUN"] = (exposure.run, "Run number")
    header["OBSNUM"] = (exposure.run, "Observation number")
    header["GRPNUM"] = (exposure.run, "Group Number")
    header["GRPMEM"] = (1, "Group member")
    header["GRPMAX"] = (0, "Group maximum")
    header["OBSTYPE"] = (_COMMANDS[exposure.frame_class][0], "Observation type")
    header["TOPEND"] = ("2DF", "Telescope top-end")
    header["AXIS"] = ("B", "Current optical axis")
    header["AXIS_X"] = (-1.86653267227171e-05, "Optical axis x (mm)")
    header["AXIS_Y"] = (-0.000102441130818445, "Optical axis y (mm)")
    header["TRACKING"] = ("TRACKING" if guiding else "IDLE", "Telescope tracking state")
    header["TELFOC"] = (39.96, "Telescope Focus (mm)")
    header["WINDOW"] = ("AAOMEGA_2DF", "Observing window (file name)")
    header["HARTMANA"] = ("open", "Hartmann shutter A position")
    header["HARTMANB"] = ("open", "Hartmann shutter B position")
    header["SOURCE"] = (f"Plate {exposure.plate} ", "Source slit")


def _time_and_place(header: fits.Header, exposure: ExposurePlan) -> None:
    start = exposure.start
    end = start + timedelta(seconds=exposure.seconds)
    begin_at, end_at = pointing_at(exposure, start), pointing_at(exposure, end)
    mjd = modified_julian_date(start)
    header["UTDATE"] = (f"{start:%Y:%m:%d}", "UT date")
    header["EPOCH"] = (2000.0 + (mjd - 51544.5) / 365.25, "Current Epoch, Years A.D.")
    header["UTSTART"] = (f"{start:%H:%M:%S}", "UT start")
    header["UTEND"] = (f"{end:%H:%M:%S}", "UT end")
    header["STSTART"] = (_clock_face(sidereal_degrees(start)), "ST start")
    header["STEND"] = (_clock_face(sidereal_degrees(end)), "ST end")
    header["UTMJD"] = (mjd, "Modified Julian Date (UTC)")
    header["MEANRA"] = (begin_at.ra, "Mean right ascension (degrees)")
    header["MEANDEC"] = (begin_at.dec, "Mean declination (degrees)")
    header["TEL_PA"] = (89.9410790143532, "Rotator position angle")
    header["HASTART"] = (begin_at.hour_angle, "HA at start of run")
    header["HAEND"] = (end_at.hour_angle, "HA at end of run")
    header["ZDSTART"] = (begin_at.zenith_distance, "ZD at start of run")
    header["ZDEND"] = (end_at.zenith_distance, "ZD at end of run")
    ra, dec = apparent_place(begin_at.ra, begin_at.dec, mjd)
    header["APPRA"] = (ra, "Current apparent place position right ascension")
    header["APPDEC"] = (dec, "Current apparent place position declination")
    hours = start.hour + start.minute / 60.0
    header["SPECTEMP"] = (round(18.3 - 0.12 * (hours - 9.0), 3), "Spectrograph temperature C")


def _windows(header: fits.Header, exposure: ExposurePlan, arm: str) -> None:
    for name, value in (
        ("WINDOXS1", 1), ("WINDOXE1", 2048), ("WINDOYS1", 1), ("WINDOYE1", ROWS),
        ("WINDOXS2", 2053), ("WINDOXE2", 2074), ("WINDOYS2", 1), ("WINDOYE2", ROWS),
    ):  # fmt: skip
        edge = "First" if name[5:7].endswith("S") else "Last"
        axis = "column" if name[4:6].endswith("X") else "row"
        header[name] = (value, f"{edge} {axis} of window {name[-1]}")
    header["XEFFSIZE"] = (15.0, "Effective X pixel size in microns")
    header["YEFFSIZE"] = (15.0, "Effective Y pixel size in microns")
    original = f"/data/aatobs/OptDet_data/{exposure.paths[arm].as_posix()}"
    header["FILEORIG"] = (original, "The filename")


def apparent_place(ra_deg: float, dec_deg: float, mjd: float) -> tuple[float, float]:
    """Mean J2000 place precessed to date, radians; rigorous angles to first order in time.

    Parameters
    ----------
    ra_deg, dec_deg : float
        J2000, degrees.
    mjd : float
        Date.
    """
    century = (mjd - 51544.5) / 36525.0
    zeta = radians(2306.2181 * century / 3600.0)
    theta = radians(2004.3109 * century / 3600.0)
    ra, dec = radians(ra_deg), radians(dec_deg)
    a = cos(dec) * sin(ra + zeta)
    b = cos(theta) * cos(dec) * cos(ra + zeta) - sin(theta) * sin(dec)
    c = sin(theta) * cos(dec) * cos(ra + zeta) + cos(theta) * sin(dec)
    return float(np.mod(atan2(a, b) + zeta, 2.0 * np.pi)), asin(max(-1.0, min(1.0, c)))


def _clock_face(angle: float) -> str:
    seconds = round(angle / 15.0 * 3600.0) % 86400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
