"""The catalogue of tables that somebody may query, read from TAP_SCHEMA and kept until that changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from adql.catalogue import Catalogue, Column, Position, Table
from paws.access.rule import Sight
from paws.database import Connection
from paws.settings import Settings
from paws.vo.audience import AUDIENCE, Audience, audience_condition, sees
from paws.vo.declared.values import SEEN, relation_for

_MOST_KEPT: Final = 256
"""Catalogues of different people that are kept."""


@dataclass(frozen=True)
class _Entry:
    """A table as it stands in TAP_SCHEMA: for who sees all rows, and the relation for who does not."""

    table: Table
    audience: Audience
    limited: str
    """Relation for who sees some of its rows."""


@dataclass(frozen=True)
class _Snapshot:
    """All tables at one version of TAP_SCHEMA."""

    version: int
    entries: tuple[_Entry, ...]
    owners: frozenset[int]
    """Accounts with personal tables."""
    proposals: frozenset[str]
    """Proposals with tables of their own."""


class CatalogueDesk:
    """Gives catalogues. One serves a whole process.

    Reading is a question for one number as long as nothing changes. Ask it in the transaction of the query, so that
    the tables which it names are there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._snapshot: _Snapshot | None = None
        self._kept: OrderedDict[tuple[Any, ...], Catalogue] = OrderedDict()

    async def catalogue(self, connection: Connection, visitor_account: int | None, sight: Sight) -> Catalogue:
        """Tables that somebody sees, with relations that have the rows they see.

        Relations with limits have four parameters, ``$1`` to ``$4``, of which
        `paws.access.predicate.values_of` has the values; either none of them occurs in a query or all do.

        Parameters
        ----------
        connection
            Connection that may read ``tap_schema``.
        visitor_account
            Account of the visitor, if they have one.
        """
        snapshot = await self._current(connection)
        account = visitor_account if visitor_account in snapshot.owners else None
        groups = frozenset() if sight.everything else sight.groups & snapshot.proposals
        key = (account, sight.everything, groups)
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        # Proposals of which nothing is published make no difference, and need not part people's catalogues.
        same_sight = replace(sight, groups=groups, grants=frozenset())
        made = Catalogue(tuple(_seen(snapshot.entries, same_sight, account)))
        self._kept[key] = made
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return made

    async def _current(self, connection: Connection) -> _Snapshot:
        version = await connection.fetchval("SELECT version FROM tap_schema.version")
        snapshot = self._snapshot
        if snapshot is None or snapshot.version != version:
            snapshot = await _read(connection, version)
            self._snapshot = snapshot
            self._kept.clear()
        return snapshot


def _seen(entries: Iterable[_Entry], sight: Sight, account: int | None) -> Iterable[Table]:
    for entry in entries:
        if not sees(sight, account, entry.audience):
            continue
        relation = entry.table.relation if sight.everything else entry.limited
        if AUDIENCE in relation:
            relation = relation.replace(AUDIENCE, audience_condition(sight, account))
        yield entry.table if relation == entry.table.relation else replace(entry.table, relation=relation)


async def _read(connection: Connection, version: int) -> _Snapshot:
    """All of TAP_SCHEMA. What changes meanwhile is read again, for its version will be another."""
    columns: dict[str, list[Column]] = {}
    for row in await connection.fetch(
        "SELECT table_name, name, datatype, arraysize, xtype, unit, ucd, utype, description, principal, indexed,"
        " std, sql_expression FROM tap_schema.columns ORDER BY table_name, column_index"
    ):
        columns.setdefault(row["table_name"], []).append(_column(row))
    rows = await connection.fetch(
        "SELECT t.table_name, t.table_type, t.description, t.relation, t.sight, t.owner_account, t.proposal,"
        " t.positions, t.row_count FROM tap_schema.tables t JOIN tap_schema.schemas s USING (schema_name)"
        " ORDER BY s.schema_index, t.table_index NULLS LAST, t.table_name"
    )
    entries = tuple(_entry(row, columns.get(row["table_name"], [])) for row in rows)
    return _Snapshot(
        version,
        entries,
        frozenset(row["owner_account"] for row in rows) - {None},
        frozenset(row["proposal"] for row in rows) - {None},
    )


def _column(row: Any) -> Column:
    return Column(
        name=row["name"],
        datatype=row["datatype"],
        arraysize=row["arraysize"],
        xtype=row["xtype"],
        unit=row["unit"],
        ucd=row["ucd"],
        utype=row["utype"],
        description=row["description"] or "",
        principal=bool(row["principal"]),
        indexed=bool(row["indexed"]),
        std=bool(row["std"]),
        sql=row["sql_expression"],
    )


def _entry(row: Any, columns: list[Column]) -> _Entry:
    names = row["positions"]
    table = Table(
        name=row["table_name"],
        columns=tuple(columns),
        # For whoever sees everything the rule need not be asked at each row.
        relation=relation_for(row["relation"].replace(SEEN, "TRUE"), None),
        positions=tuple(Position(ra, dec) for ra, dec in zip(names[::2], names[1::2], strict=True)),
        rows=row["row_count"],
        description=row["description"] or "",
        kind=row["table_type"],
    )
    audience = Audience(row["proposal"], row["owner_account"])
    return _Entry(table, audience, relation_for(row["relation"], row["sight"]))
