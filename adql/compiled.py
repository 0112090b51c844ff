"""What a query becomes: one SELECT for PostgreSQL, and what is known of the columns of its result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of a result, in VOTable's terms.

    Attributes
    ----------
    name
        Unique within the result, in any case of letters.
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query, ready to be run.

    Attributes
    ----------
    sql
        One SELECT. Parameters ``$1`` and so on stand in it only where relations of the catalogue bring them.
    columns
        In the order of the result.
    tables
        Full names of the tables used.
    warnings
        What the author should know although it is no error.
    """

    sql: str
    columns: tuple[OutputColumn, ...]
    tables: tuple[str, ...]
    warnings: tuple[str, ...] = ()
