"""A spectrum as FITS and as VOTable, by the Spectral Data Model 1.1: one row a sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from adql.catalogue import Column
from web.spectrum_files import VOTABLE_UNITS, card_room, card_text, flux_unit
from web.vo.formats.encoder import Encoder
from web.vo.formats.tabledata import TableData
from web.vo.formats.values import ResultInfo
from web.vo.formats.xml import Ending
from web.vo.spectra.model import Said
from web.vo.spectra.samples import Medium, Samples
from web.vo.xml import Markup, element

FITS: Final = "application/fits"
VOTABLE: Final = "application/x-votable+xml"
PNG: Final = "image/png"
_PREFIX: Final = "spec:"
_BAD, _UNCERTAIN = 1, 2
_FITS_CLASS: Final = "SPECTRUM V1.1"


def columns_of(samples: Samples) -> list[tuple[Column, NDArray[Any]]]:
    """Columns of the table, with what is in them."""
    unit = flux_unit(samples.unit)
    kind = "phot.count" if samples.counts else "phot.flux.density;em.wl"
    quality = np.where(np.isfinite(samples.flux), 0, _BAD).astype(np.int16)
    medium = "air" if samples.medium is Medium.AIR else "vacuum (formula of Ciddor 1996)"
    wavelength = _column(
        "wavelength", "double", "Angstrom", "em.wl", "SpectralAxis.Value", f"Wavelength in {medium}"
    )
    flux = _column("flux", "float", unit, kind, "FluxAxis.Value", "Flux, sky subtracted")
    found: list[tuple[Column, NDArray[Any]]] = [(wavelength, samples.wavelength), (flux, samples.flux)]
    if samples.error is not None:
        bad = ~(np.isfinite(samples.error) & (samples.error > 0))
        quality |= np.where(bad, _UNCERTAIN, 0).astype(np.int16)
        utype = "FluxAxis.Accuracy.StatError"
        error = _column("error", "float", unit, f"stat.error;{kind}", utype, "Standard error of the flux")
        found.append((error, samples.error))
    if samples.sky is not None:
        ucd, utype = f"{kind};instr.background", "BackgroundModel.Value"
        found.append((_column("sky", "float", unit, ucd, utype, "Sky that was subtracted"), samples.sky))
    words = "0 good, 1 no flux, 2 no error, 3 neither"
    found.append((_column("quality", "short", None, "meta.code.qual", "FluxAxis.Quality", words), quality))
    return found


def _column(name: str, datatype: str, unit: str | None, ucd: str, utype: str, description: str) -> Column:
    return Column(name, datatype, unit=unit, ucd=ucd, utype=f"{_PREFIX}Data.{utype}", description=description)


def as_fits(samples: Samples, said: Sequence[Said]) -> bytes:
    """As a FITS file with one binary table."""
    told = columns_of(samples)
    formats = {"double": ("D", ">f8"), "float": ("E", ">f4"), "short": ("I", ">i2")}
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column(column.name, letter, unit=column.unit or None, array=values.astype(dtype))
            for column, values in told
            for letter, dtype in (formats[column.datatype],)
        ],
        name="SPECTRUM",
    )
    for number, (column, _values) in enumerate(told, start=1):
        hdu.header[f"TUTYP{number}"] = column.utype
        hdu.header[f"TUCD{number}"] = column.ucd
        hdu.header[f"TCOMM{number}"] = card_text(column.description)
    primary = fits.PrimaryHDU()
    for header in (primary.header, hdu.header):
        for one in said:
            header[one.keyword] = _card(one)
    return _whole([primary, hdu])


def _whole(hdus: list[Any]) -> bytes:
    """Bytes of a FITS file with checksums, the same whenever they are made: astropy puts the time beside a checksum."""
    file = fits.HDUList(hdus)
    file.update_extend()
    for hdu in file:
        hdu.add_checksum(when="of this header and its data")
    out = BytesIO()
    file.writeto(out)
    return out.getvalue()


def _card(one: Said) -> tuple[str | float | int | bool, str]:
    text = _FITS_CLASS if one.keyword == "VOCLASS" else one.value
    value = card_text(text) if isinstance(text, str) else text
    meaning = f"[{one.unit}] {one.meaning}" if one.unit else one.meaning
    return value, meaning[: card_room(value)].strip()


def as_votable(samples: Samples, said: Sequence[Said], title: str) -> bytes:
    """As a VOTable."""
    told = [(_in_votable(column), values) for column, values in columns_of(samples)]
    info = ResultInfo(
        title=title,
        params=_params(said),
        table_name="spectrum",
        table_utype=f"{_PREFIX}Spectrum",
    )
    encoder: Encoder = TableData([column for column, _values in told], info, None)
    rows = encoder.rows([values.tolist() for _column, values in told])
    return b"".join((_older(encoder.head()), rows, *encoder.tail(Ending())))


def _in_votable(column: Column) -> Column:
    """A column without a unit that VOTables have no word for, such as the electron; it is told in words then."""
    if not column.unit or column.unit in VOTABLE_UNITS:
        return replace(column, unit=VOTABLE_UNITS.get(column.unit or "", column.unit))
    return replace(column, unit=None, description=f"{column.description}, {column.unit}")


def _older(head: bytes) -> bytes:
    """The same document as version 1.3: from 1.4 on Angstrom is deprecated, and readers warn of the unit that all use."""
    return head.replace(b'version="1.4"', b'version="1.3"', 1).replace(
        b"votable-1.4.xsd", b"VOTable-1.3.xsd", 1
    )


def _params(said: Iterable[Said]) -> list[Markup]:
    return [_param(one) for one in said]


def _param(one: Said) -> Markup:
    attributes: dict[str, object] = {"name": one.keyword}
    if one.keyword == "SKYPOS":
        attributes |= {"datatype": "double", "arraysize": "2", "xtype": "point"}
    elif isinstance(one.value, bool):
        attributes["datatype"] = "boolean"
    elif isinstance(one.value, int):
        attributes["datatype"] = "long"
    elif isinstance(one.value, float):
        attributes["datatype"] = "double"
    else:
        attributes |= {"datatype": "char" if one.value.isascii() else "unicodeChar", "arraysize": "*"}
    attributes |= {
        "unit": one.unit or None,
        "ucd": one.ucd or None,
        "utype": f"{_PREFIX}{one.utype}" if one.utype else None,
        "value": str(one.value).lower() if isinstance(one.value, bool) else one.value,
    }
    return element("PARAM", attributes, element("DESCRIPTION", None, one.meaning) if one.meaning else None)
