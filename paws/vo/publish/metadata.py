"""Metadata of a table and its columns, as Data Central keeps them: CSV or JSON beside the data.

Liberal in what heads are called, strict in what stands below them; ``docs/how-to/publish-a-table.md`` has the form.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from adql.catalogue import Column
from paws.vo.publish.errors import MetadataError

LARGEST: Final = 5_000_000
"""Bytes of a metadata file."""
_LONGEST_TEXT: Final = 4000
_MOST_COLUMNS: Final = 5000

_COLUMN_HEADS: Final = {
    "name": ("name", "column", "column_name", "col_name", "colname", "field", "field_name"),
    "description": ("description", "desc", "column_description", "comment", "comments", "definition"),
    "unit": ("unit", "units"),
    "ucd": ("ucd", "ucds", "ucd1plus"),
    "utype": ("utype",),
    "xtype": ("xtype",),
    "datatype": ("datatype", "data_type", "type", "dtype"),
    "table": ("table", "table_name", "tablename"),
}
_TABLE_HEADS: Final = {
    "name": ("name", "table", "table_name", "tablename"),
    "description": ("description", "desc", "table_description", "long_description", "comment"),
    "title": ("title", "pretty_name", "short_description"),
    "utype": ("utype",),
    "provenance": ("provenance", "origin"),
    "documentation": ("documentation", "doc", "documentation_url", "url"),
    "reference": ("reference", "references", "bibcode", "doi", "citation"),
    "version": ("version", "data_release"),
    "contact": ("contact", "author", "authors", "creator", "contact_name"),
    "date": ("date", "release_date", "date_created"),
    "group": ("group", "group_name", "survey"),
}
_IN_DESCRIPTION: Final = ("provenance", "documentation", "reference", "version", "contact", "date", "group")
_UCD: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(;[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)*")
_OF_VALUES: Final = ("timestamp", "adql:timestamp", "point", "circle", "polygon")
"""Types of meaning that decide how values are stored."""
_NOTHING: Final = ("", "-", "--", "null", "none", "n/a", "unitless", "dimensionless")
_TYPES: Final = {
    "boolean": ("boolean", "bool", "logical"),
    "short": ("short", "smallint", "int16", "unsignedbyte", "int8", "uint8", "tinyint"),
    "int": ("int", "integer", "int32", "int4"),
    "long": ("long", "bigint", "int64", "int8", "longinteger"),
    "float": ("float", "real", "float32", "float4", "single"),
    "double": ("double", "double precision", "float64", "float8", "float"),
    "char": ("char", "string", "str", "text", "varchar", "character", "unicodechar", "object", "clob"),
}


@dataclass(frozen=True, slots=True)
class ColumnMetadata:
    """What a metadata file says of a column. What it does not say is None."""

    name: str
    description: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    xtype: str | None = None
    datatype: str | None = None


@dataclass(frozen=True, slots=True)
class TableMetadata:
    """What metadata files say of a table."""

    description: str = ""
    utype: str | None = None
    columns: tuple[ColumnMetadata, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def read_metadata(paths: Sequence[Path], table: str) -> TableMetadata:
    """Metadata of a table from files; what a later one says comes over what an earlier one does.

    Parameters
    ----------
    table
        Full name of the table. Rows that name another table are passed over, for one file may describe many.

    Raises
    ------
    MetadataError
        If a file cannot be read or holds what cannot be used, naming file and place.
    """
    found = TableMetadata()
    for path in paths:
        found = _over(found, _read_file(path, table))
    return found


def _over(first: TableMetadata, second: TableMetadata) -> TableMetadata:
    return TableMetadata(
        second.description or first.description,
        second.utype or first.utype,
        (*first.columns, *second.columns),
        (*first.warnings, *second.warnings),
    )


def _read_file(path: Path, table: str) -> TableMetadata:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise MetadataError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST:
        raise MetadataError(f"{path} is larger than {LARGEST} bytes, which no metadata file is.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MetadataError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    if "\0" in text:
        raise MetadataError(f"{path} holds NUL; it is no text.")
    try:
        if text.lstrip()[:1] in ("{", "["):
            return _from_json(text, table)
        return _from_csv(text, table)
    except MetadataError as error:
        raise MetadataError(f"{path.name}: {error.message}") from error


def _from_json(text: str, table: str) -> TableMetadata:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MetadataError(f"it is no JSON: {error}") from error
    if isinstance(document, list):
        document = {"columns": document}
    about, columns = document.get("table", {}), document.get("columns", [])
    if not isinstance(about, dict):
        about = {"name": about}
    about = {key: value for key, value in document.items() if key not in ("table", "columns")} | about
    if isinstance(columns, dict):
        columns = [
            {"name": name, **(value if isinstance(value, dict) else {"description": value})}
            for name, value in columns.items()
        ]
    if not isinstance(columns, list) or not all(isinstance(item, dict) for item in columns):
        raise MetadataError("'columns' is a list of objects, or an object of columns by name.")
    rows = [{str(key): _plain(value) for key, value in item.items()} for item in columns]
    told, unknown = _table_row({str(key): _plain(value) for key, value in about.items()})
    if told.get("name") and not _is_table(told["name"], table):
        raise MetadataError(f"it describes {told['name']!r}, not {table}.")
    found, more = _columns(rows, table)
    return TableMetadata(_description(told), told.get("utype") or None, found, _unknown(unknown | more))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    raise MetadataError(f"{str(value)[:60]!r} is no text.")


def _from_csv(text: str, table: str) -> TableMetadata:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise MetadataError("it is empty.")
    delimiter = max(",\t;|", key=lines[0].count)
    try:
        rows = list(csv.DictReader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise MetadataError(f"it is no CSV: {error}") from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise MetadataError(
                f"row {number} has more or fewer values than the head; quote values with commas."
            )
    heads = {_head(name) for name in rows[0]} if rows else set()
    if _describes_tables(heads):
        return _tables_csv(rows, table)
    columns, unknown = _columns(rows, table)
    return TableMetadata("", None, columns, _unknown(unknown))


def _describes_tables(heads: set[str]) -> bool:
    """Whether rows are about tables: none of a column's own heads, and one that only tables have."""
    of_columns = heads & {
        *_COLUMN_HEADS["unit"],
        *_COLUMN_HEADS["ucd"],
        *_COLUMN_HEADS["datatype"],
        "column_name",
    }
    of_tables = heads & {
        name for key, names in _TABLE_HEADS.items() if key in _IN_DESCRIPTION for name in names
    }
    return not of_columns and bool(of_tables or (heads & {"table_name", "table"} and "name" not in heads))


def _tables_csv(rows: Sequence[Mapping[str, str]], table: str) -> TableMetadata:
    for row in rows:
        told, unknown = _table_row(row)
        if _is_table(told.get("name", ""), table) or (len(rows) == 1 and not told.get("name")):
            return TableMetadata(_description(told), told.get("utype") or None, (), _unknown(unknown))
    raise MetadataError(f"none of its {len(rows)} tables is {table}.")


def _head(text: str | None) -> str:
    return re.sub(r"[^a-z0-9]+", "_", (text or "").lower()).strip("_")


def _pick(row: Mapping[str, str], heads: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], set[str]]:
    """Values by what they are, and heads that nobody knows. Of two heads for one thing the first counts."""
    by_head = {_head(name): value.strip() for name, value in row.items()}
    found: dict[str, str] = {}
    for key, names in heads.items():
        value = next((by_head[name] for name in names if by_head.get(name)), "")
        if len(value) > _LONGEST_TEXT or not all(
            letter.isprintable() or letter in "\n\r\t" for letter in value
        ):
            raise MetadataError(f"the {key} {value[:40]!r} is too long or holds control characters.")
        found[key] = value
    known = {name for names in heads.values() for name in names}
    return found, {name for name in by_head if name and name not in known}


def _table_row(row: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    return _pick(row, _TABLE_HEADS)


def _unknown(heads: set[str]) -> tuple[str, ...]:
    if not heads:
        return ()
    return (f"The metadata have heads that nothing is made of: {', '.join(sorted(heads)[:20])}.",)


def _description(told: Mapping[str, str]) -> str:
    first = told.get("description", "") or told.get("title", "")
    more = [f"{name.capitalize()}: {told[name]}" for name in _IN_DESCRIPTION if told.get(name)]
    return "\n".join([first, *more]).strip()


def _is_table(told: str, table: str) -> bool:
    told = told.strip().lower()
    return told in (table, table.partition(".")[2])


def _columns(rows: Sequence[Mapping[str, str]], table: str) -> tuple[tuple[ColumnMetadata, ...], set[str]]:
    if len(rows) > _MOST_COLUMNS:
        raise MetadataError(f"it describes {len(rows)} columns; no table has more than {_MOST_COLUMNS}.")
    found: list[ColumnMetadata] = []
    unknown: set[str] = set()
    for number, row in enumerate(rows, start=1):
        told, more = _pick(row, _COLUMN_HEADS)
        unknown |= more
        if told["table"] and not _is_table(told["table"], table):
            continue
        if not told["name"]:
            raise MetadataError(f"column {number} has no name.")
        found.append(_column(told))
    return tuple(found), unknown


def _column(told: Mapping[str, str]) -> ColumnMetadata:
    name = told["name"]
    values: dict[str, str | None] = {
        key: value if value.lower() not in _NOTHING else None
        for key, value in told.items()
        if key not in ("name", "table")
    }
    ucd, unit, xtype, utype = values["ucd"], values["unit"], values["xtype"], values["utype"]
    if ucd and not _UCD.fullmatch(ucd):
        raise MetadataError(
            f"the UCD {ucd[:60]!r} of column {name!r} is none; write words like pos.eq.ra;meta.main."
        )
    if unit and (len(unit) > 60 or not unit.isprintable()):
        raise MetadataError(f"the unit {unit[:60]!r} of column {name!r} is none.")
    for what, value in (("xtype", xtype), ("utype", utype)):
        if value and (len(value) > 200 or not re.fullmatch(r"[\x21-\x7e]+", value)):
            raise MetadataError(f"the {what} {value[:60]!r} of column {name!r} is none.")
    return ColumnMetadata(name, values["description"], unit, ucd, utype, xtype, values["datatype"])


def merge(columns: Sequence[Column], metadata: TableMetadata) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Columns of a file with what metadata say of them; and what does not fit, for people.

    Raises
    ------
    MetadataError
        If metadata describe columns that the file does not have: then they are of another table, or out of date.
    """
    exact = {column.name: number for number, column in enumerate(columns)}
    loose = {column.name.lower(): number for number, column in reversed(list(enumerate(columns)))}
    merged, warnings, missing = list(columns), list(metadata.warnings), []
    described: set[int] = set()
    for told in metadata.columns:
        number = exact.get(told.name, loose.get(told.name.lower()))
        if number is None:
            missing.append(told.name)
            continue
        described.add(number)
        merged[number] = _with(merged[number], told)
        if told.datatype and not _same_type(columns[number], told.datatype):
            warnings.append(
                f"Column {told.name} is {columns[number].datatype} in the file, {told.datatype[:40]} in the metadata;"
                " the file's type is kept."
            )
    if missing:
        raise MetadataError(_missing(missing, [column.name for column in columns]))
    if metadata.columns and (bare := [c.name for n, c in enumerate(merged) if n not in described]):
        warnings.append(f"The metadata do not describe {_listed(bare)}.")
    return tuple(merged), tuple(warnings)


def _with(column: Column, told: ColumnMetadata) -> Column:
    # What the values are cannot be changed by saying so: texts stay texts, and shapes shapes.
    kept = column.xtype is not None or (told.xtype or "").lower() in _OF_VALUES
    return replace(
        column,
        description=told.description or column.description,
        unit=told.unit or column.unit,
        ucd=told.ucd or column.ucd,
        utype=told.utype or column.utype,
        xtype=column.xtype if kept else told.xtype,
    )


def _same_type(column: Column, told: str) -> bool:
    words = re.sub(r"[\[(].*", "", told.lower()).strip()
    kind = "char" if column.datatype == "unicodeChar" else column.datatype
    return words in _TYPES.get(kind, (kind.lower(),))


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name[:63] for name in names[:most]) + more


def _missing(missing: Sequence[str], names: Sequence[str]) -> str:
    close = get_close_matches(missing[0], names, n=1)
    hint = f" ({close[0]}?)" if close else ""
    return (
        f"The metadata describe columns that the table does not have: {_listed(missing)}{hint}. "
        "Take them out of the metadata, or publish the table that they belong to."
    )
