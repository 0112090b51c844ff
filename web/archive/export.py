"""The answer of the archive as CSV and as VOTable, written part by part."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from xml.sax.saxutils import escape

from paws.clock import from_mjd
from web.pages.log import csv_cell

# A header holds nothing else, and VOTable's char is no more.
_NOT_PRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of an export: its name, and what the VOTable says of it."""

    name: str
    datatype: str
    description: str
    unit: str = ""
    ucd: str = ""


COLUMNS: Final = (
    Column("frame_id", "char", "Identifier of the frame", ucd="meta.id;meta.main"),
    Column("name", "char", "Name of the raw file", ucd="meta.id;meta.file"),
    Column("night", "char", "Civil date at the site when the night began, YYYYMMDD", ucd="time.epoch"),
    Column("run", "int", "Run number", ucd="meta.number"),
    Column("arm", "char", "Arm of the spectrograph", ucd="meta.code;instr"),
    Column("frame_class", "char", "NDFCLASS", ucd="meta.code.class"),
    Column("object_name", "char", "OBJECT", ucd="meta.id;src"),
    Column("field", "char", "Field label: the configuration's name without night, version and plate"),
    Column("plate", "short", "2dF plate"),
    Column("instrument", "char", "INSTRUME", ucd="meta.id;instr"),
    Column("grating", "char", "Grating", ucd="meta.id;instr.setup"),
    Column("central_wavelength", "int", "Central wavelength asked for, Angstrom", "0.1nm", "em.wl.central;instr.setup"),
    Column("exposed", "float", "Exposure time", "s", "time.duration;obs.exposure"),
    Column("ut_start", "char", "Start of the exposure, UTC", ucd="time.start;obs.exposure"),
    Column("utmjd", "double", "Start of the exposure, modified Julian date (UTC)", "d", "time.start;obs.exposure"),
    Column("ra", "double", "Centre of the field, right ascension", "deg", "pos.eq.ra;meta.main"),
    Column("dec", "double", "Centre of the field, declination", "deg", "pos.eq.dec;meta.main"),
    Column("airmass", "float", "Airmass", ucd="obs.airMass"),
    Column("proposal", "char", "Proposal", ucd="meta.id;obs.proposal"),
    Column("state", "char", "What became of the frame", ucd="meta.code.status"),
)  # fmt: skip


def values_of(row: Row) -> list[Any]:
    """Values of a row in the order of `COLUMNS`."""
    started = (
        from_mjd(row["utmjd"]).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] if 0 <= row["utmjd"] < 200_000 else ""
    )
    known = {**row, "ut_start": started}
    return [_rounded(known[column.name], column.datatype) for column in COLUMNS]


def _rounded(value: Any, datatype: str) -> Any:
    # PostgreSQL's real comes as a double with noise behind its seventh digit.
    return float(f"{value:.7g}") if datatype == "float" and value is not None else value


def csv_lines(rows: Iterable[Row]) -> str:
    """Rows as lines of CSV. Text that a spreadsheet would run as a formula is marked as text."""
    out = io.StringIO()
    csv.writer(out).writerows([csv_cell(value) for value in values_of(row)] for row in rows)
    return out.getvalue()


async def csv_export(nights: AsyncIterator[list[Row]]) -> AsyncIterator[bytes]:
    """CSV with a line of column names."""
    yield (",".join(column.name for column in COLUMNS) + "\r\n").encode()
    async for rows in nights:
        yield csv_lines(rows).encode()


def votable_rows(rows: Iterable[Row]) -> str:
    """Rows as TABLEDATA."""
    return "".join(
        f"<TR>{''.join(f'<TD>{_cell(value)}</TD>' for value in values_of(row))}</TR>\n" for row in rows
    )


def _cell(value: Any) -> str:
    return "" if value is None else escape(_NOT_PRINTABLE.sub("?", str(value)))


@lru_cache(maxsize=1)
def _frame_of_votable() -> tuple[str, str]:
    """What stands before and behind the rows; astropy writes it, so that it is valid."""
    from astropy.io.votable.tree import Field, Resource, TableElement, VOTableFile

    document = VOTableFile(version="1.4")
    document.description = "Raw frames of 2dF+AAOmega, from PAWS Live"
    resource = Resource(type="results")
    document.resources.append(resource)
    table = TableElement(document, name="frames")
    resource.tables.append(table)
    for column in COLUMNS:
        field = Field(
            document,
            name=column.name,
            datatype=column.datatype,
            arraysize="*" if column.datatype == "char" else None,
            unit=column.unit or None,
            ucd=column.ucd or None,
        )
        field.description = column.description
        table.fields.append(field)
    out = io.BytesIO()
    document.to_xml(out)
    before, end, behind = out.getvalue().decode().partition("</TABLE>")
    before = before.partition("<DATA>")[0]
    return f"{before}<DATA><TABLEDATA>\n", f"</TABLEDATA></DATA>{end}{behind}"


async def votable_export(nights: AsyncIterator[list[Row]]) -> AsyncIterator[bytes]:
    """VOTable 1.4."""
    before, behind = _frame_of_votable()
    yield before.encode()
    async for rows in nights:
        yield votable_rows(rows).encode()
    yield behind.encode()
