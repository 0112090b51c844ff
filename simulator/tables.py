"""Binary tables of raw frames: the fibre table of the configuration and the class of the frame."""

from __future__ import annotations

from math import pi, radians

import numpy as np
from astropy.io import fits

from simulator.headers import apparent_place
from simulator.plan import ExposurePlan, FrameClass
from simulator.slit import FIBRES, SLITLET, Slit
from simulator.targets import FieldTargets
from simulator.timescale import modified_julian_date

FIBRES_EXTENSION = "STRUCT.MORE.FIBRES"
CLASS_EXTENSION = "STRUCT.MORE.NDF_CLASS"
CONFIGURED_NM = 600.0

_TELESCOPE_MODEL = (
    0.0, 0.99961831568135, -0.0275216664570822, 0.0, 0.0275852471357281, 0.999639297514366, 0.0, 1.0,
    0.0, 0.0, 0.0, 13366713.7, 1089450000.0, 621000000000.0, 331200000000000.0, -1018.00486162957,
    1981.02005759238, 0.0, 0.0, 0.0,
)  # fmt: skip


def class_table(frame_class: FrameClass) -> fits.BinTableHDU:
    """One-row table that names the class of a frame."""
    columns = [fits.Column(name="NAME", format="32A", array=np.array([frame_class.value], dtype="S32"))]
    return fits.BinTableHDU.from_columns(columns, name=CLASS_EXTENSION)


def fibre_table(targets: FieldTargets, slit: Slit, exposure: ExposurePlan) -> fits.BinTableHDU:
    """Fibre table of a configuration, one row per slit position.

    Parameters
    ----------
    targets : FieldTargets
        What each fibre looks at.
    slit : Slit
        The plate's slit.
    exposure : ExposurePlan
        Gives the configuration's name and the time of the position update.

    Returns
    -------
    astropy.io.fits.BinTableHDU
        400 rows; RA and DEC in radians.
    """
    # Placement errors belong to the configuration, not to the exposure: every frame of it agrees.
    rng = np.random.Generator(
        np.random.PCG64([round(abs(v) * 1e9) for v in (targets.centre_ra, targets.centre_dec)])
    )
    error = np.rint(rng.normal(0.0, 8.0, (2, FIBRES))).astype(np.int16)
    comment = np.array(_comments(targets), dtype="S80")
    retractor = np.array([str((pivot - 1) // SLITLET + 1) for pivot in slit.pivot], dtype="S10")
    zeros = np.zeros(FIBRES)
    columns = [
        fits.Column(name="NAME", format="80A", array=np.array(targets.name, dtype="S80")),
        fits.Column(name="RA", format="1D", array=targets.ra),
        fits.Column(name="DEC", format="1D", array=targets.dec),
        fits.Column(name="X", format="1J", array=targets.x.astype(np.int32)),
        fits.Column(name="Y", format="1J", array=targets.y.astype(np.int32)),
        fits.Column(name="XERR", format="1I", array=error[0]),
        fits.Column(name="YERR", format="1I", array=error[1]),
        fits.Column(name="THETA", format="1D", array=targets.theta),
        fits.Column(name="TYPE", format="1A", array=targets.entered.astype("S1")),
        fits.Column(name="PIVOT", format="1I", array=slit.pivot.astype(np.int16)),
        fits.Column(name="MAGNITUDE", format="1D", array=targets.magnitude),
        fits.Column(name="PID", format="1J", array=np.zeros(FIBRES, dtype=np.int32)),
        fits.Column(name="COMMENT", format="80A", array=comment),
        fits.Column(name="RETRACTOR", format="10A", array=retractor),
        fits.Column(name="WLEN", format="1D", array=np.full(FIBRES, CONFIGURED_NM)),
        fits.Column(name="PMRA", format="1D", array=zeros),
        fits.Column(name="PMDEC", format="1D", array=zeros),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=FIBRES_EXTENSION)
    _describe(table.header, targets, exposure)
    return table


def _comments(targets: FieldTargets) -> list[str]:
    words = {"P": "TARGET", "S": "SKY", "F": "GUIDE", "U": "Parked", "N": "Broken"}
    return [words[str(kind)] for kind in targets.kind]


def _describe(header: fits.Header, targets: FieldTargets, exposure: ExposurePlan) -> None:
    assert exposure.field is not None
    mjd = modified_julian_date(exposure.start)
    centre = (targets.centre_ra * 180.0 / pi, targets.centre_dec * 180.0 / pi)
    apparent = apparent_place(*centre, mjd)
    counts = {kind: int((targets.kind == kind).sum()) for kind in "PSF"}
    cards: list[tuple[str, object, str]] = [
        ("CENRA", targets.centre_ra, "Field Centre RA (Radians)"),
        ("CENDEC", targets.centre_dec, "Field Centre DEC (Radians)"),
        ("CENEQNX", 2000.0, "Equinox of the above"),
        ("APPRA", apparent[0], "Apparent RA (Radians)"),
        ("APPDEC", apparent[1], "Apparent Dec (Radians)"),
        ("APPEPOCH", mjd, "Epoch of above"),
        ("CONFMJD", mjd + 0.02, "MJD configured for"),
        ("ACTMJD", mjd, "Actual observation MJD (tweak time)"),
        ("ATMPRES", 886.6, "Atmospheric pressure (millibars)"),
        ("ATMRHUM", 57.0, "Atmospheric relative humidity (percent)"),
        ("ATMTEMP", 18.05, "Atmospheric temperature (celsius)"),
        ("MIRRTEMP", 16.45, "Mirror temperature (celsius)"),
        ("DOMETEMP", 17.65, "Dome temperature (celsius)"),
        ("SP1WLEN", CONFIGURED_NM, "Spectrograph 1 (A) wavelength (nm)"),
        ("SP2WLEN", CONFIGURED_NM, "Spectrograph 2 (B) wavelength (nm)"),
        ("GUIWLEN", 500.0, "Guider wavelength (nm)"),
        ("TELMA", 25.03, "AAT CCS MA value"),
        ("TELME", 29.69, "AAT CCS ME value"),
        ("TELNP", 1.46, "AAT CCS NP value"),
        ("TELCH", -27.3, "AAT CCS CH value"),
        ("ADC_A", radians(113.17), "Presumed ADC position - ADC plate A"),
        ("ADC_B", radians(113.17), "Presumed ADC position - ADC plate B"),
        *(
            (f"TELPAR{i:02d}", v, f"2dF Telescope model parameter {i}")
            for i, v in enumerate(_TELESCOPE_MODEL, 1)
        ),
        ("TWKOBMAX", 23.4, "Optimize mode max err obj fibres (microns)"),
        ("TWKOBAVE", 4.42, "Optimize mode ave err obj fibres (microns)"),
        ("TWKGUMAX", 27.3, "Optimize mode max err gui fibres (microns)"),
        ("TWKGUAVE", 5.87, "Optimize mode ave err gui fibres (microns)"),
        ("TWKINTER", 600.0, "Tweak Optimize mode interval (seconds)"),
        ("WLNSUSD", counts["P"], "Number of objects using specific wavelengths"),
        ("UNAL-OBJ", 245, "Number of unallocated objects"),
        ("UNAL-GUI", 67, "Number of unallocated guide stars"),
        ("UNAL-SKY", 75, "Number of unallocated skys"),
        ("ALLOCOBJ", counts["P"], "Number of allocated objects"),
        ("ALLOCGUI", counts["F"], "Number of allocated guide stars"),
        ("ALLOCSKY", counts["S"], "Number of allocated skys"),
        ("TWKODUR", 3600, "Observation duration (seconds)"),
        ("ACTUTC", f"{exposure.start:%Y-%m-%dT%H:%M:%S}", "UT of tweak (ACTMJD as a string)"),
        ("LABEL", targets.label, "Field name"),
        ("PROGID", " ", "Program id"),
        ("MODE", "NORMAL", "Mode (SWITCH or NORMAL)"),
        ("FILENAME", f"/instsoft/2dF/temp/{exposure.field.configuration}", "Configuration File"),
        ("TWKMODE", "Optimization over Duration", "Tweak mode - traditional or optimize"),
        ("EXTLEVEL", 1, "Level in hierarchical structure"),
        ("PAD1", 0, "Padding required by FTF task usage of SDS"),
    ]
    header.extend(cards)
