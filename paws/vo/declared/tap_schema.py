"""TAP_SCHEMA's own tables, as TAP 1.1 (section 4) has them."""

from __future__ import annotations

from typing import Final

from adql.catalogue import Column
from paws.vo.audience import AUDIENCE
from paws.vo.declared.values import DeclaredKey, DeclaredSchema, DeclaredTable

NAME: Final = "TAP_SCHEMA"


def _text(name: str, description: str, *, principal: bool = False) -> Column:
    return Column(name, "char", "*", description=description, principal=principal, std=True)


def _words(name: str, description: str) -> Column:
    # What people write of their tables is in any language.
    return Column(name, "unicodeChar", "*", description=description, principal=True, std=True)


def _number(name: str, description: str, *, principal: bool = False) -> Column:
    return Column(name, "int", description=description, principal=principal, std=True)


def _table(
    name: str,
    description: str,
    relation: str,
    columns: tuple[Column, ...],
    keys: tuple[DeclaredKey, ...] = (),
) -> DeclaredTable:
    return DeclaredTable(f"{NAME}.{name}", description, None, relation, None, "table", columns, keys=keys)


_SEEN_TABLE: Final = f"SELECT FROM tap_schema.tables AS r WHERE r.table_name = %s AND {AUDIENCE}"
_SEEN_KEY: Final = f"EXISTS ({_SEEN_TABLE % 'k.from_table'}) AND EXISTS ({_SEEN_TABLE % 'k.target_table'})"

TAP_SCHEMA: Final = DeclaredSchema(
    NAME,
    "What tables there are to query, and what is in them.",
    None,
    (
        _table(
            "schemas",
            "Schemas: groups of tables.",
            "SELECT s.* FROM tap_schema.schemas AS s WHERE EXISTS"  # noqa: S608 - constants
            f" (SELECT FROM tap_schema.tables AS r WHERE r.schema_name = s.schema_name AND {AUDIENCE})",
            (
                _text("schema_name", "Name of the schema, as queries write it", principal=True),
                _text("utype", "Utype, if the schema is of a data model"),
                _words("description", "What the schema is about"),
                _number("schema_index", "Order in which schemas are best listed"),
            ),
        ),
        _table(
            "tables",
            "Tables and views.",
            f"SELECT r.* FROM tap_schema.tables AS r WHERE {AUDIENCE}",  # noqa: S608 - constants
            (
                _text("schema_name", "Schema that the table is in", principal=True),
                _text("table_name", "Full name of the table, as queries write it", principal=True),
                _text("table_type", "One of: table, view"),
                _text("utype", "Utype, if the table is of a data model"),
                _words("description", "What the table holds"),
                _number("table_index", "Order in which tables are best listed"),
            ),
            (DeclaredKey(f"{NAME}.schemas", (("schema_name", "schema_name"),), "The schema of a table"),),
        ),
        _table(
            "columns",
            "Columns of all tables.",
            f"SELECT c.* FROM tap_schema.columns AS c WHERE EXISTS ({_SEEN_TABLE % 'c.table_name'})",  # noqa: S608 - constants
            (
                _text("table_name", "Table that the column is in", principal=True),
                _text("column_name", "Name of the column, as queries write it", principal=True),
                _text("datatype", "Type, in words of VOTable", principal=True),
                _text("arraysize", "Number of values, as VOTable writes it"),
                _text("xtype", "What the values stand for, such as timestamp"),
                _number("size", "Length; arraysize tells more"),
                _words("description", "What the column holds"),
                _text("utype", "Utype, if the column is of a data model"),
                _text("unit", "Unit, as VOUnits writes it", principal=True),
                _text("ucd", "UCD: what kind of quantity it is", principal=True),
                _number("indexed", "1 if a search on the column alone is quick"),
                _number("principal", "1 if the column is among the important ones"),
                _number("std", "1 if a standard defines the column"),
                _number("column_index", "Order of the column in its table"),
            ),
            (DeclaredKey(f"{NAME}.tables", (("table_name", "table_name"),), "The table of a column"),),
        ),
        _table(
            "keys",
            "Foreign keys: which tables belong together.",
            f"SELECT k.* FROM tap_schema.keys AS k WHERE {_SEEN_KEY}",  # noqa: S608 - constants
            (
                _text("key_id", "Identifier of the key", principal=True),
                _text("from_table", "Table that refers to another", principal=True),
                _text("target_table", "Table that is referred to", principal=True),
                _text("utype", "Utype of the key"),
                _words("description", "What the key means"),
            ),
            (
                DeclaredKey(f"{NAME}.tables", (("from_table", "table_name"),), "The table that refers"),
                DeclaredKey(f"{NAME}.tables", (("target_table", "table_name"),), "The table referred to"),
            ),
        ),
        _table(
            "key_columns",
            "Columns that a foreign key joins.",
            "SELECT l.* FROM tap_schema.key_columns AS l WHERE EXISTS"  # noqa: S608 - constants
            f" (SELECT FROM tap_schema.keys AS k WHERE k.key_id = l.key_id AND {_SEEN_KEY})",
            (
                _text("key_id", "Identifier of the key", principal=True),
                _text("from_column", "Column of the table that refers", principal=True),
                _text("target_column", "Column of the table referred to", principal=True),
            ),
            (DeclaredKey(f"{NAME}.keys", (("key_id", "key_id"),), "The key of a pair of columns"),),
        ),
    ),
)
