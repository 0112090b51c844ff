"""What a raw frame's headers say, checked: the facts that every later decision rests on. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta

from agents.ingest.cards import Cards
from agents.ingest.names import night_in
from agents.ingest.structure import Hdu
from agents.ingest.values import harmless_number, missing, number, optional_number, text
from paws.clock import MJD_EPOCH, from_mjd, night_of
from paws.errors import FrameRejectedError, NotOursError
from schemas.frames import RAW_NAME, field_label
from schemas.vocabulary import Arm, FrameClass, frame_class

INSTRUMENT = "AAOMEGA-2DF"
COLUMNS, ROWS, BITPIX = 2070, 4098, 16
"""A full frame: 2048 data columns and 22 of overscan, 16 bit."""
FIBRES = 400
DATA_COLUMNS = 2048

_MJD_LOW, _MJD_HIGH = 47892.0, 88069.0  # 1990 to 2100
_ARM_OF_SPECTID = {"BL": Arm.BLUE, "RD": Arm.RED}
_PLATE_IN_SOURCE = re.compile(r"plate\s*([01])\b", re.IGNORECASE)
_PLATE_IN_CONFIGURATION = re.compile(r"_p([01])(?:\.sds)?$", re.IGNORECASE)
_FIBRE_COLUMNS = ("NAME", "RA", "DEC", "TYPE", "PIVOT")
_NUMBERS = (
    *("EXPOSED", "ELAPSED", "TOTALEXP", "RO_GAIN", "RO_NOISE", "UTMJD", "EPOCH"),
    *("GRATTILT", "GRATLPMM", "ORDER", "GRATANGL", "CAMANGL", "LAMBDAC", "LAMBDAB", "DISPERS"),
    *("GRATANGR", "CAMANGR", "LAMBDCR", "LAMBDBR", "TILTSPAT", "TILTSPEC", "PISTON"),
    *("MEANRA", "MEANDEC", "TEL_PA", "HASTART", "HAEND", "ZDSTART", "ZDEND", "APPRA", "APPDEC"),
)
"""Keywords that hold a number where they are present. FITS knows no NaN: such a card breaks readers."""
_SKYWARD = (FrameClass.MFOBJECT, FrameClass.MFSKY, FrameClass.MFFLX)


@dataclass(frozen=True)
class RawFacts:
    """Facts of `schemas.frames.Frame` that headers and name give. See there for units."""

    night: str
    header_night: str | None
    frame_class: FrameClass
    arm: Arm
    run: int
    instrument: str
    object_name: str
    proposal: str
    lamp: str
    exposed: float
    utmjd: float
    detector: str
    window: str
    speed: str
    readamp: str
    grating: str
    central_wavelength: int
    dichroic: str
    plate: int | None
    configuration: str
    field: str
    ra: float | None
    dec: float | None
    airmass: float | None


def check_instrument(cards: Cards) -> None:
    """Refuse early what another instrument wrote or what is not a full frame.

    Needs the primary header only, so a foreign file is refused while it still grows.

    Raises
    ------
    FrameRejectedError
        With what is wrong.
    NotOursError
        For dummy and glance exposures, which are valid and nobody wants reduced.
    """
    instrument = text(cards, "INSTRUME")
    if not instrument:
        raise missing("INSTRUME", "names the instrument")
    if instrument.upper() != INSTRUMENT:
        raise FrameRejectedError(
            "wrong_instrument",
            f"The frame is from instrument {instrument!r}; this system reduces AAOMEGA-2dF. "
            "Keep frames of other instruments out of this folder.",
        )
    shape = tuple(cards.get(word) for word in ("BITPIX", "NAXIS", "NAXIS1", "NAXIS2"))
    if shape != (BITPIX, 2, COLUMNS, ROWS):
        raise FrameRejectedError(
            "wrong_size",
            f"The image is {cards.get('NAXIS1')} x {cards.get('NAXIS2')} pixels (BITPIX {cards.get('BITPIX')}); "
            f"a full, unbinned raw frame is {COLUMNS} x {ROWS} (BITPIX {BITPIX}). "
            "Binned, windowed and reduced frames cannot be reduced here.",
        )
    if cards.get("BSCALE", 1) != 1 or cards.get("BZERO", 0) not in (0, 32768):
        raise FrameRejectedError(
            "bad_value",
            f"Pixels are scaled by BSCALE {text(cards, 'BSCALE', 40)} and BZERO {text(cards, 'BZERO', 40)}; raw frames "
            "hold unsigned 16-bit counts (1 and 32768). Check that the frame comes unchanged from the telescope.",
        )
    if cards.get("DUMMY") not in (None, False, 0):
        raise NotOursError("The frame is a dummy exposure (DUMMY is set).")
    if "GLANCE" in (text(cards, word).upper() for word in ("RUNCMD", "OBSTYPE", "NDFCLASS")):
        raise NotOursError("The frame is a glance exposure.")


def read_facts(name: str, hdus: tuple[Hdu, ...], class_word: str, longitude: float) -> RawFacts:
    """Facts of a raw frame.

    Parameters
    ----------
    name
        File name, a raw name.
    hdus
        All HDUs of the file.
    class_word
        Class in the NDF_CLASS extension, for files whose primary header lacks NDFCLASS.
    longitude
        Of the site, degrees east, for the night.

    Raises
    ------
    FrameRejectedError
        With the keyword that is missing or wrong.
    NotOursError
        For dummy and glance exposures.
    """
    cards = hdus[0].cards
    check_instrument(cards)
    parts = RAW_NAME.match(name)
    if parts is None:
        raise FrameRejectedError("wrong_name", f"{name!r} is not the name of a raw frame.")
    kind = _class(cards, class_word)
    for keyword in _NUMBERS:
        optional_number(cards, keyword)
    number(cards, "RO_GAIN", 0.05, 50.0)
    number(cards, "RO_NOISE", 0.0, 200.0)
    utmjd = _start(cards)
    plate, configuration, field = _fibre_setup(cards, hdus) if kind.needs_fibres else (None, "", "")
    grating, central_wavelength = _camera(cards, kind)
    return RawFacts(
        night=night_of(from_mjd(utmjd), longitude),
        header_night=header_night(cards),
        frame_class=kind,
        arm=_arm(cards, int(parts["ccd"])),
        run=int(parts["run"]),
        instrument=text(cards, "INSTRUME"),
        object_name=text(cards, "OBJECT"),
        proposal=text(cards, "AAOPRGID"),
        lamp=text(cards, "LAMPNAME"),
        exposed=number(cards, "EXPOSED", 0.0, 1e5),
        utmjd=utmjd,
        detector=text(cards, "DETECTOR"),
        window=text(cards, "WINDOW"),
        speed=text(cards, "SPEED"),
        readamp=text(cards, "READAMP"),
        grating=grating,
        central_wavelength=central_wavelength,
        dichroic=text(cards, "DICHROIC"),
        plate=plate,
        configuration=configuration,
        field=field,
        ra=harmless_number(cards, "MEANRA", -360.0, 360.0),
        dec=harmless_number(cards, "MEANDEC", -90.0, 90.0),
        airmass=airmass(cards) if kind in _SKYWARD else None,
    )


def _class(cards: Cards, class_word: str) -> FrameClass:
    words = text(cards, "NDFCLASS") or class_word, text(cards, "OBSTYPE"), text(cards, "RUNCMD")
    kind = frame_class(*words)
    if kind is not None:
        return kind
    if not any(words):
        raise missing("NDFCLASS", "says what kind of frame it is")
    raise FrameRejectedError(
        "unknown_class",
        f"The kind of frame is not known: NDFCLASS {words[0]!r}, OBSTYPE {words[1]!r}, RUNCMD {words[2]!r}. "
        f"Known classes are {', '.join(FrameClass)}; set NDFCLASS to one of them.",
    )


def _arm(cards: Cards, ccd: int) -> Arm:
    arm = Arm.of_ccd(ccd)
    spectrograph = text(cards, "SPECTID").upper()
    if not spectrograph:
        raise missing("SPECTID", "names the spectrograph's arm (BL is blue, RD is red)")
    if _ARM_OF_SPECTID.get(spectrograph) is not arm:
        raise FrameRejectedError(
            "arm_mismatch",
            f"The name says CCD {ccd} ({arm.value}), but SPECTID is {spectrograph!r}. "
            "Rename the file, or correct SPECTID (BL is blue, RD is red).",
        )
    return arm


def _start(cards: Cards) -> float:
    """Start of the exposure, MJD (UTC): UTMJD, or else UTDATE and UTSTART."""
    utmjd = optional_number(cards, "UTMJD", _MJD_LOW, _MJD_HIGH)
    if utmjd is not None:
        return utmjd
    date = re.match(r"^(\d{4})[:-](\d{1,2})[:-](\d{1,2})", text(cards, "UTDATE"))
    time = re.match(r"^(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,6})?)", text(cards, "UTSTART"))
    if date is None or time is None:
        raise missing("UTMJD", "tells when the exposure began (UTDATE with UTSTART would serve too)")
    try:
        day = MJD_EPOCH.replace(year=int(date[1]), month=int(date[2]), day=int(date[3]))
        moment = day + timedelta(hours=int(time[1]), minutes=int(time[2]), seconds=float(time[3]))
        mjd = (moment - MJD_EPOCH) / timedelta(days=1)
    except (ValueError, OverflowError):
        mjd = math.nan
    return number({"UTDATE": mjd}, "UTDATE", _MJD_LOW, _MJD_HIGH)


def header_night(cards: Cards) -> str | None:
    """Night that the header claims: the folder in FILEORIG, else UTDATE. For comparison only."""
    for part in reversed(text(cards, "FILEORIG", 400).split("/")[:-1]):
        night = night_in(part)
        if night:
            return night
    date = re.match(r"^(\d{4})[:-](\d{2})[:-](\d{2})", text(cards, "UTDATE"))
    return "".join(date.groups()) if date else None


def _camera(cards: Cards, kind: FrameClass) -> tuple[str, int]:
    """Grating and requested central wavelength (Angstrom, rounded)."""
    if not kind.needs_fibres:
        wavelength = harmless_number(cards, "LAMBDCR", 2500.0, 12000.0)
        return text(cards, "GRATID", 20), round(wavelength or 0)
    grating = text(cards, "GRATID", 20)
    if not grating:
        raise missing("GRATID", "names the grating")
    wavelength = optional_number(cards, "LAMBDCR", 2500.0, 12000.0)
    if wavelength is None:
        wavelength = number(cards, "LAMBDAC", 2500.0, 12000.0)
    return grating, round(wavelength)


def _fibre_setup(cards: Cards, hdus: tuple[Hdu, ...]) -> tuple[int, str, str]:
    """Plate, configuration and field label of a frame taken through the fibres."""
    table = _fibre_table(hdus)
    configuration = text(cards, "CFG_FILE")
    if not configuration:
        configuration = text(table.cards, "FILENAME", 400).rsplit("/", 1)[-1][:80]
    in_source = _PLATE_IN_SOURCE.search(text(cards, "SOURCE"))
    in_configuration = _PLATE_IN_CONFIGURATION.search(configuration)
    if in_source is None and in_configuration is None:
        raise FrameRejectedError(
            "missing_keyword",
            f"The plate cannot be told: SOURCE is {text(cards, 'SOURCE')!r} and CFG_FILE is {configuration!r}. "
            "Set SOURCE to 'plate 0' or 'plate 1'.",
        )
    if in_source and in_configuration and in_source[1] != in_configuration[1]:
        raise FrameRejectedError(
            "plate_mismatch",
            f"SOURCE says plate {in_source[1]}, but CFG_FILE {configuration!r} is for plate {in_configuration[1]}. "
            "Correct the one that is wrong.",
        )
    plate = int((in_source or in_configuration)[1])  # type: ignore[index]  # one of them is there
    label = field_label(configuration) if configuration else field_label(text(cards, "OBJECT"))
    return plate, configuration, label


def _fibre_table(hdus: tuple[Hdu, ...]) -> Hdu:
    tables = [hdu for hdu in hdus[1:] if hdu.name == "FIBRES"]
    if not tables:
        raise FrameRejectedError(
            "missing_fibres",
            "The fibre table (extension FIBRES) is missing, so nobody knows which fibre saw what. "
            "Check that the frame was written by the 2dF control task and not stripped on its way.",
        )
    cards = tables[0].cards
    rows = cards.get("NAXIS2")
    if rows != FIBRES:
        raise FrameRejectedError(
            "missing_fibres",
            f"The fibre table has {rows} rows; a 2dF plate has {FIBRES} fibres. Restore the frame's fibre table.",
        )
    count = cards.get("TFIELDS")
    present = {
        text(cards, f"TTYPE{n}").upper()
        for n in range(1, (count if isinstance(count, int) else 0) % 1000 + 1)
    }
    absent = [column for column in _FIBRE_COLUMNS if column not in present]
    if absent:
        raise FrameRejectedError(
            "missing_fibres",
            f"The fibre table lacks the column {', '.join(absent)}. Restore the frame's fibre table.",
        )
    return tables[0]


def airmass(cards: Cards) -> float | None:
    """Mean air mass of an exposure, from the zenith distances at its start and end (degrees).

    Formula of Young (1994), Applied Optics 33, 1108, for the true zenith distance: within 0.004 of the
    integrated air mass down to the horizon, where the secant has no bound.
    """
    distances = [harmless_number(cards, word, 0.0, 90.0) for word in ("ZDSTART", "ZDEND")]
    known = [_young(math.cos(math.radians(value))) for value in distances if value is not None]
    return round(max(1.0, sum(known) / len(known)), 4) if known else None


def _young(cosine: float) -> float:
    above = (1.002432 * cosine + 0.148386) * cosine + 0.0096467
    below = ((cosine + 0.149864) * cosine + 0.0102963) * cosine + 0.000303978
    return above / below
