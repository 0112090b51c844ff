"""From a spectrum's record to the bytes that are sent: read, put into a medium, cut, written. Off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from paws.errors import InvalidInputError
from paws.settings import Settings
from web.files import inside
from web.spectra import read_spectrum
from web.storage.spectra import SpectrumRecord
from web.vo.spectra.files import FITS, PNG, VOTABLE, as_fits, as_votable
from web.vo.spectra.model import describe, rights_of
from web.vo.spectra.preview import picture
from web.vo.spectra.samples import Medium, between, samples_of

SUFFIXES: Final = {FITS: "fits", VOTABLE: "vot", PNG: "png"}
"""Suffix of files, by media type."""
_EDITION: Final = "1"
"""Counts changes of how spectra are written, so that no cache shows the old way."""


@dataclass(frozen=True)
class Wish:
    """How a spectrum is wanted.

    Attributes
    ----------
    band
        Wavelengths to keep, metres in vacuum; None for all.
    """

    media_type: str
    medium: Medium = Medium.VACUUM
    band: tuple[float, float] | None = None


def etag_of(record: SpectrumRecord, wish: Wish, settings: Settings) -> str:
    """Tag that differs whenever the bytes differ."""
    told = "\n".join(
        map(
            str,
            (
                *(settings.vo_authority, settings.vo_collection, settings.vo_creator, settings.vo_publisher),
                *(settings.vo_contact_name, settings.vo_contact_email, record.version, record.path),
                *(wish, rights_of(record), record.provisional, record.field, record.signal_to_noise),
            ),
        )
    )
    digest = hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f'"{record.checksum[:24]}-{record.fibre}-{_EDITION}{digest}"'


def file_name(record: SpectrumRecord, wish: Wish) -> str:
    """Name of the file, in characters that every system takes."""
    words = (
        record.night,
        record.arm or "both",
        f"{record.run:04d}" if record.run is not None else record.kind,
    )
    part = "-part" if wish.band else ""
    name = f"{'-'.join(words)}-fibre{record.fibre:03d}-v{record.version}{part}.{SUFFIXES[wish.media_type]}"
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)


async def make(record: SpectrumRecord, wish: Wish, settings: Settings) -> bytes | None:
    """Bytes of a spectrum; None when nothing of it lies within the band.

    Raises
    ------
    InvalidInputError
        If the product's file is gone, damaged, or has no wavelength scale.
    OutsideError
        If the database names a file outside the data folder.
    """
    path = inside(settings, record.stored_path)
    if record.size_bytes < 1:
        raise InvalidInputError("This product is empty; reduce the frame again.")
    if wish.media_type == PNG and wish.band is None:
        fibre, version = record.fibre or 0, record.checksum
        return await asyncio.to_thread(_picture, path, fibre, wish.medium, record.title, version)
    return await asyncio.to_thread(_make, record, wish, settings, path)


@lru_cache(maxsize=512)
def _picture(path: Path, fibre: int, medium: Medium, title: str, _checksum: str) -> bytes:
    return picture(samples_of(*read_spectrum(path, fibre), medium), title)


def _make(record: SpectrumRecord, wish: Wish, settings: Settings, path: Path) -> bytes | None:
    layout, found = read_spectrum(path, record.fibre or 0)
    samples = samples_of(layout, found, wish.medium)
    if wish.band is not None:
        part = between(samples, *wish.band)
        if part is None:
            return None
        samples = part
    if wish.media_type == PNG:
        return picture(samples, record.title)
    said = describe(record, layout, found, samples, settings)
    return as_fits(samples, said) if wish.media_type == FITS else as_votable(samples, said, record.title)
