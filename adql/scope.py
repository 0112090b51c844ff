"""What names mean at a place in a query: the tables of FROM, their columns, and the queries around."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adql import metas
from adql.catalogue import Column, matches
from adql.errors import AdqlNameError
from adql.nulls import settled
from adql.tree import AllColumns, ColumnReference, Identifier
from adql.typed import ColumnValue, Expression, Output, Source, TableSource
from adql.words import quoted


@dataclass(frozen=True, slots=True)
class Visible:
    """A column that can be named."""

    name: str
    expression: Expression


class Names(ABC):
    """The columns that FROM brings, or a part of it."""

    @abstractmethod
    def find(self, name: Identifier) -> list[Visible]:
        """All columns that a name without qualifier can mean."""

    @abstractmethod
    def all(self) -> list[Visible]:
        """All columns, in the order of `*`."""

    @abstractmethod
    def tables(self) -> Iterator[TableNames]:
        """The tables, from left to right."""


class TableNames(Names):
    """The columns of one table, derived table or common table.

    Parameters
    ----------
    source
        The table.
    qualifier
        What may stand before a dot: the alias, or the parts of the name of a table without one.
    """

    def __init__(self, source: Source, qualifier: tuple[str, ...]) -> None:
        self.source = source
        self.qualifier = qualifier

    def find(self, name: Identifier) -> list[Visible]:
        """The columns of that name."""
        found: Sequence[Column | Output]
        if isinstance(self.source, TableSource):
            found = self.source.table.by_name.get(name.text.lower(), ())
        else:
            found = self._outputs.get(name.text.lower(), ())
        return [self._visible(one) for one in found if matches(name, one.name)]

    def all(self) -> list[Visible]:
        """All columns of the table."""
        return [self._visible(one) for one in self._members()]

    def tables(self) -> Iterator[TableNames]:
        """Only itself."""
        yield self

    def answers_to(self, qualifier: Sequence[Identifier]) -> bool:
        """Whether what stands before a dot means this table."""
        return len(qualifier) <= len(self.qualifier) and all(
            matches(written, name)
            for written, name in zip(reversed(qualifier), reversed(self.qualifier), strict=False)
        )

    def _members(self) -> Sequence[Column | Output]:
        return self.source.table.columns if isinstance(self.source, TableSource) else self.source.outputs

    @cached_property
    def _outputs(self) -> dict[str, list[Output]]:
        found: dict[str, list[Output]] = {}
        for output in self._members():
            assert isinstance(output, Output)
            found.setdefault(output.name.lower(), []).append(output)
        return found

    def _visible(self, member: Column | Output) -> Visible:
        if isinstance(member, Column):
            return Visible(
                member.name, ColumnValue(self.source, member.name, metas.of_column(member), member)
            )
        return Visible(member.name, ColumnValue(self.source, member.key, settled(member).meta))


class PairNames(Names):
    """Two tables beside each other; `merged` columns of both have become one, and stand first.

    Parameters
    ----------
    merged
        The columns of USING or of a NATURAL join.
    """

    def __init__(self, left: Names, right: Names, merged: Sequence[Visible] = ()) -> None:
        self.left = left
        self.right = right
        self.merged = merged

    def find(self, name: Identifier) -> list[Visible]:
        """The columns of that name; one that is merged is only one."""
        together = [one for one in self.merged if matches(name, one.name)]
        return together or [*self.left.find(name), *self.right.find(name)]

    def all(self) -> list[Visible]:
        """The merged columns, then the others."""
        gone = {one.name.lower() for one in self.merged}
        rest = [one for one in (*self.left.all(), *self.right.all()) if one.name.lower() not in gone]
        return [*self.merged, *rest]

    def tables(self) -> Iterator[TableNames]:
        """Those of both sides."""
        yield from self.left.tables()
        yield from self.right.tables()


class Scope:
    """The names at a place: those of FROM, then those of the query around.

    Parameters
    ----------
    names
        The columns of FROM; None where there are none yet.
    outer
        The scope of the query around; None for the outermost.
    """

    def __init__(self, names: Names | None = None, outer: Scope | None = None) -> None:
        self.names = names
        self.outer = outer
        self.tables = list(names.tables()) if names is not None else []
        self.sources = {id(table.source) for table in self.tables}

    def column(self, reference: ColumnReference) -> Visible:
        """What a reference means.

        Raises
        ------
        AdqlNameError
            If there is no such column or table, or more than one.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope.own(reference)
            if found is not None:
                return found
            scope = scope.outer
        raise self._unknown(reference)

    def own(self, reference: ColumnReference) -> Visible | None:
        """What a reference means among the tables of this FROM; None if nothing.

        Raises
        ------
        AdqlNameError
            If it can mean several columns, or if its table is here but has no such column.
        """
        name, qualifier = reference.parts[-1], reference.parts[:-1]
        if self.names is None:
            return None
        if not qualifier:
            found = self.names.find(name)
        else:
            tables = [table for table in self.tables if table.answers_to(qualifier)]
            if not tables:
                return None
            found = [one for table in tables for one in table.find(name)]
            if not found:
                near = _near(name.text, [one.name for table in tables for one in table.all()])
                raise AdqlNameError(
                    f"the table {_dotted(qualifier)} has no column {name}",
                    reference.position,
                    _dotted(reference.parts),
                    near or f"its columns: SELECT {_dotted(qualifier)}.*",
                )
        return self._one(found, reference) if found else None

    def all_columns(self, star: AllColumns) -> list[Visible]:
        """What `*` or `qualifier.*` means.

        Raises
        ------
        AdqlNameError
            If no table answers to the qualifier, or more than one.
        """
        assert self.names is not None
        if not star.qualifier:
            return self.names.all()
        tables = [table for table in self.tables if table.answers_to(star.qualifier)]
        if len(tables) == 1:
            return tables[0].all()
        written = _dotted(star.qualifier)
        if tables:
            raise AdqlNameError(
                f"{written} can mean several tables", star.position, written, "give each an alias"
            )
        raise self._unknown_table(written, star.position)

    def _one(self, found: list[Visible], reference: ColumnReference) -> Visible:
        exact = [one for one in found if one.name == reference.parts[-1].text] if len(found) > 1 else found
        if len(exact) == 1:
            return exact[0]
        written = _dotted(reference.parts)
        owners = [quoted(table.qualifier[-1]) for table in self.tables if table.find(reference.parts[-1])]
        hint = " or ".join(f"{owner}.{reference.parts[-1]}" for owner in owners[:4])
        raise AdqlNameError(
            f"the column name {written} is ambiguous",
            reference.position,
            written,
            f"write {hint}" if len(set(owners)) > 1 else "give each of them a name of its own with AS",
        )

    def _unknown(self, reference: ColumnReference) -> AdqlNameError:
        written = _dotted(reference.parts)
        if len(reference.parts) > 1:
            return self._unknown_table(_dotted(reference.parts[:-1]), reference.position)
        names = [one.name for scope in self._chain() for table in scope.tables for one in table.all()]
        near = _near(reference.parts[0].text, names)
        if not near and reference.parts[0].delimited:
            near = "texts stand in single quotes; double quotes are for names"
        return AdqlNameError(f"there is no column {written}", reference.position, written, near)

    def _unknown_table(self, written: str, position: int) -> AdqlNameError:
        known = [table.qualifier[-1] for scope in self._chain() for table in scope.tables]
        near = _near(written.rsplit(".", maxsplit=1)[-1], known)
        listed = ", ".join(quoted(name) for name in known[:6])
        return AdqlNameError(
            f"no table of FROM is called {written}", position, written, near or f"there are {listed}"
        )

    def _chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def _dotted(parts: Sequence[Identifier]) -> str:
    return ".".join(str(part) for part in parts)


def _near(name: str, known: Sequence[str]) -> str:
    lowered = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(quoted(lowered[one]) for one in near)}?" if near else ""
