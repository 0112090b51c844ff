"""Constants and names as PostgreSQL reads them. Nothing that a user wrote reaches SQL but through here."""

from __future__ import annotations

import math
from typing import Final

from adql.errors import AdqlLimitError, AdqlTypeError
from adql.typed import Kind, Meta

_LARGEST_INTEGER: Final = 2**63 - 1
SQL_TYPES: Final = {
    "boolean": "boolean",
    "unsignedByte": "smallint",
    "short": "smallint",
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double precision",
}
"""By VOTable's datatype, of single values."""

_LONGEST: Final = 4_000_000
"""Characters of SQL; of the longest query that is read, one without places gives a tenth of it."""


def sql_type(meta: Meta) -> str:
    """PostgreSQL's type for values of a type; text for what is written as text."""
    if meta.kind.geometric:
        # Regions are declared as texts (adql:REGION), and are numbers in the database like all geometries.
        return f"{SQL_TYPES.get(meta.datatype, 'double precision')}[]"
    if meta.kind is Kind.ARRAY and meta.datatype in SQL_TYPES:
        return f"{SQL_TYPES[meta.datatype]}[]"
    if meta.kind is Kind.TIMESTAMP:
        return "timestamp"
    return SQL_TYPES.get(meta.datatype, "text") if meta.kind is not Kind.NULL else "text"


def text(value: str) -> str:
    """A character literal, whatever the server's standard_conforming_strings.

    Raises
    ------
    AdqlTypeError
        If it holds a NUL, which no text of PostgreSQL can.
    """
    if "\0" in value:
        raise AdqlTypeError("a text cannot hold the character NUL")
    doubled = value.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    return " E'" + doubled.replace("\\", "\\\\") + "'"


def name(value: str) -> str:
    """A name, in double quotes.

    Raises
    ------
    AdqlTypeError
        If it holds a NUL, which no name of PostgreSQL can.
    """
    if "\0" in value:
        raise AdqlTypeError("a name cannot hold the character NUL")
    return f'"{value.replace(chr(34), chr(34) * 2)}"'


def number(value: float) -> str:
    """A number: an integer as it is where PostgreSQL's fit, everything else in double precision."""
    if isinstance(value, int) and abs(value) <= _LARGEST_INTEGER:
        return str(value) if value >= 0 else f"({value})"
    try:
        exact = float(value)
    except OverflowError:
        exact = math.inf
    if not math.isfinite(exact):
        raise AdqlTypeError("a number is too large for double precision")
    return f"'{exact!r}'::double precision"


def bounded(sql: str) -> str:
    """A piece of SQL that is not too long: functions of places repeat their arguments, at every level.

    Raises
    ------
    AdqlLimitError
        If it is.
    """
    if len(sql) > _LONGEST:
        raise AdqlLimitError(
            "the query becomes too large", suggestion="name inner values in a derived table or a WITH clause"
        )
    return sql
