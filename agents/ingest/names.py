"""What the names of files and folders tell. Pure functions on text."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import PurePosixPath

from schemas.frames import RAW_NAME

_TEMPORARY_SUFFIXES = (
    "~",
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".incomplete",
    ".swp",
    ".lock",
)
_FITS_SUFFIXES = (".fits", ".fit", ".fts")
_COMPRESSED_SUFFIXES = (".gz", ".fz", ".bz2", ".z", ".xz", ".zst")
_OTHER_CCD = re.compile(r"^\d{2}[a-z]{3}[03-9]\d{4}\.fits$")
_NIGHT_FOLDER = re.compile(r"^(?:\d{2})?\d{6}$")


class NameKind(StrEnum):
    """What a file is by its name alone."""

    RAW = "raw"
    FOREIGN = "foreign"
    TEMPORARY = "temporary"
    OTHER = "other"


def name_kind(name: str) -> NameKind:
    """Kind of file that a name stands for.

    `FOREIGN` names are FITS files which no AAOmega control task wrote; people want to hear of them.
    `TEMPORARY` are dot files and what copying programs write before they rename; `OTHER` is no FITS file.
    """
    lowered = name.lower()
    if name.startswith((".", "#")) or lowered.endswith(_TEMPORARY_SUFFIXES):
        return NameKind.TEMPORARY
    if RAW_NAME.match(name) and not name.endswith("\n"):
        return NameKind.RAW
    plain = lowered
    for suffix in _COMPRESSED_SUFFIXES:
        plain = plain.removesuffix(suffix)
    return NameKind.FOREIGN if plain.endswith(_FITS_SUFFIXES) else NameKind.OTHER


def foreign_reason(name: str) -> str:
    """Why a FITS file's name cannot be that of a raw AAOmega frame, and what to do next."""
    if name.lower().endswith(_COMPRESSED_SUFFIXES):
        return "The file is compressed. Uncompress it beside the others, as DDmmmCNNNN.fits."
    if _OTHER_CCD.match(name):
        return (
            "The CCD digit in the name is neither 1 (blue) nor 2 (red), so the frame is not AAOmega's. "
            "Keep frames of other instruments out of this folder."
        )
    return (
        "The name is not that of a raw frame: DDmmmCNNNN.fits, such as 12mar10011.fits (day, month, CCD, run). "
        "Rename it to what the telescope wrote, or move it out of the raw folder."
    )


def folder_night(path: str) -> str | None:
    """Night in the folders above a file, ``YYYYMMDD``, from the nearest that is named so.

    Folders are ``YYMMDD`` at the telescope and in the archive, ``YYYYMMDD`` in users' copies.
    """
    for part in reversed(PurePosixPath(path).parts[:-1]):
        night = night_in(part)
        if night:
            return night
    return None


def night_in(folder: str) -> str | None:
    """Night that a folder name stands for, ``YYYYMMDD``, or None.

    2dF began in 1996: two-digit years from 90 on are of the last century.
    """
    if not _NIGHT_FOLDER.match(folder) or not folder.isascii():
        return None
    digits = folder if len(folder) == 8 else f"{'19' if folder[:2] >= '90' else '20'}{folder}"
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:])
    return digits if 1990 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= 31 else None


def printable(path: str) -> str:
    """Text of a path that may stand in a database, an event or a message, whatever bytes the path holds."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )[:1000]


def is_storable(path: str) -> bool:
    """Whether a path can be kept as text and opened again from that text."""
    return printable(path) == path
