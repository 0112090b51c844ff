"""What can stand in a query, for the completion of the editor: words, functions, the visitor's tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from adql.catalogue import Column, Table
from adql.function import Function
from adql.functions import FUNCTIONS
from adql.words import RESERVED, quoted

_STATEMENT: Final = (
    *(
        "SELECT",
        "DISTINCT",
        "TOP",
        "FROM",
        "WHERE",
        "GROUP BY",
        "HAVING",
        "ORDER BY",
        "OFFSET",
        "AS",
        "ASC",
        "DESC",
    ),
    *("JOIN", "LEFT OUTER JOIN", "RIGHT OUTER JOIN", "FULL OUTER JOIN", "NATURAL", "ON", "USING", "WITH"),
    *("AND", "OR", "NOT", "IN", "EXISTS", "BETWEEN", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"),
    *("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "CASE", "WHEN", "THEN", "ELSE", "END"),
    *("COUNT", "AVG", "MIN", "MAX", "SUM", "CAST", "IN_UNIT"),
)
"""Words in the order in which they are offered; those of the language that nobody writes are left out."""


def vocabulary(tables: Iterable[Table]) -> dict[str, Any]:
    """Words, functions and tables with their columns, as the page's scripts read them."""
    return {
        "words": list(_STATEMENT),
        "reserved": sorted(RESERVED),
        "functions": [_function(function) for function in FUNCTIONS.values()],
        "tables": [_table(table) for table in tables],
    }


def _function(function: Function) -> dict[str, str]:
    return {"name": function.name, "form": function.form or "", "about": function.description}


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": ".".join(quoted(part) for part in table.parts),
        "kind": table.kind,
        "rows": table.rows,
        "about": table.description,
        "columns": [_column(column) for column in table.columns],
    }


def _column(column: Column) -> dict[str, Any]:
    facts = {
        "name": quoted(column.name),
        "type": column.datatype if column.arraysize is None else f"{column.datatype}[{column.arraysize}]",
        "unit": column.unit,
        "ucd": column.ucd,
        "about": column.description,
        "indexed": column.indexed,
    }
    return {name: value for name, value in facts.items() if value}
