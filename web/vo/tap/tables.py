"""The tables of the service, as VOSI 1.1 and VODataService 1.1 write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from adql.catalogue import Column, Table
from adql.words import quoted
from paws.database import Connection
from web.vo.xml import XSI, Markup, document, element

NAMESPACES: Final = {
    "xmlns:vosi": "http://www.ivoa.net/xml/VOSITables/v1.0",
    "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xmlns:xsi": XSI,
}

ESA: Final = "http://esa.int/xml/EsaTapPlus"
"""Namespace of an attribute that astroquery wants of every column (its issue 1597, "won't fix")."""


@dataclass(frozen=True)
class SchemaFacts:
    """A schema, beside its tables."""

    name: str
    description: str | None
    utype: str | None


@dataclass(frozen=True)
class KeyFacts:
    """A foreign key."""

    target: str
    columns: tuple[tuple[str, str], ...]
    description: str | None
    utype: str | None


@dataclass(frozen=True)
class Surroundings:
    """What TAP_SCHEMA knows of tables beside their columns.

    Attributes
    ----------
    schemas
        In the order in which they are listed.
    schema_of, utypes, keys
        By the full name of a table.
    """

    schemas: tuple[SchemaFacts, ...] = ()
    schema_of: Mapping[str, str] = field(default_factory=dict)
    utypes: Mapping[str, str | None] = field(default_factory=dict)
    keys: Mapping[str, Sequence[KeyFacts]] = field(default_factory=dict)


async def surroundings(connection: Connection) -> Surroundings:
    """Read what TAP_SCHEMA knows beside the catalogue: of all tables, also those that not everybody sees."""
    schemas = await connection.fetch(
        "SELECT schema_name, description, utype FROM tap_schema.schemas ORDER BY schema_index NULLS LAST, schema_name"
    )
    tables = await connection.fetch("SELECT table_name, schema_name, utype FROM tap_schema.tables")
    rows = await connection.fetch(
        "SELECT k.key_id, k.from_table, k.target_table, k.description, k.utype, c.from_column, c.target_column"
        " FROM tap_schema.keys k JOIN tap_schema.key_columns c USING (key_id) ORDER BY k.key_id, c.from_column"
    )
    return Surroundings(
        tuple(SchemaFacts(row["schema_name"], row["description"], row["utype"]) for row in schemas),
        {row["table_name"]: row["schema_name"] for row in tables},
        {row["table_name"]: row["utype"] for row in tables},
        _keys(rows),
    )


def _keys(rows: Iterable[Any]) -> dict[str, list[KeyFacts]]:
    columns: dict[str, list[tuple[str, str]]] = defaultdict(list)
    facts: dict[str, Any] = {}
    for row in rows:
        columns[row["key_id"]].append((row["from_column"], row["target_column"]))
        facts[row["key_id"]] = row
    found: dict[str, list[KeyFacts]] = defaultdict(list)
    for key, row in facts.items():
        found[row["from_table"]].append(
            KeyFacts(row["target_table"], tuple(columns[key]), row["description"], row["utype"])
        )
    return found


def tableset_document(
    tables: Sequence[Table], around: Surroundings, *, columns: bool = True, for_astroquery: bool = False
) -> bytes:
    """All tables that somebody sees.

    Parameters
    ----------
    columns
        Whether their columns are told too.
    for_astroquery
        Give columns an attribute of ESA's services: astroquery.utils.tap reads no document without it, and others
        need not see what the schema of the document does not know.
    """
    namespaces = {**NAMESPACES, "xmlns:esatapplus": ESA} if for_astroquery else NAMESPACES
    seen = {table.name for table in tables}
    schemas = []
    for schema in around.schemas:
        inside = [table for table in tables if around.schema_of.get(table.name) == schema.name]
        if inside:
            schemas.append(
                element(
                    "schema",
                    None,
                    element("name", None, schema.name),
                    element("description", None, schema.description) if schema.description else None,
                    element("utype", None, schema.utype) if schema.utype else None,
                    *(
                        _table("table", None, table, around, seen, columns=columns, esa=for_astroquery)
                        for table in inside
                    ),
                )
            )
    return document(element("vosi:tableset", namespaces, *schemas))


def table_document(table: Table, around: Surroundings, seen: Iterable[str]) -> bytes:
    """One table.

    Parameters
    ----------
    seen
        Names of all tables that whoever asks sees: keys lead to others of them only.
    """
    return document(_table("vosi:table", NAMESPACES, table, around, set(seen), columns=True))


def _table(
    tag: str,
    namespaces: dict[str, str] | None,
    table: Table,
    around: Surroundings,
    seen: set[str],
    *,
    columns: bool,
    esa: bool = False,
) -> Markup:
    utype = around.utypes.get(table.name)
    return element(
        tag,
        {**(namespaces or {}), "type": table.kind},
        element("name", None, table.name),
        element("description", None, table.description) if table.description else None,
        element("utype", None, utype) if utype else None,
        *((_column(column, esa=esa) for column in table.columns) if columns else ()),
        *((_key(key) for key in around.keys.get(table.name, ()) if key.target in seen) if columns else ()),
    )


def _column(column: Column, *, esa: bool) -> Markup:
    flags = [name for name, set_ in (("indexed", column.indexed), ("principal", column.principal)) if set_]
    return element(
        "column",
        {"std": "true" if column.std else "false", **({"esatapplus:flags": "0"} if esa else {})},
        element("name", None, quoted(column.name)),
        element("description", None, column.description) if column.description else None,
        element("unit", None, column.unit) if column.unit else None,
        element("ucd", None, column.ucd) if column.ucd else None,
        element("utype", None, column.utype) if column.utype else None,
        element(
            "dataType",
            {"xsi:type": "vs:VOTableType", "arraysize": column.arraysize, "extendedType": column.xtype},
            column.datatype,
        ),
        *(element("flag", None, flag) for flag in flags),
    )


def _key(key: KeyFacts) -> Markup:
    return element(
        "foreignKey",
        None,
        element("targetTable", None, key.target),
        *(
            element(
                "fkColumn",
                None,
                element("fromColumn", None, here),
                element("targetColumn", None, there),
            )
            for here, there in key.columns
        ),
        element("description", None, key.description) if key.description else None,
        element("utype", None, key.utype) if key.utype else None,
    )
