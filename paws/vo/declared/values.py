"""What is declared of tables: plain values, brought into TAP_SCHEMA by `paws.vo.tap_schema.declare`.

A relation is written in one of two ways:

- the name of a view, such as ``vo.obscore``: each of its rows belongs to somebody, and whoever asks gets those rows
  that they may see;
- a query with the mark `SEEN` where that condition belongs, on rows called ``r``: for tables that count or gather
  others, which must not count what whoever asks may not see.

`relation_for` makes both into what stands in FROM.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

from adql.catalogue import Column, Position
from paws.access.predicate import Kind, condition

SEEN: Final = "{seen}"
"""Where the condition that a row called ``r`` is seen belongs in the query of a relation."""


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """A foreign key.

    Attributes
    ----------
    target_table
        Full name of the table it leads to, such as ``paws.products``.
    columns
        Pairs of a column here and the column there.
    """

    target_table: str
    columns: tuple[tuple[str, str], ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class PositionIndex:
    """A table of the database whose positions are to be indexed, with the names of its columns, in degrees."""

    relation: str
    ra: str
    dec: str


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """A table.

    Attributes
    ----------
    name
        Full name, such as ``ivoa.obscore``.
    relation
        Where its rows are: see the module.
    sight
        Which rule decides who sees a row; None when everybody sees all.
    positions
        Pairs of columns (right ascension, declination) that have a position index.
    position_indexes
        Which indexes those need. `paws migrate` makes them.
    """

    name: str
    description: str
    utype: str | None
    relation: str
    sight: Kind | None
    kind: Literal["table", "view"]
    columns: tuple[Column, ...]
    positions: tuple[Position, ...] = ()
    keys: tuple[DeclaredKey, ...] = ()
    position_indexes: tuple[PositionIndex, ...] = ()

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}")


@dataclass(frozen=True, slots=True)
class DeclaredSchema:
    """A schema with its tables."""

    name: str
    description: str
    utype: str | None
    tables: tuple[DeclaredTable, ...]

    @property
    def digest(self) -> str:
        """Differs when anything that is declared differs."""
        document = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(document.encode()).hexdigest()


def relation_for(relation: str, sight: Kind | None) -> str:
    """What stands in FROM for a declared relation, before its alias.

    The values of its parameters ``$1`` to ``$4`` are `paws.access.predicate.values_of`.
    """
    if sight is None:
        return f"({relation})" if _is_query(relation) else relation
    if SEEN in relation:
        return f"({relation.replace(SEEN, condition(sight, 1, 'r'))})"
    return f"(SELECT r.* FROM {relation} AS r WHERE {condition(sight, 1, 'r')})"  # noqa: S608 - declared, not asked


def _is_query(relation: str) -> bool:
    return relation.lstrip().upper().startswith(("SELECT ", "WITH "))
