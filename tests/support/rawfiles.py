"""Synthetic raw files with the declared geometry: right in form, with no physics. Any card can be made wrong."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

ROWS, COLUMNS = 4098, 2070
_BLOCK = 2880

Cards = dict[str, Any]


class Verbatim(str):
    """Text of a card's value field, written as it is."""


_BASE: Cards = {
    "INSTRUME": "AAOMEGA-2dF",
    "NDFCLASS": "MFOBJECT",
    "OBSTYPE": "OBJECT",
    "RUNCMD": "RUN",
    "OBJECT": "FLD195_v03",
    "AAOPRGID": "A/2026A/008",
    "SPECTID": "BL",
    "GRATID": "580V",
    "LAMBDCR": 4800.0,
    "LAMBDAC": 4801.2,
    "DICHROIC": "X5700",
    "DETECTOR": "E2V2A",
    "WINDOW": "AAOMEGA_2DF",
    "SPEED": "NORMAL",
    "READAMP": "RIGHT",
    "RO_GAIN": 1.88,
    "RO_NOISE": 3.61,
    "EXPOSED": 1800.0,
    "UTMJD": 61111.55929604,
    "UTDATE": "2026:03:12",
    "UTSTART": "13:25:23",
    "FILEORIG": "/data/aatobs/OptDet_data/260312/ccd_1/12mar10011.fits",
    "SOURCE": "plate 1 ",
    "CFG_FILE": "FLD195_v03_260312_r02_p1.sds",
    "MEANRA": 35.4986256735915,
    "MEANDEC": -28.7494049821735,
    "ZDSTART": 35.06,
    "ZDEND": 38.25,
    "DUMMY": 0,
    "RUN": 11,
}


def card(keyword: str, value: Any) -> bytes:
    """One header card."""
    if isinstance(value, Verbatim):
        field = str(value)
    elif isinstance(value, bool):
        field = f"{'T' if value else 'F':>20}"
    elif isinstance(value, (int, float)):
        field = f"{value!r:>20}"
    else:
        text = str(value).replace("'", "''")
        field = f"'{text:<8}'"
    return f"{keyword:<8}= {field}"[:80].ljust(80).encode("latin-1")


def header(cards: Cards) -> bytes:
    """Whole header of some cards; those of value None are left out."""
    lines = [card(keyword, value) for keyword, value in cards.items() if value is not None]
    content = b"".join([*lines, b"END".ljust(80)])
    return content.ljust(-(-len(content) // _BLOCK) * _BLOCK)


@cache
def pixels(level: int, seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(-5, 6, (ROWS, COLUMNS), dtype=np.int16)
    noise += np.int16(level - 32768)
    return _padded(noise.astype(">i2").tobytes())


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // _BLOCK) * _BLOCK, b"\0")


FIBRE_COLUMNS = {"NAME": "80A", "RA": "1D", "DEC": "1D", "TYPE": "1A", "PIVOT": "1I"}
_FIBRE_ROW = 80 + 8 + 8 + 1 + 2


def fibre_table(rows: int = 400, columns: dict[str, str] | None = None, **changes: Any) -> bytes:
    """Fibre table in the raw files' place."""
    columns = FIBRE_COLUMNS if columns is None else columns
    cards: Cards = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": _FIBRE_ROW,
        "NAXIS2": rows,
        "PCOUNT": 0,
        "GCOUNT": 1,
        "TFIELDS": len(columns),
    }
    for number, (name, form) in enumerate(columns.items(), 1):
        cards |= {f"TTYPE{number}": name, f"TFORM{number}": form}
    cards |= {"EXTNAME": "STRUCT.MORE.FIBRES"} | changes
    return header(cards) + _padded(b"\0" * (_FIBRE_ROW * rows))


def class_table(word: str) -> bytes:
    """One-celled table NDF_CLASS."""
    cards: Cards = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": 8,
        "NAXIS2": 1,
        "PCOUNT": 0,
        "GCOUNT": 1,
        "TFIELDS": 1,
        "TTYPE1": "NAME",
        "TFORM1": "8A",
        "EXTNAME": "STRUCT.MORE.NDF_CLASS",
    }
    return header(cards) + _padded(word.encode().ljust(8))


def primary(**changes: Any) -> bytes:
    """Primary header of a science frame of the blue arm, with changes; None leaves a card out."""
    structure: Cards = {
        "SIMPLE": True,
        "BITPIX": 16,
        "NAXIS": 2,
        "NAXIS1": COLUMNS,
        "NAXIS2": ROWS,
        "EXTEND": True,
        "BSCALE": 1.0,
        "BZERO": 32768.0,
    }
    return header(structure | _BASE | changes)


def raw_frame(
    frame_class: str = "MFOBJECT",
    level: int = 400,
    seed: int = 0,
    tables: bytes | None = None,
    **changes: Any,
) -> bytes:
    """A whole raw file.

    Parameters
    ----------
    level
        Of all pixels, ADU.
    seed
        Of the noise: another makes another content.
    tables
        Extensions, in place of those of the class.
    changes
        Cards of the primary header; None leaves one out.
    """
    if tables is None:
        fibred = frame_class not in ("BIAS", "DARK", "LFLAT")
        tables = (fibre_table() if fibred else b"") + class_table(frame_class)
    return primary(NDFCLASS=frame_class, **changes) + pixels(level, seed) + tables


def red(**changes: Any) -> Cards:
    """Cards that make a frame one of the red arm."""
    return {"SPECTID": "RD", "GRATID": "385R", "LAMBDCR": 7250.0, "DETECTOR": "E2V3A"} | changes
