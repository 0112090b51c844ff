"""One spectrum as a file that programs of the field read: FITS, ECSV, plain ASCII, VOTable.

The columns are the same in all: wavelength, flux, its standard error, the sky that was subtracted, and a mask.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO, StringIO
from typing import Any, Final

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from web.spectra import FibreSpectrum, SpectraLayout

_CARD: Final = 68
"""Longest text in a card of a FITS header."""

_BAD: Final = 1
_UNCERTAIN: Final = 2


class SpectrumFormat(StrEnum):
    """Formats of single spectra, by the suffix of the file."""

    FITS = "fits"
    ECSV = "ecsv"
    TXT = "txt"
    VOTABLE = "vot"

    @property
    def media_type(self) -> str:
        """As HTTP names it."""
        return {
            SpectrumFormat.FITS: "application/fits",
            SpectrumFormat.ECSV: "text/csv; header=present; charset=utf-8",
            SpectrumFormat.TXT: "text/plain; charset=utf-8",
            SpectrumFormat.VOTABLE: "application/x-votable+xml",
        }[self]

    @property
    def words(self) -> str:
        """For people."""
        return {"fits": "FITS", "ecsv": "ECSV", "txt": "ASCII", "vot": "VOTable"}[self.value]


@dataclass(frozen=True)
class Told:
    """What is said of a spectrum: FITS keyword, value, unit or nothing, meaning."""

    keyword: str
    value: str | int | float | bool
    unit: str
    meaning: str


def facts_of(
    layout: SpectraLayout, found: FibreSpectrum, product: Mapping[str, Any], signal_to_noise: float | None
) -> list[Told]:
    """All that is said of a spectrum; what is not known is left out.

    Parameters
    ----------
    product
        Row of the product: ``product_id``, ``path``, ``checksum``, ``version``, ``provenance`` and so on.
    """
    row = found.row
    made = product.get("provenance") or {}
    wavelength = layout.axis == "wavelength"
    told: list[tuple[str, Any, str, str]] = [
        ("OBJECT", row.name, "", "name of the target"),
        ("RA", row.ra, "deg", "right ascension, J2000"),
        ("DEC", row.dec, "deg", "declination, J2000"),
        ("FIBTYPE", row.type, "", "type of the fibre: P target, S sky, N broken, U parked, F guide"),
        ("FIBRE", row.fibre, "", "row of the product, from 1"),
        ("PIVOT", row.pivot, "", "2dF pivot"),
        ("MAG", row.magnitude, "mag", "magnitude in the fibre table"),
        ("SNR", signal_to_noise, "", "median signal to noise per Angstrom"),
        ("AIRORVAC", "air" if wavelength else None, "", "medium of the wavelengths"),
        ("FIELD", product.get("field"), "", "field"),
        ("NIGHT", product.get("night"), "", "night, civil date at the site when it began"),
        ("PLATE", product.get("plate"), "", "2dF plate"),
        ("ARM", product.get("arm") or "both", "", "arm of the spectrograph"),
        ("GRATING", product.get("grating"), "", "grating"),
        ("TELESCOP", "Anglo-Australian Telescope", "", "telescope"),
        ("INSTRUME", "AAOMEGA-2dF", "", "instrument"),
        ("PRODUCT", product.get("product_id"), "", "identifier of the product"),
        ("PRODFILE", product.get("path"), "", "file of the product"),
        ("PRODVERS", product.get("version"), "", "version of the product"),
        ("PRODSUM", product.get("checksum"), "", "BLAKE3 of the product"),
        ("CALLEVEL", product.get("level"), "", "worst calibration level"),
        ("PROVISIO", product.get("provisional"), "", "made with less than the best"),
        ("ENGINE", made.get("engine"), "", "what reduced it"),
        ("ENGVERS", made.get("engine_version"), "", "its version"),
        ("PAWSVERS", made.get("software"), "", "version of PAWS Live"),
        ("REDUCED", made.get("made_at"), "", "when it was reduced (UTC)"),
    ]
    return [
        Told(name, value, unit, meaning)
        for name, value, unit, meaning in told
        if isinstance(value, str | int | float)
        and value != ""
        and not (isinstance(value, float) and not math.isfinite(value))
    ]


def write_spectrum(
    kind: SpectrumFormat, layout: SpectraLayout, found: FibreSpectrum, facts: list[Told]
) -> bytes:
    """A spectrum as the bytes of a file."""
    columns = _columns(layout, found)
    if kind is SpectrumFormat.TXT:
        return _ascii(layout, columns, facts)
    table = Table(columns, copy=False)
    _describe(table, layout)
    if kind is SpectrumFormat.FITS:
        return _fits(table, facts)
    # Values and meanings are texts of headers: both writers escape them.
    table.meta = {
        fact.keyword: {"value": fact.value, "unit": fact.unit, "meaning": fact.meaning} for fact in facts
    }
    return _ecsv(table) if kind is SpectrumFormat.ECSV else _votable(table, facts)


def file_name(night: str, product_path: str, fibre: int, kind: SpectrumFormat) -> str:
    """Name of the file, in characters that every system takes."""
    stem = re.sub(r"[^A-Za-z0-9.+-]+", "_", product_path.rsplit("/", 1)[-1].removesuffix(".fits")).strip(
        "._-"
    )
    return f"{night}-{stem[-80:]}-fibre{fibre:03d}.{kind}"


def _columns(layout: SpectraLayout, found: FibreSpectrum) -> dict[str, NDArray[Any]]:
    samples = len(found.flux)
    start, step = layout.start or 0.0, layout.step or 1.0
    axis: NDArray[Any] = start + step * np.arange(samples) if found.x is None else found.x
    mask = np.where(np.isfinite(found.flux), 0, _BAD).astype(np.uint8)
    columns: dict[str, NDArray[Any]] = {
        "wavelength" if layout.axis == "wavelength" else "pixel": axis,
        "flux": found.flux.astype(np.float32),
    }
    if found.sigma is not None:
        columns["error"] = found.sigma.astype(np.float32)
        mask |= np.where(np.isfinite(found.sigma) & (found.sigma > 0), 0, _UNCERTAIN).astype(np.uint8)
    if found.sky is not None:
        columns["sky"] = found.sky.astype(np.float32)
    return {**columns, "mask": mask}


_MEANINGS: Final = {
    "wavelength": "wavelength in air",
    "pixel": "pixel, from 1",
    "flux": "flux, sky subtracted",
    "error": "standard error of the flux",
    "sky": "sky that was subtracted",
    "mask": "0 good, 1 no flux, 2 no error, 3 neither",
}
VOTABLE_UNITS: Final = {"Angstrom": "Angstrom", "count": "ct"}
"""Units of ours that VOTables know, and how they write them; others are told in words."""

_UCDS: Final = {
    "wavelength": "em.wl",
    "pixel": "pos.cartesian.x;instr.det",
    "flux": "phot.flux.density;em.wl",
    "error": "stat.error;phot.flux.density;em.wl",
    "sky": "phot.flux.density;em.wl;instr.background",
    "mask": "meta.code.qual",
}


def _unit_of(name: str, layout: SpectraLayout) -> str:
    if name == "wavelength":
        return "Angstrom"
    return "" if name in ("pixel", "mask") else flux_unit(layout.unit)


def flux_unit(text: str) -> str:
    """The product's unit as it is usually written; nothing when nobody knows it."""
    known = {"electrons": "electron", "e-": "electron", "counts": "count", "ct": "count", "adu": "adu"}
    wanted = known.get(text.strip().lower(), text.strip())
    try:
        return units.Unit(wanted).to_string() if wanted else ""
    except (ValueError, TypeError):
        return ""


def _describe(table: Table, layout: SpectraLayout) -> None:
    for name in table.colnames:
        unit = _unit_of(name, layout)
        table[name].description = _MEANINGS[name]
        if unit:
            table[name].unit = unit


def _fits(table: Table, facts: list[Told]) -> bytes:
    told_units = {name: str(table[name].unit or "") for name in table.colnames}
    hdu = fits.BinTableHDU(table.as_array(), name="SPECTRUM")
    for name, unit in told_units.items():
        if unit:
            hdu.columns[name].unit = unit
    for number, name in enumerate(table.colnames, start=1):
        hdu.header[f"TUCD{number}"] = _UCDS[name]
        hdu.header[f"TCOMM{number}"] = _MEANINGS[name]
    primary = fits.PrimaryHDU()
    for header in (primary.header, hdu.header):
        for fact in facts:
            value = card_text(fact.value) if isinstance(fact.value, str) else fact.value
            meaning = f"[{fact.unit}] {fact.meaning}" if fact.unit else fact.meaning
            header[fact.keyword] = (value, meaning[: card_room(value)].strip())
    out = BytesIO()
    fits.HDUList([primary, hdu]).writeto(out, checksum=True)
    return out.getvalue()


def card_text(text: str) -> str:
    """Text that a card of a FITS header can hold."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)[:_CARD]
    # A quote takes two places.
    return plain[: _CARD - plain.count("'")]


def card_room(value: Any) -> int:
    """Characters that a card has for a comment."""
    taken = len(value) + value.count("'") + 2 if isinstance(value, str) else len(repr(value))
    return max(0, 80 - 10 - max(taken, 20) - 3)


def _ecsv(table: Table) -> bytes:
    out = StringIO()
    table.write(out, format="ascii.ecsv")
    return out.getvalue().encode()


def _votable(table: Table, facts: list[Told]) -> bytes:
    from astropy.io.votable.tree import Param, TableElement, VOTableFile

    document = VOTableFile.from_table(table)
    # In later versions an Angstrom is 0.1nm, which few readers show well.
    document.version = "1.3"
    element: TableElement = document.get_first_table()
    element.name = "spectrum"
    element.infos.clear()
    for field in element.fields:
        field.ucd = _UCDS[field.name]
        unit = str(table[field.name].unit or "")
        field.unit = None
        if unit and unit not in VOTABLE_UNITS:
            field.description = f"{_MEANINGS[field.name]}, {unit}"
    for fact in facts:
        text = isinstance(fact.value, str)
        value = fact.value
        kind = "boolean" if isinstance(value, bool) else "long" if isinstance(value, int) else "double"
        extra = {"datatype": "unicodeChar", "arraysize": "*"} if text else {"datatype": kind}
        param = Param(document, name=fact.keyword, value=_xml_text(value) if text else value, **extra)
        param.description = fact.meaning
        if fact.unit:
            param.unit = fact.unit
        element.params.append(param)
    out = BytesIO()
    document.to_xml(out)
    content = out.getvalue()
    for name in table.colnames:
        unit = str(table[name].unit or "")
        if unit in VOTABLE_UNITS:
            # Put in afterwards: astropy would write by the rules of the later version.
            mark = f'name="{name}" ucd="{_UCDS[name]}"'
            content = content.replace(mark.encode(), f'{mark} unit="{VOTABLE_UNITS[unit]}"'.encode(), 1)
    return content


def _xml_text(value: Any) -> str:
    """Text without what XML cannot hold at all, escaped or not."""
    return "".join(char for char in str(value) if char.isprintable())


def _ascii(layout: SpectraLayout, columns: dict[str, NDArray[Any]], facts: list[Told]) -> bytes:
    out = StringIO()
    for fact in facts:
        value = json.dumps(fact.value, ensure_ascii=False) if isinstance(fact.value, str) else fact.value
        unit = f" {fact.unit}" if fact.unit else ""
        out.write(f"# {fact.keyword:<8} = {value}{unit}  ({fact.meaning})\n")
    for name in columns:
        unit = _unit_of(name, layout)
        out.write(f"# column {name}: {_MEANINGS[name]}{f' [{unit}]' if unit else ''}\n")
    widths = {"wavelength": "%11.4f", "pixel": "%7.1f", "mask": "%d"}
    out.write("# " + " ".join(columns) + "\n")
    np.savetxt(
        out, np.column_stack(list(columns.values())), fmt=[widths.get(name, "%13.6g") for name in columns]
    )
    return out.getvalue().encode()
