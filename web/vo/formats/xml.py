"""The XML around the rows of a VOTable: what stands before the data, and what stands after."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from web.vo.formats.values import Described, ResultInfo
from web.vo.xml import FORBIDDEN, plain

_OPENING: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://www.ivoa.net/xml/VOTable/v1.3 http://www.ivoa.net/xml/VOTable/votable-1.4.xsd">\n'
)
FORBIDDEN_BUT_NUL: Final = re.compile(FORBIDDEN.pattern.replace("\x00", "\x01", 1))
"""What no XML document can hold, for texts that are joined by NUL."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SPATIAL: Final = re.compile(r"(?i)(^|;)pos\.(eq|outline)\b")
_CURVES: Final = {"point", "circle", "polygon", "moc", "shape", "region", "adql:point", "adql:region"}
_JULIAN: Final = re.compile(r"(?i)char\.timeaxis\.coverage\.bounds\.limits\.(start|stop)time$")


def content(text: str) -> str:
    """Text between tags."""
    return escape(plain(text), quote=False)


def attribute(name: str, value: str | None) -> str:
    """Return `` name="value"``, or nothing."""
    if value is None or value == "":
        return ""
    return f' {name}="{_quoted(value)}"'


def _quoted(value: str) -> str:
    return escape(plain(value)).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")


def info(name: str, value: str, text: str = "") -> str:
    """Return an INFO element."""
    body = f">{content(text)}</INFO>\n" if text else "/>\n"
    return f'<INFO name="{_quoted(name)}" value="{_quoted(value)}"{body}'


def field_ids(columns: Sequence[Described]) -> list[str]:
    """XML identifiers of columns: their names where those will do, so that descriptors may refer to them."""
    taken = {_ICRS, _MJD}
    ids = []
    for number, column in enumerate(columns, 1):
        name = column.name if _NAME.fullmatch(column.name) else f"col_{number}"
        while name in taken:
            name = f"{name}_{number}"
        taken.add(name)
        ids.append(name)
    return ids


_ICRS: Final = "sys_icrs"
_MJD: Final = "sys_mjd"


def _system(column: Described) -> str | None:
    """Which system a column's values are in, as far as its UCD, xtype and utype tell."""
    if _SPATIAL.search(column.ucd or "") and column.datatype in ("double", "float"):
        return _ICRS
    if (column.xtype or "").lower() in _CURVES and column.datatype in ("double", "float"):
        return _ICRS
    if (column.xtype or "").lower() == "mjd" or _JULIAN.search(column.utype or ""):
        return _MJD
    return None


_SYSTEMS: Final = {
    _ICRS: f'<COOSYS ID="{_ICRS}" system="ICRS"/>\n',
    _MJD: f'<TIMESYS ID="{_MJD}" timeorigin="MJD-origin" timescale="UTC" refposition="TOPOCENTER"/>\n',
}


def field(column: Described, ident: str, *, null: int | None = None) -> str:
    """Return a FIELD element with all that is known of a column."""
    attributes = "".join(
        attribute(name, value)
        for name, value in (
            ("ID", ident),
            ("name", column.name),
            ("datatype", column.datatype),
            ("arraysize", column.arraysize),
            ("xtype", column.xtype),
            ("unit", column.unit),
            ("ucd", column.ucd),
            ("utype", column.utype),
            ("ref", _system(column)),
        )
    )
    body = f"<DESCRIPTION>{content(column.description)}</DESCRIPTION>" if column.description else ""
    if null is not None:
        body += f'<VALUES null="{null}"/>'
    return f"<FIELD{attributes}>{body}</FIELD>\n" if body else f"<FIELD{attributes}/>\n"


def head(columns: Sequence[Described], about: ResultInfo, *, nulls: Mapping[int, int] | None = None) -> str:
    """All of a VOTable up to its DATA.

    Parameters
    ----------
    nulls
        By a column's place, the number that stands for NULL, where the serialisation needs one.
    """
    used = {system for column in columns if (system := _system(column))}
    table = attribute("name", about.table_name) + attribute("utype", about.table_utype)
    parts = [
        _OPENING,
        '<RESOURCE type="results">\n',
        f"<DESCRIPTION>{content(about.title)}</DESCRIPTION>\n" if about.title else "",
        info("QUERY_STATUS", "OK"),
        info("QUERY", about.query) if about.query is not None else "",
        *(info(name, value) for name, value in about.facts.items()),
        *(text for system, text in _SYSTEMS.items() if system in used),
        *about.params,
        f"<TABLE{table}>\n",
    ]
    ids = field_ids(columns)
    parts += [
        field(column, ident, null=(nulls or {}).get(place))
        for place, (column, ident) in enumerate(zip(columns, ids, strict=True))
    ]
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the rows came to their end.

    Attributes
    ----------
    overflow
        Whether there are more rows than were asked for.
    error
        Why they broke off, in words for the reader.
    """

    overflow: bool = False
    error: str | None = None


def tail(about: ResultInfo, ending: Ending, limit: int | None) -> str:
    """All of a VOTable behind its DATA: overflow and errors are told here, where they are known."""
    parts = ["</TABLE>\n"]
    if ending.error is not None:
        parts.append(info("QUERY_STATUS", "ERROR", ending.error))
    elif ending.overflow:
        parts.append(info("QUERY_STATUS", "OVERFLOW", f"There are more rows than the limit of {limit or 0}."))
    parts.append("</RESOURCE>\n")
    parts += about.descriptors
    parts.append("</VOTABLE>\n")
    return "".join(parts)


def error_document(
    message: str, *, query: str | None = None, facts: Mapping[str, str] | None = None
) -> bytes:
    """Return a VOTable that holds an error and nothing else, as DALI asks of a service that fails."""
    return (
        _OPENING
        + '<RESOURCE type="results">\n'
        + info("QUERY_STATUS", "ERROR", message)
        + (info("QUERY", query) if query is not None else "")
        + "".join(info(name, value) for name, value in (facts or {}).items())
        + "</RESOURCE>\n</VOTABLE>\n"
    ).encode()
