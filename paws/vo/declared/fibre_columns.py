"""Columns that several of our tables have: what a fibre, a field and a product are known by."""

from __future__ import annotations

from typing import Final

from adql.catalogue import Column
from paws.vo.declared.columns import number, text, words

SIGNAL_TO_NOISE: Final = number(
    "signal_to_noise",
    None,
    "stat.snr",
    "Median signal-to-noise ratio per Angstrom; noise that neighbouring pixels share is counted",
    datatype="float",
)
MAGNITUDE: Final = number(
    "magnitude", "mag", "phot.mag", "Magnitude of the target in the observers' list", datatype="float"
)
FIBRE: Final = number(
    "fibre", None, "meta.id;instr", "Position in the slit, from 1: the row of the product", datatype="short"
)
PIVOT: Final = number("pivot", None, "meta.id;instr", "Pivot of the fibre on the 2dF plate", datatype="short")
FIBRE_TYPE: Final = text(
    "fibre_type",
    "meta.code;instr",
    "What the fibre was used for: P target, S sky, F guide, U unused, N broken",
)
NIGHT: Final = text("night", "time.epoch;obs", "Night of observation, YYYYMMDD: the civil date at its start")
FIELD: Final = text("field", "meta.id;obs.field", "Label of the field's fibre configuration")
PLATE: Final = number("plate", None, "meta.id;instr", "2dF field plate, 0 or 1", datatype="short")
RUN: Final = number(
    "run", None, "meta.id;obs", "Run number of the exposure; none for what has several", datatype="int"
)
ARM: Final = text("arm", "meta.id;instr", "Arm of the spectrograph: blue, red; none for spliced spectra")
GRATING: Final = text("grating", "meta.id;instr.setup", "Grating, such as 580V")
LEVEL: Final = number(
    "match_level",
    None,
    "meta.code.qual",
    "How near the worst of its calibrations is: 0 same field, 1 same plate and night, 2 adjacent night, 3 same run, 4 library",
    datatype="short",
)
PROVISIONAL: Final = number(
    "provisional",
    None,
    "meta.code.qual",
    "1 if it was made with less than the best calibrations and will be made again",
    datatype="short",
)
VERSION: Final = number("version", None, "meta.version", "Version of the product, from 1", datatype="int")
EXPOSURES: Final = number(
    "exposures",
    None,
    "meta.number;obs.exposure",
    "Exposures that went in; both arms of one count once",
    datatype="short",
)
PRODUCT_ID: Final = text(
    "product_id", "meta.id;meta.dataset", "Product (reduced frame) that holds the spectrum"
)
TARGET_NAME: Final = words("target_name", "meta.id;src", "Name of the target in the observers' list")
EXPOSED: Final = number("exposed", "s", "time.duration;obs.exposure", "Exposure time", datatype="float")
START: Final = number("mjd_start", "d", "time.start;obs.exposure", "Start (MJD, UTC)")
END: Final = number("mjd_end", "d", "time.end;obs.exposure", "End (MJD, UTC)")
CHECKSUM: Final = text("checksum", "meta.checksum;meta.file", "BLAKE3 of the file, hexadecimal")
SIZE: Final = number("size_bytes", "byte", "phys.size;meta.file", "Size of the file", datatype="long")


def position(description: str) -> tuple[Column, Column]:
    """Right ascension and declination, the main position of a table."""
    return (
        number("ra", "deg", "pos.eq.ra;meta.main", f"Right ascension (ICRS) of {description}"),
        number("dec", "deg", "pos.eq.dec;meta.main", f"Declination (ICRS) of {description}"),
    )
