"""What there is to be asked: tables and columns as plain values, given by the caller."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from adql.errors import AdqlNameError
from adql.tree import Identifier
from adql.words import quoted

_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


@dataclass(frozen=True, slots=True)
class Column:
    """A column as TAP_SCHEMA describes it.

    Attributes
    ----------
    name
        As published, without quotes. It is written in double quotes in a query when `adql.words.quoted` says so.
    datatype, arraysize, xtype
        VOTable's: ``double``; ``char`` with ``*``; ``double`` with ``2`` and ``point``.
    indexed, principal, std
        The flags of TAP_SCHEMA.
    sql
        SQL expression of the value, over the rows of the table's relation; None for its column of this name.
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str = ""
    principal: bool = False
    indexed: bool = False
    std: bool = False
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Two columns of a table, right ascension and declination in degrees, that have a position index."""

    ra: str
    dec: str


@dataclass(frozen=True)
class Table:
    """A table, with what stands for it in FROM.

    Attributes
    ----------
    name
        Full name as TAP_SCHEMA has it: ``ivoa.obscore``, ``TAP_UPLOAD.mine``, ``vizier."I/239/hip_main"``. A part
        that needs double quotes may stand with or without them, but must have them if it contains a dot.
    relation
        SQL that can stand in FROM before an alias.
    positions
        Pairs of columns that have a position index.
    rows
        How many rows it has, where known.
    """

    name: str
    columns: tuple[Column, ...]
    relation: str
    positions: tuple[Position, ...] = ()
    rows: int | None = None
    description: str = ""
    kind: Literal["table", "view"] = "table"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the name: schema and table, without quotes."""
        return split_name(self.name)

    @cached_property
    def by_name(self) -> dict[str, tuple[Column, ...]]:
        """The columns by name in lower case; more than one where names differ only in the case of letters."""
        found: dict[str, tuple[Column, ...]] = {}
        for column in self.columns:
            key = column.name.lower()
            found[key] = (*found.get(key, ()), column)
        return found


def split_name(name: str) -> tuple[str, ...]:
    """The parts of a full name at its dots, those in double quotes left whole, quotes removed."""
    return tuple(
        delimited.replace('""', '"') if delimited else plain for delimited, plain in _PART.findall(name)
    )


def matches(written: Identifier, name: str) -> bool:
    """Whether a name in a query means a published one: exactly if delimited, in any case of letters if not."""
    return written.text == name if written.delimited else written.text.lower() == name.lower()


class Catalogue:
    """The tables that one visitor may ask.

    Tables are found by full name or, where that is unambiguous, by their last part alone.

    Parameters
    ----------
    tables
        In the order in which they are listed to people. Of two tables with one name the later one counts.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables: dict[tuple[str, ...], Table] = {table.parts: table for table in tables}
        self._by_last: dict[str, list[tuple[tuple[str, ...], Table]]] = {}
        for parts, table in self._tables.items():
            self._by_last.setdefault(parts[-1].lower(), []).append((parts, table))

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def __len__(self) -> int:
        return len(self._tables)

    def with_tables(self, tables: Iterable[Table]) -> Catalogue:
        """A catalogue with further tables, as those that came with a query (TAP_UPLOAD)."""
        return Catalogue([*self, *tables])

    def find(self, written: Sequence[Identifier]) -> Table:
        """The table of a name in a query.

        Parameters
        ----------
        written
            One to three identifiers; a leading third is the name of a database, which has no meaning here.

        Raises
        ------
        AdqlNameError
            If there is no such table, or if a name without schema fits tables of several schemas.
        """
        found = [
            (parts, table)
            for parts, table in self._by_last.get(written[-1].text.lower(), ())
            if len(written) <= len(parts)
            and all(matches(one, part) for one, part in zip(reversed(written), reversed(parts), strict=False))
        ]
        if len(found) == 1:
            return found[0][1]
        name = ".".join(str(one) for one in written)
        if not found:
            raise AdqlNameError(f"there is no table {name}", written[0].position, name, self._hint(name))
        whole = ".".join(one.text for one in written)
        exact = [table for parts, table in found if ".".join(parts) == whole]
        if len(exact) == 1:
            return exact[0]
        full = " or ".join(".".join(quoted(part) for part in parts) for parts, _ in found)
        raise AdqlNameError(
            f"the table name {name} is ambiguous", written[0].position, name, f"write it in full: {full}"
        )

    def close_names(self, name: str, count: int = 3) -> list[str]:
        """Full names of tables that are spelt nearly so, nearest first."""
        whole = {".".join(quoted(part) for part in parts): parts for parts in self._tables}
        candidates: dict[str, str] = {}
        for full, parts in whole.items():
            candidates.setdefault(full.lower(), full)
            candidates.setdefault(parts[-1].lower(), full)
        near = difflib.get_close_matches(name.replace('"', "").lower(), candidates, n=2 * count, cutoff=0.6)
        return list(dict.fromkeys(candidates[one] for one in near))[:count]

    def _hint(self, name: str) -> str:
        near = self.close_names(name)
        if near:
            return f"did you mean {' or '.join(near)}?"
        return "the tables are listed in TAP_SCHEMA.tables"
