"""Names of tables and columns: as queries write them, and as SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adql.words import RESERVED
from adql.words import quoted as published
from paws.errors import InvalidInputError

__all__ = [
    "OURS",
    "ColumnName",
    "TableName",
    "TableNameError",
    "column_names",
    "is_personal",
    "personal_schema",
    "published",
    "quoted",
    "table_name",
]

_PART: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_PERSONAL: Final = "user_"
LONGEST: Final = 63
"""Bytes of a name in PostgreSQL, which cuts what is longer without saying so."""

OURS: Final = frozenset(
    {"tap_schema", "tap_upload", "ivoa", "paws", "ssap", "vo", "published", "public", "information_schema"}
)
"""Schemas that nobody else may publish in; nor in any that begins with ``pg_``."""

_OF_POSTGRESQL: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""Columns that every table of PostgreSQL has already."""


class TableNameError(InvalidInputError):
    """A table cannot be called so. The message says how it can be called."""

    code = "table_name"


@dataclass(frozen=True, slots=True)
class TableName:
    """Name of a published table. Case makes no difference; it is kept in small letters."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


def quoted(name: str) -> str:
    """A name as SQL. All names in our SQL that do not stand in the code go through here.

    Raises
    ------
    InvalidInputError
        If PostgreSQL has no such names.
    """
    if not name or "\0" in name or len(name.encode()) > LONGEST:
        raise InvalidInputError(f"{name[:80]!r} cannot be a name in the database.")
    return '"' + name.replace('"', '""') + '"'


def table_name(text: str) -> TableName:
    """Name of a table that is to be published, checked.

    Raises
    ------
    TableNameError
        If it cannot be one.
    """
    parts = text.strip().lower().split(".")
    if len(parts) != 2:
        raise TableNameError(f"A table is named schema.table, such as gama.sources; {text[:80]!r} is not.")
    for part in parts:
        if not _PART.fullmatch(part):
            raise TableNameError(
                f"{part[:80]!r} cannot be part of a table's name: letters a to z, digits and '_', at most 50, a letter first."
            )
        if part.upper() in RESERVED:
            raise TableNameError(
                f"{part!r} is a reserved word of ADQL, so every query would have to quote it; try {part}_1."
            )
    schema, table = parts
    if schema in OURS or schema.startswith("pg_"):
        raise TableNameError(f"The schema {schema!r} is not for published tables; take another name for it.")
    return TableName(schema, table)


def is_personal(name: TableName) -> bool:
    """Whether a table stands in a schema of the form that personal ones have."""
    return name.schema.startswith(_PERSONAL)


def personal_schema(account: str) -> str:
    """Schema of a person's own tables, by the account's name."""
    return _PERSONAL + re.sub(r"[^a-z0-9_]", "_", account.lower())[: 50 - len(_PERSONAL)]


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column's name: in queries, and in the table that holds it."""

    name: str
    stored: str


def column_names(names: Sequence[str]) -> tuple[list[ColumnName], list[str]]:
    """Names for the columns of a table, and what had to be changed, for people.

    Names are kept wherever that can be: queries quote those that are no plain words. Changed are those that are
    empty, too long, hold control characters, or differ from another in nothing but the case of letters.
    """
    found: list[ColumnName] = []
    warnings: list[str] = []
    taken: set[str] = set()
    stored_taken: set[str] = set()
    for number, given in enumerate(names, start=1):
        name = (
            _cut("".join(letter for letter in given.strip() if letter.isprintable()), LONGEST)
            or f"col{number}"
        )
        name = _free(name, taken)
        taken.add(name.lower())
        if name != given:
            warnings.append(f"Column {number} is called {published(name)}; the file has {given[:80]!r}.")
        stored = _free(name, stored_taken | _OF_POSTGRESQL)
        stored_taken.add(stored.lower())
        found.append(ColumnName(name, stored))
    return found, warnings


def _cut(text: str, most: int) -> str:
    """As much of a text as has at most so many bytes."""
    return text.encode()[:most].decode(errors="ignore").strip()


def _free(name: str, taken: set[str] | frozenset[str]) -> str:
    """A name that is not taken: itself, or with a number behind it."""
    number, found = 2, name
    while found.lower() in taken:
        end = f"_{number}"
        found = _cut(name, LONGEST - len(end)) + end
        number += 1
    return found
