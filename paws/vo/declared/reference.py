"""Reference page of our own tables, made from what is declared of them."""

from __future__ import annotations

from adql.catalogue import Column
from paws.vo.declared.all import DECLARED
from paws.vo.declared.tap_schema import TAP_SCHEMA
from paws.vo.declared.values import DeclaredKey, DeclaredTable

_HEAD = """\
# Tables of the Virtual Observatory

What the query service (TAP) has of PAWS Live itself, made from the declarations in `paws/vo/declared`. People publish
further tables ([how to](../how-to/publish-a-table.md)); `TAP_SCHEMA.tables` lists all that you may ask.

Rows that are not yours to see are in no table: not in results, not in counts, not in what is gathered from them
([who sees what](../explanation/access.md)). A spectrum is in the tables as soon as it is reduced and taken in, within a
second; a better version takes its place in the moment in which it becomes the valid one, and products of frames that
are marked as junk leave at once.

Positions are ICRS, in degrees. Times are UTC. Wavelengths are in vacuum and metres where a standard wants them so, and in
air and Angstrom where they are those of the files (`wavelength_*`); between the two stands Ciddor 1996 (Appl. Opt. 35,
1566). *i* marks columns on which a search is quick, *p* the important ones."""


def reference_page() -> str:
    """Reference page of every declared table with its columns, in Markdown."""
    lines = [_HEAD]
    for schema in DECLARED:
        if schema is TAP_SCHEMA:
            continue
        lines += ["", f"## {schema.name}", "", schema.description]
        for table in schema.tables:
            lines += _table(table)
    return "\n".join(lines) + "\n"


def _table(table: DeclaredTable) -> list[str]:
    return [
        "",
        f"### {table.name}",
        "",
        table.description,
        *_keys(table.keys),
        "",
        "| column | type | unit | UCD | what it is | |",
        "|---|---|---|---|---|---|",
        *(_column(column) for column in table.columns),
    ]


def _keys(keys: tuple[DeclaredKey, ...]) -> list[str]:
    if not keys:
        return []
    told = []
    for key in keys:
        pairs = ", ".join(f"`{here}` = `{there}`" for here, there in key.columns)
        told.append(f"`{key.target_table}` ({pairs})")
    return ["", f"Goes with {'; '.join(told)}."]


def _column(column: Column) -> str:
    flags = " ".join(flag for flag, on in (("i", column.indexed), ("p", column.principal)) if on)
    cells = (
        f"`{column.name}`",
        _type(column),
        column.unit or "",
        column.ucd or "",
        column.description.replace("|", "\\|"),
        f"*{flags}*" if flags else "",
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _type(column: Column) -> str:
    if column.xtype is not None:
        return column.xtype
    return "text" if column.datatype in ("char", "unicodeChar") else column.datatype
